// SPDX-License-Identifier: GPL-2.0
/*
 * Connections that are made anew: with another key, or with fresh keys of the
 * handshake. One queue at a time: the old connection stays until its answers have
 * come, and the new one has the same session, slots and lease.
 */
#include "sim.h"

#define DRAIN_MS 500	/* patience with what is in flight, */
#define DRAIN_TRIES 3	/* and then it is resent on the new connection */
#define POLL_MS 10

static void next_later(struct machine *m)
{
	after(1000 << (m->renewals < 3 ? m->renewals : 3), EV_RENEW, m->index, QUEUES, m->session);
}

static void queue_begin(struct machine *m, u8 queue)
{
	struct queue *q = &m->queue[queue];

	say("M%u: s%u queue %u begins to renew its connection", m->index, m->session, queue);
	q->next = conn_open(m, queue, q->gen);
	q->next_since = w.now;
	if (mutated(RENEWAL_HELLO_TOO_EARLY))
		client_hello(m, queue, q->next);
	/* the greetings pass first */
	after(between(2, 40), EV_RENEW, m->index, queue, q->next->stamp);
}

/* The next queue that has a former key, unless one is being renewed already. */
void renewal_next(struct machine *m)
{
	if (m->device != D_UP)
		return;
	for (u8 n = 0; n < m->queues; n++)
		if (m->queue[n].next)
			return;
	for (u8 n = 0; n < m->queues; n++)
		if (m->queue[n].state == Q_LIVE && m->queue[n].conn->key != m->key) {
			queue_begin(m, n);
			return;
		}
}

/* `dst set DEVICE key=FILE`, or a day has passed; without a key, `uri=` again. */
void device_rotate(struct machine *m)
{
	happened[H_ROTATED]++;
	say("M%u: s%u makes its connections anew", m->index, m->session);
	m->key++;
	m->renewals = 0;
	if (w.keyed)
		renewal_next(m);
	for (u8 n = 0; n < m->queues && !w.keyed; n++)
		if (m->queue[n].state == Q_LIVE)
			client_lost(m, n);
}

void renewal_forget(struct queue *q)
{
	q->next = NULL;
	q->held = false;
	q->said = false;
}

void renewal_drop(struct machine *m, u8 queue, bool goes_on)
{
	struct queue *q = &m->queue[queue];
	struct conn *c = q->next;

	if (!c)
		return;
	renewal_forget(q);
	if (c->open)
		conn_abort(c, TO_EXPORTER);
	next_later(m);
	if (goes_on)
		txn_resend_all(m, queue);
}

/* The old connection has ended, or does now. */
static void take_place(struct machine *m, u8 queue)
{
	struct queue *q = &m->queue[queue];
	struct conn *old = q->conn;

	q->conn = q->next;
	renewal_forget(q);
	q->state = Q_HELLO;
	q->heard_ms = w.now;
	q->pinged_ms = w.now;
	if (old) {
		old->reading = NULL;
		if (old->open)
			conn_abort(old, TO_EXPORTER);
	}
	txns_unsent(m, queue);
}

bool renewal_closed(struct machine *m, struct conn *c)
{
	struct queue *q = &m->queue[c->queue];

	if (!q->next)
		return false;
	if (c == q->next && !q->said) {
		renewal_drop(m, c->queue, true);
		return true;
	}
	if (c == q->next || !q->said)
		return false;
	/* the exporter's fence: its welcome is on the way */
	take_place(m, c->queue);
	after(m->policy.timeout_ms + m->ping_ms, EV_QUEUE_TIMER, m->index, c->queue,
	      q->conn->stamp);
	return true;
}

void renewal_receive(struct conn *c, const struct item *i)
{
	struct queue *q = &c->m->queue[c->queue];

	q->next_since = w.now;
	if (i->kind != I_WELCOME || i->message->welcome.status == DSTOR_WELCOME_WAIT)
		return;
	happened[H_RENEWED] += i->message->welcome.status == DSTOR_WELCOME_OK;
	take_place(c->m, c->queue);
}

static bool is_drained(const struct queue *q)
{
	for (u32 n = 0; n < SLOTS; n++)
		if (q->slot[n] && q->slot[n]->state == T_SENT)
			return false;
	return true;
}

void renewal_step(struct machine *m, u8 queue)
{
	struct queue *q = &m->queue[queue];
	u64 patience = q->said ? m->policy.timeout_ms + m->ping_ms : DRAIN_MS;
	bool impatient = w.now - q->next_since > patience;

	if (q->said && impatient) {
		client_lost(m, queue);
		return;
	}
	if (!q->said && !q->held) {
		q->held = true;
		q->next_since = w.now;
		impatient = false;
	}
	if (!q->said && (is_drained(q) || (impatient && m->renewals + 1 >= DRAIN_TRIES))) {
		/* it names the highest sequence number that was sent, so it is made last */
		if (!mutated(RENEWAL_HELLO_TOO_EARLY))
			client_hello(m, queue, q->next);
		q->said = true;
		q->next_since = w.now;
	} else if (!q->said && impatient) {
		m->renewals++;
		renewal_drop(m, queue, true);
		return;
	}
	after(POLL_MS, EV_RENEW, m->index, queue, q->next->stamp);
}
