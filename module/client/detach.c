// SPDX-License-Identifier: GPL-2.0
/*
 * Detach: by command, when an attach is called off, when the network namespace
 * goes, at shutdown. A device ends in order while its exporter answers, and by
 * force otherwise.
 *
 * Locks: dev->lock, then q->lock. No page may be sent any more when a request
 * ends (P4): fail_all() waits for that.
 */
#include <linux/delay.h>
#include <linux/sched/mm.h>

#include "client/device.h"
#include "client/device_event.h"
#include "client/device_state.h"
#include "core/netns.h"
#include "core/point.h"
#include "core/work.h"

#define FORCE_QUIET_MS 4200	/* P8: detach --force returns within 5 s */
#define BYE_MS 500		/* for BYE to leave */
#define LOOK_MS 500		/* for a program that opens it in passing */

void dstor_device_stop_works(struct dstor_device *dev)
{
	unsigned int i;

	/* The work itself ends its attempt, whose socket could queue it again. */
	for (i = 0; i < dev->n_queues; i++)
		mod_delayed_work(dstor_link_wq, &dev->queues[i].link, 0);
	for (i = 0; i < dev->n_queues; i++)
		flush_delayed_work(&dev->queues[i].link);
	cancel_delayed_work_sync(&dev->watchdog);
	for (i = 0; i < dev->n_queues; i++) {
		struct dstor_queue *q = &dev->queues[i];
		unsigned int z;

		mutex_lock(&q->lock);
		dstor_link_close(q, NULL);
		for (z = 0; z < DSTOR_LINGERING_MAX; z++)
			q->lingering[z].until = jiffies - 1;
		dstor_link_quiet(q);
		mutex_unlock(&q->lock);
		cancel_delayed_work_sync(&q->link);
		cancel_work_sync(&q->work);
		/* Nothing connects any more. */
		dstor_protection_free(&q->conn.former);
	}
	/* The queues receive no more CHANGE that would start this work. */
	cancel_work_sync(&dev->resize);
	cancel_work_sync(&dev->geometry.relimit);
	cancel_work_sync(&dev->report.uevent);
}

void dstor_device_set_stopping(struct dstor_device *dev)
{
	mutex_lock(&dev->lock);
	/* Works that are queued under it have been, or are not any more. */
	mutex_lock(&dev->report.lock);
	WRITE_ONCE(dev->stopping, true);
	mutex_unlock(&dev->report.lock);
	mutex_unlock(&dev->lock);
}

void dstor_device_say_bye(struct dstor_device *dev)
{
	unsigned long until = jiffies + msecs_to_jiffies(BYE_MS);
	unsigned int i, noio;

	for (i = 0; i < dev->n_queues; i++) {
		struct dstor_queue *q = &dev->queues[i];

		mutex_lock(&q->lock);
		if (q->state == DSTOR_Q_LIVE && !dstor_conn_lost(&q->conn))
			dstor_control_send(q, DSTOR_CONTROL_BYE, 0, 0);
		mutex_unlock(&q->lock);
		/* A worker may come too late where the machine is busy. */
		noio = memalloc_noio_save();
		dstor_tx_flush(&q->conn);
		memalloc_noio_restore(noio);
	}
	/* The exporter closes when it has read it. */
	for (i = 0; i < dev->n_queues; i++)
		while (dstor_queue_live(&dev->queues[i]) &&
		       !dstor_conn_lost(&dev->queues[i].conn) && time_before(jiffies, until))
			usleep_range(500, 1000);
}

void dstor_device_give_back(struct dstor_queue *q, struct dstor_grant *g)
{
	struct dstor_device *dev = q->dev;
	/* Under a lock that recovery needs. */
	unsigned int noio = memalloc_noio_save();
	struct dstor_error unsaid = { };
	int ret;

	/* First, so that nothing connects again when the exporter has closed. */
	dstor_device_set_stopping(dev);
	ret = dstor_link_is_protected(q, &g->welcome) ? 0 : dstor_link_protect(q, g, &unsaid);
	mutex_lock(&q->lock);
	/* What it receives meanwhile finds no slots. */
	q->bounds = (struct dstor_bounds) { };
	ret = ret ?: dstor_link_take_keys(q, g, &unsaid);
	if (!ret) {
		dstor_conn_begin(&q->conn);
		dstor_conn_start(&q->conn, g->sock, 0);
		g->sock = NULL;
		WRITE_ONCE(q->state, DSTOR_Q_LIVE);
	}
	mutex_unlock(&q->lock);
	dstor_protection_free(&g->protection);
	memalloc_noio_restore(noio);
	dstor_device_say_bye(dev);
	dstor_device_stop_works(dev);
}

static int claim_removal(struct dstor_device *dev, bool force, struct dstor_error *err)
{
	unsigned long until = jiffies + msecs_to_jiffies(LOOK_MS);
	int ret = 0;

	mutex_lock(&dev->lock);
	if (!dev->added || dev->removing)
		ret = dstor_fail(err, -EBUSY, "\"%s\" is being attached or detached right now",
				 dev->name);
	else
		dev->removing = true;
	mutex_unlock(&dev->lock);
	if (ret || force)
		return ret;
	/* The opener may only be udev, which looks at a new disk for a moment. */
	while (disk_openers(dev->disk) && time_before(jiffies, until))
		msleep(20);
	if (disk_openers(dev->disk)) {
		ret = dstor_fail(err, -EBUSY, "/dev/dst-%s is in use", dev->name);
		mutex_lock(&dev->lock);
		dev->removing = false;
		mutex_unlock(&dev->lock);
	}
	return ret;
}

/* Ends an attach that waits, and waits for that. True: there is no such device any more. */
static bool call_attach_off(struct dstor_device *dev)
{
	unsigned long until = jiffies + msecs_to_jiffies(FORCE_QUIET_MS);

	if (READ_ONCE(dev->added))
		return false;
	dstor_device_fail(dev, "detached while it was being attached");
	/* Where its disk is added already, that ends with errors. */
	while (!READ_ONCE(dev->added) && dstor_device_is_listed(dev) &&
	       time_before(jiffies, until))
		usleep_range(4000, 6000);
	return !dstor_device_is_listed(dev);
}

/* Everything fails from now on; wait until no page can be sent any more (P4). */
static void fail_all(struct dstor_device *dev)
{
	unsigned long until = jiffies + msecs_to_jiffies(FORCE_QUIET_MS);
	bool quiet;
	unsigned int i;

	WRITE_ONCE(dev->dead, true);
	smp_mb(); /* queue_rq() looks at it after it has submitted */
	do {
		quiet = true;
		for (i = 0; i < dev->n_queues; i++) {
			struct dstor_queue *q = &dev->queues[i];

			mutex_lock(&q->lock);
			dstor_link_close(q, NULL);
			if (dstor_link_quiet(q) || time_after(jiffies, until))
				dstor_link_fail(q, true);
			else
				quiet = false;
			mutex_unlock(&q->lock);
		}
		if (!quiet)
			usleep_range(4000, 6000);
	} while (!quiet);
}

static bool all_live(struct dstor_device *dev)
{
	unsigned int i;

	for (i = 0; i < dev->n_queues; i++)
		if (!dstor_queue_live(&dev->queues[i]))
			return false;
	return true;
}

/* The disk goes; readers that found the device before must not look at it any more. */
static void let_go_of_disk(struct dstor_device *dev)
{
	struct gendisk *disk = dev->disk;

	mutex_lock(&dev->lock);
	dev->disk = NULL;
	mutex_unlock(&dev->lock);
	put_disk(disk);
}

int dstor_device_del(const char *name, bool force, struct dstor_error *err)
{
	struct dstor_device *dev = dstor_device_find(name);
	u32 age, retry, in_flight;
	bool deleted = false;
	int ret = 0;

	if (!dev)
		return dstor_fail(err, -ENOENT, "no device \"%s\"", name);
	if (force && call_attach_off(dev))
		goto out;
	ret = claim_removal(dev, force, err);
	if (ret)
		goto out;
	/* An idle device with all connections deletes its disk now, and can say BYE after that. */
	if (!force && all_live(dev) && !dstor_oldest(dev, &age, &retry, &in_flight)) {
		del_gendisk(dev->disk);
		deleted = true;
	}
	dstor_device_set_stopping(dev);
	if (!dstor_oldest(dev, &age, &retry, &in_flight))
		dstor_device_say_bye(dev);
	if (!deleted) {
		/* The watchdog begins to fail things while we wait for locks of file systems. */
		WRITE_ONCE(dev->dead, true);
		mod_delayed_work(dstor_watch_wq, &dev->watchdog, 0);
		blk_mark_disk_dead(dev->disk);
	}
	fail_all(dev);
	if (!deleted)
		del_gendisk(dev->disk);
	dstor_device_stop_works(dev);
	dstor_point(DETACH_STOPPED);
	dstor_device_delist(dev);
	dstor_event_device(dev, DSTOR_EVENT_DEVICE_DETACHED);
	let_go_of_disk(dev);
out:
	dstor_device_put(dev);
	return ret;
}

void dstor_devices_leave(struct net *net)
{
	struct dstor_device *dev;
	unsigned int i;

	while ((dev = dstor_device_in(net))) {
		dstor_device_fail(dev, "its network namespace was deleted");
		for (i = 0; i < dev->n_queues; i++) {
			struct dstor_queue *q = &dev->queues[i];

			/* An attempt to connect holds a reference, so none is running here. */
			mutex_lock(&q->lock);
			dstor_link_close(q, NULL);
			mutex_unlock(&q->lock);
		}
		dstor_netns_gone(&dev->net);
		dstor_device_put(dev);
	}
}

/* A device without its exporter must not hold up the machine's end. */
static void shut_down(struct dstor_device *dev)
{
	mutex_lock(&dev->lock);
	if (dev->added && !all_live(dev))
		dstor_device_declare_dead(dev);
	mutex_unlock(&dev->lock);
}

void dstor_devices_shutdown(void)
{
	dstor_device_each(shut_down);
}
