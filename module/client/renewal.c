// SPDX-License-Identifier: GPL-2.0
/*
 * Planned reconnects: a live connection with a key is replaced when the device has
 * another key by now, and when the X25519 keys of its handshake are a day old or have
 * protected 2^40 bytes. One queue at a time, by the work of its link:
 *
 *   connect, greet      the old connection goes on; a failure changes nothing
 *   drain               nothing new is sent, all that was is answered
 *   hello, welcome      the exporter ends the old connection (P2)
 *   dstor_link_live()   what was submitted meanwhile goes out
 *
 * The queue is LIVE all the time. Nothing is counted or reported, because nothing was
 * interrupted. A failure behind the hello is an outage like any other.
 *
 * Locks: dev->lock, then q->lock, then tx.lock.
 */
#include <crypto/algapi.h>

#include "client/device.h"
#include "core/fresh.h"

#define DRAIN_MS 500		/* patience with what is in flight */
#define DRAIN_TRIES 3		/* then it is resent on the new connection */
#define RETRY_MS 1000		/* doubles with each attempt in vain */
#define RETRY_DOUBLINGS 6

int dstor_renewal_set_key(struct dstor_device *dev, const u8 key[DSTOR_KEY_LEN],
			  struct dstor_error *err)
{
	lockdep_assert_held(&dev->lock);
	if (!dev->config.has_key)
		return dstor_fail(err, -EINVAL,
				  "\"%s\" was attached without a key: only a detach and an attach with --key change that",
				  dev->name);
	if (crypto_memneq(dev->config.key, key, DSTOR_KEY_LEN)) {
		memcpy(dev->config.key, key, DSTOR_KEY_LEN);
		dev->renewal.key_number++;
	}
	dev->renewal.tries = 0;
	dev->renewal.why[0] = 0;
	return 0;
}

static bool queue_is_due(const struct dstor_queue *q)
{
	const struct dstor_device *dev = q->dev;
	u32 ms = READ_ONCE(dstor_fresh_ms);

	if (q->renewal.key_number != dev->renewal.key_number)
		return true;
	/* All began at the same time. */
	ms -= ms / 2 / dev->n_queues * q->index;
	return time_after(jiffies, q->lived + msecs_to_jiffies(ms)) ||
	       dstor_conn_bytes(&q->conn) >= READ_ONCE(dstor_fresh_bytes);
}

/* Under dev->lock. Its link's work is to be started then. */
static struct dstor_queue *choose_queue(struct dstor_device *dev)
{
	struct dstor_queue *chosen = NULL;
	bool under_way = false;
	unsigned int i;

	for (i = 0; i < dev->n_queues && !under_way; i++) {
		struct dstor_queue *q = &dev->queues[i];

		mutex_lock(&q->lock);
		if (q->state == DSTOR_Q_LIVE && !dstor_conn_lost(&q->conn)) {
			under_way = q->renewal.wanted;
			if (!under_way && !chosen && queue_is_due(q))
				chosen = q;
		}
		mutex_unlock(&q->lock);
	}
	return under_way ? NULL : chosen;
}

void dstor_renewal_next(struct dstor_device *dev)
{
	struct dstor_queue *q = NULL;

	/* The watchdog must not wait for it, and comes again soon. */
	if (!dev->config.has_key || !mutex_trylock(&dev->lock))
		return;
	if (!dev->stopping && !dev->failed &&
	    (!dev->renewal.tries || time_after_eq(jiffies, dev->renewal.next_try)))
		q = choose_queue(dev);
	if (q) {
		mutex_lock(&q->lock);
		q->renewal.wanted = true;
		mutex_unlock(&q->lock);
	}
	mutex_unlock(&dev->lock);
	if (q)
		dstor_link_soon(q);
}

/* Is nothing on its way that was collected before the hold? */
static bool is_drained(struct dstor_queue *q)
{
	bool drained = true;
	unsigned int i;

	dstor_tx_lock(&q->conn);
	for (i = 0; drained && i < q->dev->geometry.depth; i++) {
		struct dstor_transaction *t = dstor_queue_transaction(q, i);

		drained = !t || !t->message.in_hand;
	}
	dstor_tx_unlock(&q->conn);
	return drained;
}

int dstor_renewal_hold(struct dstor_queue *q, unsigned long *until, struct dstor_error *err)
{
	u32 ms = min_t(u32, DRAIN_MS, READ_ONCE(q->dev->config.policy.timeout_ms) / 4);
	bool live;

	mutex_lock(&q->lock);
	live = q->state == DSTOR_Q_LIVE && !dstor_conn_lost(&q->conn);
	if (live)
		dstor_conn_hold(&q->conn);
	mutex_unlock(&q->lock);
	*until = jiffies + msecs_to_jiffies(ms);
	return live ? 0 : dstor_fail(err, -ECONNRESET, "the connection broke meanwhile");
}

int dstor_renewal_drained(struct dstor_queue *q, struct dstor_grant *g, unsigned long until,
			  struct dstor_error *err)
{
	int ret = 0;

	g->drained = is_drained(q);
	if (!g->drained) {
		if (dstor_conn_lost(&q->conn))
			ret = -ECONNRESET;
		else if (!time_after(jiffies, until))
			return -EAGAIN;
		else if (READ_ONCE(q->dev->renewal.tries) + 1 < DRAIN_TRIES)
			ret = -EBUSY;
	}
	mutex_lock(&q->lock);
	q->renewal.over = !ret;
	mutex_unlock(&q->lock);
	return ret ? dstor_fail(err, ret, "the exporter is busy with earlier requests") : 0;
}

bool dstor_renewal_failed(struct dstor_queue *q, const char *why)
{
	struct dstor_device *dev = q->dev;
	struct dstor_device_renewal *r = &dev->renewal;
	bool kept;

	mutex_lock(&dev->lock);
	r->next_try = jiffies + msecs_to_jiffies(RETRY_MS << min_t(u32, r->tries, RETRY_DOUBLINGS));
	r->tries++;
	strscpy(r->why, why, sizeof(r->why));
	mutex_lock(&q->lock);
	kept = !q->renewal.over && q->state == DSTOR_Q_LIVE;
	q->renewal.wanted = false;
	q->renewal.over = false;
	if (kept)
		dstor_conn_release(&q->conn);
	else
		dstor_link_close(q, why);
	mutex_unlock(&q->lock);
	mutex_unlock(&dev->lock);
	return kept;
}
