// SPDX-License-Identifier: GPL-2.0
/*
 * The lease of the one writer (docs/protocol.md, section 10): who has it, how it
 * passes on, and how a session loses its right to write.
 */
#include "sim.h"
#include "session.h"
#include "hello.h"
#include "id.h"

bool lease_is_holder(const struct exporter *x, const struct record *r)
{
	return r->writer && x->lease.held && dstor_id_equal(x->lease.session, r->id);
}

void lease_keep(struct exporter *x)
{
	x->disk->kept_lease = x->lease;
	x->disk->kept_lease.held = dstor_lease_outlives(&x->lease);
	x->disk->kept_gate = x->gate;
	if (x->forgets) {
		memset(&x->disk->kept_lease, 0, sizeof(x->disk->kept_lease));
		memset(&x->disk->kept_gate, 0, sizeof(x->disk->kept_gate));
	}
}

void lease_release(struct exporter *x, struct record *r)
{
	if (lease_is_holder(x, r)) {
		dstor_lease_release(&x->lease);
		dstor_replay_gate_holder(&x->gate, false, false, x->instance);
		lease_keep(x);
		oracle_released(x, r->session);
	}
}

u64 lease_new_token(void)
{
	w.ids++;
	return (u64)w.ids << 32 | 1;
}

void lease_request(const struct conn *c, struct dstor_lease_request *q)
{
	memset(q, 0, sizeof(*q));
	memcpy(q->session, c->hello.session, DSTOR_ID_LEN);
	memcpy(q->client, c->hello.client, DSTOR_ID_LEN);
	memcpy(q->takeover, c->hello.takeover, DSTOR_ID_LEN);
	q->token = mutated(LEASE_TOKEN_IGNORED) ? 0 : le64_to_cpu(c->hello.writer_token);
	q->budget_ms = dstor_lease_ms(le32_to_cpu(c->hello.timeout_ms),
				      le32_to_cpu(c->hello.retries));
	q->silence_ms = dstor_silence_ms(le32_to_cpu(c->hello.ping_ms),
					 le32_to_cpu(c->hello.timeout_ms));
	q->asked_ms = c->heard_ms;	/* it says nothing more until it is answered */
	q->same_client = true;
	q->has_key = w.keyed;
}

u64 lease_granted(struct conn *c, const struct dstor_lease_request *q)
{
	struct exporter *x = c->x;
	bool same = x->lease.held && dstor_id_equal(q->session, x->lease.session);
	u64 token = dstor_lease_grant(&x->lease, q, lease_new_token(), w.now);

	if (same)
		dstor_replay_gate_progress(&x->gate, w.now);
	else
		dstor_replay_gate_holder(&x->gate, c->hello.flags & DSTOR_HELLO_KEEPS,
					 c->hello.flags & DSTOR_HELLO_RESUME, x->instance);
	lease_keep(x);	/* on its own disk, before it answers */
	happened[H_TOKEN_RENEWED] += q->token && token != q->token;
	oracle_granted(x, c->session, q);
	c->record->writer = true;
	c->record->downgraded = false;
	return token;
}

bool lease_expel_holder(struct conn *c, const struct dstor_lease_request *q)
{
	struct exporter *x = c->x;
	struct record *holder = record_find(x, x->lease.session);
	bool takeover = dstor_id_equal(q->takeover, x->lease.session);

	if (!holder)
		return true;
	/* it waits, as we do, and has nothing to say meanwhile */
	for (u8 n = 0; n < QUEUES; n++)
		if (holder->queue[n].pending && holder->queue[n].pending->established)
			return false;
	happened[takeover ? H_TAKEOVER : H_SILENT_HOLDER]++;
	for (u8 n = 0; n < QUEUES; n++)
		record_close_queue(holder, n);
	x->lease.connected = false;
	if (record_running(holder) && !mutated(takeover ? TAKEOVER_WITHOUT_FENCE :
					       SILENCE_WITHOUT_FENCE)) {
		session_dormant_later(x, holder);
		return false;
	}
	oracle_session_over(x, holder->session);
	record_free(holder);
	return true;
}

/* The writer of a former life comes back, and may only read by now. */
void lease_read_on(struct conn *c)
{
	struct exporter *x = c->x;
	struct record *r = c->record;
	u64 token = le64_to_cpu(c->hello.writer_token);

	if (!x->lease.held || r->writer || lease_may_write(x, r->client) ||
	    !dstor_id_equal(x->lease.session, r->id) || mutated(LEASE_KEPT_BY_READER) ||
	    (!w.keyed && (!token || (token != x->lease.token && token != x->lease.former))))
		return;
	r->writer = true;
	w.sessions[r->session].gave_back = x->disk - w.disks + 1;
	lease_release(x, r);
	r->writer = false;
}

/* --- the rules change --- */

bool lease_may_write(const struct exporter *x, const u8 client[DSTOR_ID_LEN])
{
	for (u32 n = 0; n < MACHINES; n++)
		if (dstor_id_equal(w.machines[n].client, client))
			return !x->only_reads[n];
	return false;
}

/* Only reads, and nothing that it may have written runs any more. */
static void lease_give_back(struct exporter *x, struct record *r)
{
	if (!r->downgraded)
		return;
	for (u8 q = 0; q < QUEUES; q++)
		if (r->queue[q].draining && !mutated(DOWNGRADE_WITHOUT_DRAIN))
			return;
	r->downgraded = false;
	happened[H_DOWNGRADED]++;
	say("X%u: s%u only reads, and gives the lease back", x->index, r->session);
	if (lease_is_holder(x, r))
		w.sessions[r->session].gave_back = x->disk - w.disks + 1;
	lease_release(x, r);
}

void lease_drained(struct exporter *x, struct record *r, u8 queue)
{
	if (r->queue[queue].running)
		return;
	r->queue[queue].draining = false;
	lease_give_back(x, r);
}

/* The connection ends; what it has submitted still runs. */
static void lease_cut(struct exporter *x, struct record *r, u8 q)
{
	struct conn *c = r->queue[q].live ?: r->queue[q].pending;

	r->queue[q].draining = r->queue[q].running;
	if (!c)
		return;
	requests_drop(c);
	conn_abort(c, TO_CLIENT);
	queue_lost(c);
}

/* --- readers wait for the replay --- */

bool lease_reader_waits(struct exporter *x, const struct record *r)
{
	struct record *holder = record_find(x, x->lease.session);

	if (x->shared || lease_is_holder(x, r))
		return false;
	switch (dstor_replay_gate_ask(&x->gate, w.now)) {
	case DSTOR_GATE_HOLDS:
		return true;
	case DSTOR_GATE_CLOSES:
		say("X%u: a reader has waited for long enough", x->index);
		happened[H_READER_SERVED]++;
		oracle_gate_closed(x);
		lease_keep(x);
		for (u8 q = 0; holder && q < QUEUES; q++)
			if (holder->queue[q].live || holder->queue[q].pending)
				lease_cut(x, holder, q);
		return true;
	case DSTOR_GATE_OPEN:
		break;
	}
	if (!x->gate.late)
		return false;
	/* what the writer had sent again before that is done first */
	if (holder && record_running(holder))
		return true;
	oracle_reader_served(x);
	return false;
}

void lease_replayed(struct conn *c)
{
	struct exporter *x = c->x;

	if (!lease_is_holder(x, c->record))
		return;
	w.sessions[c->session].excused = false;
	if (dstor_replay_gate_done(&x->gate, x->instance))
		lease_keep(x);
}

static bool drains_already(const struct record *r, u8 q)
{
	return r->queue[q].running && !r->queue[q].live;
}

/* Its connections end, so that no write is admitted any more; it comes back to read. */
static void downgrade(struct exporter *x, struct record *r)
{
	u32 stamp = r->stamp;

	r->downgraded = true;
	for (u8 q = 0; q < QUEUES; q++) {
		if (r->queue[q].access != DSTOR_ACCESS_WRITE && !drains_already(r, q))
			continue;
		r->queue[q].access = DSTOR_ACCESS_READ;
		lease_cut(x, r, q);
		if (r->stamp != stamp)
			return;
	}
	lease_give_back(x, r);
}

/* It asked to write, and may by now: the next hello is granted to. */
static void upgrade(struct exporter *x, struct record *r)
{
	u32 stamp = r->stamp;

	for (u8 q = 0; q < QUEUES; q++) {
		const struct conn *c = r->queue[q].live ?: r->queue[q].pending;

		if (!c || r->queue[q].access == DSTOR_ACCESS_WRITE || mutated(UPGRADE_NOT_TOLD) ||
		    c->hello.flags & DSTOR_HELLO_READ_ONLY ||
		    dstor_resume_elsewhere(&c->hello, x->disk->uuid))
			continue;
		lease_cut(x, r, q);
		if (r->stamp != stamp)
			return;
	}
}

void lease_rule(struct exporter *x, const struct machine *m, bool only_reads)
{
	say("X%u: M%u may %s from now on", x->index, m->index, only_reads ? "only read" : "write");
	x->only_reads[m->index] = only_reads;
	happened[H_UPGRADED] += !only_reads;
	for (u32 n = 0; n < RECORDS; n++) {
		struct record *r = &x->records[n];
		bool more = false;

		if (!r->used || r->evicted || !dstor_id_equal(r->client, m->client))
			continue;
		for (u8 q = 0; q < QUEUES; q++)
			more |= r->queue[q].access == DSTOR_ACCESS_WRITE || drains_already(r, q);
		if (!only_reads)
			upgrade(x, r);
		else if (more)
			downgrade(x, r);
	}
	attach_step_all(x);
}
