// SPDX-License-Identifier: GPL-2.0
/*
 * The work of a queue's link: closes a connection that was lost, and makes attempts to
 * get another one until there is one. One at a time, q->attempt. It never waits for the
 * network: the socket of the attempt queues it again (connect.c).
 *
 * Locks: dev->lock, then q->lock; none while it connects.
 */
#include <linux/sched/mm.h>
#include <net/net_namespace.h>

#include "client/device.h"
#include "client/reclaim.h"
#include "core/netns.h"
#include "core/work.h"

/* Does the answer end the session? */
static bool is_final(struct dstor_device *dev, const struct dstor_grant *g)
{
	bool ret;

	mutex_lock(&dev->lock);
	ret = dstor_resume_is_over(&dev->geometry.identity, &g->welcome, g->token,
				   dev->recovery.writer_token);
	mutex_unlock(&dev->lock);
	return ret;
}

static void note_failure(struct dstor_queue *q, const struct dstor_grant *g,
			 const struct dstor_error *err)
{
	struct dstor_device *dev = q->dev;

	if (g && is_final(dev, g))
		dstor_device_fail(dev, err->text);
	else
		dstor_device_set_reason(dev, err->text);
	mutex_lock(&q->lock);
	q->tries++;
	dstor_link_put_off(q);
	mutex_unlock(&q->lock);
}

static void reconnect_end_attempt(struct dstor_queue *q)
{
	struct dstor_grant *g = q->attempt;

	q->attempt = NULL;
	if (!g)
		return;
	dstor_connect_end(g);
	dstor_protection_free(&g->protection);
	/* The network namespace stays until the queue has the socket, or the socket is closed. */
	if (g->net)
		put_net(g->net);
	kfree_sensitive(g);
}

/* 0, or a negative errno and the attempt, if any, is to be ended. */
static int reconnect_begin_attempt(struct dstor_queue *q, bool renew, struct dstor_error *err)
{
	struct dstor_grant *g = kzalloc(sizeof(*g), GFP_NOIO);

	if (!g)
		return dstor_fail(err, -ENOMEM, "out of memory");
	q->attempt = g;
	g->planned = renew;
	g->net = dstor_netns_get(&q->dev->net);
	if (!g->net)
		return dstor_fail(err, -ENETDOWN, "its network namespace was deleted");
	return dstor_connect_begin(q, g, NULL, err);
}

/* Is an attempt to be made or continued now? Else it will be tried when it is time. */
static bool reconnect_is_due(struct dstor_queue *q, bool *renew)
{
	struct dstor_device *dev = q->dev;
	unsigned long next;
	bool live;

	mutex_lock(&q->lock);
	/* Behind the hello of a planned attempt the exporter ends the old connection. */
	if (q->state == DSTOR_Q_LIVE && dstor_conn_lost(&q->conn) && !q->renewal.over)
		dstor_link_close(q, NULL);
	live = q->state == DSTOR_Q_LIVE;
	q->renewal.wanted = live && q->renewal.wanted;
	*renew = q->renewal.wanted;
	next = q->next_try;
	mutex_unlock(&q->lock);
	if (READ_ONCE(dev->stopping) || READ_ONCE(dev->failed)) {
		reconnect_end_attempt(q);
		return false;
	}
	/* An outage came first: it is no planned reconnect any more. */
	if (q->attempt && q->attempt->planned && !live)
		reconnect_end_attempt(q);
	/* Told to use another address: an attempt at the former one is in vain. */
	if (q->attempt && !q->attempt->planned &&
	    q->attempt->moves != READ_ONCE(dev->config.moves))
		reconnect_end_attempt(q);
	if (q->attempt)
		return true;
	if (live && !*renew)
		return false;
	if (*renew || !time_before(jiffies, next))
		return true;
	mod_delayed_work(dstor_link_wq, &q->link, next - jiffies);
	return false;
}

/* The attempt has failed. */
static void reconnect_try_again(struct dstor_queue *q, bool renew, const struct dstor_error *err)
{
	struct dstor_device *dev = q->dev;

	if (renew && dstor_renewal_failed(q, err->text))
		return;
	note_failure(q, q->attempt, err);
	if (!READ_ONCE(dev->stopping) && !READ_ONCE(dev->failed))
		mod_delayed_work(dstor_link_wq, &q->link,
				 max_t(long, q->next_try - jiffies, 0));
}

/*
 * Only an exporter with other algorithms than before makes it wait for locks of the
 * crypto API, and so perhaps for memory: nothing could be made for that in advance.
 */
static int reconnect_protect(struct dstor_queue *q, struct dstor_error *err)
{
	int ret;

	if (dstor_link_is_protected(q, &q->attempt->welcome))
		return 0;
	dstor_recovery_end();
	ret = dstor_link_protect(q, q->attempt, err);
	dstor_recovery_begin();
	return ret;
}

void dstor_link_work(struct work_struct *work)
{
	struct dstor_queue *q = container_of(work, struct dstor_queue, link.work);
	unsigned int noio = memalloc_noio_save();
	struct dstor_error err = { };
	unsigned long wait;
	bool renew;
	int ret = 0;

	dstor_recovery_begin();
	if (!reconnect_is_due(q, &renew))
		goto out;
	if (!q->attempt)
		ret = reconnect_begin_attempt(q, renew, &err);
	if (!ret)
		ret = dstor_connect_go_on(q, q->attempt, &wait, &err);
	if (ret == -EINPROGRESS) {
		/* Unless the socket has queued it already. */
		queue_delayed_work(dstor_link_wq, &q->link, wait);
		goto out;
	}
	if (q->attempt)
		renew = q->attempt->planned;
	ret = ret ?: reconnect_protect(q, &err) ?: dstor_link_live(q, q->attempt, &err);
	if (ret)
		reconnect_try_again(q, renew, &err);
	else if (renew)
		dstor_renewal_next(q->dev);
	reconnect_end_attempt(q);
out:
	dstor_recovery_end();
	memalloc_noio_restore(noio);
}
