// SPDX-License-Identifier: GPL-2.0
/*
 * Data that arrived damaged, by a digest without a key (docs/protocol.md, section
 * 7). Most often nothing is wrong with the network: whoever owns the pages of a
 * write changed them between their digest and their way through the socket. So a
 * write is sent again from a copy, which nobody else can change, and a read is
 * asked for again. A second time the connection ends.
 *
 * Copies are made when the device is: one of max_io bytes for each queue, so that
 * recovery never waits for memory (P11). A transaction that gets none waits for
 * one. An old socket may still refer to the pages of a copy (P4), so a copy
 * is used again only when each of its pages has no other reference.
 *
 * Locks: copies->lock, a leaf.
 */
#include "client/damage.h"
#include "client/device.h"
#include "client/trace.h"
#include "client/trouble.h"
#include "core/work.h"

/* Memory -------------------------------------------------------------------- */

int dstor_copies_alloc(struct dstor_device *dev)
{
	struct dstor_copies *all = &dev->copies;

	/* With a key data is copied anyway, into a ring or tx.copies, before it is protected. */
	if (dev->config.has_key || !strcmp(dev->config.checksums, "none"))
		return 0;
	while (all->n < dev->n_queues) {
		struct dstor_copy *copy = kzalloc(sizeof(*copy), GFP_KERNEL);

		if (!copy)
			return -ENOMEM;
		list_add(&copy->entry, &all->free);
		copy->buffer = dstor_bio_buffer_new(dev->geometry.max_io);
		if (!copy->buffer)
			return -ENOMEM;
		all->n++;
	}
	return 0;
}

void dstor_copies_free(struct dstor_device *dev)
{
	struct dstor_copy *copy, *next;

	list_for_each_entry_safe(copy, next, &dev->copies.free, entry) {
		dstor_bio_buffer_free(copy->buffer);
		kfree(copy);
	}
}

static bool is_ours_alone(const struct dstor_copy *copy, unsigned int n)
{
	while (n)
		if (page_count(copy->buffer->pages[--n].bv_page) != 1)
			return false;
	return true;
}

/* One that has @n pages to itself, or NULL. */
static struct dstor_copy *take_copy(struct dstor_copies *all, unsigned int n)
{
	struct dstor_copy *copy, *found = NULL;
	unsigned long irq;

	spin_lock_irqsave(&all->lock, irq);
	list_for_each_entry(copy, &all->free, entry) {
		if (!is_ours_alone(copy, n))
			continue;
		list_del(&copy->entry);
		found = copy;
		break;
	}
	spin_unlock_irqrestore(&all->lock, irq);
	return found;
}

void dstor_copies_give_back(struct dstor_transaction *t)
{
	struct dstor_device *dev = t->queue->dev;
	unsigned long irq;
	unsigned int i;

	if (likely(!t->copy))
		return;
	spin_lock_irqsave(&dev->copies.lock, irq);
	list_add_tail(&t->copy->entry, &dev->copies.free);
	spin_unlock_irqrestore(&dev->copies.lock, irq);
	t->copy = NULL;
	for (i = 0; i < dev->n_queues; i++)
		if (READ_ONCE(dev->queues[i].damaged))
			dstor_conn_kick(&dev->queues[i].conn);
}

/* A program that writes to the pages of @rq meanwhile gets a mixture, as on a local disk. */
static void copy_request(struct bio *bio, const struct request *rq)
{
	struct dstor_bio_span to = { .bio = bio, .iter = dstor_bio_buffer_all(blk_rq_bytes(rq)) };
	struct dstor_bio_span from = { .bio = rq->bio, .iter = rq->bio->bi_iter };

	dstor_bio_copy(to, from, blk_rq_bytes(rq));
}

/* Sending again ------------------------------------------------------------- */

void dstor_transaction_sent_damaged(struct dstor_transaction *t)
{
	if (cmpxchg(&t->state, DSTOR_T_SENT, DSTOR_T_DAMAGED) != DSTOR_T_SENT)
		return;
	WRITE_ONCE(t->queue->damaged, true);
	dstor_conn_kick(&t->queue->conn);
}

enum dstor_rx_verdict dstor_transaction_damaged(struct dstor_transaction *t)
{
	if (t->damaged || t->repeated) {
		dstor_trouble_note(t->queue->dev, DSTOR_TROUBLE_DIGESTS);
		return DSTOR_RX_CLOSE;
	}
	if (t->op == DSTOR_OP_WRITE && !t->queue->dev->copies.n)
		return DSTOR_RX_CLOSE;
	WRITE_ONCE(t->damaged, true);
	/* It may still be QUEUED: the answer was faster than the return from sendmsg. */
	smp_mb(); /* pairs with cmpxchg() in dstor_transaction_sent() */
	dstor_transaction_sent_damaged(t);
	return DSTOR_RX_NEXT;
}

/* False: there is no copy right now. */
static bool repeat_damaged(struct dstor_transaction *t)
{
	struct request *rq = blk_mq_rq_from_pdu(t);
	struct dstor_device *dev = t->queue->dev;
	struct dstor_frame *f = t->message.head;

	/* A kept write and a piece of a replay are sent from a copy already. */
	if (t->op == DSTOR_OP_WRITE && !t->own && t->message.bio == rq->bio) {
		t->copy = take_copy(&dev->copies, DIV_ROUND_UP(blk_rq_bytes(rq), PAGE_SIZE));
		if (!t->copy)
			return false;
		copy_request(&t->copy->buffer->bio, rq);
		t->message.bio = &t->copy->buffer->bio;
		t->message.iter = dstor_bio_buffer_all(blk_rq_bytes(rq));
		this_cpu_inc(dev->stats->copied_writes);
	}
	f->flags |= cpu_to_le16(DSTOR_REQ_RESEND);
	t->attempt.sent_ms = dstor_now_ms();
	t->attempt.resends++;
	this_cpu_inc(dev->stats->resends);
	trace_dstor_resend(t, 0, 0, 0);
	t->damaged = false;
	t->repeated = true;
	WRITE_ONCE(t->state, DSTOR_T_QUEUED);
	dstor_tx_queue_locked(&t->queue->conn, &t->message);
	return true;
}

void dstor_queue_repeat_damaged(struct dstor_queue *q)
{
	bool left = false;
	unsigned int i;

	dstor_tx_assert_locked(&q->conn);
	/* After a close the transactions belong to the link, which resends or fails them. */
	if (likely(!READ_ONCE(q->damaged)) || !dstor_conn_is_open(&q->conn) ||
	    dstor_conn_lost(&q->conn))
		return;
	WRITE_ONCE(q->damaged, false);
	smp_mb(); /* who finds it true again has set its state before */
	for (i = 0; i < q->dev->geometry.depth; i++) {
		struct dstor_transaction *t = dstor_queue_transaction(q, i);

		if (t && READ_ONCE(t->state) == DSTOR_T_DAMAGED && !repeat_damaged(t))
			left = true;
	}
	/* The next copy that is given back, or the watchdog, comes here again. */
	if (left)
		WRITE_ONCE(q->damaged, true);
}
