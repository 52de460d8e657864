// SPDX-License-Identifier: GPL-2.0
/*
 * The replay of kept writes as connections see it (wire/replay.h): a welcome of another
 * instance begins it or makes a loss of it, and until it is over each connection is barred
 * for all but the pieces (kept_own.c) and control frames. Transactions wait on the connection,
 * QUEUED, in their order, and go out when the bar is lifted.
 *
 * Locks: dev->lock, then q->lock, then tx.lock, then dev->cache_lock.
 */
#include <linux/delay.h>
#include <linux/sched/signal.h>

#include "client/device.h"
#include "client/device_event.h"
#include "client/kept_replay.h"
#include "core/point.h"
#include "core/work.h"

void dstor_kept_pause(struct dstor_device *dev)
{
	spin_lock_irq(&dev->cache_lock);
	dev->kept.paused = true;
	spin_unlock_irq(&dev->cache_lock);
}

enum dstor_replay_verdict dstor_kept_verdict(struct dstor_device *dev,
					     const struct dstor_welcome *w)
{
	struct dstor_kept_writes *k = &dev->kept;
	enum dstor_replay_verdict v;

	if (!k->on)
		return DSTOR_REPLAY_NONE;
	spin_lock_irq(&dev->cache_lock);
	v = dstor_replay_check(&k->past, &k->replay, w);
	spin_unlock_irq(&dev->cache_lock);
	return v;
}

/* Has the exporter been told that the client keeps, and may it be told that all is there? */
static bool replay_says(const struct dstor_queue *q)
{
	return q->dev->config.keep_bytes && !q->dev->config.read_only &&
	       q->dev->recovery.access == DSTOR_ACCESS_WRITE;
}

/* Transactions go on. The device is live by now. Under dev->lock. */
static void replay_lift(struct dstor_device *dev)
{
	u64 now = dstor_now_ms();
	unsigned int i, j;

	for (i = 0; i < dev->n_queues; i++) {
		struct dstor_queue *q = &dev->queues[i];

		mutex_lock_nested(&q->lock, SINGLE_DEPTH_NESTING);
		if (q->state == DSTOR_Q_LIVE && dstor_conn_is_barred(&q->conn)) {
			dstor_tx_lock(&q->conn);
			for (j = 0; j < dev->geometry.tags; j++) {
				struct dstor_transaction *t = dstor_queue_transaction(q, j);

				if (t)
					t->attempt.sent_ms = now;
			}
			dstor_conn_unbar(&q->conn);
			dstor_tx_unlock(&q->conn);
			dstor_kept_live(q);
			dstor_conn_kick(&q->conn);
		}
		mutex_unlock(&q->lock);
	}
	dstor_kept_wake(dev);
}

/* A loss, as without kept writes. Under dev->lock. */
static void replay_give_up(struct dstor_device *dev, const struct dstor_welcome *w,
			   const char *why)
{
	struct dstor_kept_writes *k = &dev->kept;
	struct dstor_kept *chain;
	u64 bytes;
	bool owes;

	spin_lock_irq(&dev->cache_lock);
	bytes = k->keep.used_acked;
	owes = dstor_keep_owes(&k->keep);
	if (owes)
		dstor_flush_mark_lost(&dev->cache);
	dstor_keep_crashed(&k->keep);
	chain = dstor_keep_drop(&k->keep);
	k->replay.running = false;
	k->replay.lost = false;
	k->live = true;
	k->doubt = false;
	k->doubted = false;
	k->paused = false;
	if (w)
		dstor_replay_remember(&k->past, w);
	spin_unlock_irq(&dev->cache_lock);
	dstor_kept_free_chain(dev, chain);
	if (owes)
		pr_warn("dstor: dst-%s: acked writes that were not flushed may be lost: %llu KiB were kept and cannot be sent again (%s)\n",
			dev->name, bytes >> 10, why);
	replay_lift(dev);
}

/* Bytes of data that may have to be sent again. */
static u64 replay_total(const struct dstor_keep *k)
{
	const struct dstor_kept *r;
	u64 bytes = 0;

	for (r = k->acked.oldest; r; r = r->newer)
		if (!r->durable)
			bytes += r->bytes;
	return bytes;
}

static void replay_start(struct dstor_device *dev, const struct dstor_welcome *w)
{
	struct dstor_kept_writes *k = &dev->kept;
	bool doubt;
	u64 bytes;

	spin_lock_irq(&dev->cache_lock);
	doubt = k->doubt;
	k->doubted |= doubt;
	k->doubt = false;
	/* The exporter may answer them from its memory. */
	if (doubt)
		k->vain = dstor_flush_mark_acked(&dev->cache) - 1;
	k->live = false;
	k->all = false;
	k->again = 0;
	dstor_keep_crashed(&k->keep);
	bytes = replay_total(&k->keep);
	k->total = bytes;
	k->welcome = *w;
	dstor_replay_begin(&k->replay, &k->keep, w, dstor_now_ms());
	k->paused = false;
	spin_unlock_irq(&dev->cache_lock);
	if (bytes && doubt)
		pr_notice("dstor: dst-%s: the exporter's disk could not flush: %llu KiB of kept writes are sent again\n",
			  dev->name, bytes >> 10);
	else if (bytes)
		pr_notice("dstor: dst-%s: the exporter lost what its disk had not flushed: %llu KiB of kept writes are sent again\n",
			  dev->name, bytes >> 10);
}

void dstor_kept_judge(struct dstor_device *dev, const struct dstor_welcome *w,
		      enum dstor_replay_verdict v)
{
	struct dstor_kept_writes *k = &dev->kept;

	if (!k->on)
		return;
	switch (v) {
	case DSTOR_REPLAY_NONE:
	case DSTOR_REPLAY_GOES_ON:
		spin_lock_irq(&dev->cache_lock);
		if (v == DSTOR_REPLAY_NONE)
			dstor_replay_remember(&k->past, w);
		k->welcome = *w;
		k->paused = false;
		spin_unlock_irq(&dev->cache_lock);
		break;
	case DSTOR_REPLAY_GO:
		replay_start(dev, w);
		break;
	default:
		replay_give_up(dev, w, dstor_replay_text(v));
	}
}

void dstor_kept_bar(struct dstor_queue *q)
{
	struct dstor_device *dev = q->dev;
	struct dstor_kept_writes *k = &dev->kept;
	bool live;

	if (!k->on)
		return;
	spin_lock_irq(&dev->cache_lock);
	dstor_keep_fenced(&k->keep, q->index, dstor_flush_mark_acked(&dev->cache));
	live = k->live;
	spin_unlock_irq(&dev->cache_lock);
	if (!live)
		dstor_conn_bar(&q->conn);
}

void dstor_kept_live(struct dstor_queue *q)
{
	if (replay_says(q) && !dstor_conn_is_barred(&q->conn))
		dstor_control_send(q, DSTOR_CONTROL_REPLAYED, 0, 0);
}

bool dstor_kept_doubts(struct dstor_device *dev)
{
	struct dstor_kept_writes *k = &dev->kept;
	bool doubts;

	spin_lock_irq(&dev->cache_lock);
	doubts = k->doubt && k->live && !k->paused;
	if (doubts) {
		k->paused = true;
		memset(k->past.instance, 0, DSTOR_ID_LEN);
	}
	spin_unlock_irq(&dev->cache_lock);
	return doubts;
}

void dstor_kept_over(struct dstor_device *dev)
{
	struct dstor_kept_writes *k = &dev->kept;
	bool over, whole = false;
	u64 bytes = 0;

	dstor_point(REPLAY_OVER);
	mutex_lock(&dev->lock);
	spin_lock_irq(&dev->cache_lock);
	/* Another crash may have begun it anew. */
	over = !k->live && k->all && !k->pieces && !k->paused;
	if (over)
		whole = dstor_replay_end(&k->replay, dstor_flush_mark_acked(&dev->cache));
	if (whole) {
		bytes = k->again;
		k->live = true;
		dstor_replay_remember(&k->past, &k->welcome);
	}
	spin_unlock_irq(&dev->cache_lock);
	if (over && !whole)
		replay_give_up(dev, &k->welcome, "its disk refuses a part of them");
	if (whole && bytes) {
		this_cpu_inc(dev->stats->replays);
		pr_notice("dstor: dst-%s: %llu KiB of kept writes were sent again: nothing is lost\n",
			  dev->name, bytes >> 10);
	}
	if (whole)
		replay_lift(dev);
	mutex_unlock(&dev->lock);
	if (over)
		dstor_event_state(dev, NULL);
}

int dstor_kept_may_drop(struct dstor_device *dev, struct dstor_error *err)
{
	struct dstor_kept_writes *k = &dev->kept;
	unsigned int i;

	if (!k->on)
		return dstor_fail(err, -EINVAL, "\"%s\": nothing is kept (it was attached with --keep off, or its disk needs no flush): there is nothing to drop",
				  dev->name);
	/* A live exporter flushes it as soon as it is asked to. */
	for (i = 0; i < dev->n_queues; i++)
		if (READ_ONCE(k->live) && dstor_queue_live(&dev->queues[i]))
			return dstor_fail(err, -EBUSY, "\"%s\": its exporter is there and has all that is kept: there is no need to drop it",
					  dev->name);
	return 0;
}

void dstor_kept_drop(struct dstor_device *dev)
{
	replay_give_up(dev, NULL, "dropped by kept=drop");
}

void dstor_kept_prolong(struct dstor_queue *q, u64 ms)
{
	u64 now = dstor_now_ms();
	unsigned int i;

	for (i = 0; i < q->dev->geometry.tags; i++) {
		struct dstor_transaction *t = dstor_queue_transaction(q, i);
		u64 since;

		if (!t)
			continue;
		/* By its age at most: it may have begun since. */
		since = t->attempt.start_ms + t->attempt.still_ms;
		t->attempt.still_ms += min(ms, now > since ? now - since : 0);
	}
}

static bool replay_owes(struct dstor_device *dev, bool drain, u64 *bytes)
{
	bool owes;

	spin_lock_irq(&dev->cache_lock);
	owes = dstor_keep_owes(&dev->kept.keep);
	*bytes = dev->kept.keep.used_acked;
	dev->kept.draining = drain && owes;
	spin_unlock_irq(&dev->cache_lock);
	return owes;
}

int dstor_kept_drain(struct dstor_device *dev, struct dstor_error *err)
{
	unsigned long until = jiffies + msecs_to_jiffies(READ_ONCE(dev->config.policy.timeout_ms));
	u64 bytes;
	int ret = 0;

	if (!dev->kept.on)
		return 0;
	while (!ret && replay_owes(dev, true, &bytes)) {
		if (READ_ONCE(dev->dead))
			break;
		if (time_after(jiffies, until) || signal_pending(current))
			ret = -EHOSTDOWN;
		dstor_own_tick(dev);
		usleep_range(1000, 2000);
	}
	if (ret) {
		replay_owes(dev, false, &bytes);
		return dstor_fail(err, ret,
				  "\"%s\": %llu KiB of acked writes are kept, and the exporter does not flush them: wait until it is back, or lose them with --force",
				  dev->name, bytes >> 10);
	}
	return 0;
}

void dstor_kept_say_dropped(struct dstor_device *dev)
{
	u64 bytes;

	if (dev->kept.on && replay_owes(dev, false, &bytes))
		pr_warn("dstor: dst-%s: %llu KiB of acked writes that were not flushed are dropped: they are lost if the exporter's machine crashes or has crashed\n",
			dev->name, bytes >> 10);
}

void dstor_kept_look(struct dstor_device *dev, struct dstor_kept_info *info)
{
	struct dstor_kept_writes *k = &dev->kept;

	memset(info, 0, sizeof(*info));
	if (!k->on)
		return;
	spin_lock_irq(&dev->cache_lock);
	info->limit = k->keep.limit;
	info->used = k->keep.used;
	info->replaying = !k->live;
	info->total = max(k->total, k->again);
	info->replayed = k->again;
	spin_unlock_irq(&dev->cache_lock);
}
