// SPDX-License-Identifier: GPL-2.0
/*
 * Sessions of an exporter: what it remembers of them, when it forgets one, and
 * how one ends (docs/protocol.md, sections 8 and 12).
 */
#include "sim.h"
#include "session.h"
#include "id.h"
#include "rejoin.h"

#define IDLE_DORMANT_MS 40000	/* of "forever" retries, not the writer's: an hour in the module */

struct record *record_find(struct exporter *x, const u8 id[DSTOR_ID_LEN])
{
	for (u32 n = 0; n < RECORDS; n++)
		if (x->records[n].used && dstor_id_equal(x->records[n].id, id))
			return &x->records[n];
	return NULL;
}

bool session_may_know(struct exporter *x, const u8 id[DSTOR_ID_LEN], u8 queue, u64 cookie)
{
	const struct record *r = record_find(x, id);
	const struct dstor_queue_past *past = r ? &r->queue[queue].past : NULL;

	return past && (!past->used || past->cookie == cookie || past->former == cookie);
}

struct record *record_new(struct exporter *x, const struct dstor_hello *h, u16 session,
			  u32 key)
{
	for (u32 n = 0; n < RECORDS; n++) {
		struct record *r = &x->records[n];

		if (r->used)
			continue;
		memset(r, 0, sizeof(*r));
		r->used = true;
		r->stamp = ++w.stamps;
		r->session = session;
		r->key = key;
		memcpy(r->id, h->session, DSTOR_ID_LEN);
		memcpy(r->client, h->client, DSTOR_ID_LEN);
		return r;
	}
	return NULL;
}

void record_free(struct record *r)
{
	r->used = false;
	r->stamp = 0;
}

u32 record_running(const struct record *r)
{
	u32 n = 0;

	for (u32 q = 0; q < QUEUES; q++)
		n += r->queue[q].running;
	return n;
}

bool record_has_conn(const struct record *r, bool pending_too)
{
	for (u32 q = 0; q < QUEUES; q++)
		if (r->queue[q].live || (pending_too && r->queue[q].pending))
			return true;
	return false;
}

static u64 memory_ms(const struct record *r)
{
	return dstor_memory_ms(r->timeout_ms, r->retries);
}

/* After which nobody waits for it; NEVER for a writer that tries for ever. */
static u64 dormant_ms(const struct exporter *x, const struct record *r)
{
	u64 ms = memory_ms(r);

	return ms == NEVER && !lease_is_holder(x, r) ? IDLE_DORMANT_MS : ms;
}

void session_heard(struct conn *c)
{
	c->heard_ms = w.now;
	if (!c->record)
		return;
	oracle_heard(c);
	c->record->heard_ms = w.now;
	if (lease_is_holder(c->x, c->record))
		c->x->lease.heard_ms = w.now;
}

/* A frame: the client has the newest cookie of its queue, and soon the newest token. */
void session_frame(struct conn *c, u64 seq)
{
	struct record *r = c->record;
	struct dstor_queue_past *past = &r->queue[c->queue].past;
	u64 former = past->former;

	dstor_rejoin_frame(past, seq);
	if (mutated(FORMER_COOKIE_FOR_EVER))
		past->former = former;
	if (!lease_is_holder(c->x, r) || mutated(FORMER_TOKEN_FOR_EVER))
		return;
	for (u8 q = 0; q < r->queues; q++)
		if (!r->queue[q].past.used)
			return;
	if (dstor_lease_settle(&c->x->lease))
		lease_keep(c->x);
}

static void session_over(struct exporter *x, struct record *r)
{
	lease_release(x, r);
	oracle_session_over(x, r->session);
	if (!r->evicted)	/* an evicted one must be told when it comes back */
		record_free(r);
}

void record_close_queue(struct record *r, u8 q)
{
	struct conn *both[] = { r->queue[q].live, r->queue[q].pending };

	r->queue[q].live = NULL;
	r->queue[q].pending = NULL;
	for (u32 i = 0; i < 2; i++) {
		if (!both[i])
			continue;
		requests_drop(both[i]);
		both[i]->record = NULL;
		conn_abort(both[i], TO_CLIENT);
	}
}

void session_dormant_later(struct exporter *x, struct record *r)
{
	if (dormant_ms(x, r) != NEVER)
		after(dormant_ms(x, r) + below(5000), EV_DORMANT, x->index, r - x->records,
		      r->stamp);
}

void queue_lost(struct conn *c)
{
	struct record *r = c->record;
	struct exporter *x = c->x;

	if (!r)
		return;
	c->record = NULL;
	if (r->queue[c->queue].live == c)
		r->queue[c->queue].live = NULL;
	if (r->queue[c->queue].pending == c)
		r->queue[c->queue].pending = NULL;
	if (lease_is_holder(x, r))
		x->lease.connected = record_has_conn(r, false);
	if (!record_has_conn(r, true)) {
		if (!r->established && !record_running(r)) {
			record_free(r);
			return;
		}
		session_dormant_later(x, r);
	}
	session_settle(x, r);
	attach_step_all(x);
}

/* --- room --- */

static struct record *older(struct record *a, struct record *b)
{
	return !a || b->heard_ms < a->heard_ms ? b : a;
}

bool record_make_room(struct exporter *x, const u8 client[DSTOR_ID_LEN])
{
	struct record *own = NULL, *dormant = NULL, *goes = NULL;
	u32 all = 0, of_client = 0;

	for (u32 n = 0; n < RECORDS; n++) {
		struct record *r = &x->records[n];
		bool is_own = dstor_id_equal(r->client, client);

		if (!r->used || r->evicted)
			continue;
		all++;
		of_client += is_own;
		if (record_running(r) || record_has_conn(r, true) || lease_is_holder(x, r))
			continue;
		if (is_own)
			own = older(own, r);
		if (r->dormant)
			dormant = older(dormant, r);
	}
	if (of_client >= w.room_of_client)
		goes = own;
	else if (all >= w.room)
		goes = dormant;
	else
		return true;
	if (!goes)
		return false;
	happened[H_FORGOTTEN]++;
	w.sessions[goes->session].forgotten = true;
	say("X%u: forgets s%u", x->index, goes->session);
	session_over(x, goes);
	return true;
}

/* --- the end of a session --- */

/* BYE and eviction end a session once nothing of any queue of it runs. */
void session_settle(struct exporter *x, struct record *r)
{
	bool drained = !record_running(r);

	if (!r->used)
		return;
	if (r->bye && !record_has_conn(r, true) && (drained || mutated(BYE_WITHOUT_DRAIN)))
		session_over(x, r);
	else if (r->evicted && (drained || mutated(EVICT_WITHOUT_FENCE)))
		session_over(x, r);
}

void session_bye(struct conn *c)
{
	struct record *r = c->record;
	struct exporter *x = c->x;

	say("X%u: BYE of s%u queue %u", x->index, c->session, c->queue);
	if (r->queue[c->queue].running) {
		violated("P1", "BYE with transactions in flight");
		return;
	}
	r->bye = true;
	happened[H_BYE]++;
	w.sessions[c->session].bye = true;
	requests_drop(c);
	c->end = E_CLOSED;
	queue_lost(c);
	conn_release(c);
}

void session_evict(struct exporter *x, struct record *r)
{
	struct dstor_frame f = { .type = DSTOR_FRAME_CHANGE,
			       .flags = cpu_to_le16(DSTOR_CHANGE_EVICTED) };

	say("X%u: evicts s%u", x->index, r->session);
	r->evicted = true;
	w.sessions[r->session].evicted = true;
	if (lease_is_holder(x, r) && !mutated(EVICTION_FORGOTTEN)) {
		dstor_lease_revoke(&x->lease, lease_new_token());
		lease_keep(x);
	}
	for (u8 q = 0; q < QUEUES; q++) {
		struct conn *c = r->queue[q].live;

		if (!c)
			continue;
		requests_drop(c);
		frame_send(c, TO_CLIENT, &f, NULL);
		conn_finish(c, TO_CLIENT);
		queue_lost(c);
	}
	if (r->used)
		session_settle(x, r);
	attach_step_all(x);
}

/*
 * Nobody waits any more for who was silent for too long. Its slots stay: a client
 * that comes back after all resumes with them (P3).
 */
void session_dormant(struct exporter *x, struct record *r)
{
	if (record_has_conn(r, true) || r->evicted || r->dormant)
		return;
	if (w.now - r->heard_ms < dormant_ms(x, r) ||
	    (record_running(r) && !mutated(FORGET_WHILE_BUSY))) {
		after(1000, EV_DORMANT, x->index, r - x->records, r->stamp);
		return;
	}
	happened[H_DORMANT]++;
	say("X%u: nobody waits for s%u any more", x->index, r->session);
	r->dormant = true;
	lease_release(x, r);
	attach_step_all(x);
}
