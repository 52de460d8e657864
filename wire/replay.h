/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kept writes are sent again to an exporter whose machine crashed (P7), on the client:
 * whether they may be, what is sent, and how long that may take. Moments are
 * milliseconds of one monotonic clock, which the caller reads.
 *
 * Pure functions on the caller's memory: any context, no locks, no allocation, no
 * clock. The caller serialises access to each structure.
 */
#ifndef DSTOR_WIRE_REPLAY_H
#define DSTOR_WIRE_REPLAY_H

#include "keep.h"

/* --- may it? --- */

enum dstor_replay_verdict {
	DSTOR_REPLAY_NONE,	/* the same instance: nothing was lost */
	DSTOR_REPLAY_GO,
	DSTOR_REPLAY_GOES_ON,	/* it runs on this instance already */
	/* a loss, if anything is kept, and why: */
	DSTOR_REPLAY_LEASE_NOT_KEPT,	/* another may have written in between */
	DSTOR_REPLAY_READ_ONLY,
	DSTOR_REPLAY_SHARED,
	DSTOR_REPLAY_REFUSED,	/* by its administrator, or after readers were served */
};

struct dstor_replay_limits {
	u32 max_io;	/* bytes, as all */
	u32 max_discard;	/* 0: none */
	u32 max_write_zeroes;	/* 0: none */
	u32 block;
};

struct dstor_replay {
	struct dstor_keep *keep;
	struct dstor_replay_limits limits;
	u8 instance[DSTOR_ID_LEN];	/* that it goes to */
	bool running;
	bool lost;	/* a part of an acked write cannot be sent */
	u64 acked;	/* bytes of pieces that were acked, this time, */
	u64 most;	/* and the most of any time since the last success */
	u64 since_ms;	/* of the last progress that was counted */
};

/* The last instance that has all that was acked, and what its welcome said. */
struct dstor_replay_past {
	u8 instance[DSTOR_ID_LEN];
	bool lease_kept;
};

/*
 * @w is the first welcome, or its verdict was NONE, or all that was kept is on its
 * instance by now, or lost.
 */
void dstor_replay_remember(struct dstor_replay_past *past, const struct dstor_welcome *w);

/* Only for a @w that dstor_resume_check() has passed: it is the same disk. */
enum dstor_replay_verdict dstor_replay_check(const struct dstor_replay_past *past,
					     const struct dstor_replay *p,
					     const struct dstor_welcome *w);

/* A constant text for people, never NULL. */
const char *dstor_replay_text(enum dstor_replay_verdict v);

/* --- the plan --- */

/* One request of the replay. */
struct dstor_replay_piece {
	struct dstor_kept *record;
	u64 offset;
	u32 bytes;
	u32 skip;	/* bytes of the record's data before it */
	u8 op;		/* enum dstor_op */
	bool zeroes;	/* a WRITE, of zeroes: the disk does not know WRITE_ZEROES any more */
	bool optional;	/* its failure is no loss */
};

/* All zero is none. @w: the new welcome. The same call begins it anew. */
void dstor_replay_begin(struct dstor_replay *p, struct dstor_keep *k,
			const struct dstor_welcome *w, u64 now_ms);

/*
 * The next piece. Pieces do not overlap, so they may be under way together and in any
 * order. False: there is none any more. Records may be added and may end in between.
 */
bool dstor_replay_next(struct dstor_replay *p, struct dstor_replay_piece *piece);

/*
 * @bytes of pieces were acked. Returns the time by which the budgets of all that wait
 * are prolonged, each by its age at most: 0 for bytes that an earlier attempt had got
 * acked already.
 */
u64 dstor_replay_progress(struct dstor_replay *p, u32 bytes, u64 now_ms);

/*
 * All pieces have ended. @mark: of dstor_flush_mark_acked(). False: a part is lost; the
 * caller drops what is kept, and tells of the loss.
 */
bool dstor_replay_end(struct dstor_replay *p, u64 mark);

#endif
