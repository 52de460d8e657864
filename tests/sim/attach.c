// SPDX-License-Identifier: GPL-2.0
/*
 * Sessions of an exporter: the hello, generations and their fence, the lease,
 * and how a session ends (docs/protocol.md, sections 4, 8, 10 and 12).
 */
#include "sim.h"
#include "hello.h"
#include "id.h"
#include "rejoin.h"

#define IDLE_DORMANT_MS 40000	/* of "forever" retries, not the writer's: an hour in the module */

static struct record *record_find(struct exporter *x, const u8 id[DSTOR_ID_LEN])
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

static struct record *record_new(struct exporter *x, const struct dstor_hello *h, u16 session)
{
	for (u32 n = 0; n < RECORDS; n++) {
		struct record *r = &x->records[n];

		if (r->used)
			continue;
		memset(r, 0, sizeof(*r));
		r->used = true;
		r->stamp = ++w.stamps;
		r->session = session;
		memcpy(r->id, h->session, DSTOR_ID_LEN);
		memcpy(r->client, h->client, DSTOR_ID_LEN);
		return r;
	}
	return NULL;
}

static void record_free(struct record *r)
{
	r->used = false;
	r->stamp = 0;
}

static bool is_holder(const struct exporter *x, const struct record *r)
{
	return x->lease.held && dstor_id_equal(x->lease.session, r->id);
}

u32 record_running(const struct record *r)
{
	u32 n = 0;

	for (u32 q = 0; q < QUEUES; q++)
		n += r->queue[q].running;
	return n;
}

static bool has_conn(const struct record *r, bool pending_too)
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

	return ms == NEVER && !is_holder(x, r) ? IDLE_DORMANT_MS : ms;
}

void session_heard(struct conn *c)
{
	c->heard_ms = w.now;
	if (!c->record)
		return;
	oracle_heard(c);
	c->record->heard_ms = w.now;
	if (is_holder(c->x, c->record))
		c->x->lease.heard_ms = w.now;
}

static void lease_keep(struct exporter *x)
{
	x->disk->kept_token = x->lease.token;
	x->disk->kept_former = x->lease.former;
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
	if (!is_holder(c->x, r) || mutated(FORMER_TOKEN_FOR_EVER))
		return;
	for (u8 q = 0; q < r->queues; q++)
		if (!r->queue[q].past.used)
			return;
	if (dstor_lease_settle(&c->x->lease))
		lease_keep(c->x);
}

static void release_lease(struct exporter *x, struct record *r)
{
	if (is_holder(x, r)) {
		dstor_lease_release(&x->lease);
		oracle_released(x, r->session);
	}
}

static void session_over(struct exporter *x, struct record *r)
{
	release_lease(x, r);
	oracle_session_over(x, r->session);
	if (!r->evicted)	/* an evicted one must be told when it comes back */
		record_free(r);
}

/* Closes whatever connections it has and drops what is not submitted. */
static void close_queue(struct record *r, u8 q)
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

static void dormant_later(struct exporter *x, struct record *r)
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
	if (is_holder(x, r))
		x->lease.connected = has_conn(r, false);
	if (!has_conn(r, true)) {
		if (!r->established && !record_running(r)) {
			record_free(r);
			return;
		}
		dormant_later(x, r);
	}
	session_settle(x, r);
	attach_step_all(x);
}

/* --- room --- */

static struct record *older(struct record *a, struct record *b)
{
	return !a || b->heard_ms < a->heard_ms ? b : a;
}

/* One more session: of a client with too many its oldest goes, or the oldest dormant one. */
static bool make_room(struct exporter *x, const u8 client[DSTOR_ID_LEN])
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
		if (record_running(r) || has_conn(r, true) || is_holder(x, r))
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

static u64 new_token(void)
{
	w.ids++;
	return (u64)w.ids << 32 | 1;
}

static void grant(struct conn *c, u64 token)
{
	struct exporter *x = c->x;
	struct record *r = c->record;
	struct item *i;
	struct dstor_welcome *a = welcome_new(&i, DSTOR_WELCOME_OK);
	bool is_volatile = x->disk->is_volatile && !x->write_through;

	r->read_only = c->hello.flags & DSTOR_HELLO_READ_ONLY || r->may_only_read ||
		       dstor_resume_elsewhere(&c->hello, x->disk->uuid);
	a->access = r->read_only ? DSTOR_ACCESS_READ : DSTOR_ACCESS_WRITE;
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
	a->cookie = cpu_to_le64(new_token());
	dstor_rejoin_welcomed(&r->queue[c->queue].past, &c->hello, le64_to_cpu(a->cookie));
	a->size = cpu_to_le64((u64)x->disk->blocks * BLOCK);
	a->logical_block = cpu_to_le32(BLOCK);
	a->physical_block = cpu_to_le32(BLOCK);
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

static void lease_request(const struct conn *c, struct dstor_lease_request *q)
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
	q->same_client = true;		/* nobody has a key */
}

static u64 lease_granted(struct conn *c, const struct dstor_lease_request *q)
{
	struct exporter *x = c->x;
	u64 token = dstor_lease_grant(&x->lease, q, new_token(), w.now);

	lease_keep(x);	/* on its own disk, before it answers */
	happened[H_TOKEN_RENEWED] += q->token && token != q->token;
	oracle_granted(x, c->session, q);
	return token;
}

/* Ends the holder's session. False while something it submitted runs. */
static bool expel_holder(struct conn *c, const struct dstor_lease_request *q)
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
		close_queue(holder, n);
	x->lease.connected = false;
	if (record_running(holder) && !mutated(takeover ? TAKEOVER_WITHOUT_FENCE :
					       SILENCE_WITHOUT_FENCE)) {
		dormant_later(x, holder);
		return false;
	}
	oracle_session_over(x, holder->session);
	record_free(holder);
	return true;
}

static enum lease_step lease_step(struct conn *c, u64 *token)
{
	struct exporter *x = c->x;
	struct dstor_lease_request q;
	enum dstor_lease_answer answer;
	bool same;

	*token = 0;
	if (c->hello.flags & DSTOR_HELLO_READ_ONLY || x->shared || c->record->may_only_read)
		return LEASE_OK;
	if (dstor_resume_elsewhere(&c->hello, x->disk->uuid) && !mutated(LEASE_OF_ANOTHER_DISK))
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
		if (!expel_holder(c, &q))
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
	if (!r && make_room(x, h->client))
		r = record_new(x, h, c->session);
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
	r->queues = le16_to_cpu(h->queues);
	r->ping_ms = le32_to_cpu(h->ping_ms);
	r->timeout_ms = le32_to_cpu(h->timeout_ms);
	r->retries = le32_to_cpu(h->retries);
	happened[H_RESUMED_DORMANT] += r->dormant;
	r->dormant = false;
	close_queue(r, q);
	if (is_holder(x, r))
		x->lease.connected = has_conn(r, false);
	r->queue[q].pending = c;
	c->record = r;
	c->end = E_PENDING;
	session_heard(c);
	after(1000, EV_WAIT, c->index, 0, c->stamp);
	attach_step_all(x);
}

/* --- the end of a session --- */

/* BYE and eviction end a session once nothing of any queue of it runs. */
void session_settle(struct exporter *x, struct record *r)
{
	bool drained = !record_running(r);

	if (!r->used)
		return;
	if (r->bye && !has_conn(r, true) && (drained || mutated(BYE_WITHOUT_DRAIN)))
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
	if (is_holder(x, r) && !mutated(EVICTION_FORGOTTEN)) {
		dstor_lease_revoke(&x->lease, new_token());
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

/* A rule changed: it reads on, and writes no more. */
void session_downgrade(struct exporter *x, struct record *r)
{
	say("X%u: s%u may only read from now on", x->index, r->session);
	r->may_only_read = true;
	r->read_only = true;
	r->downgrading = 1;
	session_downgrade_step(x, r);
}

/* Once all it was admitted is done, the disk is flushed; then it is told. */
void session_downgrade_step(struct exporter *x, struct record *r)
{
	if (!r->used || r->downgrading != 1 || x->state != X_UP)
		return;
	if (record_writes(r) && !mutated(DOWNGRADE_WITHOUT_DRAIN))
		return;
	r->downgrading = 2;
	if (x->disk->is_volatile && !mutated(DOWNGRADE_WITHOUT_FLUSH))
		disk_flush_for(x, r);
	else
		session_downgraded(x, r, true);
}

void session_downgraded(struct exporter *x, struct record *r, bool flushed)
{
	struct dstor_frame f = { .type = DSTOR_FRAME_CHANGE,
			       .flags = cpu_to_le16(DSTOR_CHANGE_ACCESS |
						    (flushed ? DSTOR_CHANGE_FLUSHED : 0)),
			       .status = cpu_to_le16(DSTOR_ACCESS_READ) };

	r->downgrading = 0;
	happened[H_DOWNGRADED]++;
	say("X%u: s%u only reads, and gives the lease back", x->index, r->session);
	for (u8 q = 0; q < QUEUES; q++)
		if (r->queue[q].live && r->queue[q].live->established)
			frame_send(r->queue[q].live, TO_CLIENT, &f, NULL);
	if (is_holder(x, r))
		w.sessions[r->session].gave_back = x->disk - w.disks + 1;
	release_lease(x, r);
	attach_step_all(x);
}

/*
 * Nobody waits any more for who was silent for too long. Its slots stay: a client
 * that comes back after all resumes with them (P3).
 */
void session_dormant(struct exporter *x, struct record *r)
{
	if (has_conn(r, true) || r->evicted || r->dormant)
		return;
	if (w.now - r->heard_ms < dormant_ms(x, r) ||
	    (record_running(r) && !mutated(FORGET_WHILE_BUSY))) {
		after(1000, EV_DORMANT, x->index, r - x->records, r->stamp);
		return;
	}
	happened[H_DORMANT]++;
	say("X%u: nobody waits for s%u any more", x->index, r->session);
	r->dormant = true;
	release_lease(x, r);
	attach_step_all(x);
}
