// SPDX-License-Identifier: GPL-2.0
/*
 * The replay of kept writes (P5, P7, P15).
 *
 * When: a connection is granted by a new instance, and the lease is provably still
 * ours. The former welcome said that the lease outlives a crash, so another could not
 * get it in between; the new one says that a replay is welcome, so the exporter knows
 * of the lease. Everything else is a loss, as without kept writes.
 *
 * What: of each sector the newest that may have been seen: acked writes, and those
 * that were under way at the crash, which may have been read although they were never
 * acked. They are sent as pieces that do not overlap, and again as transactions later.
 * A record of a durable write is never sent, and hides what is older. One that failed,
 * and of which there is no copy, hides what nobody has: that is a loss. So is a piece
 * that the disk refuses, if it was acked or hides what was.
 *
 * How: all else waits on all queues. A further crash begins the plan anew, for the
 * records are still there. They are under the mark of the next flush when it is over.
 *
 * How long: budgets stand still only while bytes are acked that no attempt before had
 * got acked. So an exporter that crashes again and again ends in an error (P8).
 *
 * Readers of other clients wait meanwhile: replay_gate.c.
 */
#include "id.h"
#include "replay.h"

/* --- may it? --- */

void dstor_replay_remember(struct dstor_replay_past *past, const struct dstor_welcome *w)
{
	memcpy(past->instance, w->instance, DSTOR_ID_LEN);
	past->lease_kept = le16_to_cpu(w->grant_flags) & DSTOR_GRANT_LEASE_KEPT;
}

enum dstor_replay_verdict dstor_replay_check(const struct dstor_replay_past *past,
					     const struct dstor_replay *p,
					     const struct dstor_welcome *w)
{
	if (dstor_id_equal(past->instance, w->instance))
		return DSTOR_REPLAY_NONE;
	if (le32_to_cpu(w->disk_flags) & DSTOR_DISK_SHARED)
		return DSTOR_REPLAY_SHARED;
	if (w->access != DSTOR_ACCESS_WRITE)
		return DSTOR_REPLAY_READ_ONLY;
	if (!past->lease_kept)
		return DSTOR_REPLAY_LEASE_NOT_KEPT;
	if (!(le16_to_cpu(w->grant_flags) & DSTOR_GRANT_REPLAY))
		return DSTOR_REPLAY_REFUSED;
	if (p->running && dstor_id_equal(p->instance, w->instance))
		return DSTOR_REPLAY_GOES_ON;
	return DSTOR_REPLAY_GO;
}

const char *dstor_replay_text(enum dstor_replay_verdict v)
{
	switch (v) {
	case DSTOR_REPLAY_NONE:
		return "nothing was lost";
	case DSTOR_REPLAY_GO:
	case DSTOR_REPLAY_GOES_ON:
		return "kept writes are sent again";
	case DSTOR_REPLAY_LEASE_NOT_KEPT:
		return "the exporter could not keep the lease over its crash";
	case DSTOR_REPLAY_READ_ONLY:
		return "the exporter allows no writing any more";
	case DSTOR_REPLAY_SHARED:
		return "the export is shared";
	case DSTOR_REPLAY_REFUSED:
		return "the exporter refuses kept writes";
	}
	return "unknown";
}

/* --- the plan --- */

void dstor_replay_begin(struct dstor_replay *p, struct dstor_keep *k,
			const struct dstor_welcome *w, u64 now_ms)
{
	p->keep = k;
	p->limits.max_io = le32_to_cpu(w->max_io);
	p->limits.max_discard = le32_to_cpu(w->max_discard);
	p->limits.max_write_zeroes = le32_to_cpu(w->max_write_zeroes);
	p->limits.block = le32_to_cpu(w->logical_block);
	memcpy(p->instance, w->instance, DSTOR_ID_LEN);
	p->running = true;
	p->lost = false;
	p->acked = 0;
	p->since_ms = now_ms;
	k->at = k->flying.oldest ? k->flying.oldest : k->acked.oldest;
	k->position = k->at ? k->at->offset : 0;
}

static bool replay_has_data(const struct dstor_kept *r)
{
	return r->op != DSTOR_OP_WRITE || r->data;
}

/* Is it on the disk by itself, so that it only hides what is older? */
static bool replay_is_durable(const struct dstor_kept *r)
{
	return r->state == DSTOR_KEPT_ACKED && r->durable && !r->failed;
}

/* May it have been on the disk before the crash? */
static bool replay_counts(const struct dstor_kept *r)
{
	if (r->state == DSTOR_KEPT_FLIES)
		return r->sent && replay_has_data(r);
	return r->state == DSTOR_KEPT_ACKED || r->state == DSTOR_KEPT_UNDECIDED;
}

static bool replay_is_sent(const struct dstor_kept *r)
{
	return replay_counts(r) && replay_has_data(r) && !replay_is_durable(r);
}

/*
 * A newer record that has the byte of @r at @from, or NULL. @until: the first byte
 * after it at which that may change.
 */
static const struct dstor_kept *replay_hidden(const struct dstor_keep *k,
					      const struct dstor_kept *r, u64 from, u64 *until)
{
	const struct dstor_kept *by = NULL;
	struct dstor_keep_walk w;
	struct dstor_kept *o;

	*until = r->offset + r->bytes;
	dstor_keep_walk_begin(&w, k, from, *until - from);
	while ((o = dstor_keep_walk_next(&w))) {
		if (o->order <= r->order || !replay_counts(o))
			continue;
		if (o->offset > from) {
			if (o->offset < *until)
				*until = o->offset;
			continue;
		}
		if (!by || o->order > by->order)
			by = o;
	}
	if (by && by->offset + by->bytes < *until)
		*until = by->offset + by->bytes;
	return by;
}

/* The bytes of one request: the most that the disk takes, in whole blocks. */
static u32 replay_most(const struct dstor_replay *p, const struct dstor_kept *r)
{
	u32 most = p->limits.max_io;

	if (r->op == DSTOR_OP_DISCARD)
		most = p->limits.max_discard;
	else if (r->op == DSTOR_OP_WRITE_ZEROES && p->limits.max_write_zeroes)
		most = p->limits.max_write_zeroes;
	return most & ~(p->limits.block - 1);
}

static void replay_step(struct dstor_keep *k)
{
	const struct dstor_kept *r = k->at;

	k->at = r->newer;
	if (!k->at && r->state != DSTOR_KEPT_ACKED)
		k->at = k->acked.oldest;
	k->position = k->at ? k->at->offset : 0;
}

/* Was it never acked, or is its loss none? */
static bool replay_is_optional(const struct dstor_kept *r)
{
	return r->op == DSTOR_OP_DISCARD || r->failed || r->state != DSTOR_KEPT_ACKED;
}

/*
 * @r hides those that are older, but does not stand for them before it is acked: if it
 * fails, a write that was acked has not been sent again.
 */
static bool replay_hides_acked(const struct dstor_keep *k, const struct dstor_kept *r, u64 from,
			       u64 bytes)
{
	struct dstor_keep_walk w;
	struct dstor_kept *o;

	if (r->state == DSTOR_KEPT_ACKED && !r->failed)
		return false;
	dstor_keep_walk_begin(&w, k, from, bytes);
	while ((o = dstor_keep_walk_next(&w)))
		if (o->order < r->order && !replay_is_optional(o) && !replay_is_durable(o))
			return true;
	return false;
}

static void replay_piece(struct dstor_replay *p, struct dstor_kept *r, u32 bytes,
			 struct dstor_replay_piece *piece)
{
	piece->record = r;
	piece->offset = p->keep->position;
	piece->bytes = bytes;
	piece->skip = piece->offset - r->offset;
	piece->zeroes = r->op == DSTOR_OP_WRITE_ZEROES && !p->limits.max_write_zeroes;
	piece->op = piece->zeroes ? DSTOR_OP_WRITE : r->op;
	piece->optional = replay_is_optional(r) &&
			  !replay_hides_acked(p->keep, r, piece->offset, bytes);
}

bool dstor_replay_next(struct dstor_replay *p, struct dstor_replay_piece *piece)
{
	struct dstor_keep *k = p->keep;
	struct dstor_kept *r;

	while ((r = k->at)) {
		u32 most = replay_most(p, r);
		const struct dstor_kept *by;
		u64 until;

		if (!replay_is_sent(r) || k->position >= r->offset + r->bytes) {
			replay_step(k);
			continue;
		}
		/* a discard that the disk does not know any more has nothing to do */
		if (!most) {
			p->lost |= replay_hides_acked(k, r, r->offset, r->bytes);
			replay_step(k);
			continue;
		}
		by = replay_hidden(k, r, k->position, &until);
		if (by) {
			p->lost |= !replay_is_optional(r) && !replay_is_sent(by) &&
				   !replay_is_durable(by);
			k->position = until;
			continue;
		}
		if (until - k->position > most)
			until = k->position + most;
		replay_piece(p, r, until - k->position, piece);
		k->position = until;
		return true;
	}
	return false;
}

u64 dstor_replay_progress(struct dstor_replay *p, u32 bytes, u64 now_ms)
{
	u64 ms = now_ms > p->since_ms ? now_ms - p->since_ms : 0;

	p->acked += bytes;
	if (p->acked <= p->most)
		return 0;
	p->most = p->acked;
	p->since_ms = now_ms;
	return ms;
}

bool dstor_replay_end(struct dstor_replay *p, u64 mark)
{
	p->running = false;
	if (p->lost)
		return false;
	p->most = 0;
	dstor_keep_replayed(p->keep, mark);
	return true;
}
