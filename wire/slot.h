/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Slots on the exporter: the last transaction of each (queue, tag), by which a
 * resent write is executed once (P2, P3). After the slot table of NFSv4.1 sessions
 * (RFC 8881, 2.10.6).
 *
 * Pure functions on the caller's memory: any context, no locks, no allocation. The
 * caller serialises access to each slot.
 */
#ifndef DSTOR_WIRE_SLOT_H
#define DSTOR_WIRE_SLOT_H

#include "protocol.h"

enum dstor_slot_state {
	DSTOR_SLOT_FREE = 0,	/* nothing, or dropped before it was executed */
	DSTOR_SLOT_BUSY,
	DSTOR_SLOT_DONE,
};

/* All zero: never used. */
struct dstor_slot {
	u64 seq;	/* of the last transaction admitted; only grows */
	u64 offset;	/* of its request, as on the wire, */
	u32 bytes;	/* likewise */
	u8 state;	/* enum dstor_slot_state */
	u8 status;	/* DONE: enum dstor_status */
	u8 op;		/* enum dstor_op */
};

enum dstor_admit {
	DSTOR_ADMIT_EXECUTE,
	DSTOR_ADMIT_REPEAT,	/* executed before: answer slot->status */
	DSTOR_ADMIT_BUSY,	/* being executed: its response will come */
	DSTOR_ADMIT_REFUSE,	/* older than what is known, or slot reused: close */
};

/*
 * @f, a sane REQUEST, arrived in this slot. On DSTOR_ADMIT_EXECUTE the slot is BUSY
 * until dstor_slot_done() or dstor_slot_drop(). A READ or FLUSH that is resent is
 * executed again: a slot keeps no data, and a second flush does no harm. The same
 * seq with another op, offset or length is refused: a client that was rolled back
 * must not be answered from the memory of a request that it never made.
 */
enum dstor_admit dstor_slot_admit(struct dstor_slot *s, const struct dstor_frame *f);

/* @seq was executed with @status (enum dstor_status). Ignored unless BUSY with @seq. */
void dstor_slot_done(struct dstor_slot *s, u64 seq, u8 status);

/*
 * @seq was admitted, but its connection ended before the disk got it. The slot is
 * FREE again. Ignored unless BUSY with @seq.
 */
void dstor_slot_drop(struct dstor_slot *s, u64 seq);

/* The answer to a client's ASK about @seq. The slot does not change. */
enum dstor_ask_reply dstor_slot_ask(const struct dstor_slot *s, u64 seq);

#endif
