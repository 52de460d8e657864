// SPDX-License-Identifier: GPL-2.0
/*
 * Control frames of a queue: one message of each kind, in memory that it has for ever, so
 * that none is sent late for want of memory. No locks: a bit says that it is on its way.
 */
#include "client/device.h"

static void control_sent(struct dstor_conn *c, struct dstor_message *m)
{
	clear_bit_unlock(0, &container_of(m, struct dstor_control, message)->busy);
}

int dstor_control_init(struct dstor_queue *q)
{
	unsigned int i;

	q->control_memory = (void *)get_zeroed_page(GFP_KERNEL);
	if (!q->control_memory)
		return -ENOMEM;
	for (i = 0; i < DSTOR_CONTROLS; i++) {
		q->control[i].message.head = q->control_memory + i * DSTOR_HEAD_LEN;
		q->control[i].message.copy = true;
		q->control[i].message.passes = true;
		q->control[i].message.sent = control_sent;
	}
	dstor_transaction_init_own(q, q->control_memory + i * DSTOR_HEAD_LEN);
	return 0;
}

void dstor_control_send(struct dstor_queue *q, enum dstor_control_kind kind, u16 slot, u64 seq)
{
	static const u8 types[] = {
		[DSTOR_CONTROL_PING] = DSTOR_FRAME_PING,
		[DSTOR_CONTROL_PONG] = DSTOR_FRAME_PONG,
		[DSTOR_CONTROL_ASK] = DSTOR_FRAME_ASK,
		[DSTOR_CONTROL_BYE] = DSTOR_FRAME_BYE,
		[DSTOR_CONTROL_REPLAYED] = DSTOR_FRAME_REPLAYED,
	};
	struct dstor_control *k = &q->control[kind];
	struct dstor_frame *f = k->message.head;

	if (test_and_set_bit_lock(0, &k->busy))
		return;
	k->since = jiffies;
	dstor_frame_init(f, types[kind], seq);
	f->slot = cpu_to_le16(slot);
	dstor_tx_submit(&q->conn, &k->message);
	dstor_conn_kick(&q->conn);
}
