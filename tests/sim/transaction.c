// SPDX-License-Identifier: GPL-2.0
/*
 * Transactions of a device: sent, asked after, resent, answered or failed
 * (docs/protocol.md, section 9). Its pages belong to somebody else as soon as
 * it has ended: whatever still refers to them then sends garbage.
 */
#include "sim.h"
#include "frame.h"

u32 txns_in_flight(const struct machine *m)
{
	u32 n = 0;

	for (u32 q = 0; q < m->queues; q++)
		for (u32 s = 0; s < SLOTS; s++)
			n += !!m->queue[q].slot[s];
	return n;
}

static bool is_internal(const struct txn *t)
{
	return t->of || t->background;
}

static void scan_later(struct machine *m)
{
	u32 ms = m->policy.timeout_ms / 4;

	if (m->scanning)
		return;
	m->scanning = true;
	after(ms < 50 ? 50 : ms, EV_SCAN, m->index, 0, 0);
}

static void txn_send(struct machine *m, struct txn *t, bool again)
{
	struct conn *c = m->queue[t->queue].conn;
	u16 flags = (t->fua || t->kept_durable ? DSTOR_REQ_FUA : 0) | (again ? DSTOR_REQ_RESEND :
								       0);
	u32 bytes = t->count * BLOCK;
	struct dstor_frame f = {
		.type = DSTOR_FRAME_REQUEST, .op = t->op, .flags = cpu_to_le16(flags),
		.slot = cpu_to_le16(t->slot), .bytes = cpu_to_le32(bytes),
		.length = cpu_to_le32(t->op == DSTOR_OP_WRITE ? bytes : 0),
		.seq = cpu_to_le64(t->seq), .offset = cpu_to_le64((u64)t->first * BLOCK),
	};

	t->state = T_SENT;
	t->attempt.sent_ms = w.now;
	t->sent_gen = c->gen;
	t->sent_to = c->x->index;
	t->sent_life = c->life;
	if (again) {
		t->attempt.resends++;
		happened[H_RESENT]++;
	}
	t->ever_sent = true;
	if (t->record)
		t->record->sent = true;
	say("M%u: s%u queue %u gen %llu: %ssends t%td %s%s slot %u seq %llu blocks %u+%u", m->index,
	    m->session, t->queue, ULL(c->gen), again ? "re" : "", t - w.txns, op_name(t->op),
	    t->fua ? " fua" : "", t->slot, ULL(t->seq), t->first, t->count);
	frame_send(c, TO_EXPORTER, &f, t);
	if (t->op == DSTOR_OP_WRITE) {
		struct item *i = item_new(I_DATA);

		i->txn = t;
		i->count = t->count;
		i->by_reference = true;
		item_send(c, TO_EXPORTER, i);
	}
}

void txn_resend_all(struct machine *m, u8 queue)
{
	struct queue *q = &m->queue[queue];

	for (u32 n = 0; n < SLOTS; n++)
		if (q->slot[n] && q->slot[n]->state == T_WAITING &&
		    keep_may_send(m, q->slot[n]))
			txn_send(m, q->slot[n], q->slot[n]->ever_sent);
}

void txn_resend(struct machine *m, struct txn *t)
{
	txn_send(m, t, t->ever_sent);
}

/* They wait for the next connection. */
void txns_unsent(struct machine *m, u8 queue)
{
	struct queue *q = &m->queue[queue];

	for (u32 n = 0; n < SLOTS; n++)
		if (q->slot[n] && q->slot[n]->state == T_SENT) {
			q->slot[n]->state = T_WAITING;
			q->slot[n]->attempt.asked = false;
			q->slot[n]->repeated = false;
		}
}

static struct txn *txn_new(struct machine *m, u8 op)
{
	struct txn *t;

	if (w.n_txns - w.n_internal == TXNS_OF_APPS || w.n_txns == TXNS)
		return NULL;
	t = &w.txns[w.n_txns++];
	memset(t, 0, sizeof(*t));
	t->op = op;
	t->machine = m->index;
	t->session = m->session;
	t->disk = m->disk;
	return t;
}

/* It was in flight when the memory was saved: its twin is, now. */
struct txn *txn_revive(struct machine *m, const struct txn *saved, u64 later_ms)
{
	struct txn *t = txn_new(m, saved->op);

	if (!t)
		return NULL;
	t->fua = saved->fua;
	t->kept_durable = saved->kept_durable;
	t->first = saved->first;
	t->count = saved->count;
	t->queue = saved->queue;
	t->slot = saved->slot;
	t->seq = saved->seq;
	t->root = saved->root;
	t->state = T_WAITING;
	t->attempt = saved->attempt;
	t->attempt.asked = false;
	t->attempt.start_ms += later_ms;
	t->attempt.sent_ms += later_ms;
	t->frozen_ms = m->frozen_ms;
	t->ever_sent = saved->ever_sent;
	t->sent_gen = saved->sent_gen;
	t->sent_to = saved->sent_to;
	t->sent_life = saved->sent_life;
	t->flush = saved->flush;
	t->losses = saved->losses;
	for (u32 i = 0; i < SPAN; i++)
		t->page[i] = t - w.txns;
	m->queue[t->queue].slot[t->slot] = t;
	say("M%u: t%td is in flight again as t%td", m->index, &w.txns[t->root] - w.txns,
	    t - w.txns);
	oracle_submitted(t);
	scan_later(m);
	return t;
}

static void txn_end(struct machine *m, struct txn *t)
{
	m->queue[t->queue].slot[t->slot] = NULL;
	for (u32 i = 0; i < SPAN; i++)
		t->page[i] = GARBAGE | (u32)(t - w.txns);
	if (t->of)
		keep_piece_ended(m);
	if (m->device == D_DETACHING && !txns_in_flight(m))
		device_detach(m);
}

static void txn_fail(struct machine *m, struct txn *t, const char *why, bool excused)
{
	say("M%u: s%u: t%td has failed: %s", m->index, m->session, t - w.txns, why);
	t->state = T_FAILED;
	if (is_internal(t)) {
		txn_end(m, t);
		return;
	}
	happened[H_FAILED]++;
	oracle_failed(t, excused);
	keep_failed(m, t);
	txn_end(m, t);
}

static void tell_of_loss(struct machine *m, struct txn *t)
{
	t->status = DSTOR_STATUS_IO;
	happened[H_LOSS_REPORTED]++;
	txn_fail(m, t, "acked writes were lost", true);
}

/* The kernel does not even hand it to a device without a cache. */
static struct txn *needless_flush(struct machine *m)
{
	struct txn *t = txn_new(m, DSTOR_OP_FLUSH);

	if (!t)
		return NULL;
	t->state = T_OK;
	say("M%u: s%u: t%td flush has nothing to do", m->index, m->session, t - w.txns);
	oracle_submitted(t);
	oracle_acked(t, NULL);
	return t;
}

struct txn *txn_internal(struct machine *m, u8 queue, u8 op, u8 first, u8 count, u16 of)
{
	struct queue *q = &m->queue[queue];
	struct txn *t;

	w.n_internal++;
	t = txn_new(m, op);
	if (!t) {
		fprintf(stderr, "sim: too many transactions\n");
		abort();
	}
	t->of = of;
	t->background = !of;
	t->first = first;
	t->count = count;
	t->queue = queue;
	t->slot = m->slots;
	t->seq = ++q->seq;
	t->state = T_WAITING;
	dstor_attempt_begin(&t->attempt, w.now);
	t->frozen_ms = m->frozen_ms;
	if (!of)
		t->flush = dstor_flush_mark_begin(&m->cache, &t->losses);
	for (u32 i = 0; i < SPAN; i++)
		t->page[i] = mutated(PAGE_REUSED_WHILE_LENT) ? w.txns[of].page[0] : of;
	q->slot[t->slot] = t;
	oracle_submitted(t);
	if (!of)
		keep_flush_begun(m, t);
	txn_send(m, t, false);
	scan_later(m);
	return t;
}

void txn_cancel(struct machine *m, struct txn *t)
{
	say("M%u: t%td means nothing any more", m->index, t - w.txns);
	t->state = T_GONE;
	m->queue[t->queue].slot[t->slot] = NULL;
	m->queue[t->queue].barred[t->slot] = t->ever_sent && m->queue[t->queue].state != Q_LIVE;
}

struct txn *txn_submit(struct machine *m, u8 queue, u8 op, bool fua, u8 first, u8 count)
{
	struct queue *q = &m->queue[queue];
	bool refused = false;
	struct txn *t;
	u32 slot = 0;

	if (op == DSTOR_OP_FLUSH && !m->is_volatile)
		return needless_flush(m);
	while (slot < m->slots && (q->slot[slot] || q->barred[slot]))
		slot++;
	t = slot < m->slots ? txn_new(m, op) : NULL;
	if (!t)
		return NULL;
	t->fua = fua && m->is_volatile;
	t->kept_durable = !m->is_volatile && dstor_op_writes(op) && !mutated(CACHE_NOT_NOTICED);
	t->first = first;
	t->count = count;
	t->queue = queue;
	t->slot = slot;
	t->seq = ++q->seq;
	t->state = T_WAITING;
	dstor_attempt_begin(&t->attempt, w.now);
	t->frozen_ms = m->frozen_ms;
	if (op == DSTOR_OP_FLUSH)
		t->flush = dstor_flush_mark_begin(&m->cache, &t->losses);
	else if (t->fua && !mutated(LOSS_TOLD_ONCE))
		refused = !dstor_flush_mark_fua_begin(&m->cache, w.now, &t->losses);
	else
		t->losses = m->cache.losses;
	for (u32 i = 0; i < SPAN; i++)
		t->page[i] = t - w.txns;
	q->slot[slot] = t;
	oracle_submitted(t);
	keep_submit(m, t);
	say("M%u: s%u submits t%td %s%s blocks %u+%u", m->index, m->session, t - w.txns,
	    op_name(op), fua ? " fua" : "", first, count);
	if (refused)
		tell_of_loss(m, t);
	else if (m->device == D_FAILED)
		txn_fail_all(m, "the device has failed");
	else if (q->state == Q_LIVE && !q->held && keep_may_send(m, t))
		txn_send(m, t, false);
	if (op == DSTOR_OP_FLUSH)
		keep_flush_begun(m, t);
	keep_flush(m);
	scan_later(m);
	return t;
}

/* All who had it open have closed it, and others have opened it. */
void device_reopened(struct machine *m)
{
	dstor_flush_mark_closed(&m->cache);
	oracle_reopened(m);
}

/* --- the end of one --- */

static bool durable_is_true(struct machine *m, const struct txn *t)
{
	if (t->op == DSTOR_OP_FLUSH || mutated(LOSS_TOLD_ONCE))
		return dstor_flush_mark_end(&m->cache, t->flush, t->losses);
	return dstor_flush_mark_fua_end(&m->cache, t->losses);
}

static void internal_answered(struct machine *m, struct txn *t, u8 status)
{
	say("M%u: s%u: t%td %s of its own is %s", m->index, m->session, t - w.txns,
	    op_name(t->op), status ? "refused" : "acked");
	t->state = T_OK;
	if (t->of)
		keep_piece_answered(m, t, status);
	txn_end(m, t);
	if (t->background)
		keep_flush_answered(m, t, status);
}

static void txn_answered(struct machine *m, struct txn *t, u8 status, const u32 *data)
{
	if (is_internal(t)) {
		internal_answered(m, t, status);
		return;
	}
	if (status != DSTOR_STATUS_OK) {
		t->status = status;
		txn_fail(m, t, "the disk says so", true);
		return;
	}
	if (t->op == DSTOR_OP_FLUSH || (t->fua && dstor_op_writes(t->op))) {
		if (!durable_is_true(m, t)) {
			tell_of_loss(m, t);
			return;
		}
	} else if (dstor_op_writes(t->op) && m->queue[t->queue].is_volatile && !t->kept_durable) {
		m->queue[t->queue].mark = dstor_flush_mark_acked(&m->cache);
	}
	t->state = T_OK;
	happened[H_ACKED]++;
	say("M%u: s%u: t%td %s is acked", m->index, m->session, t - w.txns, op_name(t->op));
	oracle_acked(t, data);
	txn_end(m, t);
	if (dstor_op_writes(t->op))
		keep_acked(m, t);
	else if (t->op == DSTOR_OP_FLUSH)
		keep_flushed(m, t);
}

void txn_response(struct conn *c, const struct dstor_frame *f)
{
	struct machine *m = c->m;
	struct txn *t = m->queue[c->queue].slot[le16_to_cpu(f->slot)];

	if (!t || t->state != T_SENT || t->seq != le64_to_cpu(f->seq) || t->op != f->op) {
		if (mutated(REUSE_PAGE_EARLY))
			return;
		violated("P3", "a response for a transaction that is not in flight");
		return;
	}
	if (f->op == DSTOR_OP_READ && le16_to_cpu(f->status) == DSTOR_STATUS_OK)
		c->reading = t;
	else
		txn_answered(m, t, le16_to_cpu(f->status), NULL);
}

/* The header was right, so the stream is whole: it asks once more, and then closes. */
static void read_damaged(struct conn *c, struct txn *t)
{
	bool again = t->repeated;

	happened[H_READ_DAMAGED]++;
	t->repeated = true;
	if (again)
		client_lost(c->m, c->queue);
	else
		txn_send(c->m, t, true);
}

void txn_data(struct conn *c, const struct item *i)
{
	struct txn *t = c->reading;

	c->reading = NULL;
	if (!t || t->state != T_SENT || i->count != t->count) {
		violated("P4", "data arrives for a read that has ended");
		return;
	}
	if (is_damaged()) {
		read_damaged(c, t);
		return;
	}
	txn_answered(c->m, t, DSTOR_STATUS_OK, i->data);
}

/* --- time --- */

/* Its pages may have changed while they were sent: a copy does not. */
static void state_damaged(struct conn *c, struct txn *t)
{
	if (t->copied) {
		happened[H_DAMAGED_TWICE]++;
		client_lost(c->m, c->queue);
		return;
	}
	t->copied = true;
	txn_send(c->m, t, true);
}

void txn_state(struct conn *c, const struct dstor_frame *f)
{
	struct txn *t = c->m->queue[c->queue].slot[le16_to_cpu(f->slot)];

	if (!t || t->state != T_SENT || t->seq != le64_to_cpu(f->seq))
		return;		/* answered meanwhile */
	if (le16_to_cpu(f->status) == DSTOR_STATE_DAMAGED) {
		state_damaged(c, t);
		return;
	}
	if (le16_to_cpu(f->status) == DSTOR_STATE_DONE) {
		happened[H_STATE_DONE]++;
		return;
	}
	if (!dstor_attempt_told(&t->attempt) && !mutated(OLD_ANSWER_BELIEVED))
		return;
	if (le16_to_cpu(f->status) == DSTOR_STATE_UNKNOWN) {
		txn_send(c->m, t, true);
		return;
	}
	happened[H_STATE_BUSY]++;
	dstor_attempt_goes_on(&t->attempt, w.now);
}

static void ask(struct conn *c, struct txn *t)
{
	struct dstor_frame f = { .type = DSTOR_FRAME_ASK, .slot = cpu_to_le16(t->slot),
			       .seq = cpu_to_le64(t->seq) };

	dstor_attempt_ask(&t->attempt, w.now);
	happened[H_ASKED]++;
	say("M%u: asks after t%td", c->m->index, t - w.txns);
	frame_send(c, TO_EXPORTER, &f, NULL);
}

static enum dstor_verdict judge(const struct machine *m, const struct txn *t)
{
	bool live = t->state == T_SENT;
	enum dstor_verdict v = dstor_attempt_check(&t->attempt, &m->policy, w.now, live);
	u64 budget = dstor_budget_ms(&m->policy);

	/* what waits for it has a budget */
	if (is_internal(t) && v == DSTOR_VERDICT_FAIL)
		return live ? DSTOR_VERDICT_ASK : DSTOR_VERDICT_WAIT;
	if (mutated(RETRY_AFTER_BUDGET) && v == DSTOR_VERDICT_FAIL)
		return live ? DSTOR_VERDICT_ASK : DSTOR_VERDICT_WAIT;
	if (mutated(FAIL_TOO_EARLY) && budget != NEVER && w.now - t->attempt.start_ms > budget / 2)
		return DSTOR_VERDICT_FAIL;
	return v;
}

bool txn_is_fenced(const struct machine *m, const struct txn *t)
{
	const struct queue *q = &m->queue[t->queue];

	return q->state == Q_LIVE && q->conn && t->sent_gen != q->conn->gen;
}

static void scan_queue(struct machine *m, u8 queue)
{
	struct queue *q = &m->queue[queue];
	struct txn *failed[SLOTS];
	bool silent = false;
	u32 n = 0;

	for (u32 s = 0; s < SLOTS; s++) {
		struct txn *t = q->slot[s];

		if (!t)
			continue;
		switch (judge(m, t)) {
		case DSTOR_VERDICT_WAIT:
			break;
		case DSTOR_VERDICT_ASK:
			if (!t->attempt.asked)
				ask(q->conn, t);
			else if (w.now - t->attempt.asked_ms >= m->policy.timeout_ms)
				silent = true;
			break;
		case DSTOR_VERDICT_FAIL:
			failed[n++] = t;
			t->doomed = true;
			break;
		}
	}
	/* first the connection ends, so that nothing refers to their pages (P4) */
	for (u32 i = 0; i < n; i++)
		if (failed[i]->state == T_SENT && mutated(REUSE_PAGE_EARLY))
			after(between(1, 500), EV_QUEUE_ABORT, m->index, queue, q->conn->stamp);
		else if (failed[i]->state == T_SENT)
			client_lost(m, queue);
	if (silent && q->conn) {
		say("M%u: s%u queue %u: a question without an answer", m->index, m->session,
		    queue);
		client_lost(m, queue);
	}
	for (u32 i = 0; i < n; i++) {
		q->barred[failed[i]->slot] = failed[i]->ever_sent && !txn_is_fenced(m, failed[i]);
		txn_fail(m, failed[i], "its budget is used up", false);
	}
}

void txn_scan(struct machine *m)
{
	m->scanning = false;
	if (m->device == D_NONE || m->down)
		return;
	for (u8 q = 0; q < m->queues; q++)
		scan_queue(m, q);
	keep_flush(m);
	if (m->device != D_NONE && txns_in_flight(m))
		scan_later(m);
}

void txn_fail_all(struct machine *m, const char *why)
{
	for (u32 q = 0; q < m->queues; q++)
		for (u32 s = 0; s < SLOTS; s++)
			if (m->queue[q].slot[s])
				txn_fail(m, m->queue[q].slot[s], why, true);
}
