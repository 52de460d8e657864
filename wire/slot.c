// SPDX-License-Identifier: GPL-2.0
/*
 * Slots: the exporter's memory of the last transaction in each (queue, tag),
 * by which a living exporter executes a write once however often it is resent
 * (P3). The idea is the slot table of NFSv4.1 sessions (RFC 8881, 2.10.6).
 *
 * A slot is BUSY only while a connection of the current generation executes
 * it: a newer generation is answered only after the older one has drained (P2).
 */
#include "slot.h"

static bool is_same_request(const struct dstor_slot *s, const struct dstor_frame *f)
{
	return f->op == s->op && le64_to_cpu(f->offset) == s->offset &&
	       le32_to_cpu(f->bytes) == s->bytes;
}

enum dstor_admit dstor_slot_admit(struct dstor_slot *s, const struct dstor_frame *f)
{
	u64 seq = le64_to_cpu(f->seq);

	if (seq < s->seq)
		return DSTOR_ADMIT_REFUSE;
	if (seq == s->seq && s->state != DSTOR_SLOT_FREE) {
		if (!is_same_request(s, f))
			return DSTOR_ADMIT_REFUSE;
		if (s->state == DSTOR_SLOT_BUSY)
			return DSTOR_ADMIT_BUSY;
		if (f->op != DSTOR_OP_READ && f->op != DSTOR_OP_FLUSH)
			return DSTOR_ADMIT_REPEAT;
	} else if (s->state == DSTOR_SLOT_BUSY) {
		return DSTOR_ADMIT_REFUSE;
	}
	s->seq = seq;
	s->op = f->op;
	s->offset = le64_to_cpu(f->offset);
	s->bytes = le32_to_cpu(f->bytes);
	s->status = DSTOR_STATUS_OK;
	s->state = DSTOR_SLOT_BUSY;
	return DSTOR_ADMIT_EXECUTE;
}

void dstor_slot_done(struct dstor_slot *s, u64 seq, u8 status)
{
	if (s->seq != seq || s->state != DSTOR_SLOT_BUSY)
		return;
	s->status = status;
	s->state = DSTOR_SLOT_DONE;
}

void dstor_slot_drop(struct dstor_slot *s, u64 seq)
{
	if (s->seq == seq && s->state == DSTOR_SLOT_BUSY)
		s->state = DSTOR_SLOT_FREE;
}

enum dstor_ask_reply dstor_slot_ask(const struct dstor_slot *s, u64 seq)
{
	if (s->seq != seq || s->state == DSTOR_SLOT_FREE)
		return DSTOR_STATE_UNKNOWN;
	return s->state == DSTOR_SLOT_BUSY ? DSTOR_STATE_BUSY : DSTOR_STATE_DONE;
}
