/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Flush marks (P5): the first flush that covers an acked write, and the flushes and
 * FUA writes that must fail after a loss. On the client, one structure for each device.
 *
 * Pure functions on the caller's memory: any context, no locks, no allocation, no
 * clock. The caller serialises access to each structure. Times are milliseconds of
 * one monotonic clock.
 */
#ifndef DSTOR_WIRE_FLUSH_MARK_H
#define DSTOR_WIRE_FLUSH_MARK_H

#include "host.h"

/* All zero: nothing was written and nothing lost. */
struct dstor_flush_marks {
	u64 flushes;	/* flushes submitted so far; the next one gets flushes + 1 */
	u64 flushed;	/* highest number of a flush that succeeded */
	u64 losses;	/* times acked, unflushed writes were lost */
	u64 flush_told;	/* losses told by a failed flush */
	u64 fua_told;	/* losses told by FUA writes for long enough */
	u64 fua_since_ms;	/* when the first of those failed, */
	bool fua_tells;	/* if any has */
};

#define DSTOR_FLUSH_MARK_CLEAN 0ULL	/* of a connection without acked writes */
#define DSTOR_FUA_TELLS_MS 60000U	/* time for each journal to commit (ext4: every 5 s) */

/*
 * A write was acked. Returns the number of the first flush that covers it, which
 * its connection remembers as its mark.
 */
u64 dstor_flush_mark_acked(const struct dstor_flush_marks *m);

/* A connection with @mark has acked writes that no successful flush covers. */
bool dstor_flush_mark_uncovered(const struct dstor_flush_marks *m, u64 mark);

/* A flush is submitted. Returns its number; @losses gets the losses known by now. */
u64 dstor_flush_mark_begin(struct dstor_flush_marks *m, u64 *losses);

/*
 * The exporter reported success for flush @number, which began when @losses were
 * known. False: it must fail nevertheless, for a loss was not yet told. A flush that
 * failed at the exporter is never handed in.
 */
bool dstor_flush_mark_end(struct dstor_flush_marks *m, u64 number, u64 losses);

/*
 * The same for a flush that the client made by itself: it covers what it covers, and
 * never takes the report of a loss from the flushes of the user. False: it covers
 * nothing.
 */
bool dstor_flush_mark_end_background(struct dstor_flush_marks *m, u64 number, u64 losses);

/*
 * May a FUA write begin? False: it fails and must not be sent. True: @losses gets
 * the losses known by now. Refusals last DSTOR_FUA_TELLS_MS from the first one on.
 */
bool dstor_flush_mark_fua_begin(struct dstor_flush_marks *m, u64 now_ms, u64 *losses);

/* The exporter reported success for a FUA write. False: it must fail nevertheless. */
bool dstor_flush_mark_fua_end(const struct dstor_flush_marks *m, u64 losses);

/* The exporter's instance changed while a mark was uncovered. */
void dstor_flush_mark_lost(struct dstor_flush_marks *m);

/* The next flush or the next FUA write will fail. */
bool dstor_flush_mark_tells(const struct dstor_flush_marks *m);

/*
 * The device has no opener any more. If any of them was told of a loss, it counts as
 * told to all, so that the next opener starts without an error.
 */
void dstor_flush_mark_closed(struct dstor_flush_marks *m);

#endif
