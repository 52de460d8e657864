// SPDX-License-Identifier: GPL-2.0
/*
 * Kept writes under any sequence of submissions, ends, flushes, crashes and replays,
 * three bytes each, beside a model of a disk with a volatile cache that knows of each
 * sector the newest write that was acked or may have been read. After a replay no
 * sector is older than that; of those that overlap one is under way at a time; and
 * what is not kept any more is durable.
 */
#include <stdlib.h>

#include "flush_mark.h"
#include "replay.h"

#define MUST(x) do { if (!(x)) abort(); } while (0)
#define SECTORS 40
#define BLOCK 512
#define RECORDS 48
#define LIMIT (24 * BLOCK)

static struct dstor_keep keep;
static struct dstor_kept *buckets[4];
static struct dstor_kept pool[RECORDS];
static struct dstor_flush_marks marks;
/* Orders of writes, by sector. */
static u64 cache[SECTORS], durable[SECTORS];
static u64 acked[SECTORS], seen[SECTORS];
static u64 hole[SECTORS];	/* of a failed write without a copy: content that nobody has */
static u64 flush_number, flush_losses;
static u64 flush_cache[SECTORS];
static bool flushing;
static bool discarded[SECTORS];	/* the newest that was acked is a discard */
static bool landed[RECORDS];	/* a part of it, at least */

static u32 first_sector(const struct dstor_kept *r)
{
	return r->offset / BLOCK;
}

static u32 end_sector(const struct dstor_kept *r)
{
	return (r->offset + r->bytes) / BLOCK;
}

static void land(const struct dstor_kept *r)
{
	landed[r - pool] = true;
	for (u32 s = first_sector(r); s < end_sector(r); s++) {
		MUST(r->order >= cache[s]);
		cache[s] = r->order;
		seen[s] = r->order;
		if (r->durable)
			durable[s] = r->order;
	}
}

static void check(void)
{
	u64 used = 0, used_acked = 0;

	for (u32 a = 0; a < RECORDS; a++) {
		const struct dstor_kept *r = &pool[a];

		if (!r->state)
			continue;
		used += r->cost;
		used_acked += r->state == DSTOR_KEPT_ACKED ? r->cost : 0;
		for (u32 b = 0; b < RECORDS; b++) {
			const struct dstor_kept *o = &pool[b];

			if (a == b || !o->state || r->offset >= o->offset + o->bytes ||
			    o->offset >= r->offset + r->bytes)
				continue;
			/* one at a time, and the older first */
			if (r->state == DSTOR_KEPT_FLIES && o->order < r->order)
				MUST(o->state == DSTOR_KEPT_ACKED);
		}
	}
	MUST(used == keep.used && used_acked == keep.used_acked);
}

static void free_chain(struct dstor_kept *r)
{
	while (r) {
		struct dstor_kept *next = r->next;

		MUST(r->state == DSTOR_KEPT_NONE);
		r->next = NULL;
		r = next;
	}
}

static void submit(u8 a, u8 b)
{
	static const u8 ops[] = { DSTOR_OP_WRITE, DSTOR_OP_WRITE, DSTOR_OP_DISCARD,
				  DSTOR_OP_WRITE_ZEROES };
	struct dstor_kept *r = NULL;
	u32 from = a % SECTORS, count = 1 + b % 16;

	for (u32 n = 0; n < RECORDS && !r; n++)
		if (!pool[n].state)
			r = &pool[n];
	if (!r)
		return;
	if (count > SECTORS - from)
		count = SECTORS - from;
	*r = (struct dstor_kept){ .offset = from * BLOCK, .bytes = count * BLOCK,
				  .op = ops[b / 64], .queue = a & 1, .durable = b & 16 };
	landed[r - pool] = false;
	r->data = r->op == DSTOR_OP_WRITE && !(b & 32 && r->durable);
	r->cost = r->data && !r->durable ? r->bytes : 16;
	switch (dstor_keep_add(&keep, r)) {
	case DSTOR_KEEP_SEND:
		MUST(r->state == DSTOR_KEPT_FLIES);
		break;
	case DSTOR_KEEP_WAIT:
		MUST(r->state == DSTOR_KEPT_WAITS);
		break;
	case DSTOR_KEEP_PARK:
		MUST(!r->state && keep.used + r->cost > LIMIT);
		break;
	case DSTOR_KEEP_TOO_LARGE:
		MUST(!r->state && r->cost > LIMIT && !r->durable);
		break;
	}
}

static struct dstor_kept *flying(u8 a)
{
	for (u32 n = 0; n < RECORDS; n++) {
		struct dstor_kept *r = &pool[(n + a) % RECORDS];

		if (r->state == DSTOR_KEPT_FLIES) {
			r->sent = true;
			return r;
		}
	}
	return NULL;
}

static void wake(void)
{
	while (dstor_keep_woken(&keep, 0, ~0ULL))
		;
}

static void ack(struct dstor_kept *r)
{
	land(r);
	for (u32 s = first_sector(r); s < end_sector(r); s++) {
		acked[s] = r->order;
		hole[s] = 0;
		discarded[s] = r->op == DSTOR_OP_DISCARD;
	}
	free_chain(dstor_keep_acked(&keep, r, dstor_flush_mark_acked(&marks)));
}

static void fail(struct dstor_kept *r, u8 how)
{
	enum dstor_kept_end end = how % 3;

	if (landed[r - pool] && end == DSTOR_KEPT_REFUSED)
		end = DSTOR_KEPT_DECIDED;
	if (end != DSTOR_KEPT_REFUSED && how & 4)
		land(r);
	if (end != DSTOR_KEPT_REFUSED && r->op == DSTOR_OP_WRITE && !r->data)
		for (u32 s = first_sector(r); s < end_sector(r); s++)
			hole[s] = r->order;
	dstor_keep_failed(&keep, r, end, dstor_flush_mark_acked(&marks));
}

static void flush(bool fails)
{
	if (!flushing) {
		flush_number = dstor_flush_mark_begin(&marks, &flush_losses);
		memcpy(flush_cache, cache, sizeof(cache));
		flushing = true;
		return;
	}
	flushing = false;
	if (fails || !dstor_flush_mark_end_background(&marks, flush_number, flush_losses))
		return;
	for (u32 s = 0; s < SECTORS; s++)
		if (flush_cache[s] > durable[s])
			durable[s] = flush_cache[s];
	free_chain(dstor_keep_flushed(&keep, flush_number));
}

/* @refused: pieces that the disk does not take. */
static void replay(u8 stop, u8 refused)
{
	struct dstor_welcome w = {
		.max_io = cpu_to_le32(5 * BLOCK), .logical_block = cpu_to_le32(BLOCK),
		.max_discard = cpu_to_le32(3 * BLOCK),
		.max_write_zeroes = cpu_to_le32(stop & 1 ? 0 : 7 * BLOCK),
	};
	struct dstor_replay_piece piece;
	struct dstor_replay p = {0};
	bool sent[SECTORS] = {0}, failed[SECTORS] = {0};
	u32 pieces = 0;

	dstor_replay_begin(&p, &keep, &w, 0);
	while (dstor_replay_next(&p, &piece)) {
		MUST(piece.bytes && piece.bytes <= 7 * BLOCK && piece.offset % BLOCK == 0);
		MUST(piece.offset >= piece.record->offset && piece.offset + piece.bytes <=
		     piece.record->offset + piece.record->bytes);
		MUST(piece.record->sent);
		MUST(piece.record->data || piece.record->op != DSTOR_OP_WRITE);
		for (u32 s = piece.offset / BLOCK; s < (piece.offset + piece.bytes) / BLOCK; s++) {
			landed[piece.record - pool] = true;
			MUST(!sent[s]);	/* the newest alone, once */
			sent[s] = true;
			MUST(hole[s] || piece.record->order >= durable[s]);
			failed[s] = refused >> (pieces & 7) & 1;
			p.lost |= failed[s] && !piece.optional;
			if (!failed[s])
				cache[s] = piece.record->order;
		}
		if (++pieces == stop / 2)
			return;	/* and another crash is to come */
	}
	if (dstor_replay_end(&p, dstor_flush_mark_acked(&marks))) {
		for (u32 s = 0; s < SECTORS; s++) {
			/* a discard that fails, or that a hole hides, is no loss */
			MUST(cache[s] >= acked[s] || ((hole[s] || failed[s]) && discarded[s]));
			if (failed[s] && cache[s] < acked[s])
				acked[s] = cache[s];
			/* unless one that has no copy is about to be resent */
			if (!hole[s] && !failed[s])
				MUST(cache[s] >= seen[s]);
			seen[s] = cache[s];
		}
		return;
	}
	free_chain(dstor_keep_drop(&keep));
	dstor_flush_mark_lost(&marks);
	/* nothing is promised of what was acked before: it is as it is, or what a crash leaves */
	for (u32 s = 0; s < SECTORS; s++) {
		acked[s] = cache[s] < durable[s] ? cache[s] : durable[s];
		seen[s] = acked[s];
	}
	memset(hole, 0, sizeof(hole));
}

static void crash(u8 a, u8 b)
{
	for (u32 s = 0; s < SECTORS; s++)
		if (!(b >> (s & 7) & 1))
			cache[s] = durable[s];
		else
			durable[s] = cache[s];
	flushing = false;
	for (u32 n = 0; n < RECORDS; n++)
		if (pool[n].state == DSTOR_KEPT_FLIES && !pool[n].data &&
		    pool[n].op == DSTOR_OP_WRITE)
			for (u32 s = first_sector(&pool[n]); s < end_sector(&pool[n]); s++)
				hole[s] = pool[n].order;
	dstor_keep_crashed(&keep);
	if (a / 2) {
		replay(a, 0);
		for (u32 s = 0; s < SECTORS; s++)
			cache[s] = durable[s];
		dstor_keep_crashed(&keep);
	}
	replay(a & 1, a & 128 ? b : 0);
	wake();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct dstor_kept *r;

	memset(pool, 0, sizeof(pool));
	memset(&marks, 0, sizeof(marks));
	memset(cache, 0, sizeof(cache));
	memset(durable, 0, sizeof(durable));
	memset(acked, 0, sizeof(acked));
	memset(seen, 0, sizeof(seen));
	memset(hole, 0, sizeof(hole));
	memset(discarded, 0, sizeof(discarded));
	flushing = false;
	dstor_keep_init(&keep, buckets, 4, 8 * BLOCK, LIMIT);
	for (; size >= 3; data += 3, size -= 3) {
		switch (data[0] % 8) {
		case 0:
		case 1:
			submit(data[1], data[2]);
			break;
		case 2:
		case 3:
			r = flying(data[1]);
			if (r)
				ack(r);
			wake();
			break;
		case 4:
			r = flying(data[1]);
			if (r && data[2] & 128)
				land(r);
			else if (r)
				fail(r, data[2]);
			wake();
			break;
		case 5:
			dstor_keep_fenced(&keep, data[1] & 1, dstor_flush_mark_acked(&marks));
			wake();
			break;
		case 6:
			flush(data[1] % 8 == 7);
			break;
		case 7:
			crash(data[1], data[2]);
			break;
		}
		check();
	}
	return 0;
}
