// SPDX-License-Identifier: GPL-2.0
/*
 * The clock of a device: finds silent exporters, asks after transactions that
 * wait too long, fails those whose budget is used up. One delayed work.
 *
 * It reads transactions that the receiver may end at the same moment; what it
 * concludes from a torn reading is checked again once the connection is closed.
 */
#include "client/device.h"
#include "client/reclaim.h"
#include "client/trouble.h"
#include "conn/liveness.h"
#include "core/work.h"

#define TICK_MIN_MS 10
#define TICK_MAX_MS 250

static u32 since_ms(unsigned long then)
{
	unsigned long now = jiffies;

	return time_after(now, then) ? jiffies_to_msecs(now - then) : 0;
}

/* What a queue's connection has done since the last tick, for its transactions. */
struct watch_tick {
	u64 now;
	bool live;			/* the exporter may be asked */
	bool sends;			/* data that is ahead of others has left */
	bool waits;			/* the question or its answer is behind data that moves */
	bool full;			/* the exporter reads no further: it works on what it has */
	bool all;			/* the exporter has all that came before the question, */
	u64 asked;			/* which ends here in the stream */
};

/* The answer to the question that is out: which transactions does it speak for? */
static void take_answer(struct dstor_queue *q, struct watch_tick *k)
{
	struct dstor_question *ask = &q->watch.question;

	if (!ask->open || !test_and_clear_bit(DSTOR_ANSWER_CAME, &ask->answer))
		return;
	ask->open = false;
	k->all = test_and_clear_bit(DSTOR_ANSWER_ALL, &ask->answer);
	if (test_and_clear_bit(DSTOR_ANSWER_BUSY, &ask->answer))
		dstor_trouble_note(q->dev, DSTOR_TROUBLE_DISK_HANGS);
	k->asked = READ_ONCE(q->control[DSTOR_CONTROL_ASK].message.end);
}

/*
 * On a slow line the question waits behind what was sent before, and its answer behind
 * what the exporter has sent before: at most the data of all slots.
 */
static bool question_waits(struct dstor_queue *q, const struct watch_tick *k, bool receives)
{
	const struct dstor_control *c = &q->control[DSTOR_CONTROL_ASK];
	const struct dstor_question *ask = &q->watch.question;
	u64 most = (u64)q->dev->geometry.depth * q->dev->geometry.max_io;

	if (!ask->open)
		return false;
	if (test_bit(0, &c->busy) || READ_ONCE(c->message.end) > dstor_conn_acked(&q->conn))
		return k->sends;
	return receives && dstor_conn_data_received(&q->conn) - ask->data_bytes <= most;
}

/* Under q->lock. */
static struct watch_tick begin_tick(struct dstor_queue *q)
{
	/* In the middle of a planned reconnect the exporter is not asked. */
	struct watch_tick k = {
		.now = dstor_now_ms(),
		.live = q->state == DSTOR_Q_LIVE && !q->renewal.over,
	};
	struct dstor_control *ask = &q->control[DSTOR_CONTROL_ASK];
	u64 data_bytes;

	if (q->state != DSTOR_Q_LIVE)
		return k;
	dstor_conn_look(&q->conn);
	dstor_trouble_look(q);
	k.sends = dstor_conn_moves(&q->conn) != q->watch.moves;
	q->watch.moves = dstor_conn_moves(&q->conn);
	data_bytes = dstor_conn_data_received(&q->conn);
	k.full = test_and_clear_bit(DSTOR_ANSWER_FULL, &q->watch.question.answer);
	take_answer(q, &k);
	k.waits = question_waits(q, &k, data_bytes != q->watch.data_bytes);
	q->watch.data_bytes = data_bytes;
	if (k.waits || k.full)
		q->watch.question.asked_ms = k.now;
	if ((k.sends || k.full) && test_bit(0, &ask->busy))
		ask->since = jiffies;
	return k;
}

/* Slow, but not lost: is it behind data that moves, or has the exporter said that it has it? */
static bool goes_on(struct dstor_queue *q, const struct dstor_transaction *t,
		    const struct watch_tick *k)
{
	int state = READ_ONCE(t->state);
	u64 end = READ_ONCE(t->message.end);

	if (!k->live)
		return false;
	if (state == DSTOR_T_QUEUED)
		return k->sends || k->full;
	if (state != DSTOR_T_SENT)
		return false;
	if (k->full)
		return true;
	if (end > dstor_conn_acked(&q->conn))
		return k->sends;
	return k->waits || (k->all && end <= k->asked);
}

/* Asks the exporter what became of @t. False: it does not answer, and the connection has to go. */
static bool ask_after(struct dstor_queue *q, struct dstor_transaction *t, u64 now, u32 timeout_ms)
{
	struct dstor_control *k = &q->control[DSTOR_CONTROL_ASK];
	struct dstor_question *ask = &q->watch.question;

	if (t->attempt.asked && now - t->attempt.asked_ms > timeout_ms)
		return false;
	if (ask->open && now - ask->asked_ms > timeout_ms)
		return false;
	/* The socket does not even take the question. */
	if (test_bit(0, &k->busy) && since_ms(k->since) > timeout_ms)
		return false;
	if (ask->open || t->attempt.asked || test_bit(0, &k->busy))
		return true;
	/* The exporter cannot know a request that is not wholly sent: do not ask. */
	if (READ_ONCE(t->state) != DSTOR_T_SENT)
		return true;
	*ask = (struct dstor_question) {
		.open = true,
		.slot = t->slot,
		.seq = t->seq,
		.asked_ms = now,
		.data_bytes = dstor_conn_data_received(&q->conn),
	};
	dstor_attempt_ask(&t->attempt, now);
	dstor_control_send(q, DSTOR_CONTROL_ASK, t->slot, t->seq);
	return true;
}

/* Returns false when the connection has to go. */
static bool check_transactions(struct dstor_queue *q, bool *fail)
{
	struct watch_tick k = begin_tick(q);
	unsigned int i;

	for (i = 0; i < q->dev->geometry.depth; i++) {
		struct dstor_transaction *t = dstor_queue_transaction(q, i);
		struct dstor_retry_policy p;

		if (!t)
			continue;
		p = dstor_link_policy(t);
		if (goes_on(q, t, &k))
			dstor_attempt_goes_on(&t->attempt, k.now);
		switch (dstor_attempt_check(&t->attempt, &p, k.now, k.live)) {
		case DSTOR_VERDICT_FAIL:
			*fail = true;
			break;
		case DSTOR_VERDICT_ASK:
			if (!ask_after(q, t, k.now, p.timeout_ms))
				return false;
			break;
		case DSTOR_VERDICT_WAIT:
			break;
		}
	}
	return true;
}

/* Why the connection has to be closed, or NULL. */
static const char *check_silence(struct dstor_queue *q)
{
	struct dstor_device *dev = q->dev;
	u32 ping_ms = dev->config.ping_ms;

	if (dstor_conn_is_silent(&q->conn, ping_ms, dev->config.policy.timeout_ms)) {
		dstor_trouble_silent(q);
		return "the exporter is silent";
	}
	if (dstor_conn_wants_ping(&q->conn, ping_ms) && since_ms(q->watch.pinged) >= ping_ms) {
		q->watch.pinged = jiffies;
		dstor_control_send(q, DSTOR_CONTROL_PING, 0, dstor_now_ms());
	}
	return NULL;
}

static void check_queue(struct dstor_queue *q)
{
	struct dstor_device *dev = q->dev;
	bool dead = READ_ONCE(dev->dead);
	bool fail = dead;
	const char *why = NULL;

	mutex_lock(&q->lock);
	/* The exporter ends a connection that is being replaced; the link's work follows. */
	if (q->state == DSTOR_Q_LIVE && (dead || !q->renewal.over)) {
		if (!dead && !dstor_conn_lost(&q->conn))
			why = check_silence(q);
		if (dead || dstor_conn_lost(&q->conn) || why)
			dstor_link_close(q, why);
	}
	if (!check_transactions(q, &fail) || fail)
		dstor_link_close(q, "the exporter leaves a request unanswered");
	if (fail && dstor_link_quiet(q))
		dstor_link_fail(q, dead);
	/* queue_delayed_work() leaves an attempt that is due later as it is. */
	if (q->state != DSTOR_Q_LIVE && !READ_ONCE(dev->stopping))
		queue_delayed_work(dstor_link_wq, &q->link, 0);
	else if (dstor_conn_is_full(&q->conn) || READ_ONCE(q->damaged))
		dstor_conn_kick(&q->conn);
	mutex_unlock(&q->lock);
}

void dstor_watchdog_work(struct work_struct *work)
{
	struct dstor_device *dev = container_of(work, struct dstor_device, watchdog.work);
	unsigned int i;
	u32 tick;

	dstor_recovery_begin();
	for (i = 0; i < dev->n_queues; i++)
		check_queue(&dev->queues[i]);
	dstor_renewal_next(dev);
	dstor_recovery_end();
	tick = min3(dev->config.ping_ms / 4, dev->config.policy.timeout_ms / 8, (u32)TICK_MAX_MS);
	if (READ_ONCE(dev->dead))
		tick = TICK_MIN_MS;
	queue_delayed_work(dstor_watch_wq, &dev->watchdog,
			   msecs_to_jiffies(max_t(u32, tick, TICK_MIN_MS)));
}
