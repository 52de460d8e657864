/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Readers wait while a writer restores the disk (P2, P7), on the exporter. Each export
 * that is not shared has one gate beside its lease. Moments are milliseconds of one
 * monotonic clock, which the caller reads.
 *
 * Pure functions on the caller's memory: any context, no locks, no allocation, no
 * clock. The caller serialises access to each gate, and keeps the first three members
 * where it keeps the lease, before it answers anybody.
 */
#ifndef DSTOR_WIRE_REPLAY_GATE_H
#define DSTOR_WIRE_REPLAY_GATE_H

#include "protocol.h"

#define DSTOR_REPLAY_WAIT_MS 30000U	/* without progress, at most */

/* All zero: no writer keeps anything, nobody waits. */
struct dstor_replay_gate {
	u8 whole[DSTOR_ID_LEN];	/* the last instance that has all acked writes of the holder */
	bool keeps;		/* the holder does, and may replay, */
	bool late;		/* but for a reader that was served too early */
	/* of this life */
	bool waits;
	u64 wait_ms;		/* a length of time */
	u64 until_ms;
};

enum dstor_gate {
	DSTOR_GATE_OPEN,
	DSTOR_GATE_HOLDS,
	DSTOR_GATE_CLOSES,	/* on the writer: open once it has no connection and has drained */
};

/*
 * The lease has another holder, or (@keeps is false) none. @resumes: it comes back to a
 * lease that was free meanwhile, so others may have read. @instance: the present one.
 */
void dstor_replay_gate_holder(struct dstor_replay_gate *g, bool keeps, bool resumes,
			      const u8 instance[DSTOR_ID_LEN]);

/* A life begins with what was kept of @g. @lease_ms: the lease time of the holder. */
void dstor_replay_gate_new_life(struct dstor_replay_gate *g, const u8 instance[DSTOR_ID_LEN],
				u64 lease_ms, u64 now_ms);

/*
 * What was kept so far is not to be sent again: others than the holder have written, or
 * may. True: @g has changed, and the caller keeps it.
 */
bool dstor_replay_gate_refuse(struct dstor_replay_gate *g);

/*
 * A request to read came, or waits, of another session than the holder. On CLOSES the
 * caller keeps the change and closes the connections of the holder, who learns from its
 * next welcome that it is too late. It serves the reader when what they had submitted is
 * done.
 */
enum dstor_gate dstor_replay_gate_ask(struct dstor_replay_gate *g, u64 now_ms);

/* May the holder replay, in its welcome (DSTOR_GRANT_REPLAY)? */
bool dstor_replay_gate_grants(const struct dstor_replay_gate *g);

/* The holder was granted a connection, or a write of it is done. */
void dstor_replay_gate_progress(struct dstor_replay_gate *g, u64 now_ms);

/*
 * REPLAYED has arrived: the holder has restored what it could. True: @g has changed,
 * and the caller keeps it. Then readers go on.
 */
bool dstor_replay_gate_done(struct dstor_replay_gate *g, const u8 instance[DSTOR_ID_LEN]);

#endif
