// SPDX-License-Identifier: GPL-2.0
/*
 * Applications that submit transactions.
 */
#include "sim.h"
#include "frame.h"

static bool overlaps(const struct machine *m, u8 first, u8 count)
{
	for (u32 q = 0; q < m->queues; q++)
		for (u32 s = 0; s < SLOTS; s++) {
			const struct txn *t = m->queue[q].slot[s];

			if (t && dstor_op_writes(t->op) && t->first < first + count &&
			    first < t->first + t->count)
				return true;
		}
	return false;
}

static void submit_something(struct machine *m)
{
	static const u8 ops[] = { DSTOR_OP_WRITE, DSTOR_OP_WRITE, DSTOR_OP_WRITE, DSTOR_OP_WRITE,
				  DSTOR_OP_WRITE, DSTOR_OP_READ, DSTOR_OP_READ, DSTOR_OP_FLUSH,
				  DSTOR_OP_DISCARD, DSTOR_OP_WRITE_ZEROES };
	u8 op = ops[m->only_reads ? between(5, 7) : below(sizeof(ops))];
	u32 blocks = m->identity.size / BLOCK;
	u8 count = chance(60) ? 1 : between(1, SPAN);
	u8 first = below(chance(70) ? blocks / 2 : blocks - count + 1);
	bool fua;
	u8 queue;

	if (!txns_in_flight(m) && chance(5))
		device_reopened(m);
	if (chance(w.flush_percent))
		op = DSTOR_OP_FLUSH;
	if (op == DSTOR_OP_FLUSH) {
		first = 0;
		count = 0;
	} else if (dstor_op_writes(op) && overlaps(m, first, count) &&
		   chance(w.keeping ? 10 : 75)) {
		return;
	}
	fua = dstor_op_writes(op) && chance(w.fua_percent);
	queue = below(m->queues);
	if (!m->queue[queue].quiet)
		txn_submit(m, queue, op, fua, first, count);
}

void app_step(struct machine *m)
{
	u32 think = chance(85) ? between(1, 60) : between(100, 1500);

	if (w.faults & 1 << W_LONG && m->device != D_NONE)
		think *= 6;
	if (w.healing) {
		settle_step(m);
		after(200, EV_APP, m->index, 0, 0);
		return;
	}
	if (m->device == D_ATTACHING && w.now > m->attach_gives_up) {
		device_force(m);
	} else if (m->device == D_FAILED && chance(5)) {
		device_force(m);
	} else if (m->device == D_NONE && !m->down && chance(3)) {
		draw_policy(m);
		device_attach(m);
	} else if (m->device == D_UP && w.n_txns - w.n_internal < w.txn_limit) {
		for (u32 n = between(1, 3); n && m->device == D_UP; n--)
			submit_something(m);
	}
	if (w.n_txns - w.n_internal >= w.txn_limit)
		think += 500;
	after(think, EV_APP, m->index, 0, 0);
}
