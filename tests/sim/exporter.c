// SPDX-License-Identifier: GPL-2.0
/*
 * The exporter: frames that arrive, requests on their way to the disk and back.
 * Sessions and handshakes are session.c, lease.c and attach.c.
 */
#include "sim.h"
#include "frame.h"
#include "session.h"

#define GATE_POLL_MS 50

static struct request *request_new(struct conn *c, const struct dstor_frame *f, struct txn *t)
{
	struct request *r = NULL;

	for (u32 n = 0; n < REQUESTS && !r; n++)
		if (!w.requests[n].used)
			r = &w.requests[n];
	if (!r) {
		fprintf(stderr, "sim: too many requests\n");
		abort();
	}
	memset(r, 0, sizeof(*r));
	r->used = true;
	r->stamp = ++w.stamps;
	r->x = c->x;
	r->record = c->record;
	r->record_stamp = c->record->stamp;
	r->queue = c->queue;
	r->conn = c;
	r->gen = c->gen;
	r->frame = *f;
	r->txn = t;
	return r;
}

void request_free(struct request *r)
{
	r->used = false;
	r->stamp = 0;
}

/* NULL when the session was forgotten while it ran, which only mutants do. */
static struct dstor_slot *slot_of(struct request *r)
{
	if (r->record->stamp != r->record_stamp)
		return NULL;
	return &r->record->queue[r->queue].slots[le16_to_cpu(r->frame.slot)];
}

static void respond(struct conn *c, const struct dstor_frame *f, u8 status, const u32 *data,
		    struct txn *t)
{
	struct dstor_frame a = { .type = DSTOR_FRAME_RESPONSE, .op = f->op, .slot = f->slot,
			       .status = cpu_to_le16(status), .seq = f->seq };
	struct item *i;

	if (!data || status != DSTOR_STATUS_OK) {
		frame_send(c, TO_CLIENT, &a, t);
		return;
	}
	a.length = f->bytes;
	frame_send(c, TO_CLIENT, &a, t);
	i = item_new(I_DATA);
	i->count = le32_to_cpu(f->bytes) / BLOCK;
	memcpy(i->data, data, sizeof(i->data));
	item_send(c, TO_CLIENT, i);
}

/* Everything that is not yet on its way to the disk will not go there. */
void requests_drop(struct conn *c)
{
	for (u32 n = 0; n < REQUESTS; n++) {
		struct request *r = &w.requests[n];

		if (!r->used || r->conn != c)
			continue;
		r->conn = NULL;
		if (r->state == R_RUNNING)
			continue;
		happened[H_DROPPED]++;
		say("X%u: drops %s slot %u seq %llu of generation %llu, not submitted",
		    r->x->index, op_name(r->frame.op), le16_to_cpu(r->frame.slot),
		    ULL(le64_to_cpu(r->frame.seq)), ULL(r->gen));
		if (slot_of(r))
			dstor_slot_drop(slot_of(r), le64_to_cpu(r->frame.seq));
		request_free(r);
	}
	c->receiving = NULL;
}

/* A bad byte, silence, or the peer's end: the queue is without a connection. */
static void conn_lost(struct conn *c)
{
	requests_drop(c);
	conn_abort(c, TO_CLIENT);
	queue_lost(c);
}

void exporter_closed(struct conn *c)
{
	if (c->end == E_CLOSED || c->end == E_NONE)
		return;
	say("X%u: connection of s%u queue %u gen %llu is closed", c->x->index, c->session, c->queue,
	    ULL(c->gen));
	requests_drop(c);
	c->end = E_CLOSED;
	queue_lost(c);
	conn_release(c);
}

static enum dstor_admit admit(struct dstor_slot *s, const struct dstor_frame *f)
{
	u64 seq = le64_to_cpu(f->seq);

	if (mutated(NO_REPLAY_MEMORY) && s->state == DSTOR_SLOT_DONE && s->seq == seq)
		s->state = DSTOR_SLOT_FREE;
	if (mutated(SEQUENCE_NOT_CHECKED) && s->state == DSTOR_SLOT_DONE && s->op == f->op &&
	    dstor_op_writes(f->op))
		return DSTOR_ADMIT_REPEAT;
	return dstor_slot_admit(s, f);
}

static struct dstor_bounds bounds_of(const struct conn *c)
{
	struct dstor_bounds b = { .size = (u64)c->x->disk->blocks * BLOCK, .block = BLOCK,
				.max_io = SPAN * BLOCK, .slots = SLOTS,
				.read_only = !c->writes };

	return b;
}

static void request_arrived(struct conn *c, const struct item *i)
{
	struct dstor_slot *s = &c->record->queue[c->queue].slots[le16_to_cpu(i->frame.slot)];
	struct dstor_bounds b = bounds_of(c);
	struct request *r;
	enum dstor_status status;

	c->receiving = NULL;
	switch (admit(s, &i->frame)) {
	case DSTOR_ADMIT_REFUSE:
		say("X%u: slot reused in flight, or older: closes", c->x->index);
		violated("P3", "a client that keeps to the rules was refused a slot");
		conn_lost(c);
		return;
	case DSTOR_ADMIT_BUSY:
		return;
	case DSTOR_ADMIT_REPEAT:
		happened[H_REPLAYED]++;
		say("X%u: answers %s seq %llu from memory", c->x->index, op_name(i->frame.op),
		    ULL(le64_to_cpu(i->frame.seq)));
		respond(c, &i->frame, s->status, NULL, i->txn);
		return;
	case DSTOR_ADMIT_EXECUTE:
		break;
	}
	status = dstor_request_check(&i->frame, &b);
	if (status != DSTOR_STATUS_OK) {
		dstor_slot_done(s, le64_to_cpu(i->frame.seq), status);
		respond(c, &i->frame, status, NULL, i->txn);
		return;
	}
	r = request_new(c, &i->frame, i->txn);
	if (i->frame.op == DSTOR_OP_WRITE) {
		c->receiving = r;
		return;
	}
	for (u32 n = 0; n < SPAN; n++)	/* what a discard leaves behind */
		r->data[n] = i->txn->of ? i->txn->of : i->txn - w.txns;
	r->state = R_READY;
	after(below(2), EV_SUBMIT, r - w.requests, 0, r->stamp);
}

static void asked(struct conn *c, const struct dstor_frame *f)
{
	const struct dstor_slot *s = &c->record->queue[c->queue].slots[le16_to_cpu(f->slot)];
	struct dstor_frame a = { .type = DSTOR_FRAME_STATE, .slot = f->slot, .seq = f->seq };

	a.status = cpu_to_le16(dstor_slot_ask(s, le64_to_cpu(f->seq)));
	frame_send(c, TO_CLIENT, &a, NULL);
}

static void frame_arrived(struct conn *c, const struct item *i)
{
	struct dstor_bounds b = bounds_of(c);
	struct dstor_frame pong = { .type = DSTOR_FRAME_PONG, .seq = i->frame.seq };

	if (!dstor_request_sane(&i->frame, &b)) {
		violated("frame", "the exporter refuses the header of a frame of type %u",
			 i->frame.type);
		conn_lost(c);
		return;
	}
	oracle_arrived(c, i->frame.type == DSTOR_FRAME_REQUEST ? i->txn : NULL);
	session_frame(c, i->frame.type == DSTOR_FRAME_REQUEST ? le64_to_cpu(i->frame.seq) : 0);
	switch (i->frame.type) {
	case DSTOR_FRAME_REQUEST:
		if (c->x->state == X_UP)
			request_arrived(c, i);
		break;
	case DSTOR_FRAME_PING:
		frame_send(c, TO_CLIENT, &pong, NULL);
		break;
	case DSTOR_FRAME_ASK:
		asked(c, &i->frame);
		break;
	case DSTOR_FRAME_BYE:
		session_bye(c);
		break;
	case DSTOR_FRAME_REPLAYED:
		lease_replayed(c);
		break;
	}
}

static void data_arrived(struct conn *c, const struct item *i)
{
	struct request *r = c->receiving;

	c->receiving = NULL;
	if (!r) {
		/* of a write that is not executed; but a digest runs over it */
		if (demand == DEMAND_ANSWER_AFTER_DATA && c->open &&
		    (i->by_reference ? i->txn->page[0] : i->data[0]) & GARBAGE)
			violated("P4", "the digest of t%td is wrong, and nobody flipped a bit",
				 i->txn - w.txns);
		return;
	}
	r->state = R_COPYING;
	r->source = *i;
	after(below(3), EV_COPIED, r - w.requests, 0, r->stamp);
}

void exporter_receive(struct conn *c, struct item *i)
{
	session_heard(c);
	if (c->end == E_NONE && i->kind == I_HELLO) {
		c->end = E_HANDSHAKE;
		c->established = true;
		attach_hello(c, i->message);
	} else if (c->end == E_LIVE && i->kind == I_FRAME) {
		frame_arrived(c, i);
	} else if (c->end == E_LIVE && i->kind == I_DATA) {
		data_arrived(c, i);
	} else {
		violated("order", "the exporter gets item %u in state %u", i->kind, c->end);
	}
}

bool is_damaged(void)
{
	return w.faults & 1 << W_DAMAGE && !w.healing && chance(w.damage_percent);
}

/* A digest without a key is wrong: the slot is free again, and nothing is done. */
static void damaged(struct request *r)
{
	struct dstor_frame a = { .type = DSTOR_FRAME_STATE, .slot = r->frame.slot,
			       .seq = r->frame.seq,
			       .status = cpu_to_le16(DSTOR_STATE_DAMAGED) };

	happened[H_DAMAGED]++;
	say("X%u: wrong digest of seq %llu", r->x->index, ULL(le64_to_cpu(r->frame.seq)));
	if (slot_of(r) && mutated(DAMAGE_TAKEN_FOR_DONE))
		dstor_slot_done(slot_of(r), le64_to_cpu(r->frame.seq), DSTOR_STATUS_OK);
	else if (slot_of(r))
		dstor_slot_drop(slot_of(r), le64_to_cpu(r->frame.seq));
	frame_send(r->conn, TO_CLIENT, &a, NULL);
	request_free(r);
}

/*
 * The data has been taken from the receive queue, which on loopback still
 * referred to the client's pages. Had the client given up meanwhile, they may
 * have been anybody's: so the connection is looked at now, not before.
 */
void request_copied(struct request *r)
{
	const struct item *i = &r->source;

	memcpy(r->data, i->by_reference ? i->txn->page : i->data, sizeof(r->data));
	if (r->data[0] & GARBAGE)
		happened[H_GARBAGE_ON_THE_WAY]++;
	if (!r->conn->established && !mutated(NO_ESTABLISHED_CHECK)) {
		happened[H_ENDED_WHILE_COPIED]++;
		say("X%u: the connection ended while it copied: not submitted", r->x->index);
		if (slot_of(r))
			dstor_slot_drop(slot_of(r), le64_to_cpu(r->frame.seq));
		request_free(r);
		return;
	}
	if (is_damaged()) {
		damaged(r);
		return;
	}
	r->state = R_READY;
	/* its memory may have been all in use */
	after(!w.healing && chance(4) ? between(5, 400) : below(2), EV_SUBMIT, r - w.requests, 0,
	      r->stamp);
}

/* Until the writer has restored what a crash took; or the exporter stops. */
static bool reader_waits(struct request *r)
{
	if (!lease_reader_waits(r->x, r->record) || mutated(READERS_DO_NOT_WAIT))
		return false;
	happened[H_READER_WAITED]++;
	if (r->x->state == X_UP) {
		after(GATE_POLL_MS, EV_SUBMIT, r - w.requests, 0, r->stamp);
		return true;
	}
	if (slot_of(r))
		dstor_slot_drop(slot_of(r), le64_to_cpu(r->frame.seq));
	request_free(r);
	exporter_stop_step(r->x);
	return true;
}

void request_submit(struct request *r)
{
	u8 op = r->frame.op;

	if (op == DSTOR_OP_READ && reader_waits(r))
		return;
	r->state = R_RUNNING;
	r->record->queue[r->queue].running++;
	say("X%u: submits %s slot %u seq %llu of s%u queue %u gen %llu (t%td)", r->x->index,
	    op_name(op), le16_to_cpu(r->frame.slot), ULL(le64_to_cpu(r->frame.seq)),
	    r->record->session, r->queue, ULL(r->gen), r->txn - w.txns);
	oracle_executed(r->x, r);
	if (mutated(ACK_BEFORE_DISK) && dstor_op_writes(op)) {
		respond(r->conn, &r->frame, DSTOR_STATUS_OK, NULL, r->txn);
		r->answered = true;
	}
	if (op == DSTOR_OP_FLUSH && mutated(FLUSH_NOT_SENT))
		request_done(r, NULL);
	else
		disk_submit(r->x, r, op == DSTOR_OP_READ ? BIO_READ :
			    op == DSTOR_OP_FLUSH ? BIO_FLUSH : BIO_WRITE);
}

static bool wants_flush(const struct request *r)
{
	bool durable = r->x->write_through || le16_to_cpu(r->frame.flags) & DSTOR_REQ_FUA;

	return dstor_op_writes(r->frame.op) && durable && r->x->disk->is_volatile &&
	       !r->x->disk->knows_fua && !r->flushing && !mutated(FUA_AS_PLAIN_WRITE);
}

void request_done(struct request *r, struct bio *b)
{
	struct exporter *x = r->x;
	struct dstor_slot *s = slot_of(r);

	if (b && b->status != DSTOR_STATUS_OK)
		r->status = b->status;
	if (r->status == DSTOR_STATUS_OK && wants_flush(r)) {
		r->flushing = true;
		disk_submit(x, r, BIO_FLUSH);
		return;
	}
	if (s) {
		dstor_slot_done(s, le64_to_cpu(r->frame.seq), r->status);
		r->record->queue[r->queue].running--;
		lease_drained(x, r->record, r->queue);
		if (dstor_op_writes(r->frame.op) && lease_is_holder(x, r->record))
			dstor_replay_gate_progress(&x->gate, w.now);
	}
	say("X%u: %s seq %llu of s%u is done%s%s", x->index, op_name(r->frame.op),
	    ULL(le64_to_cpu(r->frame.seq)), r->txn->session, r->status ? " with an error" : "",
	    r->conn ? "" : ", nobody to tell");
	if (r->conn && r->conn->established && !r->answered)
		respond(r->conn, &r->frame, r->status,
			r->frame.op == DSTOR_OP_READ ? r->data : NULL, r->txn);
	if (s)
		session_settle(x, r->record);
	request_free(r);
	attach_step_all(x);
	exporter_stop_step(x);
}

void exporter_timer(struct conn *c)
{
	const struct record *r = c->record;
	struct dstor_frame ping = { .type = DSTOR_FRAME_PING };
	u64 dead, next;

	if (c->end != E_LIVE)
		return;
	dead = c->heard_ms + dstor_silence_ms(r->ping_ms, r->timeout_ms);
	if (w.now >= dead) {
		say("X%u: s%u queue %u is silent: closes", c->x->index, c->session, c->queue);
		conn_lost(c);
		return;
	}
	if (w.now >= c->heard_ms + r->ping_ms && w.now >= c->pinged_ms + r->ping_ms) {
		c->pinged_ms = w.now;
		frame_send(c, TO_CLIENT, &ping, NULL);
	}
	next = (c->heard_ms > c->pinged_ms ? c->heard_ms : c->pinged_ms) + r->ping_ms;
	at(next < dead ? next : dead, EV_CONN_TIMER, c->index, 0, c->stamp);
}
