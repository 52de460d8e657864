// SPDX-License-Identifier: GPL-2.0
/*
 * Exports end: by command, when the network namespace goes, at shutdown.
 *
 * An orderly end (unexport, module unload, shutdown) takes no more requests,
 * waits for the disk to complete what it has, flushes it, tells the clients
 * that all they have an ack for is durable (P5), and only then lets go.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <net/net_namespace.h>

#include "core/netns.h"
#include "core/point.h"
#include "core/work.h"
#include "exporter/disk.h"
#include "exporter/export.h"
#include "exporter/export_event.h"
#include "exporter/lease_file.h"
#include "exporter/listener.h"
#include "exporter/peer.h"
#include "exporter/session.h"
#include "exporter/stop.h"

#define PARTING_MS 3000		/* for the clients to hear of the end */
#define SHUTDOWN_MS 30000	/* for all disks, when the machine goes down */

static atomic_t stop_winding_down = ATOMIC_INIT(0);	/* exports, at shutdown */
static DECLARE_WAIT_QUEUE_HEAD(stop_wait);

void dstor_export_close_listeners(struct dstor_export *e)
{
	unsigned int n = dstor_export_drop_listeners(e);

	while (n)
		dstor_listener_put(e->listeners[--n]);
}

static unsigned int count_clients(struct dstor_export *e)
{
	struct dstor_session *s;
	unsigned int n = 0;

	list_for_each_entry(s, &e->sessions.list, entry)
		n += dstor_session_connections(s) > 0;
	return n;
}

/* Reads without the lock: a waiter must not sleep for anything else. */
static bool no_peers(const struct dstor_export *e)
{
	return !READ_ONCE(e->n_peers);
}

/* The disk has no command, and no peer is about to submit one. */
static bool export_is_drained(const struct dstor_export *e)
{
	/* pairs with stop_admitting() in peer.c, which comes after the last submission */
	return !atomic_read_acquire(&e->admitting) && !atomic_read(&e->in_flight);
}

/*
 * Drain, flush, tell. An exporter never gives up waiting for its disk, unless the
 * machine goes down: what it has submitted may still be written, and nobody may
 * believe otherwise.
 */
static int wind_down(struct dstor_export *e)
{
	int ret = 0;

	mutex_lock(&e->lock);
	dstor_sessions_notify(e, DSTOR_NOTICE_STOP);
	mutex_unlock(&e->lock);
	if (wait_event_killable(e->wait, export_is_drained(e)))
		return -ERESTARTSYS;
	dstor_point(STOP_BEFORE_FLUSH);
	if (!(e->config.flags & DSTOR_EXPORT_READ_ONLY))
		ret = dstor_disk_flush(e);
	mutex_lock(&e->lock);
	dstor_sessions_notify(e, ret ? DSTOR_NOTICE_UNFLUSHED : DSTOR_NOTICE_FLUSHED);
	mutex_unlock(&e->lock);
	wait_event_timeout(e->wait, no_peers(e), msecs_to_jiffies(PARTING_MS));
	return ret;
}

/* The last of an export that has no more I/O: when it returns its disk is free. */
static void export_finish(struct dstor_export *e)
{
	mutex_lock(&e->lock);
	dstor_session_end_all(e);
	mutex_unlock(&e->lock);
	dstor_export_close_listeners(e);
	wait_event(e->wait, no_peers(e));
	cancel_delayed_work_sync(&e->poll);
	mutex_lock(&e->lock);
	dstor_session_end_all(e);
	mutex_unlock(&e->lock);
	/* An eviction may have changed it meanwhile. */
	dstor_lease_file_flush(e);
	/* The name and the disk are free, even while a reader still holds the export. */
	dstor_disk_close(e);
	dstor_export_delist(e);
	dstor_event_export(e, DSTOR_EVENT_EXPORT_REMOVED);
	dstor_export_put(e);
	module_put(THIS_MODULE);
}

int dstor_export_del(const char *name, bool force, struct dstor_error *err)
{
	struct dstor_export *e = dstor_export_by_name(name);
	int ret = 0;

	if (!e)
		return dstor_fail(err, -ENOENT, "no export \"%s\"", name);
	mutex_lock(&e->lock);
	if (!e->made)
		ret = dstor_fail(err, -EBUSY, "export \"%s\" is being made", name);
	else if (e->end.ending)
		ret = dstor_fail(err, -EBUSY, "export \"%s\" is being stopped", name);
	else if (!force && count_clients(e))
		ret = dstor_fail(err, -EBUSY, "export \"%s\" has %u client(s)", name,
				 count_clients(e));
	if (!ret) {
		dstor_lease_file_retry(e);
		e->stopping = true;
		e->end.ending = true;
	}
	mutex_unlock(&e->lock);
	if (ret)
		goto out;
	ret = wind_down(e);
	/* The next export of this name reads the file. */
	if (ret != -ERESTARTSYS && wait_event_killable(e->wait, dstor_lease_file_idle(e)))
		ret = -ERESTARTSYS;
	if (ret == -ERESTARTSYS) {
		/* Killed while a disk keeps what it has: unexport can be tried again. */
		mutex_lock(&e->lock);
		e->end.ending = false;
		mutex_unlock(&e->lock);
		ret = dstor_fail(err, -ECANCELED, "export \"%s\" still waits for its disk", name);
		goto out;
	}
	if (ret)
		dstor_fail(err, ret,
			   "export \"%s\" is gone, but its disk could not be flushed: error %d",
			   name, -ret);
	export_finish(e);
out:
	dstor_export_put(e);
	return ret;
}

void dstor_export_end_work(struct work_struct *work)
{
	struct dstor_export *e = container_of(work, struct dstor_export, end.gone);

	wait_event_idle(e->wait, !atomic_read(&e->in_flight));
	if (!(e->config.flags & DSTOR_EXPORT_READ_ONLY) && dstor_disk_flush(e))
		pr_warn("dstor: export %s: its disk could not be flushed\n", e->name);
	export_finish(e);
}

void dstor_exports_leave(struct net *net)
{
	struct dstor_export *e;
	bool go;

	while ((e = dstor_export_in(net))) {
		mutex_lock(&e->lock);
		go = !e->end.ending;
		e->stopping = true;
		e->end.ending = true;
		dstor_session_end_all(e);
		mutex_unlock(&e->lock);
		dstor_export_close_listeners(e);
		dstor_netns_gone(&e->net);
		if (go)
			queue_work(dstor_end_wq, &e->end.gone);
		dstor_export_put(e);
	}
	/* An unexport that is under way closes its own. */
	while (dstor_listeners_in(net))
		usleep_range(500, 1000);
}

void dstor_export_shutdown_work(struct work_struct *work)
{
	struct dstor_export *e = container_of(work, struct dstor_export, end.shutdown);

	wind_down(e);
	WRITE_ONCE(e->end.winding_down, false);
	dstor_export_put(e);
	if (atomic_dec_and_test(&stop_winding_down))
		wake_up_all(&stop_wait);
}

static void shut_down(struct dstor_export *e, void *unused)
{
	bool go;

	mutex_lock(&e->lock);
	/* There may be no disk to flush yet while it is being made. */
	go = e->made && !e->stopping;
	e->stopping = true;
	mutex_unlock(&e->lock);
	if (!go)
		return;
	dstor_export_get(e);
	atomic_inc(&stop_winding_down);
	WRITE_ONCE(e->end.winding_down, true);
	queue_work(dstor_end_wq, &e->end.shutdown);
}

static void tell_given_up(struct dstor_export *e, void *unused)
{
	if (READ_ONCE(e->end.winding_down))
		pr_err("dstor: export %s: its disk does not answer: the machine goes down, and clients are not told that their writes are durable\n",
		       e->name);
}

/*
 * The machine goes down: in order, but nothing is taken apart. A client that is not told is
 * safe: its next flush fails where acked writes may be lost (P5).
 */
void dstor_exports_shutdown(void)
{
	dstor_export_each(NULL, shut_down, NULL);
	if (!wait_event_timeout(stop_wait, !atomic_read(&stop_winding_down),
				msecs_to_jiffies(SHUTDOWN_MS)))
		dstor_export_each(NULL, tell_given_up, NULL);
}
