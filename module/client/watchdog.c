// SPDX-License-Identifier: GPL-2.0
/*
 * The clock of a device: finds silent exporters, asks after transactions that
 * wait too long, fails those whose budget is used up. One delayed work.
 *
 * It reads transactions that the receiver may end at the same moment; what it
 * concludes from a torn reading is checked again once the connection is closed.
 */
#include "client/device.h"
#include "core/work.h"

#define TICK_MIN_MS 10
#define TICK_MAX_MS 250

static u32 since_ms(unsigned long then)
{
	unsigned long now = jiffies;

	return time_after(now, then) ? jiffies_to_msecs(now - then) : 0;
}

/* Returns false when the connection has to go. */
static bool check_transactions(struct dstor_queue *q, u64 now, bool *fail)
{
	/* In the middle of a planned reconnect the exporter is not asked. */
	bool live = q->state == DSTOR_Q_LIVE && !q->renewal.over;
	unsigned int i;

	for (i = 0; i < q->dev->geometry.depth; i++) {
		struct dstor_transaction *t = dstor_queue_transaction(q, i);
		struct dstor_control *k = &q->control[DSTOR_CONTROL_ASK];
		struct dstor_retry_policy p;

		if (!t)
			continue;
		p = dstor_link_policy(t);
		switch (dstor_attempt_check(&t->attempt, &p, now, live)) {
		case DSTOR_VERDICT_FAIL:
			*fail = true;
			break;
		case DSTOR_VERDICT_ASK:
			if (t->attempt.asked && now - t->attempt.asked_ms > p.timeout_ms)
				return false;
			/* The socket does not even take the question. */
			if (test_bit(0, &k->busy) && since_ms(k->since) > p.timeout_ms)
				return false;
			if (t->attempt.asked || test_bit(0, &k->busy))
				break;
			/*
			 * The exporter cannot know a request that is not wholly
			 * sent: do not ask.
			 */
			if (READ_ONCE(t->state) != DSTOR_T_SENT)
				break;
			dstor_attempt_ask(&t->attempt, now);
			dstor_control_send(q, DSTOR_CONTROL_ASK, t->slot, t->seq);
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
	u32 silent = since_ms(dstor_conn_heard(&q->conn));

	if (silent > dstor_silence_ms(dev->config.ping_ms, dev->config.policy.timeout_ms))
		return "the exporter is silent";
	if (silent >= dev->config.ping_ms && since_ms(q->pinged) >= dev->config.ping_ms) {
		q->pinged = jiffies;
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
	if (!check_transactions(q, dstor_now_ms(), &fail) || fail)
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

	for (i = 0; i < dev->n_queues; i++)
		check_queue(&dev->queues[i]);
	dstor_renewal_next(dev);
	tick = min3(dev->config.ping_ms / 4, dev->config.policy.timeout_ms / 8, (u32)TICK_MAX_MS);
	if (READ_ONCE(dev->dead))
		tick = TICK_MIN_MS;
	queue_delayed_work(dstor_watch_wq, &dev->watchdog,
			   msecs_to_jiffies(max_t(u32, tick, TICK_MIN_MS)));
}
