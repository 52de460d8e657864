// SPDX-License-Identifier: GPL-2.0
/*
 * A client machine is restored to a snapshot of its memory: its device, queues,
 * sequence numbers and transactions are those of then, while exporter and disk
 * went on. What it does from now on is of another history than what the exporter
 * has seen, and must not be taken for a part of that (P2, P3).
 *
 * A transaction that was in flight at the snapshot begins once more, as a twin:
 * the same bytes under the same (queue, slot, seq).
 */
#include "sim.h"

static bool may_have_snapshot(const struct machine *m)
{
	return m->exists && !m->down && !m->loopback && m->frozen_until <= w.now;
}

void machine_snapshot(struct machine *m)
{
	struct snapshot *s = &w.snapshot;
	bool soon = chance(30);

	if (!may_have_snapshot(m) || m->device != D_UP || !m->established || m->suspended)
		return;
	say("M%u: a snapshot of s%u", m->index, m->session);
	s->taken = true;
	s->machine = m->index;
	s->session = m->session;
	s->when = w.now;
	s->order = ++w.order;
	s->m = *m;
	s->n = 0;
	for (u32 q = 0; q < m->queues; q++)
		for (u32 k = 0; k < SLOTS; k++) {
			struct txn *t = m->queue[q].slot[k];

			if (!t)
				continue;
			s->txns[s->n] = *t;
			if (!t->root)
				s->txns[s->n].root = t - w.txns;
			s->n++;
		}
	/* what is in flight is executed, and its acks are late: twins ask again */
	for (u32 n = 0; soon && n < CONNS; n++)
		if (w.conns[n].used && w.conns[n].m == m)
			conn_delay(&w.conns[n], TO_CLIENT, between(20, 1500));
	if (soon)
		after(below(30), EV_RESTORE, m->index, 0, m->session);
}

/* At any exporter: its address may lead there later. */
static bool may_pass(const struct machine *m, u8 queue)
{
	for (u32 n = 0; n < EXPORTERS; n++)
		if (session_may_know(&w.exporters[n], m->session_id, queue,
				     m->queue[queue].cookie))
			return true;
	return false;
}

/* Only what lies in its memory: the device, not the world around it. */
static void memory_restore(struct machine *m)
{
	const size_t from = offsetof(struct machine, device);
	bool scanning = m->scanning;

	memcpy((char *)m + from, (const char *)&w.snapshot.m + from, sizeof(*m) - from);
	m->scanning = scanning;
	m->forced_ms = NEVER;
	for (u8 q = 0; q < m->queues; q++) {
		struct queue *queue = &m->queue[q];

		queue->conn = NULL;
		renewal_forget(queue);
		queue->state = Q_IDLE;
		memset(queue->slot, 0, sizeof(queue->slot));
		/*
		 * A queue whose cookie may still pass is told apart by its last sequence
		 * number alone, and that holds only if it submits nothing before it is
		 * judged (README.md, demand rollback-busy).
		 */
		queue->quiet = demand != DEMAND_ROLLBACK_BUSY && may_pass(m, q);
		after(between(0, chance(50) ? 10 : 3000), EV_CONNECT, m->index, q, m->session);
	}
}

void machine_restore(struct machine *m)
{
	struct snapshot *s = &w.snapshot;

	if (!may_have_snapshot(m) || !s->taken || s->machine != m->index ||
	    s->session != m->session || w.n_txns - w.n_internal + s->n + 1u > TXNS_OF_APPS)
		return;
	happened[H_ROLLED_BACK]++;
	say("M%u: s%u is rolled back by %llu ms", m->index, m->session, ULL(w.now - s->when));
	net_machine_died(m);
	oracle_client_crashed(m);
	memory_restore(m);
	oracle_rolled_back(m, s);
	for (u8 n = 0; n < s->n; n++)
		txn_revive(m, &s->txns[n], w.now - s->when);
}
