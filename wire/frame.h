/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Checks of the frames after the handshake (docs/protocol.md, section 6). A header
 * has DSTOR_FRAME_LEN (32) bytes in the byte order of the wire; none of them is
 * trusted. "Sane" is about the stream, "check" is about the operation.
 *
 * Pure functions on the caller's memory: any context, no locks, no allocation.
 */
#ifndef DSTOR_WIRE_FRAME_H
#define DSTOR_WIRE_FRAME_H

#include "protocol.h"

/* The limits of one session on its disk, in the byte order of the host. */
struct dstor_bounds {
	u64 size;	/* of the disk, bytes */
	u32 block;	/* logical block, bytes; a power of two */
	u32 max_io;	/* bytes of data in a frame */
	u16 slots;	/* a frame names slots 0 to slots - 1 */
	bool read_only;
	u64 features;	/* in use, see dstor_features_agreed() */
};

/*
 * Exporter: can this header come from a client? If false, the place of the next
 * frame is unknown and the caller closes the connection.
 */
bool dstor_request_sane(const struct dstor_frame *f, const struct dstor_bounds *b);

/*
 * Exporter: may the operation of a sane REQUEST be done? Returns DSTOR_STATUS_OK, or
 * the status to answer with: _READ_ONLY, _INVALID (alignment, extent) or _RANGE.
 */
enum dstor_status dstor_request_check(const struct dstor_frame *f, const struct dstor_bounds *b);

/*
 * Client: can this header come from an exporter? If false, the caller closes the
 * connection. The caller still compares a RESPONSE with its own transaction.
 */
bool dstor_response_sane(const struct dstor_frame *f, const struct dstor_bounds *b);

/* @op, any value, changes the disk: WRITE, DISCARD, WRITE_ZEROES. */
bool dstor_op_writes(u8 op);

#endif
