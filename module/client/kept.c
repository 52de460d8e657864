// SPDX-License-Identifier: GPL-2.0
/*
 * Kept writes: the record and the copy of each write of a device, from queue_rq until a
 * flush covers it (wire/keep.h). kept_own.c sends what is sent for their sake, and
 * kept_replay.c decides about a new instance of the exporter.
 *
 *   HELD ---> admitted: QUEUED, sent           dstor_kept_submit(), or later the tidy work
 *    | \----> waits for one that it overlaps   dstor_keep_woken() makes it QUEUED
 *    \------> parked: no room                  the tidy work tries again
 *
 * A copy is made before the write is admitted, and is what the socket is lent. Its pages
 * are the allocator's, and go back there with our reference: an old socket may have another
 * (P4). Nothing is waited for: a write for which there is no page is made durable (FUA), and
 * needs only a record, of which a few are spare. So progress does not depend on memory (P11).
 *
 * Locks: dev->cache_lock. Messages are only put into the list of the submitted under it.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "client/device.h"
#include "core/work.h"

#define KEPT_SPARES 16
#define KEPT_REGION (128U << 10)	/* bytes of the disk that share a bucket */
#define KEPT_BUCKETS 4096

static bool kept_wants(const struct dstor_device *dev, const struct dstor_welcome *w)
{
	u32 flags = le32_to_cpu(w->disk_flags);

	return dev->config.keep_bytes && !dev->config.read_only &&
	       w->access == DSTOR_ACCESS_WRITE && flags & DSTOR_DISK_VOLATILE &&
	       !(flags & DSTOR_DISK_SHARED) && dev->geometry.depth > 1;
}

int dstor_kept_begin(struct dstor_device *dev, const struct dstor_welcome *w)
{
	struct dstor_kept_writes *k = &dev->kept;
	unsigned int i;

	if (!kept_wants(dev, w))
		return 0;
	k->buckets = kvmalloc_array(KEPT_BUCKETS, sizeof(*k->buckets), GFP_KERNEL);
	k->zeroes = dstor_bio_buffer_new(dev->geometry.max_io);
	if (!k->buckets || !k->zeroes)
		return -ENOMEM;
	for (i = 0; i < k->zeroes->n_pages; i++)
		clear_highpage(k->zeroes->pages[i].bv_page);
	for (i = 0; i < KEPT_SPARES; i++) {
		struct dstor_kept_write *spare = dstor_kept_new(0, GFP_KERNEL);

		if (!spare)
			return -ENOMEM;
		spare->spare = true;
		spare->record.next = k->spare;
		k->spare = &spare->record;
	}
	dstor_keep_init(&k->keep, k->buckets, KEPT_BUCKETS, KEPT_REGION, dev->config.keep_bytes);
	dstor_replay_remember(&k->past, w);
	k->live = true;
	k->on = true;
	return 0;
}

/* A write begins ------------------------------------------------------------ */

static struct dstor_frame *kept_frame(const struct dstor_transaction *t)
{
	return t->message.head;
}

static bool kept_is_durable(const struct dstor_transaction *t)
{
	return kept_frame(t)->flags & cpu_to_le16(DSTOR_REQ_FUA);
}

/* A durable write needs no copy. */
static void kept_make_durable(struct dstor_transaction *t)
{
	kept_frame(t)->flags |= cpu_to_le16(DSTOR_REQ_FUA);
	this_cpu_inc(t->queue->dev->stats->unkept_writes);
}

/* From a copy, whatever becomes of the pages of the request. False: there is no memory. */
static bool kept_copy(struct dstor_kept_write *w, unsigned int n, const struct request *rq)
{
	struct dstor_bio_span from = { .bio = rq->bio, .iter = rq->bio->bi_iter };
	struct dstor_bio_span to = { .bio = &w->bio };

	while (w->n_pages < n) {
		struct bio_vec *bv = &w->pages[w->n_pages];

		bv->bv_page = alloc_page(DSTOR_KEPT_GFP);
		if (!bv->bv_page)
			break;
		bv->bv_len = PAGE_SIZE;
		bv->bv_offset = 0;
		w->n_pages++;
	}
	if (w->n_pages < n) {
		while (w->n_pages)
			put_page(w->pages[--w->n_pages].bv_page);
		return false;
	}
	bio_init(&w->bio, NULL, w->pages, n, 0);
	to.iter = dstor_bio_buffer_all(blk_rq_bytes(rq));
	dstor_bio_copy(to, from, blk_rq_bytes(rq));
	return true;
}

/* Too many of a queue's tags are parked: reads would find none. */
static bool kept_is_crowded(const struct dstor_transaction *t)
{
	return READ_ONCE(t->queue->own.parked) >= t->queue->dev->geometry.tags / 2;
}

/*
 * A record for @t, with a copy or, when there is none to be had, for a durable write. NULL:
 * there is not even memory for that.
 */
static struct dstor_kept_write *kept_prepare(struct dstor_transaction *t)
{
	struct request *rq = blk_mq_rq_from_pdu(t);
	struct dstor_device *dev = t->queue->dev;
	struct dstor_kept_write *w = NULL;
	bool copies = t->op == DSTOR_OP_WRITE && !kept_is_durable(t);
	unsigned int n = copies ? DIV_ROUND_UP(blk_rq_bytes(rq), PAGE_SIZE) : 0;

	if (copies && n * PAGE_SIZE + sizeof(*w) + n * sizeof(*w->pages) <= dev->kept.keep.limit)
		w = dstor_kept_new(n, DSTOR_KEPT_GFP);
	if (w && !kept_copy(w, n, rq)) {
		kfree(w);
		w = NULL;
	}
	if (copies && !w)
		kept_make_durable(t);
	if (!w)
		w = dstor_kept_new(0, DSTOR_KEPT_GFP);
	return w ?: dstor_kept_spare(dev);
}

static void kept_fill(struct dstor_kept_write *w, struct dstor_transaction *t)
{
	struct dstor_kept *r = &w->record;
	u16 flags = le16_to_cpu(kept_frame(t)->flags);

	r->offset = le64_to_cpu(kept_frame(t)->offset);
	r->bytes = le32_to_cpu(kept_frame(t)->bytes);
	r->cost = w->n_pages * (PAGE_SIZE + sizeof(*w->pages)) + sizeof(*w);
	r->queue = t->queue->index;
	r->op = t->op;
	r->durable = flags & DSTOR_REQ_FUA;
	r->data = w->n_pages;
	w->flags = flags & DSTOR_REQ_NOUNMAP;
	w->t = t;
	if (!w->n_pages)
		return;
	t->message.bio = &w->bio;
	t->message.iter = dstor_bio_buffer_all(r->bytes);
	t->message.length = r->bytes;
}

/* Its copy, if it had one, goes. */
static void kept_lend_request(struct dstor_transaction *t)
{
	struct request *rq = blk_mq_rq_from_pdu(t);

	if (t->op != DSTOR_OP_WRITE)
		return;
	t->message.bio = rq->bio;
	t->message.iter = rq->bio->bi_iter;
}

/* Under the lock. */
static void kept_park(struct dstor_transaction *t, bool first)
{
	struct dstor_kept_writes *k = &t->queue->dev->kept;

	t->held = true;
	t->queue->own.parked++;
	if (first)
		list_add(&t->message.entry, &k->parked);
	else
		list_add_tail(&t->message.entry, &k->parked);
}

/* Under the lock. */
static void kept_release(struct dstor_kept_write *w)
{
	w->t->held = false;
	w->record.sent = true;
	WRITE_ONCE(w->t->state, DSTOR_T_QUEUED);
}

/* Would a copy of it fit? A guess, so that few are made in vain. */
static bool kept_has_room(const struct dstor_transaction *t, bool first)
{
	const struct dstor_kept_writes *k = &t->queue->dev->kept;
	u32 bytes = t->op == DSTOR_OP_WRITE ? t->message.length : 0;

	return (first || list_empty(&k->parked)) &&
	       READ_ONCE(k->keep.used) + bytes + sizeof(struct dstor_kept_write) <= k->keep.limit;
}

/* Under the lock. @w: its record, or NULL. */
static enum dstor_keep_admit kept_add(struct dstor_transaction *t, struct dstor_kept_write *w,
				      bool first)
{
	struct dstor_kept_writes *k = &t->queue->dev->kept;
	enum dstor_keep_admit admit = DSTOR_KEEP_PARK;

	if (w)
		admit = dstor_keep_add(&k->keep, &w->record);
	switch (admit) {
	case DSTOR_KEEP_SEND:
		t->kept = w;
		kept_release(w);
		break;
	case DSTOR_KEEP_WAIT:
		t->kept = w;
		t->held = true;
		k->waiting++;
		break;
	default:
		kept_lend_request(t);
		kept_park(t, first);
	}
	return admit;
}

/* @first: it was parked, as the oldest. PARK: and is again. SEND: it is QUEUED. */
static enum dstor_keep_admit kept_admit(struct dstor_transaction *t, bool first)
{
	bool room = kept_is_durable(t) || kept_has_room(t, first);
	struct dstor_device *dev = t->queue->dev;
	struct dstor_kept_write *w = NULL;
	enum dstor_keep_admit admit;
	unsigned long irq;

	if (!room && !first && kept_is_crowded(t)) {
		kept_make_durable(t);
		room = true;
	}
	if (room)
		w = kept_prepare(t);
	if (w)
		kept_fill(w, t);
	spin_lock_irqsave(&dev->cache_lock, irq);
	admit = kept_add(t, w, first);
	dstor_own_flush_locked(dev);
	spin_unlock_irqrestore(&dev->cache_lock, irq);
	if (w && admit == DSTOR_KEEP_PARK)
		dstor_kept_put(dev, w);
	return admit;
}

bool dstor_kept_submit(struct dstor_transaction *t)
{
	return kept_admit(t, false) == DSTOR_KEEP_SEND;
}

static void kept_unpark(struct dstor_device *dev)
{
	struct dstor_kept_writes *k = &dev->kept;
	enum dstor_keep_admit admit;

	do {
		struct dstor_transaction *t;

		spin_lock_irq(&dev->cache_lock);
		t = list_first_entry_or_null(&k->parked, struct dstor_transaction, message.entry);
		if (t) {
			list_del_init(&t->message.entry);
			t->queue->own.parked--;
			t->held = false;
		}
		spin_unlock_irq(&dev->cache_lock);
		if (!t)
			return;
		admit = kept_admit(t, true);
		if (admit == DSTOR_KEEP_SEND) {
			struct dstor_conn *c = &t->queue->conn;

			dstor_tx_submit(c, &t->message);
			dstor_conn_kick(c);
		}
	} while (admit != DSTOR_KEEP_PARK);
}

void dstor_kept_tidy_work(struct work_struct *work)
{
	struct dstor_device *dev = container_of(work, struct dstor_device, kept.tidy);

	dstor_kept_forget(dev);
	dstor_kept_bury(dev);
	kept_unpark(dev);
	spin_lock_irq(&dev->cache_lock);
	dstor_own_flush_locked(dev);
	spin_unlock_irq(&dev->cache_lock);
}

/* Others go on ------------------------------------------------------------- */

void dstor_kept_wake_locked(struct dstor_device *dev, u64 offset, u64 bytes)
{
	struct dstor_kept_writes *k = &dev->kept;
	struct dstor_kept *r;

	while (k->waiting && (r = dstor_keep_woken(&k->keep, offset, bytes))) {
		struct dstor_kept_write *w = r->cookie;
		struct dstor_conn *c = &w->t->queue->conn;

		k->waiting--;
		kept_release(w);
		dstor_tx_submit(c, &w->t->message);
		dstor_conn_kick(c);
	}
	if (unlikely(!list_empty(&k->parked)))
		queue_work(dstor_io_wq, &k->tidy);
	dstor_own_flush_locked(dev);
}

void dstor_kept_wake(struct dstor_device *dev)
{
	unsigned long irq;

	if (!dev->kept.on)
		return;
	spin_lock_irqsave(&dev->cache_lock, irq);
	dstor_kept_wake_locked(dev, 0, ~0ULL);
	dstor_own_pump_locked(dev);
	spin_unlock_irqrestore(&dev->cache_lock, irq);
}

/* It ends ------------------------------------------------------------------- */

/* The exporter did nothing, and says so of the only sending. */
static bool kept_was_refused(const struct dstor_transaction *t)
{
	switch (t->status) {
	case DSTOR_STATUS_READ_ONLY:
	case DSTOR_STATUS_RANGE:
	case DSTOR_STATUS_INVALID:
	case DSTOR_STATUS_NOT_SUPPORTED:
		return !t->attempt.resends;
	default:
		return false;
	}
}

/* Under the lock. Returns a chain to be freed. */
static struct dstor_kept *kept_end_failed(struct dstor_transaction *t, enum dstor_kept_end end)
{
	struct dstor_device *dev = t->queue->dev;
	struct dstor_kept *r = &t->kept->record;

	t->kept->t = NULL;
	t->kept = NULL;
	if (dstor_keep_failed(&dev->kept.keep, r, end, dstor_flush_mark_acked(&dev->cache)))
		return NULL;
	return r;
}

void dstor_kept_answered(struct dstor_transaction *t)
{
	struct dstor_device *dev = t->queue->dev;
	struct dstor_kept_writes *k = &dev->kept;
	struct dstor_kept *r = &t->kept->record;
	struct dstor_kept *chain;
	u64 offset = r->offset;
	u32 bytes = r->bytes;
	unsigned long irq;

	spin_lock_irqsave(&dev->cache_lock, irq);
	if (t->status != DSTOR_STATUS_OK) {
		chain = kept_end_failed(t, kept_was_refused(t) ? DSTOR_KEPT_REFUSED :
								 DSTOR_KEPT_DECIDED);
	} else {
		r->durable = kept_is_durable(t) || !(t->queue->disk_flags & DSTOR_DISK_VOLATILE);
		t->kept->t = NULL;
		t->kept = NULL;
		chain = dstor_keep_acked(&k->keep, r, dstor_flush_mark_acked(&dev->cache));
	}
	dstor_kept_wake_locked(dev, offset, bytes);
	spin_unlock_irqrestore(&dev->cache_lock, irq);
	dstor_kept_free_chain(dev, chain);
}

void dstor_kept_gave_up(struct dstor_transaction *t)
{
	struct dstor_device *dev = t->queue->dev;
	u64 offset = t->kept->record.offset;
	u32 bytes = t->kept->record.bytes;
	struct dstor_kept *chain;
	unsigned long irq;

	spin_lock_irqsave(&dev->cache_lock, irq);
	chain = kept_end_failed(t, DSTOR_KEPT_GIVEN_UP);
	dstor_kept_wake_locked(dev, offset, bytes);
	spin_unlock_irqrestore(&dev->cache_lock, irq);
	dstor_kept_free_chain(dev, chain);
}

bool dstor_kept_withdraw(struct dstor_transaction *t)
{
	struct dstor_device *dev = t->queue->dev;
	struct dstor_kept *chain = NULL;
	unsigned long irq;
	bool was_held;

	spin_lock_irqsave(&dev->cache_lock, irq);
	was_held = t->held;
	t->held = false;
	if (was_held && t->kept) {
		dev->kept.waiting--;
		chain = kept_end_failed(t, DSTOR_KEPT_GIVEN_UP);
	} else if (was_held) {
		list_del_init(&t->message.entry);
		t->queue->own.parked--;
	}
	spin_unlock_irqrestore(&dev->cache_lock, irq);
	dstor_kept_free_chain(dev, chain);
	return was_held;
}

void dstor_kept_flush_ended(struct dstor_device *dev)
{
	unsigned long irq;

	spin_lock_irqsave(&dev->cache_lock, irq);
	dev->kept.flushes--;
	if (unlikely(!list_empty(&dev->kept.parked)))
		queue_work(dstor_io_wq, &dev->kept.tidy);
	dstor_own_flush_locked(dev);
	spin_unlock_irqrestore(&dev->cache_lock, irq);
}

void dstor_kept_durable(struct dstor_queue *q)
{
	struct dstor_device *dev = q->dev;
	unsigned long irq;

	if (!dev->kept.on)
		return;
	spin_lock_irqsave(&dev->cache_lock, irq);
	/* A replay sends what another instance had acked. */
	if (dev->kept.live)
		dstor_keep_durable(&dev->kept.keep, q->index);
	spin_unlock_irqrestore(&dev->cache_lock, irq);
}
