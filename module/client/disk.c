// SPDX-License-Identifier: GPL-2.0
/*
 * The disk of a device that the block layer sees: made, resized, freed.
 *
 * The disk holds a reference to its device until its last opener is gone.
 */
#include <linux/module.h>
#include <linux/sched/mm.h>

#include "client/device.h"
#include "client/device_event.h"
#include "compat/compat.h"
#include "core/words.h"

static void free_disk(struct gendisk *disk)
{
	struct dstor_device *dev = disk->private_data;

	blk_mq_free_tag_set(&dev->tag_set);
	dstor_device_put(dev);
}

/* The device was closed. Under disk->open_mutex; the kernel has written dirty data before. */
static void device_closed(DSTOR_RELEASE_ARGS)
{
	struct dstor_device *dev = disk->private_data;

	if (disk_openers(disk))
		return;
	spin_lock_irq(&dev->cache_lock);
	dstor_flush_mark_closed(&dev->cache);
	spin_unlock_irq(&dev->cache_lock);
}

static const struct block_device_operations fops = {
	.owner = THIS_MODULE,
	.release = device_closed,
	.free_disk = free_disk,
};

/*
 * May any connection, this one or a later, have checksums instead of a cipher?
 * Pages under a checksum must not change while they are sent.
 */
static bool may_have_checksums(const struct dstor_device *dev)
{
	const char *left = dev->config.ciphers;
	char word[DSTOR_ALGO_LEN];

	if (!dev->config.has_key)
		return strcmp(dev->config.checksums, "none");
	while (dstor_next_word(&left, word))
		if (!strcmp(word, "none"))
			return true;
	return false;
}

/*
 * The cache stays what it was at first: where there was none, writes have FUA (see
 * transaction.c). So does the logical block; a larger one is refused (wire/resume.c).
 */
static void fill_limits(const struct dstor_device *dev, const struct dstor_welcome *w,
			struct dstor_disk_limits *l)
{
	u32 flags = le32_to_cpu(w->disk_flags);

	memset(l, 0, sizeof(*l)); /* compared as bytes */
	l->logical_block = dev->geometry.identity.block;
	l->physical_block = max(le32_to_cpu(w->physical_block), l->logical_block);
	l->io_min = le32_to_cpu(w->io_min);
	l->io_opt = le32_to_cpu(w->io_opt);
	l->max_io = dev->geometry.max_io;
	l->write_cache = dev->geometry.disk_flags & DSTOR_DISK_VOLATILE;
	l->fua = dev->geometry.disk_flags & DSTOR_DISK_VOLATILE;
	l->rotational = flags & DSTOR_DISK_ROTATIONAL;
	l->stable_writes = may_have_checksums(dev);
	/* Each needs its entry in the cipher's scatterlist. */
	l->max_segments = dev->config.has_key ? DSTOR_SEGMENTS_MAX : USHRT_MAX;
	if (flags & DSTOR_DISK_DISCARD) {
		l->discard_granularity = le32_to_cpu(w->discard_granularity);
		l->discard_alignment = le32_to_cpu(w->discard_alignment);
		l->max_discard = min(le32_to_cpu(w->max_discard), DSTOR_EXTENT_MAX);
	}
	if (flags & DSTOR_DISK_WRITE_ZEROES)
		l->max_write_zeroes = min(le32_to_cpu(w->max_write_zeroes),
					  DSTOR_EXTENT_MAX);
}

void dstor_device_take_limits(struct dstor_device *dev, const struct dstor_welcome *w)
{
	struct dstor_disk_limits limits;

	lockdep_assert_held(&dev->lock);
	fill_limits(dev, w, &limits);
	if (!memcmp(&limits, &dev->geometry.limits, sizeof(limits)))
		return;
	memcpy(&dev->geometry.limits, &limits, sizeof(limits));
	/* It waits for requests: not in a place that recovery needs. */
	queue_work(DSTOR_UNBOUND_WQ, &dev->geometry.relimit);
}

void dstor_device_relimit_work(struct work_struct *work)
{
	struct dstor_device *dev = container_of(work, struct dstor_device, geometry.relimit);
	struct dstor_disk_limits limits;
	struct gendisk *disk;
	int ret;

	mutex_lock(&dev->lock);
	limits = dev->geometry.limits;
	disk = dev->stopping ? NULL : dev->disk;
	mutex_unlock(&dev->lock);
	/* The disk is there until this work is cancelled. */
	if (!disk)
		return;
	ret = dstor_compat_change_limits(disk, &limits);
	if (ret)
		pr_warn("dstor: dst-%s: it keeps its limits, other than its exporter's now: error %d; attach it again\n",
			dev->name, -ret);
	else
		pr_notice("dstor: dst-%s: its limits are others now, as its exporter says (queue/ in sysfs)\n",
			  dev->name);
}

int dstor_device_make_disk(struct dstor_device *dev, const struct dstor_welcome *w)
{
	struct gendisk *disk;
	int ret;

	dev->tag_set.ops = &dstor_mq_ops;
	dev->tag_set.nr_hw_queues = dev->n_queues;
	dev->tag_set.queue_depth = dev->geometry.tags;
	dev->tag_set.numa_node = NUMA_NO_NODE;
	dev->tag_set.timeout = 30 * HZ;
	dev->tag_set.cmd_size = sizeof(struct dstor_transaction);
	dev->tag_set.flags = DSTOR_SHOULD_MERGE | BLK_MQ_F_BLOCKING |
			     BLK_MQ_F_NO_SCHED_BY_DEFAULT |
			     /* A CPU that goes offline does not wait for requests (P7). */
			     BLK_MQ_F_STACKING;
	dev->tag_set.driver_data = dev;
	ret = blk_mq_alloc_tag_set(&dev->tag_set);
	if (ret)
		return ret;
	fill_limits(dev, w, &dev->geometry.limits);
	disk = dstor_compat_alloc_disk(&dev->tag_set, &dev->geometry.limits, dev);
	if (IS_ERR(disk)) {
		blk_mq_free_tag_set(&dev->tag_set);
		return PTR_ERR(disk);
	}
	disk->fops = &fops;
	disk->private_data = dev;
	snprintf(disk->disk_name, DISK_NAME_LEN, "dst-%.27s", dev->name);
	set_capacity(disk, dev->geometry.identity.size >> SECTOR_SHIFT);
	set_disk_ro(disk, dev->config.read_only);
	dev->disk = disk;
	return 0;
}

void dstor_device_resize_work(struct work_struct *work)
{
	struct dstor_device *dev = container_of(work, struct dstor_device, geometry.resize);
	unsigned int noio = memalloc_noio_save();
	unsigned int i;
	u64 size;

	mutex_lock(&dev->lock);
	size = atomic64_read(&dev->geometry.new_size);
	if (!dev->disk || dev->stopping || size <= dev->geometry.identity.size ||
	    size & (dev->geometry.identity.block - 1))
		size = 0;
	if (size) {
		dev->geometry.identity.size = size;
		for (i = 0; i < dev->n_queues; i++)
			WRITE_ONCE(dev->queues[i].bounds.size, size);
	}
	mutex_unlock(&dev->lock);
	/* No queue is frozen for it: that would wait for transactions (P14). */
	if (size) {
		set_capacity_and_notify(dev->disk, size >> SECTOR_SHIFT);
		dstor_event_device(dev, DSTOR_EVENT_DEVICE_RESIZED);
	}
	memalloc_noio_restore(noio);
}
