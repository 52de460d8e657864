// SPDX-License-Identifier: GPL-2.0
/*
 * Messages of a peer that are not responses: those of the handshake, and frames
 * without data.
 *
 * Locks: conn.tx.lock is held to send one.
 */
#include <linux/slab.h>

#include "exporter/peer.h"

/* A message that is not a response: freed when the socket has it. */
struct peer_note {
	struct dstor_message message;
	u8 data[];
};

static void peer_note_sent(struct dstor_conn *c, struct dstor_message *m)
{
	kfree(container_of(m, struct peer_note, message));
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

	dstor_tx_queue_locked(&p->conn, &n->message);
}
