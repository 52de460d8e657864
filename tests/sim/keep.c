// SPDX-License-Identifier: GPL-2.0
/*
 * A device that keeps its acked writes, and sends them again to an exporter that lost
 * them. The data of a record is the number of the transaction that it came from, for
 * the copy outlives the pages of that.
 *
 * Pieces of a replay and flushes of the client's own have a slot of each queue for
 * themselves, behind those of the application.
 */
#include "sim.h"
#include "frame.h"

static struct keeper *keeper_of(const struct machine *m)
{
	return &w.keepers[m->index];
}

static struct txn *txn_of(const struct dstor_kept *r)
{
	return r->cookie;
}

static bool is_internal(const struct txn *t)
{
	return t->of || t->background;
}

bool keep_is_live(const struct machine *m)
{
	return !keeper_of(m)->on || keeper_of(m)->live;
}

bool keep_may_send(const struct machine *m, const struct txn *t)
{
	if (!keeper_of(m)->on || is_internal(t))
		return true;
	if (t->op == DSTOR_OP_FLUSH && mutated(FLUSHED_BEFORE_THE_REPLAY))
		return true;
	return keep_is_live(m) && !t->held && !t->doomed;
}

static void records_free(struct dstor_kept *chain)
{
	for (struct dstor_kept *r = chain; r; r = r->next)
		txn_of(r)->record = NULL;
}

static void give_up(struct machine *m, const char *why);

/* --- a write --- */

static struct dstor_kept *record_free_one(struct keeper *k)
{
	for (u32 n = 0; n < KEPTS; n++)
		if (k->kept[n].state == DSTOR_KEPT_NONE)
			return &k->kept[n];
	return NULL;
}

static void keep_add(struct machine *m, struct txn *t)
{
	struct keeper *k = keeper_of(m);
	struct dstor_kept *r = record_free_one(k);
	enum dstor_keep_admit admit = DSTOR_KEEP_PARK;

	t->held = true;
	t->parked = true;
	if (!r)
		return;
	*r = (struct dstor_kept){ .offset = (u64)t->first * BLOCK, .bytes = t->count * BLOCK,
				  .cookie = t, .queue = t->queue, .op = t->op, .data = true,
				  .durable = t->fua || t->kept_durable };
	r->cost = t->op == DSTOR_OP_WRITE && !r->durable ? t->count * BLOCK : BLOCK / 4;
	admit = dstor_keep_add(&k->keep, r);
	if (admit == DSTOR_KEEP_TOO_LARGE) {
		happened[H_KEPT_TOO_LARGE]++;
		t->kept_durable = true;
		r->durable = true;
		r->cost = BLOCK / 4;
		admit = dstor_keep_add(&k->keep, r);
	}
	happened[H_KEPT_PARKED] += admit == DSTOR_KEEP_PARK;
	happened[H_KEPT_WAITED] += admit == DSTOR_KEEP_WAIT;
	if (admit == DSTOR_KEEP_PARK)
		return;
	t->parked = false;
	t->held = admit == DSTOR_KEEP_WAIT && !mutated(OVERLAPS_NOT_SERIALISED);
	if (!t->held)
		r->state = DSTOR_KEPT_FLIES;	/* the mutant's, too */
	t->record = r;
}

void keep_submit(struct machine *m, struct txn *t)
{
	if (keeper_of(m)->on && dstor_op_writes(t->op))
		keep_add(m, t);
}

static void send_now(struct machine *m, struct txn *t)
{
	if (m->queue[t->queue].state == Q_LIVE && !m->queue[t->queue].held &&
	    t->state == T_WAITING && keep_may_send(m, t))
		txn_resend(m, t);
}

/* The first that was parked goes first. */
static struct txn *oldest_parked(const struct machine *m)
{
	struct txn *oldest = NULL;

	for (u32 q = 0; q < m->queues; q++)
		for (u32 s = 0; s < SLOTS; s++) {
			struct txn *t = m->queue[q].slot[s];

			if (t && t->parked && (!oldest || t < oldest))
				oldest = t;
		}
	return oldest;
}

static void wake(struct machine *m, u64 offset, u64 bytes)
{
	struct keeper *k = keeper_of(m);
	struct dstor_kept *r;
	struct txn *t;

	while ((r = dstor_keep_woken(&k->keep, offset, bytes))) {
		txn_of(r)->held = false;
		send_now(m, txn_of(r));
	}
	while ((t = oldest_parked(m))) {
		keep_add(m, t);
		if (t->parked)
			break;
		send_now(m, t);
	}
	keep_flush(m);
}

static u64 next_mark(const struct machine *m)
{
	return dstor_flush_mark_acked(&m->cache);
}

void keep_acked(struct machine *m, struct txn *t)
{
	struct keeper *k = keeper_of(m);
	struct dstor_kept *r = t->record;
	u64 offset, bytes;

	if (!k->on || !r)
		return;
	offset = r->offset;
	bytes = r->bytes;
	r->durable = t->fua || t->kept_durable || !m->queue[t->queue].is_volatile;
	if ((r->durable && mutated(FUA_NOT_RECORDED)) ||
	    (r->op == DSTOR_OP_WRITE_ZEROES && mutated(ZEROES_NOT_RECORDED))) {
		dstor_keep_failed(&k->keep, r, DSTOR_KEPT_REFUSED, 0);
		t->record = NULL;
	} else {
		records_free(dstor_keep_acked(&k->keep, r, next_mark(m)));
	}
	wake(m, offset, bytes);
}

static bool is_refusal(u8 status)
{
	return status == DSTOR_STATUS_READ_ONLY || status == DSTOR_STATUS_RANGE ||
	       status == DSTOR_STATUS_INVALID || status == DSTOR_STATUS_NOT_SUPPORTED;
}

void keep_failed(struct machine *m, struct txn *t)
{
	enum dstor_kept_end end = DSTOR_KEPT_GIVEN_UP;
	struct keeper *k = keeper_of(m);
	struct dstor_kept *r = t->record;

	t->parked = false;
	if (!k->on || !r)
		return;
	if (is_refusal(t->status) && !t->attempt.resends)
		end = DSTOR_KEPT_REFUSED;
	else if (t->status || txn_is_fenced(m, t))
		end = DSTOR_KEPT_DECIDED;
	happened[H_KEPT_UNDECIDED] += end == DSTOR_KEPT_GIVEN_UP && r->sent;
	if (!dstor_keep_failed(&k->keep, r, end, next_mark(m)))
		t->record = NULL;
	wake(m, (u64)t->first * BLOCK, t->count * BLOCK);
}

/* --- flushes --- */

void keep_flush_begun(struct machine *m, const struct txn *t)
{
	struct keeper *k = keeper_of(m);

	if (k->on && mutated(DROPPED_WHEN_THE_FLUSH_BEGINS))
		records_free(dstor_keep_flushed(&k->keep, t->flush));
}

void keep_flushed(struct machine *m, const struct txn *t)
{
	struct keeper *k = keeper_of(m);

	if (!k->on)
		return;
	records_free(dstor_keep_flushed(&k->keep, t->flush));
	wake(m, 0, NEVER);
}

static bool flush_is_under_way(const struct machine *m)
{
	for (u32 q = 0; q < m->queues; q++)
		for (u32 s = 0; s < SLOTS; s++)
			if (m->queue[q].slot[s] && m->queue[q].slot[s]->op == DSTOR_OP_FLUSH)
				return true;
	return false;
}

static bool queue_is_free(const struct machine *m, u8 n)
{
	const struct queue *q = &m->queue[n];

	return q->state == Q_LIVE && q->conn && !q->held && !q->slot[m->slots] &&
	       !q->barred[m->slots];
}

void keep_flush(struct machine *m)
{
	struct keeper *k = keeper_of(m);

	if (!k->on || !k->live || m->device != D_UP ||
	    !dstor_keep_wants_flush(&k->keep, flush_is_under_way(m), oldest_parked(m)))
		return;
	for (u8 n = 0; n < m->queues; n++)
		if (queue_is_free(m, n)) {
			happened[H_KEPT_FLUSHED]++;
			txn_internal(m, n, DSTOR_OP_FLUSH, 0, 0, 0);
			return;
		}
}

void keep_flush_answered(struct machine *m, struct txn *t, u8 status)
{
	bool good = status == DSTOR_STATUS_OK;

	if (good && mutated(REPORT_CONSUMED))
		good = dstor_flush_mark_end(&m->cache, t->flush, t->losses);
	else if (good)
		good = dstor_flush_mark_end_background(&m->cache, t->flush, t->losses);
	if (good)
		keep_flushed(m, t);
}

/* --- the replay --- */

static u32 pieces_in_flight(const struct machine *m)
{
	u32 n = 0;

	for (u32 q = 0; q < m->queues; q++)
		n += m->queue[q].slot[m->slots] && m->queue[q].slot[m->slots]->of;
	return n;
}

/* Of a former instance, or a flush that says nothing of the new one. */
static void pieces_cancel(struct machine *m)
{
	for (u8 q = 0; q < m->queues; q++) {
		struct txn *t = m->queue[q].slot[m->slots];

		if (t && t->state == T_SENT)
			client_lost(m, q);
		if (t)
			txn_cancel(m, t);
	}
}

static void say_replayed(struct machine *m, u8 queue)
{
	struct dstor_frame f = { .type = DSTOR_FRAME_REPLAYED };
	struct queue *q = &m->queue[queue];

	if (q->state == Q_LIVE && q->conn && q->access == DSTOR_ACCESS_WRITE)
		frame_send(q->conn, TO_EXPORTER, &f, NULL);
}

static void go_live(struct machine *m)
{
	struct keeper *k = keeper_of(m);

	k->live = true;
	k->replay.running = false;
	dstor_replay_remember(&k->past, &k->welcome);
	for (u8 n = 0; n < m->queues; n++) {
		say_replayed(m, n);
		if (m->queue[n].state == Q_LIVE && !m->queue[n].held)
			txn_resend_all(m, n);
	}
	wake(m, 0, NEVER);
}

static void replay_over(struct machine *m)
{
	struct keeper *k = keeper_of(m);

	if (!dstor_replay_end(&k->replay, next_mark(m))) {
		give_up(m, "a kept write cannot be sent again");
		return;
	}
	say("M%u: s%u: the replay is over", m->index, m->session);
	happened[H_KEPT_RESTORED]++;
	oracle_restored(m, k->replay.instance);
	go_live(m);
}

/* The whole of each record, and the oldest last. */
static bool oldest_first(struct keeper *k, struct dstor_replay_piece *p)
{
	struct dstor_kept *r;

	if (!k->began_backwards)
		k->backwards = k->keep.acked.newest;
	k->began_backwards = true;
	r = k->backwards;
	if (!r)
		return false;
	k->backwards = r->older;
	*p = (struct dstor_replay_piece){ .record = r, .offset = r->offset, .bytes = r->bytes,
					  .op = r->op };
	return true;
}

static bool next_piece(struct keeper *k, struct dstor_replay_piece *p)
{
	bool more;

	do {
		more = mutated(OLDEST_FIRST) ? oldest_first(k, p) :
					       dstor_replay_next(&k->replay, p);
	} while (more && p->op == DSTOR_OP_DISCARD && mutated(DISCARD_NOT_REPLAYED));
	return more;
}

static void pump(struct machine *m)
{
	struct keeper *k = keeper_of(m);
	struct dstor_replay_piece p;
	struct txn *t;

	if (!k->on)
		return;
	for (u8 n = 0; n < m->queues && !k->live && !k->all; n++) {
		if (!queue_is_free(m, n))
			continue;
		if (!next_piece(k, &p)) {
			k->all = true;
			break;
		}
		happened[H_KEPT_REPLAYED]++;
		t = txn_internal(m, n, p.op, p.offset / BLOCK, p.bytes / BLOCK,
				 txn_of(p.record) - w.txns);
		t->optional = p.optional;
		if (mutated(OLDEST_FIRST))
			break;
	}
	if (!k->live && k->all && (!pieces_in_flight(m) || mutated(LIVE_BEFORE_THE_END)))
		replay_over(m);
}

/* By its age at most: it may have begun since. */
static void prolong(struct dstor_attempt *a, u64 ms)
{
	u64 since = a->start_ms + a->still_ms;
	u64 age = w.now > since ? w.now - since : 0;

	a->still_ms += ms < age ? ms : age;
}

void keep_piece_answered(struct machine *m, struct txn *t, u8 status)
{
	struct keeper *k = keeper_of(m);
	u64 ms;

	if (k->live)
		return;
	if (status == DSTOR_STATUS_OK) {
		ms = dstor_replay_progress(&k->replay, t->count * BLOCK, w.now);
		for (u32 q = 0; q < m->queues; q++)
			for (u32 s = 0; s < SLOTS; s++)
				if (m->queue[q].slot[s])
					prolong(&m->queue[q].slot[s]->attempt, ms);
	} else if (!t->optional) {
		k->replay.lost = true;
	}
}

void keep_piece_ended(struct machine *m)
{
	pump(m);
}

/* A loss, as without kept writes. */
static void give_up(struct machine *m, const char *why)
{
	struct keeper *k = keeper_of(m);

	say("M%u: s%u gives up what it kept: %s", m->index, m->session, why);
	pieces_cancel(m);
	if (dstor_keep_owes(&k->keep)) {
		happened[H_KEPT_LOST]++;
		dstor_flush_mark_lost(&m->cache);
	}
	oracle_gave_up(m, why);
	dstor_keep_crashed(&k->keep);	/* nothing of before can land, either */
	records_free(dstor_keep_drop(&k->keep));
	go_live(m);
	/* a loss is rare: the mutant flushes before the application does */
	for (u8 n = 0; n < m->queues && mutated(REPORT_CONSUMED); n++)
		if (queue_is_free(m, n))
			txn_internal(m, n, DSTOR_OP_FLUSH, 0, 0, 0);
}

static enum dstor_replay_verdict verdict_of(struct keeper *k, const struct dstor_welcome *a)
{
	enum dstor_replay_verdict v = dstor_replay_check(&k->past, &k->replay, a);

	if ((v == DSTOR_REPLAY_SHARED && mutated(REPLAY_ON_SHARED)) ||
	    (v == DSTOR_REPLAY_LEASE_NOT_KEPT && mutated(REPLAY_WITHOUT_THE_LEASE)) ||
	    (v == DSTOR_REPLAY_REFUSED && mutated(REPLAY_AFTER_READERS)))
		v = k->replay.running && !memcmp(k->replay.instance, a->instance, DSTOR_ID_LEN) ?
			    DSTOR_REPLAY_GOES_ON : DSTOR_REPLAY_GO;
	return v;
}

static void replay_begin(struct machine *m, const struct dstor_welcome *a)
{
	struct keeper *k = keeper_of(m);
	bool again = k->replay.running;

	say("M%u: s%u: a new instance: %llu of %llu bytes are sent again", m->index, m->session,
	    ULL(k->keep.used_acked), ULL(k->keep.limit));
	happened[H_KEPT_CRASHED]++;
	happened[H_KEPT_CRASHED_AGAIN] += again;
	pieces_cancel(m);
	k->live = false;
	if (again && mutated(SECOND_CRASH_LOSES)) {
		memcpy(k->replay.instance, a->instance, DSTOR_ID_LEN);
		return;
	}
	if (!mutated(FLUSHED_BEFORE_THE_REPLAY))
		dstor_keep_crashed(&k->keep);
	dstor_replay_begin(&k->replay, &k->keep, a, w.now);
	k->all = mutated(LIVE_BEFORE_THE_END);
	k->began_backwards = false;
	k->backwards = NULL;
}

void keep_welcomed(struct machine *m, u8 queue, const struct dstor_welcome *a)
{
	struct keeper *k = keeper_of(m);

	if (k->wish && !k->on)	/* nothing of it is kept: nobody has to wait */
		say_replayed(m, queue);
	if (!k->on)
		return;
	dstor_keep_fenced(&k->keep, queue, next_mark(m));
	k->welcome = *a;
	switch (verdict_of(k, a)) {
	case DSTOR_REPLAY_NONE:
		dstor_replay_remember(&k->past, a);
		break;
	case DSTOR_REPLAY_GOES_ON:
		break;
	case DSTOR_REPLAY_GO:
		replay_begin(m, a);
		break;
	default:
		give_up(m, dstor_replay_text(verdict_of(k, a)));
	}
	if (k->live)
		say_replayed(m, queue);
	else
		txn_resend_all(m, queue);	/* its piece */
	wake(m, 0, NEVER);
	pump(m);
}

/* --- a device begins and ends --- */

void keep_attach(struct machine *m)
{
	struct keeper *k = keeper_of(m);

	memset(k, 0, sizeof(*k));
	k->wish = w.keeping && !m->read_only;
}

void keep_first_welcome(struct machine *m, const struct dstor_welcome *a)
{
	struct keeper *k = keeper_of(m);
	bool shared = le32_to_cpu(a->disk_flags) & DSTOR_DISK_SHARED;

	k->on = k->wish && m->is_volatile && a->access == DSTOR_ACCESS_WRITE &&
		(!shared || mutated(REPLAY_ON_SHARED));
	k->live = true;
	if (!k->on)
		return;
	k->welcome = *a;
	dstor_keep_init(&k->keep, k->buckets, KEEP_BUCKETS, 2 * BLOCK,
			between(2, 24) * BLOCK);
	dstor_replay_remember(&k->past, a);
	w.sessions[m->session].keeps = true;
}

void keep_end(struct machine *m)
{
	struct keeper *k = keeper_of(m);

	if (!k->on)
		return;
	k->on = false;
	oracle_gave_up(m, NULL);
	w.sessions[m->session].keeps = false;
}
