// SPDX-License-Identifier: GPL-2.0
/*
 * Messages of a peer that are not responses: those of the handshake, and frames
 * without data.
 *
 * Locks: conn.tx.lock is held to send one.
 */
#include <linux/slab.h>

#include "exporter/peer.h"
#include "exporter/progress.h"
#include "exporter/session.h"
#include "wire/slot.h"

/* A message that is not a response: freed when the socket has it. */
struct peer_note {
	struct dstor_message message;
	u8 data[];
};

static void peer_note_sent(struct dstor_conn *c, struct dstor_message *m)
{
	struct dstor_peer *p = container_of(c, struct dstor_peer, conn);

	kfree(container_of(m, struct peer_note, message));
	p->progress.n_notes--;
	dstor_peer_answered(p);
}

void *dstor_peer_new_message(struct dstor_peer *p, size_t len, bool raw)
{
	struct peer_note *n = kzalloc(sizeof(*n) + max_t(size_t, len, DSTOR_HEAD_LEN), GFP_NOIO);

	if (!n) {
		dstor_conn_lose(&p->conn);
		return NULL;
	}
	n->message.head = n->data;
	n->message.head_len = len;
	n->message.raw = raw;
	n->message.copy = true;
	n->message.sent = peer_note_sent;
	return n->data;
}

void dstor_peer_send_message(struct dstor_peer *p, void *data)
{
	struct peer_note *n = container_of(data, struct peer_note, data[0]);

	p->progress.n_notes++;
	dstor_tx_queue_locked(&p->conn, &n->message);
}

void dstor_peer_send_frame(struct dstor_peer *p, u8 type, u16 flags, u16 slot, u16 status,
			   u64 seq, u64 offset)
{
	struct dstor_frame *f = dstor_peer_new_message(p, DSTOR_FRAME_LEN, false);

	if (!f)
		return;
	dstor_frame_init(f, type, seq);
	f->flags = cpu_to_le16(flags);
	f->slot = cpu_to_le16(slot);
	f->status = cpu_to_le16(status);
	f->offset = cpu_to_le64(offset);
	dstor_peer_send_message(p, f);
}

void dstor_peer_answer_ask(struct dstor_peer *p, const struct dstor_frame *f)
{
	u16 slot = le16_to_cpu(f->slot);
	u64 seq = le64_to_cpu(f->seq);

	/* All that is received and not answered is here, and nothing drops it before the end. */
	dstor_peer_send_frame(p, DSTOR_FRAME_STATE, DSTOR_STATE_ALL, slot,
			      dstor_slot_ask(&p->queue->slots[slot], seq), seq, 0);
}

void dstor_peer_tell_full(struct dstor_peer *p)
{
	const struct dstor_frame *f = dstor_conn_frame(&p->conn);
	bool waits = dstor_conn_pauses_for(&p->conn, DSTOR_PAUSE_GATE);

	if (!(waits || dstor_conn_pauses_for(&p->conn, DSTOR_PAUSE_MEMORY) ||
	      dstor_conn_pauses_for(&p->conn, DSTOR_PAUSE_RATE)) ||
	    dstor_conn_is_full(&p->conn) ||
	    jiffies_to_msecs(jiffies - p->memory.told) < p->timeout_ms / 4)
		return;
	p->memory.told = jiffies;
	/* For people: what it means to the transaction is what BUSY means. */
	if (waits)
		dstor_peer_send_frame(p, DSTOR_FRAME_STATE, DSTOR_STATE_ALL, le16_to_cpu(f->slot),
				      DSTOR_STATE_WAITS, le64_to_cpu(f->seq), 0);
	dstor_peer_send_frame(p, DSTOR_FRAME_STATE, DSTOR_STATE_ALL, le16_to_cpu(f->slot),
			      DSTOR_STATE_BUSY, le64_to_cpu(f->seq), 0);
}

/* A disk that shrank, and grew to less than it was, is no news (R12.7). */
void dstor_peer_tell_size(struct dstor_peer *p, u64 size)
{
	if (size <= p->bounds.size)
		return;
	p->bounds.size = size;
	dstor_peer_send_frame(p, DSTOR_FRAME_CHANGE, DSTOR_CHANGE_SIZE, 0, 0, 0, size);
}
