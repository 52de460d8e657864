// SPDX-License-Identifier: GPL-2.0
/*
 * Checks of every frame after the handshake. "Sane" is about the stream: can
 * the next frame be found, may its slot be touched? "Check" is about the
 * operation: may this client do it on this disk? (P10: decided by the exporter.)
 */
#include "frame.h"

bool dstor_op_writes(u8 op)
{
	return op == DST_OP_WRITE || op == DST_OP_DISCARD || op == DST_OP_WRITE_ZEROES;
}

static bool has_no_operation(const struct dstor_frame *f)
{
	return !f->op && !f->length && !f->bytes;
}

static bool change_shape(const struct dstor_frame *f)
{
	u16 flags = le16_to_cpu(f->flags);

	if (!flags || flags & ~DST_CHANGE_FLAGS_KNOWN)
		return false;
	if (flags & DST_CHANGE_SIZE && (!f->offset || le64_to_cpu(f->offset) > DST_SIZE_MAX))
		return false;
	return !(flags & DST_CHANGE_ACCESS) || le16_to_cpu(f->status) <= DST_ACCESS_WRITE;
}

static bool request_shape(const struct dstor_frame *f, const struct dstor_bounds *b)
{
	u32 length = le32_to_cpu(f->length);
	u32 bytes = le32_to_cpu(f->bytes);

	if (f->op > DST_OP_MAX || !f->seq || le16_to_cpu(f->slot) >= b->slots)
		return false;
	if (le16_to_cpu(f->flags) & ~DST_REQ_FLAGS_KNOWN)
		return false;
	switch (f->op) {
	case DST_OP_WRITE:
		return length == bytes && length && length <= b->max_io;
	case DST_OP_READ:
		return !length && bytes && bytes <= b->max_io;
	case DST_OP_FLUSH:
		return !length && !bytes && !f->offset;
	default:
		return !length && bytes;
	}
}

bool dstor_request_sane(const struct dstor_frame *f, const struct dstor_bounds *b)
{
	switch (f->type) {
	case DST_FRAME_REQUEST:
		return request_shape(f, b);
	case DST_FRAME_PING:
	case DST_FRAME_PONG:
	case DST_FRAME_BYE:
		return has_no_operation(f) && !f->flags && !f->slot && !f->status && !f->offset;
	case DST_FRAME_ASK:
		return has_no_operation(f) && f->seq && le16_to_cpu(f->slot) < b->slots &&
		       !f->flags && !f->status && !f->offset;
	}
	return false;
}

enum dstor_status dstor_request_check(const struct dstor_frame *f, const struct dstor_bounds *b)
{
	u64 offset = le64_to_cpu(f->offset);
	u32 bytes = le32_to_cpu(f->bytes);

	if (f->op == DST_OP_FLUSH)
		return DST_STATUS_OK;
	if (dstor_op_writes(f->op) && b->read_only)
		return DST_STATUS_READ_ONLY;
	if ((offset | bytes) & (b->block - 1))
		return DST_STATUS_INVALID;
	if (bytes > DST_EXTENT_MAX)
		return DST_STATUS_INVALID;
	if (offset > b->size || bytes > b->size - offset)
		return DST_STATUS_RANGE;
	return DST_STATUS_OK;
}

bool dstor_response_sane(const struct dstor_frame *f, const struct dstor_bounds *b)
{
	u32 length = le32_to_cpu(f->length);
	u16 status = le16_to_cpu(f->status);

	switch (f->type) {
	case DST_FRAME_RESPONSE:
		if (f->op > DST_OP_MAX || status > DST_STATUS_MAX || !f->seq || f->flags ||
		    le16_to_cpu(f->slot) >= b->slots)
			return false;
		if (f->op == DST_OP_READ && status == DST_STATUS_OK)
			return length && length <= b->max_io;
		return !length;
	case DST_FRAME_PING:
	case DST_FRAME_PONG:
		return has_no_operation(f) && !f->flags && !f->slot && !f->status && !f->offset;
	case DST_FRAME_CHANGE:
		return has_no_operation(f) && !f->slot && change_shape(f);
	case DST_FRAME_STATE:
		return has_no_operation(f) && f->seq && le16_to_cpu(f->slot) < b->slots &&
		       !f->flags && status <= DST_STATE_DONE && !f->offset;
	}
	return false;
}
