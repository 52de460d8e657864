// SPDX-License-Identifier: GPL-2.0
/*
 * Hellos and their answers: generations and their fence, and the grant
 * (docs/protocol.md, sections 4, 8 and 10).
 */
#include "sim.h"
#include "session.h"
#include "hello.h"
#include "id.h"
#include "rejoin.h"

/* --- the answer to a hello --- */

static struct dstor_welcome *welcome_new(struct item **i, u8 status)
{
	struct dstor_welcome *a;

	*i = message_new(I_WELCOME);
	a = &(*i)->message->welcome;
	memset(a, 0, sizeof(*a));
	a->status = status;
	return a;
}

static void welcome_send(struct conn *c, struct item *i)
{
	dstor_welcome_set_crc(&i->message->welcome);
	item_send(c, TO_CLIENT, i);
}

static void refuse(struct conn *c, u8 status, const u8 *holder)
{
	struct item *i;
	struct dstor_welcome *a = welcome_new(&i, status);

	if (status == DSTOR_WELCOME_STALE)
		happened[H_STALE]++;
	say("X%u: s%u queue %u gen %llu: %s", c->x->index, c->session, c->queue, ULL(c->gen),
	    dstor_welcome_text(status));
	memcpy(a->exporter, c->x->identity, DSTOR_ID_LEN);
	if (holder)
		memcpy(a->holder, holder, DSTOR_ID_LEN);
	welcome_send(c, i);
	conn_finish(c, TO_CLIENT);
	queue_lost(c);
}

static void grant(struct conn *c, u64 token)
{
	struct exporter *x = c->x;
	struct record *r = c->record;
	struct item *i;
	struct dstor_welcome *a = welcome_new(&i, DSTOR_WELCOME_OK);
	bool is_volatile = x->disk->is_volatile && !x->write_through;

	a->access = r->queue[c->queue].access;
	c->writes = a->access == DSTOR_ACCESS_WRITE;
	a->queues = cpu_to_le16(QUEUES);
	a->slots = c->hello.slots;
	a->max_io = c->hello.max_io;
	a->disk_flags = cpu_to_le32((is_volatile ? DSTOR_DISK_VOLATILE : 0) |
				    (x->disk->knows_fua ? DSTOR_DISK_FUA : 0) |
				    (x->shared ? DSTOR_DISK_SHARED : 0));
	memcpy(a->uuid, x->disk->uuid, DSTOR_ID_LEN);
	memcpy(a->instance, x->instance, DSTOR_ID_LEN);
	memcpy(a->exporter, x->identity, DSTOR_ID_LEN);
	memcpy(a->life, x->life_id, DSTOR_ID_LEN);
	a->cookie = cpu_to_le64(lease_new_token());
	dstor_rejoin_welcomed(&r->queue[c->queue].past, &c->hello, le64_to_cpu(a->cookie));
	a->size = cpu_to_le64((u64)x->disk->blocks * BLOCK);
	a->logical_block = cpu_to_le32(BLOCK);
	a->physical_block = cpu_to_le32(BLOCK);
	a->max_discard = cpu_to_le32(2 * BLOCK);
	a->max_write_zeroes = cpu_to_le32(2 * BLOCK);
	if (c->writes && !x->shared)
		a->grant_flags = cpu_to_le16((x->forgets ? 0 : DSTOR_GRANT_LEASE_KEPT) |
					     (dstor_replay_gate_grants(&x->gate) ?
					      DSTOR_GRANT_REPLAY : 0));
	a->writer_token = cpu_to_le64(token);
	dstor_algorithm_choose(c->hello.checksums, "crc32c,none", a->checksum);
	r->queue[c->queue].pending = NULL;
	r->queue[c->queue].live = c;
	r->established = true;
	c->end = E_LIVE;
	oracle_answered(c);
	welcome_send(c, i);
	after(r->ping_ms, EV_CONN_TIMER, c->index, 0, c->stamp);
}

/* --- the lease --- */

enum lease_step { LEASE_OK, LEASE_LATER, LEASE_REFUSED };

static enum lease_step lease_step(struct conn *c, u64 *token)
{
	struct exporter *x = c->x;
	struct dstor_lease_request q;
	enum dstor_lease_answer answer;
	bool same;

	*token = 0;
	if (c->record->queue[c->queue].access != DSTOR_ACCESS_WRITE || x->shared)
		return LEASE_OK;
	lease_request(c, &q);
	answer = dstor_lease_ask(&x->lease, &q, w.now);
	same = x->lease.held && dstor_id_equal(q.client, x->lease.client);
	if (answer == DSTOR_LEASE_HELD && mutated(LEASE_NO_EXPIRY_CHECK))
		answer = DSTOR_LEASE_AFTER_FENCE;
	if ((answer == DSTOR_LEASE_WAIT || answer == DSTOR_LEASE_ALIVE) &&
	    mutated(TAKEOVER_FROM_THE_LIVING))
		answer = DSTOR_LEASE_AFTER_FENCE;
	if (c->promised && mutated(GRANT_WITHOUT_ASKING_AGAIN)) {
		const struct record *holder = record_find(x, x->lease.session);

		if (holder && record_running(holder))
			return LEASE_LATER;
		answer = DSTOR_LEASE_GRANTED;
	}
	switch (answer) {
	case DSTOR_LEASE_AFTER_FENCE:
		c->promised = true;
		if (!lease_expel_holder(c, &q))
			return LEASE_LATER;
		break;
	case DSTOR_LEASE_WAIT:
		return LEASE_LATER;
	case DSTOR_LEASE_HELD:
		refuse(c, DSTOR_WELCOME_IN_USE, same ? x->lease.session : NULL);
		return LEASE_REFUSED;
	case DSTOR_LEASE_ALIVE:
		happened[H_ALIVE]++;
		refuse(c, DSTOR_WELCOME_IN_USE, NULL);
		return LEASE_REFUSED;
	case DSTOR_LEASE_EXPIRED:
		refuse(c, DSTOR_WELCOME_EXPIRED, NULL);
		return LEASE_REFUSED;
	case DSTOR_LEASE_GRANTED:
		break;
	}
	*token = lease_granted(c, &q);
	return LEASE_OK;
}

static bool is_rolled_back(const struct dstor_hello *hello, const struct dstor_queue_past *past)
{
	struct dstor_hello h = *hello;

	if (mutated(COOKIE_NOT_COMPARED))
		h.cookie = cpu_to_le64(past->cookie);
	if (mutated(LAST_SEQ_NOT_COMPARED))
		h.last_seq = cpu_to_le64(NEVER);
	return dstor_rejoin_queue(&h, past) != DSTOR_REJOIN_OK && !mutated(ROLLBACK_ACCEPTED);
}

/* Answers the waiting connection of a queue if nothing older runs any more. */
static bool attach_step(struct exporter *x, struct record *r, u8 queue)
{
	struct conn *c = r->queue[queue].pending;
	u64 token;

	if (!c || !c->established)
		return false;
	if (x->state == X_STOPPING) {
		refuse(c, DSTOR_WELCOME_STOPPING, NULL);
		return true;
	}
	if (r->evicted) {
		refuse(c, DSTOR_WELCOME_EVICTED, NULL);
		return true;
	}
	if (r->queue[queue].running && !mutated(NO_FENCE))
		return false;
	/* not before: an older connection may still add to what is known */
	if (is_rolled_back(&c->hello, &r->queue[queue].past)) {
		happened[H_ROLLBACK_REFUSED]++;
		refuse(c, DSTOR_WELCOME_EXPIRED, NULL);
		return true;
	}
	switch (lease_step(c, &token)) {
	case LEASE_LATER:
		return false;
	case LEASE_REFUSED:
		return true;
	case LEASE_OK:
		break;
	}
	lease_read_on(c);
	say("X%u: welcomes s%u queue %u gen %llu", x->index, c->session, c->queue, ULL(c->gen));
	grant(c, token);
	return true;
}

/* Something drained or ended: whoever waits for it may go on. */
void attach_step_all(struct exporter *x)
{
	bool again = true;

	if (w.stepping)	/* called back by what a step ended: the outer loop goes round again */
		return;
	w.stepping = true;
	while (again) {
		again = false;
		for (u32 n = 0; n < RECORDS; n++)
			for (u8 q = 0; q < QUEUES; q++)
				if (x->records[n].used && x->records[n].queue[q].pending)
					again |= attach_step(x, &x->records[n], q);
	}
	w.stepping = false;
}

void attach_wait(struct conn *c)
{
	struct item *i;
	struct dstor_welcome *a;

	if (c->end != E_PENDING || !c->established)
		return;
	a = welcome_new(&i, DSTOR_WELCOME_WAIT);
	happened[H_WAIT]++;
	a->waiting = cpu_to_le32(record_running(c->record));
	welcome_send(c, i);
	after(1000, EV_WAIT, c->index, 0, c->stamp);
	attach_step_all(c->x);
}

static bool greet(struct conn *c, const struct message *m)
{
	struct item *i;
	u64 unknown;

	if (!dstor_greeting_is_ours(&m->greeting) ||
	    dstor_greeting_check(&m->greeting, DSTOR_FEATURES_KNOWN, &unknown) !=
		    DSTOR_GREETING_OK) {
		violated("greet", "the exporter refuses a greeting");
		return false;
	}
	i = message_new(I_GREETING);
	i->message->greeting = *sealed_greeting();
	item_send(c, TO_CLIENT, i);
	return true;
}

/* A client of another disk must learn that, and not that this one has a writer. */
static u8 access_of(const struct conn *c)
{
	if (c->hello.flags & DSTOR_HELLO_READ_ONLY || !lease_may_write(c->x, c->hello.client))
		return DSTOR_ACCESS_READ;
	if (dstor_resume_elsewhere(&c->hello, c->x->disk->uuid) && !mutated(LEASE_OF_ANOTHER_DISK))
		return DSTOR_ACCESS_READ;
	return DSTOR_ACCESS_WRITE;
}

void attach_hello(struct conn *c, const struct message *m)
{
	const struct dstor_hello *h = &m->hello;
	struct exporter *x = c->x;
	struct record *r;
	const char *why;
	u8 q;

	if (!greet(c, m))
		return;
	if (dstor_hello_check(h, &why) != DSTOR_WELCOME_OK) {
		violated("hello", "the exporter refuses a hello: %s", why);
		return;
	}
	c->hello = *h;
	q = le16_to_cpu(h->queue);
	if (x->state != X_UP) {
		refuse(c, DSTOR_WELCOME_STOPPING, NULL);
		return;
	}
	r = record_find(x, h->session);
	if (r && r->evicted) {
		refuse(c, DSTOR_WELCOME_EVICTED, NULL);
		return;
	}
	if (dstor_rejoin_session(h, x->life_id, r) != DSTOR_REJOIN_OK &&
	    !mutated(LIFE_NOT_COMPARED)) {
		refuse(c, DSTOR_WELCOME_EXPIRED, NULL);
		return;
	}
	if (r && r->key != c->key && mutated(ROTATION_IS_ANOTHER_CLIENT)) {
		refuse(c, DSTOR_WELCOME_MALFORMED, NULL);
		return;
	}
	if (!r && record_make_room(x, h->client))
		r = record_new(x, h, c->session, c->key);
	if (!r) {
		refuse(c, DSTOR_WELCOME_BUSY, NULL);
		return;
	}
	if (le64_to_cpu(h->generation) <= r->queue[q].gen) {
		refuse(c, DSTOR_WELCOME_STALE, NULL);
		return;
	}
	say("X%u: hello of s%u queue %u gen %llu, %u running", x->index, c->session, q, ULL(c->gen),
	    r->queue[q].running);
	r->queue[q].gen = le64_to_cpu(h->generation);
	r->queue[q].access = access_of(c);
	r->queues = le16_to_cpu(h->queues);
	r->ping_ms = le32_to_cpu(h->ping_ms);
	r->timeout_ms = le32_to_cpu(h->timeout_ms);
	r->retries = le32_to_cpu(h->retries);
	happened[H_RESUMED_DORMANT] += r->dormant;
	r->dormant = false;
	record_close_queue(r, q);
	if (lease_is_holder(x, r))
		x->lease.connected = record_has_conn(r, false);
	r->queue[q].pending = c;
	c->record = r;
	c->end = E_PENDING;
	session_heard(c);
	after(1000, EV_WAIT, c->index, 0, c->stamp);
	attach_step_all(x);
}
