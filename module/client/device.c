// SPDX-License-Identifier: GPL-2.0
/*
 * The lifetime of a device, and why it is not connected or has failed.
 *
 * Locks: dev->lock comes before q->lock (link.c). A device lives as long as
 * somebody has it open: the last reference is the disk's.
 */
#include <linux/module.h>

#include "client/device.h"
#include "client/device_event.h"
#include "compat/compat.h"
#include "core/work.h"
#include "wire/id.h"

static void free_device(struct kref *kref)
{
	struct dstor_device *dev = container_of(kref, struct dstor_device, kref);
	unsigned int i;

	for (i = 0; i < dev->n_queues; i++) {
		struct dstor_queue *q = &dev->queues[i];

		dstor_protection_free(&q->conn.former);
		kvfree(q->slots);
		kvfree(q->resend);
		if (q->control_memory)
			free_page((unsigned long)q->control_memory);
	}
	kvfree(dev->queues);
	dstor_compat_drain_heads(&dev->heads);
	dstor_copies_free(dev);
	free_percpu(dev->stats);
	kfree(dev->config.addresses);
	kfree(dev->config.uri);
	dstor_threads_stop(&dev->threads);
	kfree_sensitive(dev);
	/*
	 * The disk's fops->owner does not hold the module so long: the block layer drops that
	 * before the disk that calls us. Whoever unloads it waits until we have returned, too:
	 * see dstor_exit().
	 */
	module_put(THIS_MODULE);
}

void dstor_device_get(struct dstor_device *dev)
{
	kref_get(&dev->kref);
}

void dstor_device_put(struct dstor_device *dev)
{
	kref_put(&dev->kref, free_device);
}

void dstor_device_declare_dead(struct dstor_device *dev)
{
	lockdep_assert_held(&dev->lock);
	WRITE_ONCE(dev->dead, true);
	/* A device that is half made, or is being taken apart, has no watchdog. */
	if (dev->running && !dev->stopping)
		mod_delayed_work(dstor_watch_wq, &dev->watchdog, 0);
}

/* Reports nothing for a device that has failed for good: the first reason stays. */
static void device_note_reason(struct dstor_device *dev, const char *why, bool for_good)
{
	bool first;

	mutex_lock(&dev->lock);
	first = !dev->failed;
	if (first)
		strscpy(dev->reason, why, sizeof(dev->reason));
	if (for_good) {
		/* A reader that sees @failed sees the reason, too. */
		smp_store_release(&dev->failed, true);
		dstor_device_declare_dead(dev);
	}
	mutex_unlock(&dev->lock);
	if (first)
		dstor_event_state(dev, why);
}

void dstor_device_set_reason(struct dstor_device *dev, const char *why)
{
	device_note_reason(dev, why, false);
}

void dstor_device_fail(struct dstor_device *dev, const char *why)
{
	device_note_reason(dev, why, true);
}
