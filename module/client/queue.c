// SPDX-License-Identifier: GPL-2.0
/*
 * A queue at work: what its connection calls, frames that are not requests, and
 * its work, where its connection sends and receives when it may sleep.
 *
 * Locks: the work takes tx.lock. What the connection calls runs in the receiving
 * context (softirq or the work), in the sender's under tx.lock, or in a thread.
 */
#include <linux/sched/mm.h>

#include "client/device.h"
#include "client/reclaim.h"
#include "client/trace.h"
#include "core/work.h"

static struct dstor_transaction *transaction_of(struct dstor_queue *q, const struct dstor_frame *f)
{
	struct dstor_transaction *t = dstor_queue_transaction(q, le16_to_cpu(f->slot));
	int state;

	if (!t)
		return NULL;
	/*
	 * The state first: a transaction that was answered already may end at any moment,
	 * and its slot may get another, whose number is another. Pairs with queue_rq().
	 */
	state = smp_load_acquire(&t->state);
	if (state != DSTOR_T_QUEUED && state != DSTOR_T_SENT)
		return NULL;
	return t->seq == le64_to_cpu(f->seq) ? t : NULL;
}

static enum dstor_rx_verdict take_response(struct dstor_queue *q, struct dstor_conn *c)
{
	const struct dstor_frame *f = dstor_conn_frame(c);
	struct dstor_transaction *t = transaction_of(q, f);
	struct request *rq;

	if (!t || t->op != f->op || t->decrypting || t->damaged)
		return DSTOR_RX_CLOSE;
	trace_dstor_receive(t, 0, le32_to_cpu(f->length), 0);
	t->status = le16_to_cpu(f->status);
	if (!f->length)
		return dstor_transaction_answered(t);
	rq = blk_mq_rq_from_pdu(t);
	if (le32_to_cpu(f->length) != blk_rq_bytes(rq))
		return DSTOR_RX_CLOSE;
	dstor_conn_receive_into(c, rq->bio, rq->bio->bi_iter);
	return DSTOR_RX_NEXT;
}

static enum dstor_rx_verdict client_data(struct dstor_conn *c)
{
	struct dstor_queue *q = container_of(c, struct dstor_queue, conn);

	return dstor_transaction_answered(q->slots[le16_to_cpu(dstor_conn_frame(c)->slot)]);
}

/* The digest of the answer to a read is wrong: it is asked for again. */
static enum dstor_rx_verdict client_damaged(struct dstor_conn *c)
{
	struct dstor_queue *q = container_of(c, struct dstor_queue, conn);

	this_cpu_inc(q->dev->stats->checksum_errors);
	return dstor_transaction_damaged(q->slots[le16_to_cpu(dstor_conn_frame(c)->slot)]);
}

/* The exporter found the digest of a write wrong, and has done nothing. */
static enum dstor_rx_verdict take_damaged(struct dstor_queue *q, const struct dstor_frame *f)
{
	struct dstor_transaction *t = transaction_of(q, f);

	if (!t || t->op != DSTOR_OP_WRITE)
		return DSTOR_RX_CLOSE;
	return dstor_transaction_damaged(t);
}

/* STATE that nothing asked for, or that is late: the exporter reads no further (R9.18). */
static void take_unasked(struct dstor_queue *q, const struct dstor_frame *f)
{
	if (le16_to_cpu(f->status) == DSTOR_STATE_BUSY &&
	    le16_to_cpu(f->flags) & DSTOR_STATE_ALL)
		set_bit(DSTOR_ANSWER_FULL, &q->watch.question.answer);
}

/* STATE: the exporter's knowledge of a transaction that the client asked about. */
static void take_state(struct dstor_queue *q, const struct dstor_frame *f)
{
	struct dstor_question *ask = &q->watch.question;
	struct dstor_transaction *t = transaction_of(q, f);
	struct dstor_frame *mine;

	if (le16_to_cpu(f->slot) != READ_ONCE(ask->slot) ||
	    le64_to_cpu(f->seq) != READ_ONCE(ask->seq)) {
		take_unasked(q, f);
		return;
	}
	if (le16_to_cpu(f->flags) & DSTOR_STATE_ALL)
		set_bit(DSTOR_ANSWER_ALL, &ask->answer);
	if (le16_to_cpu(f->status) == DSTOR_STATE_BUSY)
		set_bit(DSTOR_ANSWER_BUSY, &ask->answer);
	smp_mb__before_atomic(); /* pairs with take_answer() of the watchdog */
	set_bit(DSTOR_ANSWER_CAME, &ask->answer);
	/* Executed: its answer follows, and the question stays open until then. */
	if (!t || le16_to_cpu(f->status) == DSTOR_STATE_DONE)
		return;
	if (!dstor_attempt_told(&t->attempt) || t->decrypting ||
	    READ_ONCE(t->state) != DSTOR_T_SENT)
		return;
	switch (le16_to_cpu(f->status)) {
	case DSTOR_STATE_BUSY:
	case DSTOR_STATE_WAITS:
		dstor_attempt_goes_on(&t->attempt, dstor_now_ms());
		break;
	case DSTOR_STATE_UNKNOWN:
		mine = t->message.head;
		mine->flags |= cpu_to_le16(DSTOR_REQ_RESEND);
		t->attempt.sent_ms = dstor_now_ms();
		t->attempt.resends++;
		this_cpu_inc(q->dev->stats->resends);
		trace_dstor_resend(t, 0, 0, 0);
		t->message.in_hand = false;
		WRITE_ONCE(t->state, DSTOR_T_QUEUED);
		dstor_tx_submit(&q->conn, &t->message);
		dstor_conn_kick(&q->conn);
		break;
	}
}

static void take_change(struct dstor_queue *q, const struct dstor_frame *f)
{
	struct dstor_device *dev = q->dev;
	u16 flags = le16_to_cpu(f->flags);

	if (flags & DSTOR_CHANGE_SIZE) {
		atomic64_set(&dev->geometry.new_size, le64_to_cpu(f->offset));
		queue_work(DSTOR_UNBOUND_WQ, &dev->resize);
	}
	/* All that was acked is durable now: nothing can be lost any more. */
	if (flags & DSTOR_CHANGE_FLUSHED)
		atomic64_set(&q->mark, DSTOR_FLUSH_MARK_CLEAN);
	/* The welcome to the next hello says whether the session has ended. */
	if (flags & DSTOR_CHANGE_EVICTED ||
	    (flags & DSTOR_CHANGE_STOPPING && flags & DSTOR_CHANGE_FLUSHED))
		dstor_conn_lose(&q->conn);
}

static enum dstor_rx_verdict client_head(struct dstor_conn *c)
{
	struct dstor_queue *q = container_of(c, struct dstor_queue, conn);
	const struct dstor_frame *f = dstor_conn_frame(c);

	if (!dstor_response_sane(f, &q->bounds))
		return DSTOR_RX_CLOSE;
	switch (f->type) {
	case DSTOR_FRAME_RESPONSE:
		return take_response(q, c);
	case DSTOR_FRAME_STATE:
		if (le16_to_cpu(f->status) == DSTOR_STATE_DAMAGED)
			return take_damaged(q, f);
		take_state(q, f);
		break;
	case DSTOR_FRAME_PING:
		dstor_control_send(q, DSTOR_CONTROL_PONG, 0, le64_to_cpu(f->seq));
		break;
	case DSTOR_FRAME_CHANGE:
		take_change(q, f);
		break;
	}
	return DSTOR_RX_NEXT;
}

static void client_corrupt(struct dstor_conn *c)
{
	struct dstor_queue *q = container_of(c, struct dstor_queue, conn);

	if (!dstor_conn_has_key(c)) {
		this_cpu_inc(q->dev->stats->checksum_errors);
		return;
	}
	this_cpu_inc(q->dev->stats->auth_failures);
	pr_warn_ratelimited("dstor: dst-%s: authentication failed: a frame was altered\n",
			    q->dev->name);
}

static void *client_decrypt_begin(struct dstor_conn *c)
{
	struct dstor_queue *q = container_of(c, struct dstor_queue, conn);
	struct dstor_transaction *t = q->slots[le16_to_cpu(dstor_conn_frame(c)->slot)];

	t->decrypting = true;
	return t;
}

/* In a thread. Not ok: it stays in its slot, and is resent. */
static void client_decrypt_end(struct dstor_conn *c, void *owner, bool ok)
{
	if (ok && dstor_transaction_answered(owner) == DSTOR_RX_CLOSE)
		dstor_conn_lose(c);
}

const struct dstor_conn_ops dstor_client_ops = {
	.head = client_head,
	.data = client_data,
	.damaged = client_damaged,
	.corrupt = client_corrupt,
	.decrypt_begin = client_decrypt_begin,
	.decrypt_end = client_decrypt_end,
	.memory_is_shared = true,
};

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
		q->control[i].message.sent = control_sent;
	}
	return 0;
}

void dstor_control_send(struct dstor_queue *q, enum dstor_control_kind kind, u16 slot, u64 seq)
{
	static const u8 types[] = {
		[DSTOR_CONTROL_PING] = DSTOR_FRAME_PING,
		[DSTOR_CONTROL_PONG] = DSTOR_FRAME_PONG,
		[DSTOR_CONTROL_ASK] = DSTOR_FRAME_ASK,
		[DSTOR_CONTROL_BYE] = DSTOR_FRAME_BYE,
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

/* The work does what the socket's callbacks leave to a context that may sleep. */
void dstor_queue_work(struct work_struct *work)
{
	struct dstor_queue *q = container_of(work, struct dstor_queue, work);
	struct dstor_conn *c = &q->conn;
	unsigned int noreclaim = memalloc_noreclaim_save();
	bool again;
	u32 n;

	dstor_recovery_begin();
	dstor_tx_lock(c);
	again = dstor_rx_pass(c, 64) == 64;
	dstor_queue_repeat_damaged(q);
	n = dstor_tx_collected(c);
	dstor_tx_flush_locked(c);
	dstor_batch_judge(q, dstor_tx_collected(c) - n);
	dstor_tx_unlock(c);
	/* a sender that failed to get tx.lock has submitted before */
	dstor_tx_flush(c);
	dstor_recovery_end();
	memalloc_noreclaim_restore(noreclaim);
	if (again)
		dstor_conn_kick(c);
	if (dstor_conn_lost(c) && dstor_queue_live(q))
		dstor_link_soon(q);
}
