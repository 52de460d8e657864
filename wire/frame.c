// SPDX-License-Identifier: GPL-2.0
/*
 * Checks of every frame after the handshake. "Sane" is about the stream: can
 * the next frame be found, may its slot be touched? "Check" is about the
 * operation: may this client do it on this disk? (P10: decided by the exporter.)
 */
#include "frame.h"

bool dstor_op_writes(u8 op)
{
	return op == DSTOR_OP_WRITE || op == DSTOR_OP_DISCARD || op == DSTOR_OP_WRITE_ZEROES;
}

static bool has_no_operation(const struct dstor_frame *f)
{
	return !f->op && !f->length && !f->bytes;
}

/* ACCESS and DISK have a code there: one at a time. */
static bool change_status_ok(u16 flags, u16 status)
{
	switch (flags & (DSTOR_CHANGE_ACCESS | DSTOR_CHANGE_DISK)) {
	case DSTOR_CHANGE_ACCESS:
		return status == DSTOR_ACCESS_READ || status == DSTOR_ACCESS_WRITE;
	case DSTOR_CHANGE_DISK:
		return status <= DSTOR_DISK_STATE_MAX;
	case 0:
		return !status;
	}
	return false;
}

static bool change_shape(const struct dstor_frame *f)
{
	u16 flags = le16_to_cpu(f->flags);
	u64 size = le64_to_cpu(f->offset);

	if (!flags || flags & ~DSTOR_CHANGE_FLAGS_KNOWN)
		return false;
	if (flags & DSTOR_CHANGE_SIZE ? !size || size > DSTOR_SIZE_MAX : size)
		return false;
	if (flags & DSTOR_CHANGE_FLUSHED &&
	    !(flags & (DSTOR_CHANGE_STOPPING | DSTOR_CHANGE_ACCESS)))
		return false;
	return change_status_ok(flags, le16_to_cpu(f->status));
}

/* Flags that the agreed features permit. */
static u16 request_flags(const struct dstor_bounds *b)
{
	return DSTOR_REQ_FLAGS_KNOWN | (b->features & DSTOR_FEATURE_TEST ? DSTOR_REQ_TEST : 0);
}

static bool request_shape(const struct dstor_frame *f, const struct dstor_bounds *b)
{
	u32 length = le32_to_cpu(f->length);
	u32 bytes = le32_to_cpu(f->bytes);

	if (f->op > DSTOR_OP_MAX || !f->seq || le16_to_cpu(f->slot) >= b->slots)
		return false;
	if (le16_to_cpu(f->flags) & ~request_flags(b))
		return false;
	switch (f->op) {
	case DSTOR_OP_WRITE:
		return length == bytes && length && length <= b->max_io;
	case DSTOR_OP_READ:
		return !length && bytes && bytes <= b->max_io;
	case DSTOR_OP_FLUSH:
		return !length && !bytes && !f->offset;
	default:
		return !length && bytes;
	}
}

bool dstor_request_sane(const struct dstor_frame *f, const struct dstor_bounds *b)
{
	switch (f->type) {
	case DSTOR_FRAME_REQUEST:
		return request_shape(f, b);
	case DSTOR_FRAME_PING:
	case DSTOR_FRAME_PONG:
	case DSTOR_FRAME_BYE:
	case DSTOR_FRAME_REPLAYED:
		return has_no_operation(f) && !f->flags && !f->slot && !f->status && !f->offset;
	case DSTOR_FRAME_ASK:
		return has_no_operation(f) && f->seq && le16_to_cpu(f->slot) < b->slots &&
		       !f->flags && !f->status && !f->offset;
	}
	return false;
}

enum dstor_status dstor_request_check(const struct dstor_frame *f, const struct dstor_bounds *b)
{
	u64 offset = le64_to_cpu(f->offset);
	u32 bytes = le32_to_cpu(f->bytes);

	if (f->op == DSTOR_OP_FLUSH)
		return DSTOR_STATUS_OK;
	if (dstor_op_writes(f->op) && b->read_only)
		return DSTOR_STATUS_READ_ONLY;
	if ((offset | bytes) & (b->block - 1))
		return DSTOR_STATUS_INVALID;
	if (bytes > DSTOR_EXTENT_MAX)
		return DSTOR_STATUS_INVALID;
	if (offset > b->size || bytes > b->size - offset)
		return DSTOR_STATUS_RANGE;
	return DSTOR_STATUS_OK;
}

bool dstor_response_sane(const struct dstor_frame *f, const struct dstor_bounds *b)
{
	u32 length = le32_to_cpu(f->length);
	u16 status = le16_to_cpu(f->status);

	switch (f->type) {
	case DSTOR_FRAME_RESPONSE:
		if (f->op > DSTOR_OP_MAX || status > DSTOR_STATUS_MAX || !f->seq || f->flags ||
		    le16_to_cpu(f->slot) >= b->slots)
			return false;
		if (f->op == DSTOR_OP_READ && status == DSTOR_STATUS_OK)
			return length && length <= b->max_io;
		return !length;
	case DSTOR_FRAME_PING:
	case DSTOR_FRAME_PONG:
		return has_no_operation(f) && !f->flags && !f->slot && !f->status && !f->offset;
	case DSTOR_FRAME_CHANGE:
		return has_no_operation(f) && !f->slot && change_shape(f);
	case DSTOR_FRAME_STATE:
		return has_no_operation(f) && f->seq && le16_to_cpu(f->slot) < b->slots &&
		       !(le16_to_cpu(f->flags) & ~DSTOR_STATE_ALL) && status <= DSTOR_STATE_MAX &&
		       !f->offset;
	}
	return false;
}
