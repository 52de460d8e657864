// SPDX-License-Identifier: GPL-2.0
/*
 * A transaction from queue_rq to its end. While the connection of its queue is
 * live, the receiving side of that connection ends it; the watchdog and the link
 * may touch it only after they have closed the connection.
 *
 * No locks of its own: the slot table has one writer for each slot at a time,
 * and transaction.state decides between sender and receiver.
 */
#include <linux/sched/mm.h>

#include "client/device.h"
#include "client/kept.h"
#include "client/trace.h"
#include "client/trouble.h"
#include "compat/compat.h"
#include "core/feature.h"
#include "core/point.h"
#include "core/work.h"

#define LARGE_READ 16384	/* bytes; more are received where they arrive */

static struct dstor_queue *pick_queue(struct dstor_device *dev, struct blk_mq_hw_ctx *hctx, int tag)
{
	unsigned int h = hctx->queue_num;
	unsigned int share;

	if (likely(dev->n_queues == dev->tag_set.nr_hw_queues))
		return &dev->queues[h];
	/* More connections than hardware queues: each has several, chosen by the tag. */
	share = (dev->n_queues - 1 - h) / dev->tag_set.nr_hw_queues + 1;
	return &dev->queues[h + dev->tag_set.nr_hw_queues * (tag % share)];
}

static int wire_op(const struct request *rq)
{
	switch (req_op(rq)) {
	case REQ_OP_READ:
		return DSTOR_OP_READ;
	case REQ_OP_WRITE:
		return DSTOR_OP_WRITE;
	case REQ_OP_FLUSH:
		return DSTOR_OP_FLUSH;
	case REQ_OP_DISCARD:
		return DSTOR_OP_DISCARD;
	case REQ_OP_WRITE_ZEROES:
		return DSTOR_OP_WRITE_ZEROES;
	default:
		return -EOPNOTSUPP;
	}
}

static u16 wire_flags(blk_opf_t opf)
{
	u16 f = 0;

	if (opf & REQ_FUA)
		f |= DSTOR_REQ_FUA;
	if (opf & REQ_PREFLUSH)
		f |= DSTOR_REQ_PREFLUSH;
	if (opf & REQ_SYNC)
		f |= DSTOR_REQ_SYNC;
	if (opf & REQ_META)
		f |= DSTOR_REQ_META;
	if (opf & REQ_PRIO)
		f |= DSTOR_REQ_PRIO;
	if (opf & REQ_IDLE)
		f |= DSTOR_REQ_IDLE;
	if (opf & REQ_RAHEAD)
		f |= DSTOR_REQ_RAHEAD;
	if (opf & REQ_NOUNMAP)
		f |= DSTOR_REQ_NOUNMAP;
	if (opf & REQ_BACKGROUND)
		f |= DSTOR_REQ_BACKGROUND;
	return f;
}

blk_status_t dstor_status_to_blk(u8 status)
{
	switch (status) {
	case DSTOR_STATUS_OK:
		return BLK_STS_OK;
	case DSTOR_STATUS_MEDIUM:
		return BLK_STS_MEDIUM;
	case DSTOR_STATUS_NO_SPACE:
		return BLK_STS_NOSPC;
	case DSTOR_STATUS_NOT_SUPPORTED:
		return BLK_STS_NOTSUPP;
	case DSTOR_STATUS_TIMEOUT:
		return BLK_STS_TIMEOUT;
	case DSTOR_STATUS_TARGET:
		return BLK_STS_TARGET;
	case DSTOR_STATUS_PROTECTION:
		return BLK_STS_PROTECTION;
	case DSTOR_STATUS_TRANSPORT:
		return BLK_STS_TRANSPORT;
	case DSTOR_STATUS_OFFLINE:
		return BLK_STS_OFFLINE;
	default: /* NO_MEMORY too: BLK_STS_RESOURCE is no end */
		return BLK_STS_IOERR;
	}
}

static void fill_frame(struct dstor_transaction *t, struct request *rq)
{
	struct dstor_frame *f = t->message.head;
	u16 flags = wire_flags(rq->cmd_flags) |
		    dstor_feature_flags(t->queue->bounds.features);
	u32 bytes = blk_rq_bytes(rq);

	/*
	 * The kernel never flushes a device without a cache. The exporter's
	 * next disk may have one.
	 */
	if (!(t->queue->dev->geometry.disk_flags & DSTOR_DISK_VOLATILE) && dstor_op_writes(t->op))
		flags |= DSTOR_REQ_FUA;
	f->type = DSTOR_FRAME_REQUEST;
	f->op = t->op;
	f->flags = cpu_to_le16(flags);
	f->slot = cpu_to_le16(t->slot);
	f->status = cpu_to_le16(req_get_ioprio(rq));
	f->length = t->op == DSTOR_OP_WRITE ? cpu_to_le32(bytes) : 0;
	f->bytes = t->op == DSTOR_OP_FLUSH ? 0 : cpu_to_le32(bytes);
	f->seq = cpu_to_le64(t->seq);
	f->offset = t->op == DSTOR_OP_FLUSH ? 0 : cpu_to_le64(blk_rq_pos(rq) << SECTOR_SHIFT);
}

static bool needs_cache_mark(const struct dstor_transaction *t)
{
	const struct dstor_frame *f = t->message.head;

	return t->queue->disk_flags & DSTOR_DISK_VOLATILE && dstor_op_writes(t->op) &&
	       !(f->flags & cpu_to_le16(DSTOR_REQ_FUA));
}

static bool asks_durable(const struct dstor_transaction *t, blk_opf_t opf)
{
	return t->op == DSTOR_OP_FLUSH || opf & REQ_FUA;
}

/* Flush and FUA promise durability: note which losses are known now (P5). On false it fails. */
static bool begin_durable(struct dstor_transaction *t, blk_opf_t opf)
{
	struct dstor_device *dev = t->queue->dev;
	unsigned long irq;
	bool ret = true;

	if (!asks_durable(t, opf))
		return true;
	spin_lock_irqsave(&dev->cache_lock, irq);
	if (t->op == DSTOR_OP_FLUSH) {
		t->flush_number = dstor_flush_mark_begin(&dev->cache, &t->losses);
		dev->kept.flushes++;
	} else {
		ret = dstor_flush_mark_fua_begin(&dev->cache, t->attempt.start_ms, &t->losses);
	}
	spin_unlock_irqrestore(&dev->cache_lock, irq);
	return ret;
}

static bool durable_is_true(struct dstor_transaction *t)
{
	struct dstor_device *dev = t->queue->dev;
	struct dstor_kept *chain = NULL;
	unsigned long irq;
	bool ret;

	spin_lock_irqsave(&dev->cache_lock, irq);
	if (t->op == DSTOR_OP_FLUSH && (dev->kept.doubt || t->flush_number <= dev->kept.vain))
		ret = false;
	else if (t->op == DSTOR_OP_FLUSH)
		ret = dstor_flush_mark_end(&dev->cache, t->flush_number, t->losses);
	else
		ret = dstor_flush_mark_fua_end(&dev->cache, t->losses);
	if (ret && t->op == DSTOR_OP_FLUSH && dev->kept.on)
		chain = dstor_kept_flushed_locked(dev, t->flush_number);
	spin_unlock_irqrestore(&dev->cache_lock, irq);
	dstor_kept_free_chain(dev, chain);
	return ret;
}

static void commit_rqs(struct blk_mq_hw_ctx *hctx)
{
	struct dstor_device *dev = hctx->queue->queuedata;
	unsigned int noreclaim = memalloc_noreclaim_save();
	unsigned int i;

	for (i = hctx->queue_num; i < dev->n_queues; i += dev->tag_set.nr_hw_queues)
		dstor_tx_flush(&dev->queues[i].conn);
	memalloc_noreclaim_restore(noreclaim);
}

static blk_status_t queue_rq(struct blk_mq_hw_ctx *hctx, const struct blk_mq_queue_data *bd)
{
	struct dstor_device *dev = hctx->queue->queuedata;
	struct request *rq = bd->rq;
	struct dstor_transaction *t = blk_mq_rq_to_pdu(rq);
	struct dstor_queue *q = pick_queue(dev, hctx, rq->tag);
	int op = wire_op(rq);
	bool large_read = op == DSTOR_OP_READ && blk_rq_bytes(rq) > LARGE_READ;
	bool keeps;

	if (unlikely(op < 0))
		return BLK_STS_NOTSUPP;
	blk_mq_start_request(rq);
	t->queue = q;
	t->slot = rq->tag;
	t->op = op;
	dstor_attempt_begin(&t->attempt, dstor_now_ms());
	if (unlikely(!begin_durable(t, rq->cmd_flags))) {
		this_cpu_inc(dev->stats->errors);
		return BLK_STS_IOERR;
	}
	t->decrypting = false;
	t->damaged = false;
	t->repeated = false;
	t->seq = atomic64_inc_return(&q->seq);
	/* The block layer has looked at the clock, unless it does no statistics. */
	t->started_ns = rq->start_time_ns ?: ktime_get_ns();
	fill_frame(t, rq);
	t->message.in_hand = false;
	t->message.bio = op == DSTOR_OP_WRITE ? rq->bio : NULL;
	if (t->message.bio) {
		t->message.iter = rq->bio->bi_iter;
		t->message.length = blk_rq_bytes(rq);
	}
	trace_dstor_submit(t, blk_rq_pos(rq), blk_rq_bytes(rq), 0);
	keeps = dev->kept.on && dstor_op_writes(op);
	/* pairs with transaction_of() */
	smp_store_release(&t->state, keeps ? DSTOR_T_HELD : DSTOR_T_QUEUED);
	/* pairs with dstor_queue_transaction() */
	smp_store_release(&q->slots[t->slot], t);
	atomic_inc(&q->in_flight);
	dstor_point(REQUEST_IN_SLOT);
	/* From here on another may send it, and its answer may end it. */
	if (!keeps || dstor_kept_submit(t))
		dstor_tx_submit(&q->conn, &t->message);

	if (unlikely(READ_ONCE(dev->dead)))
		mod_delayed_work(dstor_watch_wq, &dev->watchdog, 0);
	/* Requests of one hctx go to several queues when there are more of these. */
	if (bd->last && unlikely(dev->n_queues > dev->tag_set.nr_hw_queues))
		commit_rqs(hctx);
	else if (bd->last)
		dstor_batch_submit(q, large_read);
	return BLK_STS_OK;
}

static void count_latency(struct dstor_transaction *t, enum dstor_latency kind)
{
	struct dstor_stats __percpu *s = t->queue->dev->stats;
	u64 ns = ktime_get_ns() - t->started_ns;

	this_cpu_inc(s->latency[kind][dstor_latency_bucket(ns)]);
	this_cpu_add(s->latency[kind][DSTOR_LATENCY_BUCKETS], ns);
}

static void count_end(struct dstor_transaction *t, blk_status_t status, u32 bytes)
{
	struct dstor_device *dev = t->queue->dev;

	if (status) {
		this_cpu_inc(dev->stats->errors);
		return;
	}
	switch (t->op) {
	case DSTOR_OP_READ:
		count_latency(t, DSTOR_LATENCY_READ);
		this_cpu_inc(dev->stats->reads);
		this_cpu_add(dev->stats->read_bytes, bytes);
		break;
	case DSTOR_OP_WRITE:
		count_latency(t, DSTOR_LATENCY_WRITE);
		this_cpu_inc(dev->stats->writes);
		this_cpu_add(dev->stats->write_bytes, bytes);
		break;
	case DSTOR_OP_FLUSH:
		this_cpu_inc(dev->stats->flushes);
		break;
	default:
		this_cpu_inc(dev->stats->discards);
	}
}

static void complete_rq(struct request *rq)
{
	struct dstor_transaction *t = blk_mq_rq_to_pdu(rq);

	blk_mq_end_request(rq, t->result);
}

void dstor_transaction_end(struct dstor_transaction *t, blk_status_t status)
{
	struct request *rq = blk_mq_rq_from_pdu(t);

	if (status)
		trace_dstor_fail(t, blk_rq_pos(rq), blk_rq_bytes(rq), blk_status_to_errno(status));
	else
		trace_dstor_ack(t, blk_rq_pos(rq), blk_rq_bytes(rq), 0);
	count_end(t, status, blk_rq_bytes(rq));
	if (t->op == DSTOR_OP_FLUSH)
		dstor_kept_flush_ended(t->queue->dev);
	dstor_copies_give_back(t);
	t->result = status;
	WRITE_ONCE(t->state, DSTOR_T_FREE);
	WRITE_ONCE(t->queue->slots[t->slot], NULL);
	atomic_dec(&t->queue->in_flight);
	if (!blk_mq_complete_request_remote(rq))
		complete_rq(rq);
}

/* Two contexts end transactions of a queue at a time; the mark of the later flush counts (P5). */
static void raise_mark(struct dstor_queue *q, u64 mark)
{
	s64 old = atomic64_read(&q->mark);

	while ((u64)old < mark && !atomic64_try_cmpxchg(&q->mark, &old, mark))
		;
}

/* The exporter's answer is complete, and our last byte has left. */
static void transaction_finish(struct dstor_transaction *t)
{
	struct dstor_queue *q = t->queue;
	struct request *rq = blk_mq_rq_from_pdu(t);
	blk_status_t status = dstor_status_to_blk(t->status);

	if (unlikely(t->own)) {
		dstor_own_answered(t);
		return;
	}
	if (unlikely(t->status == DSTOR_STATUS_OFFLINE))
		dstor_trouble_note(q->dev, DSTOR_TROUBLE_DISK_GONE);
	/* The right to write was taken away: no defect of a disk, and nothing for the log. */
	if (t->status == DSTOR_STATUS_READ_ONLY)
		rq->rq_flags |= RQF_QUIET;
	if (!status && needs_cache_mark(t)) {
		u64 mark = dstor_flush_mark_acked(&q->dev->cache);

		dstor_point(CACHE_MARK);
		raise_mark(q, mark);
	}
	if (!status && asks_durable(t, rq->cmd_flags) && !durable_is_true(t))
		status = BLK_STS_IOERR;
	if (t->kept)
		dstor_kept_answered(t);
	dstor_transaction_end(t, status);
}

enum dstor_rx_verdict dstor_transaction_answered(struct dstor_transaction *t)
{
	switch (cmpxchg(&t->state, DSTOR_T_QUEUED, DSTOR_T_ANSWERED)) {
	case DSTOR_T_QUEUED:	/* transaction_sent() ends it */
		return DSTOR_RX_NEXT;
	case DSTOR_T_SENT:
		transaction_finish(t);
		return DSTOR_RX_NEXT;
	default:
		return DSTOR_RX_CLOSE;
	}
}

static void transaction_sent(struct dstor_conn *c, struct dstor_message *m)
{
	struct dstor_transaction *t = container_of(m, struct dstor_transaction, message);

	trace_dstor_send(t, 0, 0, 0);
	dstor_point(MESSAGE_SENT);
	if (cmpxchg(&t->state, DSTOR_T_QUEUED, DSTOR_T_SENT) == DSTOR_T_ANSWERED)
		transaction_finish(t);
	else if (unlikely(READ_ONCE(t->damaged)))
		dstor_transaction_sent_damaged(t);
}

void dstor_transaction_init_own(struct dstor_queue *q, void *head)
{
	q->own.t.own = true;
	q->own.t.queue = q;
	q->own.t.message.head = head;
	q->own.t.message.passes = true;
	q->own.t.message.sent = transaction_sent;
}

static int init_request(struct blk_mq_tag_set *set, struct request *rq, unsigned int hctx_idx,
			DSTOR_NUMA_NODE numa_node)
{
	struct dstor_device *dev = set->driver_data;
	struct dstor_transaction *t = blk_mq_rq_to_pdu(rq);

	memset(t, 0, sizeof(*t));
	INIT_LIST_HEAD(&t->message.entry);
	t->message.sent = transaction_sent;
	t->message.head = page_frag_alloc(&dev->heads, DSTOR_HEAD_LEN, GFP_KERNEL | __GFP_ZERO);
	return t->message.head ? 0 : -ENOMEM;
}

static void exit_request(struct blk_mq_tag_set *set, struct request *rq, unsigned int hctx_idx)
{
	struct dstor_transaction *t = blk_mq_rq_to_pdu(rq);

	if (t->message.head)
		page_frag_free(t->message.head);
}

/* The watchdog of the device decides; the block layer's own timer has no say. */
static enum blk_eh_timer_return queue_timeout(struct request *rq)
{
	return BLK_EH_RESET_TIMER;
}

const struct blk_mq_ops dstor_mq_ops = {
	.queue_rq = queue_rq,
	.commit_rqs = commit_rqs,
	.complete = complete_rq,
	.init_request = init_request,
	.exit_request = exit_request,
	.timeout = queue_timeout,
};
