// SPDX-License-Identifier: GPL-2.0
/*
 * Frames from outside. One byte chooses the disk (block size, read-only), then
 * frames of 32 bytes follow. What passes both checks must lie on the disk.
 */
#include <stdlib.h>

#include "frame.h"

#define MUST(x) do { if (!(x)) abort(); } while (0)

static void from_client(const struct dstor_frame *f, const struct dstor_bounds *b)
{
	u64 offset = le64_to_cpu(f->offset);
	u32 bytes = le32_to_cpu(f->bytes);

	if (!dstor_request_sane(f, b))
		return;
	MUST(le32_to_cpu(f->length) <= b->max_io);
	if (f->type != DSTOR_FRAME_REQUEST) {
		MUST(!f->length);
		return;
	}
	MUST(le16_to_cpu(f->slot) < b->slots && f->op <= DSTOR_OP_MAX && f->seq);
	if (dstor_request_check(f, b) != DSTOR_STATUS_OK || f->op == DSTOR_OP_FLUSH)
		return;
	MUST(bytes && bytes <= b->size && offset <= b->size - bytes);
	MUST(!(offset % b->block) && !(bytes % b->block));
	MUST(!(b->read_only && dstor_op_writes(f->op)));
}

static void from_exporter(const struct dstor_frame *f, const struct dstor_bounds *b)
{
	if (!dstor_response_sane(f, b))
		return;
	MUST(le32_to_cpu(f->length) <= b->max_io);
	if (f->type == DSTOR_FRAME_RESPONSE || f->type == DSTOR_FRAME_STATE)
		MUST(le16_to_cpu(f->slot) < b->slots && f->seq);
	if (le32_to_cpu(f->length))
		MUST(f->type == DSTOR_FRAME_RESPONSE && f->op == DSTOR_OP_READ && !f->status);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct dstor_bounds b = { .max_io = 65536, .slots = 16 };
	struct dstor_frame f;

	if (!size)
		return 0;
	b.block = 512U << (data[0] & 3);
	b.read_only = data[0] & 4;
	b.size = (data[0] & 8 ? 1ULL << 40 : 16) * b.block;
	for (data++, size--; size >= sizeof(f); data += sizeof(f), size -= sizeof(f)) {
		memcpy(&f, data, sizeof(f));
		from_client(&f, &b);
		from_exporter(&f, &b);
	}
	return 0;
}
