// SPDX-License-Identifier: GPL-2.0
/*
 * The slot machine under any sequence of admissions, completions, drops and
 * questions, two bytes each, beside a model that keeps the whole history: no
 * write is executed twice, nothing older than the newest is executed, and a
 * replay has the result of the execution.
 */
#include <stdlib.h>

#include "frame.h"
#include "slot.h"

#define MUST(x) do { if (!(x)) abort(); } while (0)
#define SEQS 16

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct dstor_slot s = {0};
	int running = 0;		/* seq that executes, or 0 */
	int newest = 0;
	bool done[SEQS] = {0};		/* completed, not dropped */
	u8 op_of[SEQS] = {0}, result[SEQS] = {0};

	for (; size >= 2; data += 2, size -= 2) {
		int seq = data[0] % SEQS;
		u8 arg = data[1];
		struct dstor_frame f = { .type = DSTOR_FRAME_REQUEST };

		switch (data[0] / SEQS % 4) {
		case 0:
			f.op = arg % (DSTOR_OP_MAX + 1);
			f.seq = cpu_to_le64(seq);
			switch (dstor_slot_admit(&s, &f)) {
			case DSTOR_ADMIT_EXECUTE:
				MUST(!running && seq >= newest);
				if (seq)
					MUST(!(done[seq] && dstor_op_writes(op_of[seq])));
				op_of[seq] = arg % (DSTOR_OP_MAX + 1);
				done[seq] = false;
				running = seq;
				newest = seq;
				/* seq 0 never passes dstor_request_sane() */
				if (!seq)
					dstor_slot_drop(&s, 0);
				break;
			case DSTOR_ADMIT_REPEAT:
				MUST(done[seq] && s.status == result[seq]);
				MUST(dstor_op_writes(op_of[seq]));
				break;
			case DSTOR_ADMIT_BUSY:
				MUST(running == seq && seq);
				break;
			case DSTOR_ADMIT_REFUSE:
				MUST(seq < newest || running ||
				     op_of[seq] != arg % (DSTOR_OP_MAX + 1));
				break;
			}
			break;
		case 1:
			dstor_slot_done(&s, seq, arg % (DSTOR_STATUS_MAX + 1));
			if (seq && running == seq) {
				done[seq] = true;
				result[seq] = arg % (DSTOR_STATUS_MAX + 1);
				running = 0;
			}
			break;
		case 2:
			dstor_slot_drop(&s, seq);
			if (running == seq)
				running = 0;
			break;
		case 3:
			switch (dstor_slot_ask(&s, seq)) {
			case DSTOR_STATE_BUSY:
				MUST(running == seq);
				break;
			case DSTOR_STATE_DONE:
				MUST(done[seq] && seq == newest);
				break;
			case DSTOR_STATE_UNKNOWN:
				MUST(!seq || running != seq);
				break;
			default:	/* said of data and of replays, never of a slot */
				MUST(false);
			}
			break;
		}
	}
	return 0;
}
