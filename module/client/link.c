// SPDX-License-Identifier: GPL-2.0
/*
 * How a queue gets, loses and regains its connection. One work of each queue
 * (q->link, reconnect.c) connects, so there is one attempt at a time.
 *
 * Locks: dev->lock, then q->lock, then tx.lock. q->lock protects whether the
 * queue is live; whoever closes or fails transactions has it.
 */
#include <linux/random.h>
#include <linux/sched/mm.h>
#include <linux/sort.h>

#include "client/device.h"
#include "client/device_event.h"
#include "client/trace.h"
#include "client/trouble.h"
#include "conn/transport.h"
#include "core/feature.h"
#include "core/netns.h"
#include "core/point.h"
#include "core/work.h"
#include "wire/id.h"

#define SETTLED (HZ)			/* a connection that lived as long was a success */
#define LINGERING_MAX_MS 4000		/* detach --force returns within 5 s (P8) */

/*
 * The exporter has another instance: writes acked but not flushed on the old
 * one may be lost (P5). Under dev->lock.
 */
static void new_instance(struct dstor_device *dev, const u8 *instance)
{
	bool lost = false;
	unsigned int i;

	for (i = 0; i < dev->n_queues; i++) {
		struct dstor_queue *q = &dev->queues[i];

		mutex_lock_nested(&q->lock, SINGLE_DEPTH_NESTING);
		if (dstor_id_equal(q->instance, instance)) {
			mutex_unlock(&q->lock);
			continue;
		}
		if (q->state == DSTOR_Q_LIVE) {
			dstor_link_close(q, "the exporter restarted");
			dstor_link_soon(q);
		}
		spin_lock_irq(&dev->cache_lock);
		if (dstor_flush_mark_uncovered(&dev->cache, atomic64_read(&q->mark))) {
			dstor_flush_mark_lost(&dev->cache);
			lost = true;
		}
		spin_unlock_irq(&dev->cache_lock);
		/* The queue stays dirty until a flush has succeeded. */
		memset(q->instance, 0, DSTOR_ID_LEN);
		mutex_unlock(&q->lock);
	}
	memcpy(dev->recovery.instance, instance, DSTOR_ID_LEN);
	dev->recovery.epoch++;
	if (lost)
		pr_warn("dstor: dst-%s: acked writes that were not flushed may be lost with the exporter's cache\n",
			dev->name);
}

static int by_seq(const void *a, const void *b)
{
	const struct dstor_transaction *x = *(const struct dstor_transaction **)a;
	const struct dstor_transaction *y = *(const struct dstor_transaction **)b;

	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/*
 * All that is unacked goes out again, in the order it was submitted. The exporter
 * may be another one, which knows fewer features. A request that is submitted at
 * this moment may still have flags of the former connection: the exporter closes,
 * and the next call here sets them right.
 */
static void resend_all(struct dstor_queue *q)
{
	struct dstor_conn *c = &q->conn;
	u64 now = dstor_now_ms();
	unsigned int i, n = 0;

	dstor_tx_lock(c);
	for (i = 0; i < q->dev->geometry.depth; i++) {
		struct dstor_transaction *t = dstor_queue_transaction(q, i);

		if (!t)
			continue;
		t->attempt.sent_ms = now;
		t->attempt.asked = false;
		t->decrypting = false;
		t->damaged = false;
		t->repeated = t->copy;
		if (t->message.in_hand)
			q->resend[n++] = t;
	}
	sort(q->resend, n, sizeof(*q->resend), by_seq, NULL);
	for (i = 0; i < n; i++) {
		struct dstor_transaction *t = q->resend[i];
		struct dstor_frame *f = t->message.head;

		f->flags = cpu_to_le16(dstor_feature_resent(le16_to_cpu(f->flags),
							    q->bounds.features));
		if (t->state != DSTOR_T_QUEUED) {
			f->flags |= cpu_to_le16(DSTOR_REQ_RESEND);
			t->attempt.resends++;
			this_cpu_inc(q->dev->stats->resends);
			trace_dstor_resend(t, 0, 0, 0);
		}
		t->state = DSTOR_T_QUEUED;
		list_del_init(&t->message.entry);
		dstor_tx_queue_locked(c, &t->message);
	}
	dstor_tx_unlock(c);
}

static void set_bounds(struct dstor_queue *q, u64 features)
{
	q->bounds = (struct dstor_bounds) {
		.size = q->dev->geometry.identity.size,
		.block = q->dev->geometry.identity.block,
		.max_io = q->dev->geometry.max_io,
		.slots = q->dev->geometry.depth,
		.features = features,
	};
}

int dstor_link_mismatch(struct dstor_device *dev, enum dstor_resume r,
			const struct dstor_welcome *w, struct dstor_error *err)
{
	const struct dstor_identity *mine = &dev->geometry.identity;

	this_cpu_inc(dev->stats->mismatches);
	if (r == DSTOR_RESUME_OTHER_EXPORTER)
		return dstor_fail(err, -EMEDIUMTYPE,
				  "another exporter answers there: %*phN, not %*phN",
				  DSTOR_ID_LEN, w->exporter, DSTOR_ID_LEN, mine->exporter);
	if (r == DSTOR_RESUME_OTHER_DISK)
		return dstor_fail(err, -EMEDIUMTYPE,
				  "a different disk is there under this name: UUID %pUb, not %pUb",
				  w->uuid, mine->uuid);
	return dstor_fail(err, -EMEDIUMTYPE, "%s", dstor_resume_text(r));
}

static int check_resume(struct dstor_device *dev, const struct dstor_welcome *w,
			struct dstor_error *err)
{
	enum dstor_resume r = dstor_resume_check(&dev->geometry.identity, w);

	dev->recovery.suspended = r != DSTOR_RESUME_OK;
	if (r != DSTOR_RESUME_OK)
		return dstor_link_mismatch(dev, r, w, err);
	/* It may have been told to learn it. */
	memcpy(dev->geometry.identity.exporter, w->exporter, DSTOR_ID_LEN);
	if (le64_to_cpu(w->size) > dev->geometry.identity.size) {
		atomic64_set(&dev->geometry.new_size, le64_to_cpu(w->size));
		/* It takes locks of udev: not in a place that recovery needs. */
		queue_work(DSTOR_UNBOUND_WQ, &dev->resize);
	}
	return 0;
}

/* Keeps the parts of @w that later connections need. Under dev->lock. */
static void take_welcome(struct dstor_device *dev, const struct dstor_welcome *w)
{
	struct dstor_device_recovery *r = &dev->recovery;

	lockdep_assert_held(&dev->lock);
	if (!dstor_id_equal(r->instance, w->instance))
		new_instance(dev, w->instance);
	dstor_device_take_limits(dev, w);
	/* A grant for reading has no token: keep the one that proves that no other wrote (P15). */
	if (w->writer_token)
		r->writer_token = le64_to_cpu(w->writer_token);
	memcpy(r->life, w->life, DSTOR_ID_LEN);
	r->access = w->access;
	strscpy(r->checksum, w->checksum, sizeof(r->checksum));
	strscpy(r->cipher, w->cipher, sizeof(r->cipher));
	dev->reason[0] = 0;
	dev->renewal.tries = 0;
	dev->renewal.why[0] = 0;
}

/* May the device go on with the grant @g? Under dev->lock. */
static int check_grant(struct dstor_device *dev, const struct dstor_grant *g,
		       struct dstor_error *err)
{
	const struct dstor_welcome *w = &g->welcome;
	int ret;

	if (dev->stopping || dev->failed)
		return dstor_fail(err, -ECANCELED, "the device goes away");
	if (g->moves != dev->config.moves)
		return dstor_fail(err, -EAGAIN, "told to connect anew meanwhile");
	ret = check_resume(dev, w, err);
	/* A welcome from before the exporter's restart, read after it. */
	if (!ret && !dstor_id_equal(dev->recovery.instance, w->instance) &&
	    g->epoch != dev->recovery.epoch)
		ret = dstor_fail(err, -EAGAIN, "the exporter restarted meanwhile");
	return ret;
}

static void link_put_lingering(struct dstor_lingering_sock *z)
{
	sock_put(z->sk);
	z->sk = NULL;
}

bool dstor_link_quiet(struct dstor_queue *q)
{
	bool quiet = true;
	unsigned int i;

	lockdep_assert_held(&q->lock);
	for (i = 0; i < DSTOR_LINGERING_MAX; i++) {
		struct dstor_lingering_sock *z = &q->lingering[i];

		if (!z->sk)
			continue;
		if (time_after(jiffies, z->until) || (!z->wait && !sk_wmem_alloc_get(z->sk)))
			link_put_lingering(z);
		else
			quiet = false;
	}
	return quiet;
}

static void link_keep_lingering(struct dstor_queue *q, struct sock *sk, bool wait)
{
	const struct dstor_device_settings *c = &q->dev->config;
	u32 ms = min_t(u32, dstor_silence_ms(c->ping_ms, c->policy.timeout_ms), LINGERING_MAX_MS);
	struct dstor_lingering_sock *z = NULL;
	unsigned int i;

	dstor_link_quiet(q);
	for (i = 0; i < DSTOR_LINGERING_MAX && !z; i++)
		if (!q->lingering[i].sk)
			z = &q->lingering[i];
	if (!z) {
		/* All full: the new one's time covers the first's. */
		z = &q->lingering[0];
		link_put_lingering(z);
	}
	z->sk = sk;
	z->wait = wait;
	z->until = jiffies + msecs_to_jiffies(ms);
}

/* Transactions stay with the queue, whose state is the caller's. Under q->lock. */
static void link_shut(struct dstor_queue *q)
{
	/*
	 * A digest tells pages that changed from what was sent; without one, only time does.
	 * With a cipher no page of a request was ever lent to the socket.
	 */
	bool wait = !dstor_conn_detects_changes(&q->conn);
	struct sock *sk = dstor_conn_close(&q->conn, true);
	unsigned int i;

	/* TCP's acked bytes have arrived. The sender has stopped, so ask for them now. */
	if (sk)
		link_keep_lingering(q, sk, wait && atomic_read(&q->in_flight));
	for (i = 0; i < DSTOR_CONTROLS; i++)
		clear_bit(0, &q->control[i].busy);
}

bool dstor_link_is_protected(struct dstor_queue *q, const struct dstor_welcome *w)
{
	const struct dstor_device *dev = q->dev;
	bool ret;

	mutex_lock(&q->lock);
	ret = dstor_protection_fits(q->state == DSTOR_Q_LIVE ? &q->conn.protection :
				    &q->conn.former, w, dev->config.has_key,
				    dev->geometry.max_io);
	mutex_unlock(&q->lock);
	return ret;
}

int dstor_link_protect(struct dstor_queue *q, struct dstor_grant *g, struct dstor_error *err)
{
	struct dstor_device *dev = q->dev;
	const struct dstor_welcome *w = &g->welcome;
	int ret = dstor_protection_make(&g->protection, &q->conn, w, dev->config.has_key,
					dev->geometry.max_io, &dev->threads);

	if (ret)
		dstor_fail(err, ret, "this kernel cannot do cipher \"%s\" with checksum \"%s\"",
			   w->cipher, w->checksum);
	return ret;
}

int dstor_link_take_keys(struct dstor_queue *q, struct dstor_grant *g, struct dstor_error *err)
{
	int ret;

	lockdep_assert_held(&q->lock);
	if (!g->protection.max_io)
		swap(g->protection, q->conn.former);
	/* The caller has seen to it; without it frames would go out as they are. */
	if (WARN_ON_ONCE(!dstor_protection_fits(&g->protection, &g->welcome,
						q->dev->config.has_key,
						q->dev->geometry.max_io)))
		return dstor_fail(err, -EINVAL, "nothing protects its frames");
	ret = dstor_protection_set_keys(&g->protection, &g->channel);
	if (ret)
		return dstor_fail(err, ret, "keys cannot be set: error %d", -ret);
	dstor_protection_install(&g->protection, &q->conn);
	/* One that does not fit any more. */
	swap(g->protection, q->conn.former);
	return 0;
}

/* Under dev->lock and q->lock. */
static void start_queue(struct dstor_queue *q, const struct dstor_grant *g)
{
	const struct dstor_welcome *w = &g->welcome;

	memcpy(q->instance, w->instance, DSTOR_ID_LEN);
	q->disk_flags = le32_to_cpu(w->disk_flags);
	set_bounds(q, g->features);
	q->cookie = le64_to_cpu(w->cookie);
	q->renewal = (struct dstor_renewal) { .key_number = g->key_number };
	atomic64_set(&q->spent_ms, 0);
	resend_all(q);
	q->lived = jiffies;
	q->watch = (struct dstor_queue_watch) { .pinged = jiffies };
	dstor_conn_begin(&q->conn);
	dstor_conn_start(&q->conn, g->sock, 0);
	WRITE_ONCE(q->state, DSTOR_Q_LIVE);
}

int dstor_link_live(struct dstor_queue *q, struct dstor_grant *g, struct dstor_error *err)
{
	struct dstor_device *dev = q->dev;
	const struct dstor_welcome *w = &g->welcome;
	/* Under locks that recovery needs, in an attach, too. */
	unsigned int noio = memalloc_noio_save();
	bool planned;
	int ret;

	dstor_point(LINK_CONNECTED);
	mutex_lock(&dev->lock);
	ret = check_grant(dev, g, err);
	if (ret) {
		mutex_unlock(&dev->lock);
		goto out;
	}
	take_welcome(dev, w);

	mutex_lock(&q->lock);
	/* The watchdog may have closed the queue meanwhile. */
	planned = g->planned && q->state == DSTOR_Q_LIVE;
	if (q->state == DSTOR_Q_LIVE && !planned) {
		/* Another attempt was faster. */
		dstor_socket_abort(g->sock);
		g->sock = NULL;
		goto unlock;
	}
	if (planned)
		link_shut(q);
	ret = dstor_link_take_keys(q, g, err);
	if (ret)
		goto unlock;
	if (!planned && (!dstor_id_is_zero(q->instance) || q->lived))
		this_cpu_inc(dev->stats->reconnects);
	start_queue(q, g);
	g->sock = NULL;
unlock:
	mutex_unlock(&q->lock);
	mutex_unlock(&dev->lock);
	if (!ret)
		dstor_event_state(dev, NULL);
	dstor_conn_kick(&q->conn);
out:
	dstor_protection_free(&g->protection);
	memalloc_noio_restore(noio);
	return ret;
}

/* Many lose it at the same moment: the exporter must not be asked by all at once. */
void dstor_link_put_off(struct dstor_queue *q)
{
	u32 ms = dstor_reconnect_delay_ms(q->tries);

	lockdep_assert_held(&q->lock);
	ms -= get_random_u32() % (ms / 2 + 1);
	q->next_try = jiffies + msecs_to_jiffies(ms);
}

void dstor_link_close(struct dstor_queue *q, const char *why)
{
	lockdep_assert_held(&q->lock);
	if (q->state != DSTOR_Q_LIVE)
		return;
	if (!why && dstor_conn_lost(&q->conn))
		dstor_trouble_ended(q);
	WRITE_ONCE(q->state, DSTOR_Q_DOWN);
	link_shut(q);
	dstor_event_state(q->dev, why ?: "the connection broke");
	/* A connection that fails as soon as it is there must not spin. */
	q->tries = time_after(jiffies, q->lived + SETTLED) ? 0 : q->tries + 1;
	dstor_link_put_off(q);
}

struct dstor_retry_policy dstor_link_policy(const struct dstor_transaction *t)
{
	struct dstor_retry_policy p = t->queue->dev->config.policy;
	u64 spent_ms = atomic64_read(&t->queue->spent_ms);

	if (spent_ms && t->attempt.start_ms >= spent_ms && p.retries != DSTOR_RETRIES_FOREVER)
		p.retries = 0;
	return p;
}

void dstor_link_stood_still(struct dstor_queue *q, u32 length_ms)
{
	unsigned int i;

	mutex_lock(&q->lock);
	/* An attach has no slots yet. */
	for (i = 0; q->slots && i < q->dev->geometry.depth; i++) {
		struct dstor_transaction *t = dstor_queue_transaction(q, i);

		if (t && q->state != DSTOR_Q_LIVE)
			dstor_attempt_stood_still(&t->attempt, length_ms);
	}
	mutex_unlock(&q->lock);
}

unsigned int dstor_link_fail(struct dstor_queue *q, bool all)
{
	struct dstor_device *dev = q->dev;
	u64 now = dstor_now_ms();
	unsigned int i, n = 0;

	lockdep_assert_held(&q->lock);
	dstor_tx_lock(&q->conn);
	dstor_tx_collect(&q->conn);
	for (i = 0; i < dev->geometry.depth; i++) {
		struct dstor_transaction *t = dstor_queue_transaction(q, i);
		struct dstor_retry_policy policy;

		/*
		 * queue_rq is still busy with a message that is not in hand:
		 * look at it next time.
		 */
		if (!t || !t->message.in_hand)
			continue;
		policy = dstor_link_policy(t);
		if (!all && dstor_attempt_check(&t->attempt, &policy, now, false) !=
			    DSTOR_VERDICT_FAIL)
			continue;
		list_del_init(&t->message.entry);
		q->resend[n++] = t;
	}
	dstor_tx_unlock(&q->conn);
	if (n && !all && !atomic64_read(&q->spent_ms))
		atomic64_set(&q->spent_ms, now);
	for (i = 0; i < n; i++)
		dstor_transaction_end(q->resend[i], BLK_STS_TRANSPORT);
	return n;
}

void dstor_link_soon(struct dstor_queue *q)
{
	/* A stopping device has cancelled its works: see dstor_device_set_stopping(). */
	mutex_lock(&q->dev->report.lock);
	if (!q->dev->stopping) {
		dstor_point(LINK_ARM);
		mod_delayed_work(dstor_link_wq, &q->link, 0);
	}
	mutex_unlock(&q->dev->report.lock);
}
