// SPDX-License-Identifier: GPL-2.0
/*
 * Requests that a device makes for its kept writes: pieces of a replay, and flushes.
 *
 * Each queue has a slot for one of them, behind those of requests, so that none of them
 * waits for a request. It is resent and asked after like any transaction; the budgets are
 * those of the requests that wait for it.
 *
 * Locks: dev->cache_lock. Under it a message is only put into the list of the submitted.
 */
#include "client/device.h"
#include "core/feature.h"
#include "core/work.h"

static void own_send(struct dstor_queue *q, u8 op, u64 offset, u32 bytes, u16 flags)
{
	struct dstor_transaction *t = &q->own.t;
	struct dstor_frame *f = t->message.head;

	q->own.busy = true;
	t->queue = q;
	t->slot = q->dev->geometry.depth - 1;
	t->op = op;
	dstor_attempt_begin(&t->attempt, dstor_now_ms());
	t->decrypting = false;
	t->damaged = false;
	t->repeated = false;
	t->seq = atomic64_inc_return(&q->seq);
	t->started_ns = ktime_get_ns();
	f->type = DSTOR_FRAME_REQUEST;
	f->op = op;
	f->flags = cpu_to_le16(flags | dstor_feature_flags(q->bounds.features));
	f->slot = cpu_to_le16(t->slot);
	f->status = 0;
	f->length = op == DSTOR_OP_WRITE ? cpu_to_le32(bytes) : 0;
	f->bytes = cpu_to_le32(bytes);
	f->seq = cpu_to_le64(t->seq);
	f->offset = cpu_to_le64(offset);
	t->message.in_hand = false;
	t->message.length = bytes;
	/* pairs with transaction_of() */
	smp_store_release(&t->state, DSTOR_T_QUEUED);
	/* pairs with dstor_queue_transaction() */
	smp_store_release(&q->slots[t->slot], t);
	atomic_inc(&q->in_flight);
	dstor_tx_submit(&q->conn, &t->message);
	dstor_conn_kick(&q->conn);
}

static bool own_is_free(const struct dstor_queue *q)
{
	return dstor_queue_live(q) && !q->own.busy;
}

void dstor_own_flush_locked(struct dstor_device *dev)
{
	struct dstor_kept_writes *k = &dev->kept;
	unsigned int i;

	if (!k->live || k->paused || k->doubt || k->forgetting || READ_ONCE(dev->dead))
		return;
	if (!dstor_keep_wants_flush(&k->keep, k->flushes, !list_empty(&k->parked)) &&
	    !((k->draining || k->doubted) && k->keep.used_acked && !k->flushes))
		return;
	for (i = 0; i < dev->n_queues; i++) {
		struct dstor_queue *q = &dev->queues[i];

		if (!own_is_free(q))
			continue;
		q->own.flush = true;
		q->own.t.message.bio = NULL;
		q->own.t.flush_number = dstor_flush_mark_begin(&dev->cache, &q->own.t.losses);
		k->flushes++;
		this_cpu_inc(dev->stats->own_flushes);
		own_send(q, DSTOR_OP_FLUSH, 0, 0, 0);
		return;
	}
}

static void own_send_piece(struct dstor_queue *q)
{
	const struct dstor_replay_piece *p = &q->own.piece;
	struct dstor_kept_write *w = p->record->cookie;
	struct dstor_message *m = &q->own.t.message;

	q->own.flush = false;
	m->bio = NULL;
	if (p->op == DSTOR_OP_WRITE && p->zeroes) {
		m->bio = &q->dev->kept.zeroes->bio;
		m->iter = dstor_bio_buffer_all(p->bytes);
	} else if (p->op == DSTOR_OP_WRITE) {
		m->bio = &w->bio;
		m->iter = dstor_bio_buffer_all(p->skip + p->bytes);
		bvec_iter_advance(w->pages, &m->iter, p->skip);
	}
	q->dev->kept.pieces++;
	this_cpu_inc(q->dev->stats->kept_resent);
	own_send(q, p->op, p->offset, p->bytes, p->op == DSTOR_OP_WRITE_ZEROES ? w->flags : 0);
}

void dstor_own_pump_locked(struct dstor_device *dev)
{
	struct dstor_kept_writes *k = &dev->kept;
	unsigned int i;

	if (k->live || k->paused || READ_ONCE(dev->dead))
		return;
	for (i = 0; i < dev->n_queues && !k->all; i++) {
		struct dstor_queue *q = &dev->queues[i];

		if (!own_is_free(q))
			continue;
		if (dstor_replay_next(&k->replay, &q->own.piece))
			own_send_piece(q);
		else
			k->all = true;
	}
	if (k->all && !k->pieces)
		queue_work(dstor_link_wq, &k->over);
}

/* Its slot is free again. */
static void own_leave_slot(struct dstor_queue *q)
{
	struct dstor_kept_writes *k = &q->dev->kept;

	WRITE_ONCE(q->own.t.state, DSTOR_T_FREE);
	WRITE_ONCE(q->slots[q->own.t.slot], NULL);
	atomic_dec(&q->in_flight);
	q->own.busy = false;
	if (q->own.flush)
		k->flushes--;
	else
		k->pieces--;
}

static void own_piece_answered(struct dstor_queue *q)
{
	struct dstor_kept_writes *k = &q->dev->kept;
	const struct dstor_replay_piece *p = &q->own.piece;

	if (k->live)
		return;
	if (q->own.t.status != DSTOR_STATUS_OK) {
		k->replay.lost |= !p->optional;
		return;
	}
	k->again += p->bytes;
	atomic64_add(dstor_replay_progress(&k->replay, p->bytes, dstor_now_ms()), &k->prolong_ms);
}

/*
 * The disk may have dropped what it could not write, and say of the next flush that all is
 * well: kept writes are sent again first, as after a crash, and flushed. If that fails, too,
 * the user's next flush must not say that all is well. Returns a chain to be freed.
 */
static struct dstor_kept *own_flush_failed(struct dstor_device *dev)
{
	struct dstor_kept_writes *k = &dev->kept;

	if (k->doubt || !dstor_keep_owes(&k->keep))
		return NULL;
	if (!k->doubted) {
		k->doubt = true;
		queue_work(dstor_link_wq, &k->over);
		return NULL;
	}
	k->doubted = false;
	dstor_flush_mark_lost(&dev->cache);
	pr_warn_ratelimited("dstor: dst-%s: the exporter's disk could not flush: acked writes that were not flushed may be lost\n",
			    dev->name);
	return dstor_keep_drop(&dev->kept.keep);
}

static struct dstor_kept *own_flush_answered(struct dstor_queue *q)
{
	const struct dstor_transaction *t = &q->own.t;
	struct dstor_device *dev = q->dev;

	/* It says nothing of the disk: the clock makes another one. */
	if (t->status == DSTOR_STATUS_NO_MEMORY)
		return NULL;
	if (t->status != DSTOR_STATUS_OK || dev->kept.doubt)
		return own_flush_failed(dev);
	if (!dstor_flush_mark_end_background(&dev->cache, t->flush_number, t->losses))
		return NULL;
	return dstor_kept_flushed_locked(dev, t->flush_number);
}

void dstor_own_answered(struct dstor_transaction *t)
{
	struct dstor_queue *q = t->queue;
	struct dstor_device *dev = q->dev;
	struct dstor_kept *chain = NULL;
	unsigned long irq;

	spin_lock_irqsave(&dev->cache_lock, irq);
	own_leave_slot(q);
	if (q->own.flush)
		chain = own_flush_answered(q);
	else
		own_piece_answered(q);
	if (unlikely(!list_empty(&dev->kept.parked)))
		queue_work(dstor_io_wq, &dev->kept.tidy);
	if (t->status != DSTOR_STATUS_NO_MEMORY)
		dstor_own_flush_locked(dev);
	dstor_own_pump_locked(dev);
	spin_unlock_irqrestore(&dev->cache_lock, irq);
	dstor_kept_free_chain(dev, chain);
}

void dstor_own_cancel(struct dstor_queue *q)
{
	struct dstor_device *dev = q->dev;
	bool left;

	lockdep_assert_held(&q->lock);
	if (!dev->kept.on)
		return;
	dstor_tx_lock(&q->conn);
	do {
		dstor_tx_collect(&q->conn);
		spin_lock_irq(&dev->cache_lock);
		/* Another may have submitted it since. */
		left = q->own.busy && !q->own.t.message.in_hand;
		if (q->own.busy && !left) {
			list_del_init(&q->own.t.message.entry);
			own_leave_slot(q);
		}
		spin_unlock_irq(&dev->cache_lock);
	} while (left);
	dstor_tx_unlock(&q->conn);
}

void dstor_own_tick(struct dstor_device *dev)
{
	if (!dev->kept.on)
		return;
	spin_lock_irq(&dev->cache_lock);
	if (!list_empty(&dev->kept.parked) || dev->kept.dead)
		queue_work(dstor_io_wq, &dev->kept.tidy);
	dstor_own_flush_locked(dev);
	dstor_own_pump_locked(dev);
	spin_unlock_irq(&dev->cache_lock);
}
