// SPDX-License-Identifier: GPL-2.0
/*
 * Kept writes (P5, P7): NFS's unstable writes and COMMIT (RFC 1813, 3.3.7 and 3.3.21)
 * on a block device, which has no files to give an order.
 *
 * A record is one write, discard or write-zeroes from its submission until nothing
 * can need it. Those that overlap are sent one after another, so they have one order:
 * that of submission is that of acks and that of the disk. A record holds a range, the
 * number of the first flush that covers it, and a cookie by which the caller finds
 * its pages. It goes when
 *
 * - such a flush succeeded on the instance that acked it, or acked it again,
 * - a newer one that was acked covers it wholly. One that is covered in part stays
 *   as it is; replay.c leaves out what a newer record has.
 *
 * A durable write (FUA) needs no copy, and stays only if it hides a part of an older
 * record: that part must not come back over it. It goes with the flush that the older
 * one goes with.
 *
 * A write that failed may have landed, or may yet. Until its queue is fenced, nothing
 * that overlaps it is sent. From then on it is kept like an acked one, for somebody may
 * have read it: an older record that came back over it would turn back time. It was
 * never acked, so it is no loss if it cannot be sent again.
 *
 * Lookup: the disk is cut into regions, and a hash of buckets has each record in that
 * of its first region. So a range is looked for in its own regions and in the one
 * before. The few that are longer than a region are in a list of their own. Memory is
 * the caller's: the buckets, and the records within the limit.
 */
#include "keep.h"

void dstor_keep_init(struct dstor_keep *k, struct dstor_kept **buckets, u32 n, u32 region,
		     u64 limit)
{
	memset(k, 0, sizeof(*k));
	memset(buckets, 0, n * sizeof(*buckets));
	k->buckets = buckets;
	k->n_buckets = n;
	while (region >> k->shift > 1)
		k->shift++;
	k->limit = limit;
}

/* --- lookup --- */

static u64 keep_end(u64 offset, u64 bytes)
{
	return bytes > ~0ULL - offset ? ~0ULL : offset + bytes;
}

static bool keep_overlaps(const struct dstor_kept *r, u64 offset, u64 end)
{
	return r->offset < end && offset < keep_end(r->offset, r->bytes);
}

static bool keep_covers(const struct dstor_kept *r, const struct dstor_kept *o)
{
	return r->offset <= o->offset &&
	       keep_end(r->offset, r->bytes) >= keep_end(o->offset, o->bytes);
}

void dstor_keep_walk_begin(struct dstor_keep_walk *w, const struct dstor_keep *k, u64 offset,
			   u64 bytes)
{
	u64 first = offset >> k->shift;
	u64 last;

	w->keep = k;
	w->offset = offset;
	w->end = keep_end(offset, bytes);
	w->wide = true;
	w->next = NULL;
	last = (w->end - 1) >> k->shift;
	if (first)
		first--;	/* a record that begins there may reach into the next */
	w->bucket = first;
	w->buckets = last - first >= k->n_buckets ? k->n_buckets : last - first + 1;
}

struct dstor_kept *dstor_keep_walk_next(struct dstor_keep_walk *w)
{
	for (;;) {
		struct dstor_kept *r = w->next;

		if (r) {
			w->next = r->next;
			if (keep_overlaps(r, w->offset, w->end))
				return r;
		} else if (w->buckets) {
			w->buckets--;
			w->next = w->keep->buckets[w->bucket++ & (w->keep->n_buckets - 1)];
		} else if (w->wide) {
			w->wide = false;
			w->next = w->keep->wide;
		} else {
			return NULL;
		}
	}
}

/* --- membership --- */

static void list_append(struct dstor_kept_list *l, struct dstor_kept *r)
{
	r->older = l->newest;
	r->newer = NULL;
	if (l->newest)
		l->newest->newer = r;
	else
		l->oldest = r;
	l->newest = r;
}

static void list_remove(struct dstor_kept_list *l, struct dstor_kept *r)
{
	if (r->older)
		r->older->newer = r->newer;
	else
		l->oldest = r->newer;
	if (r->newer)
		r->newer->older = r->older;
	else
		l->newest = r->older;
}

/* A replay that stands at @r goes on at the next one. */
static void keep_step_off(struct dstor_keep *k, const struct dstor_kept *r)
{
	if (k->at != r)
		return;
	k->at = r->newer;
	if (!k->at && r->state != DSTOR_KEPT_ACKED)
		k->at = k->acked.oldest;
	k->position = k->at ? k->at->offset : 0;
}

static void keep_insert(struct dstor_keep *k, struct dstor_kept *r)
{
	struct dstor_kept **link = &k->wide;

	if (r->bytes <= 1U << k->shift)
		link = &k->buckets[(r->offset >> k->shift) & (k->n_buckets - 1)];
	r->next = *link;
	r->link = link;
	if (r->next)
		r->next->link = &r->next;
	*link = r;
	list_append(&k->flying, r);
	k->used += r->cost;
}

static void keep_remove(struct dstor_keep *k, struct dstor_kept *r)
{
	keep_step_off(k, r);
	*r->link = r->next;
	if (r->next)
		r->next->link = r->link;
	k->used -= r->cost;
	if (r->state == DSTOR_KEPT_ACKED) {
		k->used_acked -= r->cost;
		list_remove(&k->acked, r);
	} else {
		list_remove(&k->flying, r);
	}
	r->state = DSTOR_KEPT_NONE;
	r->next = NULL;
}

static void keep_settle(struct dstor_keep *k, struct dstor_kept *r, u64 mark)
{
	keep_step_off(k, r);
	list_remove(&k->flying, r);
	r->state = DSTOR_KEPT_ACKED;
	r->mark = mark;
	list_append(&k->acked, r);
	k->used_acked += r->cost;
}

/* --- submission --- */

enum dstor_keep_admit dstor_keep_add(struct dstor_keep *k, struct dstor_kept *r)
{
	bool waits = false, hides = false;
	struct dstor_keep_walk w;
	struct dstor_kept *o;

	dstor_keep_walk_begin(&w, k, r->offset, r->bytes);
	while ((o = dstor_keep_walk_next(&w))) {
		if (o->state == DSTOR_KEPT_ACKED)
			hides = true;
		else
			waits = true;
	}
	if (!r->durable && r->cost > k->limit)
		return DSTOR_KEEP_TOO_LARGE;
	if ((!r->durable || hides) && k->used + r->cost > k->limit)
		return DSTOR_KEEP_PARK;
	r->order = ++k->order;
	r->failed = false;
	r->mark = DSTOR_KEPT_BY_NO_FLUSH;
	r->state = waits ? DSTOR_KEPT_WAITS : DSTOR_KEPT_FLIES;
	keep_insert(k, r);
	return waits ? DSTOR_KEEP_WAIT : DSTOR_KEEP_SEND;
}

/* Does an older one that overlaps @r have no answer yet? */
static bool keep_is_blocked(const struct dstor_keep *k, const struct dstor_kept *r)
{
	struct dstor_keep_walk w;
	struct dstor_kept *o;

	dstor_keep_walk_begin(&w, k, r->offset, r->bytes);
	while ((o = dstor_keep_walk_next(&w)))
		if (o->order < r->order && o->state != DSTOR_KEPT_ACKED)
			return true;
	return false;
}

struct dstor_kept *dstor_keep_woken(struct dstor_keep *k, u64 offset, u64 bytes)
{
	struct dstor_kept *o, *oldest = NULL;
	struct dstor_keep_walk w;

	dstor_keep_walk_begin(&w, k, offset, bytes);
	while ((o = dstor_keep_walk_next(&w)))
		if (o->state == DSTOR_KEPT_WAITS && (!oldest || o->order < oldest->order) &&
		    !keep_is_blocked(k, o))
			oldest = o;
	if (oldest)
		oldest->state = DSTOR_KEPT_FLIES;
	return oldest;
}

/* --- its end --- */

struct dstor_kept *dstor_keep_acked(struct dstor_keep *k, struct dstor_kept *r, u64 mark)
{
	struct dstor_kept *o, *chain = NULL;
	struct dstor_keep_walk w;
	bool hides = false;

	dstor_keep_walk_begin(&w, k, r->offset, r->bytes);
	while ((o = dstor_keep_walk_next(&w))) {
		if (o->state != DSTOR_KEPT_ACKED)
			continue;
		if (!keep_covers(r, o)) {
			hides = true;
			continue;
		}
		keep_remove(k, o);
		o->next = chain;
		chain = o;
	}
	if (!r->durable || hides) {
		keep_settle(k, r, mark);
		return chain;
	}
	keep_remove(k, r);
	r->next = chain;
	return r;
}

bool dstor_keep_failed(struct dstor_keep *k, struct dstor_kept *r, enum dstor_kept_end end,
		       u64 mark)
{
	if (!r->sent || end == DSTOR_KEPT_REFUSED) {
		keep_remove(k, r);
		return false;
	}
	r->failed = true;
	if (end == DSTOR_KEPT_DECIDED)
		keep_settle(k, r, mark);
	else
		r->state = DSTOR_KEPT_UNDECIDED;
	return true;
}

static void keep_decide(struct dstor_keep *k, bool all, u16 queue, u64 mark)
{
	struct dstor_kept *r, *newer;

	for (r = k->flying.oldest; r; r = newer) {
		newer = r->newer;
		if (r->state == DSTOR_KEPT_UNDECIDED && (all || r->queue == queue))
			keep_settle(k, r, mark);
	}
}

void dstor_keep_fenced(struct dstor_keep *k, u16 queue, u64 mark)
{
	keep_decide(k, false, queue, mark);
}

struct dstor_kept *dstor_keep_flushed_few(struct dstor_keep *k, u64 number, u32 most)
{
	struct dstor_kept *chain = NULL;
	struct dstor_kept *r;

	while (most-- && (r = k->acked.oldest) && r->mark <= number) {
		keep_remove(k, r);
		r->next = chain;
		chain = r;
	}
	return chain;
}

struct dstor_kept *dstor_keep_flushed(struct dstor_keep *k, u64 number)
{
	return dstor_keep_flushed_few(k, number, ~0U);
}

bool dstor_keep_is_covered(const struct dstor_keep *k, u64 number)
{
	return k->acked.oldest && k->acked.oldest->mark <= number;
}

void dstor_keep_durable(struct dstor_keep *k, u16 queue)
{
	struct dstor_kept *r;

	for (r = k->acked.oldest; r; r = r->newer)
		if (r->queue == queue && !r->failed)
			r->durable = true;
}

/* --- a crash --- */

static void keep_mark_all(struct dstor_keep *k, u64 mark)
{
	struct dstor_kept *r;

	for (r = k->acked.oldest; r; r = r->newer)
		r->mark = mark;
}

void dstor_keep_crashed(struct dstor_keep *k)
{
	keep_decide(k, true, 0, DSTOR_KEPT_BY_NO_FLUSH);
	keep_mark_all(k, DSTOR_KEPT_BY_NO_FLUSH);
}

void dstor_keep_replayed(struct dstor_keep *k, u64 mark)
{
	keep_mark_all(k, mark);
}

struct dstor_kept *dstor_keep_drop(struct dstor_keep *k)
{
	keep_mark_all(k, 0);
	return dstor_keep_flushed(k, 0);
}

bool dstor_keep_wants_flush(const struct dstor_keep *k, bool flushing, bool parked)
{
	return !flushing && k->used_acked && (parked || k->used_acked >= k->limit / 2);
}

bool dstor_keep_owes(const struct dstor_keep *k)
{
	const struct dstor_kept *r;

	for (r = k->acked.oldest; r; r = r->newer)
		if (!r->durable && !r->failed)
			return true;
	return false;
}
