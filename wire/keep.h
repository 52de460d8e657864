/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kept writes (P5, P7): the client keeps each acked write until a flush that began
 * after its ack has succeeded on the same instance, so that a crash of the exporter's
 * machine loses nothing. On the client, one structure for each device. replay.h says
 * how they are sent again.
 *
 * Functions on the caller's memory: any context, no locks, no allocation, no clock.
 * The caller serialises access to each structure. Offsets and sizes are bytes.
 */
#ifndef DSTOR_WIRE_KEEP_H
#define DSTOR_WIRE_KEEP_H

#include "protocol.h"

enum dstor_kept_state {
	DSTOR_KEPT_NONE = 0,	/* the caller's alone */
	DSTOR_KEPT_WAITS,	/* for an older one that overlaps it: not sent */
	DSTOR_KEPT_FLIES,	/* sent, or to be sent now; no answer yet */
	DSTOR_KEPT_UNDECIDED,	/* failed, and a copy of it may still land */
	DSTOR_KEPT_ACKED,	/* acked, or undecided and fenced */
};

/* One WRITE, DISCARD or WRITE_ZEROES, from its submission on. */
struct dstor_kept {
	/* the caller's, and constant while the state is not NONE */
	u64 offset;
	u32 bytes;	/* not 0 */
	u32 cost;	/* what it counts against the limit: its pages and this structure */
	void *cookie;	/* whatever the data is found by */
	u16 queue;	/* that it is sent on */
	u8 op;		/* enum dstor_op */
	bool durable;	/* its ack says that it is durable: FUA; may be set until then */
	bool data;	/* WRITE: there is a copy of the data as long as this lives */
	bool sent;	/* set when it is sent for the first time */
	/* keep.c: to be read only */
	u8 state;	/* enum dstor_kept_state */
	bool failed;	/* was never acked */
	u64 order;	/* of submission; a higher one is newer */
	u64 mark;	/* ACKED: the first flush that covers it */
	struct dstor_kept *next;	/* in its bucket, or in a chain that is returned */
	struct dstor_kept **link;
	struct dstor_kept *older;	/* in the list of its state */
	struct dstor_kept *newer;
};

struct dstor_kept_list {
	struct dstor_kept *oldest;
	struct dstor_kept *newest;
};

struct dstor_keep {
	struct dstor_kept **buckets;
	u32 n_buckets;	/* a power of two, at least 4 */
	u32 shift;	/* 2^shift bytes of the disk share a bucket */
	struct dstor_kept *wide;	/* those that are longer than a region */
	struct dstor_kept_list flying;	/* in the order of submission: not ACKED */
	struct dstor_kept_list acked;	/* in the order of acks, so of marks */
	u64 order;
	u64 limit;	/* bytes of cost */
	u64 used;	/* of all */
	u64 used_acked;	/* of those that are ACKED */
	struct dstor_kept *at;	/* where a replay is, */
	u64 position;	/* on the disk: the next byte of it */
};

#define DSTOR_KEEP_BUCKETS_MIN 4
#define DSTOR_KEPT_BY_NO_FLUSH (~0ULL)	/* mark: not before it was replayed */

enum dstor_keep_admit {
	DSTOR_KEEP_SEND,
	DSTOR_KEEP_WAIT,	/* it is added; dstor_keep_woken() says when to send it */
	DSTOR_KEEP_PARK,	/* no room: not added; ask again when a record was given back */
	DSTOR_KEEP_TOO_LARGE,	/* for the limit: not added; make it durable, without a copy */
};

/* How a write ended that was not acked. */
enum dstor_kept_end {
	DSTOR_KEPT_REFUSED,	/* the answer to its only sending: not executed, nor can it be */
	DSTOR_KEPT_DECIDED,	/* an error of the disk, or fenced since: a part may have landed */
	DSTOR_KEPT_GIVEN_UP,	/* no answer: until its queue is fenced it may land */
};

/*
 * An empty structure. @buckets: @n pointers, which the caller gives back after the
 * last record has gone. @region: bytes, a power of two, at least a usual write.
 */
void dstor_keep_init(struct dstor_keep *k, struct dstor_kept **buckets, u32 n, u32 region,
		     u64 limit);

/*
 * A write is submitted. A durable one is never too large, and is parked only if it
 * overlaps what is acked.
 */
enum dstor_keep_admit dstor_keep_add(struct dstor_keep *k, struct dstor_kept *r);

/*
 * The oldest record that waits and overlaps @bytes at @offset, if it waits for nothing
 * any more: it is to be sent, and FLIES. Called until it returns NULL, after each end.
 */
struct dstor_kept *dstor_keep_woken(struct dstor_keep *k, u64 offset, u64 bytes);

/*
 * @r, which FLIES, was acked. @mark: of dstor_flush_mark_acked(). Returns a chain of
 * records that are the caller's again: those that it covers wholly, and itself if
 * nothing is to be known of it any more.
 */
struct dstor_kept *dstor_keep_acked(struct dstor_keep *k, struct dstor_kept *r, u64 mark);

/*
 * @r, which WAITS or FLIES, has failed. True: it stays, with its data. False: it is
 * the caller's again, as it is if it was never sent. @mark as above.
 */
bool dstor_keep_failed(struct dstor_keep *k, struct dstor_kept *r, enum dstor_kept_end end,
		       u64 mark);

/* @queue is fenced: nothing that failed on it can land any more. */
void dstor_keep_fenced(struct dstor_keep *k, u16 queue, u64 mark);

/*
 * Flush @number has succeeded, on the instance that is known now. Returns a chain of
 * records that are the caller's again.
 */
struct dstor_kept *dstor_keep_flushed(struct dstor_keep *k, u64 number);

/*
 * The same in steps of @most records, as long as dstor_keep_is_covered(). Anything may happen
 * in between: what a crash leaves is covered no longer.
 */
struct dstor_kept *dstor_keep_flushed_few(struct dstor_keep *k, u64 number, u32 most);
bool dstor_keep_is_covered(const struct dstor_keep *k, u64 number);

/* All that was acked on @queue is durable by now, without a flush of the client's. */
void dstor_keep_durable(struct dstor_keep *k, u16 queue);

/* The instance has changed: no flush so far covers what is kept, and all are fenced. */
void dstor_keep_crashed(struct dstor_keep *k);

/* The replay is over: the next flush covers it. @mark as above. */
void dstor_keep_replayed(struct dstor_keep *k, u64 mark);

/* A loss, after dstor_keep_crashed(): returns a chain of all that were ACKED. */
struct dstor_kept *dstor_keep_drop(struct dstor_keep *k);

/*
 * Must the client flush by itself? @flushing: a flush is under way. @parked: a write
 * was parked and has not been added since.
 */
bool dstor_keep_wants_flush(const struct dstor_keep *k, bool flushing, bool parked);

/* Would a crash without a replay lose something that was acked? */
bool dstor_keep_owes(const struct dstor_keep *k);

/* A look at each record that overlaps a range, in any order. Removing the last one is allowed. */
struct dstor_keep_walk {
	const struct dstor_keep *keep;
	u64 offset;
	u64 end;
	u64 bucket;	/* the next one */
	u64 buckets;	/* that are left */
	bool wide;	/* the long ones are still to come */
	struct dstor_kept *next;
};

void dstor_keep_walk_begin(struct dstor_keep_walk *w, const struct dstor_keep *k, u64 offset,
			   u64 bytes);
struct dstor_kept *dstor_keep_walk_next(struct dstor_keep_walk *w);

#endif
