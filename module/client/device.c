// SPDX-License-Identifier: GPL-2.0
/*
 * Devices: attach, detach, settings, the disk that the block layer sees.
 *
 * Locks: dev->lock comes before q->lock (link.c). A device lives as long as
 * somebody has it open: the last reference is the disk's.
 */
#include <linux/module.h>
#include <linux/random.h>
#include <linux/sched/mm.h>
#include <net/net_namespace.h>

#include "client/device.h"
#include "client/device_event.h"
#include "compat/compat.h"
#include "conn/transport.h"
#include "core/netns.h"
#include "core/point.h"
#include "core/work.h"

#define FORCE_QUIET_MS 4200	/* P8: detach --force returns within 5 s */
#define BYE_MS 500		/* for BYE to leave */
#define LOOK_MS 500		/* for somebody who has it open in passing */

static void free_device(struct kref *kref)
{
	struct dstor_device *dev = container_of(kref, struct dstor_device, kref);
	unsigned int i;

	for (i = 0; i < dev->n_queues; i++) {
		struct dstor_queue *q = &dev->queues[i];

		kvfree(q->slots);
		kvfree(q->resend);
		if (q->control_memory)
			free_page((unsigned long)q->control_memory);
	}
	kvfree(dev->queues);
	dstor_compat_drain_heads(&dev->heads);
	free_percpu(dev->stats);
	kfree(dev->addresses);
	kfree(dev->uri);
	dstor_threads_stop(&dev->threads);
	kfree_sensitive(dev);
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

static void free_disk(struct gendisk *disk)
{
	struct dstor_device *dev = disk->private_data;

	blk_mq_free_tag_set(&dev->tag_set);
	dstor_device_put(dev);
}

/* Somebody has closed it; under disk->open_mutex, after what was dirty was written. */
static void closed(DSTOR_RELEASE_ARGS)
{
	struct dstor_device *dev = disk->private_data;

	if (disk_openers(disk))
		return;
	spin_lock_irq(&dev->cache_lock);
	dstor_cache_closed(&dev->cache);
	spin_unlock_irq(&dev->cache_lock);
}

static const struct block_device_operations fops = {
	.owner = THIS_MODULE,
	.release = closed,
	.free_disk = free_disk,
};

void dstor_device_declare_dead(struct dstor_device *dev)
{
	lockdep_assert_held(&dev->lock);
	WRITE_ONCE(dev->dead, true);
	/* Not one that is half made, or is being taken apart. */
	if (dev->running && !dev->stopping)
		mod_delayed_work(dstor_link_wq, &dev->monitor, 0);
}

/* Says nothing of a device that has failed for good: what was told first stays. */
static void note(struct dstor_device *dev, const char *why, bool for_good)
{
	bool first;

	mutex_lock(&dev->lock);
	first = !dev->failed;
	if (first)
		strscpy(dev->reason, why, sizeof(dev->reason));
	if (for_good) {
		/* Who sees it sees the reason. */
		smp_store_release(&dev->failed, true);
		dstor_device_declare_dead(dev);
	}
	mutex_unlock(&dev->lock);
	if (first)
		dstor_event_state(dev, why);
}

void dstor_device_note(struct dstor_device *dev, const char *why)
{
	note(dev, why, false);
}

void dstor_device_expel(struct dstor_device *dev, const char *why)
{
	note(dev, why, true);
}

void dstor_device_resize_work(struct work_struct *work)
{
	struct dstor_device *dev = container_of(work, struct dstor_device, resize);
	unsigned int noio = memalloc_noio_save();
	unsigned int i;
	u64 size;

	mutex_lock(&dev->lock);
	size = atomic64_read(&dev->new_size);
	if (!dev->disk || dev->stopping || size <= dev->identity.size ||
	    size & (dev->identity.block - 1))
		size = 0;
	if (size) {
		dev->identity.size = size;
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

static int init_queue(struct dstor_device *dev, unsigned int index)
{
	struct dstor_queue *q = &dev->queues[index];
	unsigned int i;

	q->dev = dev;
	q->index = index;
	mutex_init(&q->lock);
	INIT_WORK(&q->work, dstor_queue_work);
	q->moved = jiffies;
	INIT_DELAYED_WORK(&q->link, dstor_link_work);
	q->next_try = jiffies;
	dstor_conn_init(&q->conn, &dstor_client_ops, dstor_io_wq, &q->work);
	q->control_memory = (void *)get_zeroed_page(GFP_KERNEL);
	if (!q->control_memory)
		return -ENOMEM;
	for (i = 0; i < DSTOR_CONTROLS; i++) {
		q->control[i].message.head = q->control_memory + i * DSTOR_HEAD_LEN;
		q->control[i].message.copy = true;
	}
	return 0;
}

static int copy_config(struct dstor_device *dev, const struct dstor_device_config *c,
		       struct dstor_error *err)
{
	const char *left = c->checksums[0] ? c->checksums : "none";
	char word[DST_ALGO_LEN], chosen[DST_ALGO_LEN];

	strscpy(dev->name, c->name, sizeof(dev->name));
	strscpy(dev->export, c->export, sizeof(dev->export));
	strscpy(dev->client_name, c->client_name, sizeof(dev->client_name));
	memcpy(dev->client_id, c->client_id, DST_ID_LEN);
	dev->policy.timeout_ms = c->timeout_ms;
	dev->policy.retries = c->retries;
	dev->ping_ms = c->ping_ms;
	dev->n_queues = c->connections;
	dev->depth = c->queue_depth;
	dev->max_io = c->max_io;
	dev->read_only = c->read_only;
	dev->crypto_threads = c->crypto_threads;
	/* Offer only what this kernel can do. */
	while (dstor_next_word(&left, word)) {
		if (dstor_digest_choose(word, word, false, chosen) &&
		    (!c->has_key || dstor_digest_choose(word, word, true, chosen)))
			continue;
		if (dev->checksums[0])
			strlcat(dev->checksums, ",", sizeof(dev->checksums));
		strlcat(dev->checksums, chosen, sizeof(dev->checksums));
	}
	if (!dev->checksums[0])
		return dstor_fail(err, -ENOPROTOOPT, "this kernel has none of the checksums %s",
				  c->checksums);
	dev->has_key = c->has_key;
	memcpy(dev->key, c->key, DST_KEY_LEN);
	if (dev->has_key && dstor_cipher_list(c->ciphers, dev->ciphers))
		return dstor_fail(err, -ENOPROTOOPT, "this kernel has none of the ciphers %s",
				  c->ciphers);
	dev->uri = kstrdup(c->uri, GFP_KERNEL);
	dev->n_addresses = c->n_addresses;
	dev->addresses = kmemdup(c->addresses, sizeof(*c->addresses) * c->n_addresses, GFP_KERNEL);
	if (!dev->uri || !dev->addresses ||
	    (dev->has_key &&
	     dstor_threads_start(&dev->threads, dev->name, dev->crypto_threads, true)))
		return dstor_fail(err, -ENOMEM, "out of memory");
	return 0;
}

static struct dstor_device *new_device(struct net *net, const struct dstor_device_config *c,
				       struct dstor_error *err)
{
	struct dstor_device *dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	unsigned int i;
	int ret = -ENOMEM;

	if (!dev) {
		dstor_fail(err, ret, "out of memory");
		return ERR_PTR(ret);
	}
	__module_get(THIS_MODULE);
	kref_init(&dev->kref);
	dev->net = net;
	mutex_init(&dev->lock);
	mutex_init(&dev->told_lock);
	INIT_WORK(&dev->uevent, dstor_event_work);
	spin_lock_init(&dev->cache_lock);
	INIT_LIST_HEAD(&dev->entry);
	INIT_WORK(&dev->resize, dstor_device_resize_work);
	INIT_DELAYED_WORK(&dev->monitor, dstor_monitor_work);
	get_random_bytes(dev->session, DST_ID_LEN);
	dev->stats = alloc_percpu(struct dstor_stats);
	ret = copy_config(dev, c, err);
	if (ret)
		goto err;
	dev->queues = kvcalloc(dev->n_queues, sizeof(*dev->queues), GFP_KERNEL);
	ret = -ENOMEM;
	for (i = 0; dev->queues && dev->stats && i < dev->n_queues; i++) {
		ret = init_queue(dev, i);
		if (ret)
			break;
	}
	if (!ret)
		return dev;
	dstor_fail(err, ret, "out of memory");
err:
	if (!dev->queues)
		dev->n_queues = 0;
	dstor_device_put(dev);
	return ERR_PTR(ret);
}

/* The first welcome says what the device will be. */
static int accept_grant(struct dstor_device *dev, const struct dstor_welcome *w)
{
	unsigned int i;

	memcpy(dev->identity.uuid, w->uuid, DST_ID_LEN);
	dev->identity.size = le64_to_cpu(w->size);
	dev->identity.block = le32_to_cpu(w->logical_block);
	dev->depth = le16_to_cpu(w->slots);
	dev->max_io = le32_to_cpu(w->max_io);
	dev->identity.slots = dev->depth;
	dev->identity.max_io = dev->max_io;
	dev->disk_flags = le32_to_cpu(w->disk_flags);
	if (dev->has_key)
		dstor_threads_keep(&dev->threads, w->cipher);
	if (w->access == DST_ACCESS_READ)
		dev->read_only = true;
	for (i = 0; i < dev->n_queues; i++) {
		struct dstor_queue *q = &dev->queues[i];

		q->slots = kvcalloc(dev->depth, sizeof(*q->slots), GFP_KERNEL);
		q->resend = kvcalloc(dev->depth, sizeof(*q->resend), GFP_KERNEL);
		if (!q->slots || !q->resend)
			return -ENOMEM;
	}
	return 0;
}

static int first_connection(struct dstor_device *dev, struct dstor_grant *g,
			    struct dstor_error *err)
{
	struct dstor_queue *q = &dev->queues[0];
	u8 holder[DST_ID_LEN];
	u16 most;
	int ret = dstor_link_connect(q, g, NULL, err);

	/* Our own former session, from before a reboot or a forced detach. */
	memcpy(holder, g->welcome.holder, DST_ID_LEN);
	if (g->welcome.status == DST_WELCOME_IN_USE && !dstor_id_is_zero(holder) &&
	    !dstor_device_has_session(holder))
		ret = dstor_link_connect(q, g, holder, err);
	if (ret && READ_ONCE(dev->dead))
		return dstor_fail(err, -ECANCELED, "%s", dev->reason);
	if (ret)
		return ret;
	most = le16_to_cpu(g->welcome.queues);
	ret = accept_grant(dev, &g->welcome);
	if (!ret && most < dev->n_queues)
		ret = -E2BIG;
	if (ret) {
		dstor_socket_abort(g->sock);
		return dstor_fail(err, ret, ret == -E2BIG ?
				  "the exporter allows only %u connections" :
				  "out of memory", most);
	}
	return 0;
}

/*
 * May any connection, this one or a later, have checksums instead of a cipher?
 * Pages under a checksum must not change while they are sent.
 */
static bool may_have_checksums(const struct dstor_device *dev)
{
	const char *left = dev->ciphers;
	char word[DST_ALGO_LEN];

	if (!dev->has_key)
		return strcmp(dev->checksums, "none");
	while (dstor_next_word(&left, word))
		if (!strcmp(word, "none"))
			return true;
	return false;
}

static void fill_limits(struct dstor_device *dev, const struct dstor_welcome *w,
			struct dstor_disk_limits *l)
{
	*l = (struct dstor_disk_limits) {
		.logical_block = le32_to_cpu(w->logical_block),
		.physical_block = le32_to_cpu(w->physical_block),
		.io_min = le32_to_cpu(w->io_min),
		.io_opt = le32_to_cpu(w->io_opt),
		.max_io = dev->max_io,
		.write_cache = dev->disk_flags & DST_DISK_VOLATILE,
		.fua = dev->disk_flags & DST_DISK_VOLATILE,
		.rotational = dev->disk_flags & DST_DISK_ROTATIONAL,
		.stable_writes = may_have_checksums(dev),
		/* Each needs its entry in the cipher's scatterlist. */
		.max_segments = dev->has_key ? DSTOR_SEGMENTS_MAX : USHRT_MAX,
	};
	if (dev->disk_flags & DST_DISK_DISCARD) {
		l->discard_granularity = le32_to_cpu(w->discard_granularity);
		l->discard_alignment = le32_to_cpu(w->discard_alignment);
		l->max_discard = le32_to_cpu(w->max_discard);
	}
	if (dev->disk_flags & DST_DISK_WRITE_ZEROES)
		l->max_write_zeroes = le32_to_cpu(w->max_write_zeroes);
}

int dstor_device_make_disk(struct dstor_device *dev, const struct dstor_welcome *w)
{
	struct dstor_disk_limits limits;
	struct gendisk *disk;
	int ret;

	dev->tag_set.ops = &dstor_mq_ops;
	dev->tag_set.nr_hw_queues = dev->n_queues;
	dev->tag_set.queue_depth = dev->depth;
	dev->tag_set.numa_node = NUMA_NO_NODE;
	dev->tag_set.timeout = 30 * HZ;
	dev->tag_set.cmd_size = sizeof(struct dstor_transaction);
	dev->tag_set.flags = DSTOR_SHOULD_MERGE | BLK_MQ_F_BLOCKING |
			     BLK_MQ_F_NO_SCHED_BY_DEFAULT;
	dev->tag_set.driver_data = dev;
	ret = blk_mq_alloc_tag_set(&dev->tag_set);
	if (ret)
		return ret;
	dev->n_hctx = dev->tag_set.nr_hw_queues;
	fill_limits(dev, w, &limits);
	disk = dstor_compat_alloc_disk(&dev->tag_set, &limits, dev);
	if (IS_ERR(disk)) {
		blk_mq_free_tag_set(&dev->tag_set);
		return PTR_ERR(disk);
	}
	disk->fops = &fops;
	disk->private_data = dev;
	snprintf(disk->disk_name, DISK_NAME_LEN, "dst-%.27s", dev->name);
	set_capacity(disk, dev->identity.size >> SECTOR_SHIFT);
	set_disk_ro(disk, dev->read_only);
	dev->disk = disk;
	return 0;
}

void dstor_device_stop_works(struct dstor_device *dev)
{
	unsigned int i;

	for (i = 0; i < dev->n_queues; i++)
		cancel_delayed_work_sync(&dev->queues[i].link);
	cancel_delayed_work_sync(&dev->monitor);
	for (i = 0; i < dev->n_queues; i++) {
		struct dstor_queue *q = &dev->queues[i];
		unsigned int z;

		mutex_lock(&q->lock);
		dstor_link_close(q, NULL);
		for (z = 0; z < DSTOR_ZOMBIES; z++)
			q->zombie[z].until = jiffies - 1;
		dstor_link_quiet(q);
		mutex_unlock(&q->lock);
		cancel_delayed_work_sync(&q->link);
		cancel_work_sync(&q->work);
	}
	/* Nothing is received any more that would start it. */
	cancel_work_sync(&dev->resize);
	cancel_work_sync(&dev->uevent);
}

void dstor_device_set_stopping(struct dstor_device *dev)
{
	mutex_lock(&dev->lock);
	/* Works that are queued under it have been, or are not any more. */
	mutex_lock(&dev->told_lock);
	WRITE_ONCE(dev->stopping, true);
	mutex_unlock(&dev->told_lock);
	mutex_unlock(&dev->lock);
}

void dstor_device_say_bye(struct dstor_device *dev)
{
	unsigned long until = jiffies + msecs_to_jiffies(BYE_MS);
	unsigned int i;

	for (i = 0; i < dev->n_queues; i++) {
		struct dstor_queue *q = &dev->queues[i];

		mutex_lock(&q->lock);
		if (q->state == DSTOR_Q_LIVE && !dstor_conn_lost(&q->conn))
			dstor_control_send(q, DSTOR_CONTROL_BYE, 0, 0);
		mutex_unlock(&q->lock);
	}
	/* The exporter closes when it has read it. */
	for (i = 0; i < dev->n_queues; i++)
		while (dstor_queue_live(&dev->queues[i]) &&
		       !dstor_conn_lost(&dev->queues[i].conn) && time_before(jiffies, until))
			usleep_range(500, 1000);
}

static int take_stage(struct dstor_device *dev, struct dstor_grant *g, struct dstor_error *err)
{
	int ret = dstor_device_make_disk(dev, &g->welcome);
	unsigned int i;

	if (ret) {
		dstor_socket_abort(g->sock);
		return dstor_fail(err, ret, "cannot make the block device: error %d", -ret);
	}
	ret = dstor_link_live(&dev->queues[0], g, err);
	if (ret && READ_ONCE(dev->dead))
		dstor_fail(err, ret, "%s", dev->reason);
	if (ret)
		goto err_disk;
	mutex_lock(&dev->lock);
	/* Somebody may have called it off meanwhile. */
	if (dev->dead)
		ret = dstor_fail(err, -ECANCELED, "%s", dev->reason);
	dev->running = !ret;
	mutex_unlock(&dev->lock);
	if (ret)
		goto err_live;
	queue_delayed_work(dstor_link_wq, &dev->monitor, 0);
	for (i = 1; i < dev->n_queues; i++)
		queue_delayed_work(dstor_link_wq, &dev->queues[i].link, 0);
	ret = device_add_disk(NULL, dev->disk, dstor_device_groups);
	if (!ret) {
		mutex_lock(&dev->lock);
		dev->added = true;
		mutex_unlock(&dev->lock);
		dstor_point(ATTACH_ADDED);
		/* From "added" on somebody may detach it. */
		mutex_lock(&dev->told_lock);
		if (!dev->stopping) {
			dstor_event_device(dev, DSTOR_EVENT_DEVICE_ATTACHED);
			/* Whoever was faster than "added" could not read what sysfs says. */
			queue_work(DSTOR_UNBOUND_WQ, &dev->uevent);
		}
		mutex_unlock(&dev->told_lock);
		return 0;
	}
	dstor_fail(err, ret, "cannot add the block device: error %d", -ret);
err_live:
	dstor_device_say_bye(dev);
	dstor_device_set_stopping(dev);
	WRITE_ONCE(dev->dead, true);
	dstor_device_stop_works(dev);
err_disk:
	put_disk(dev->disk);
	blk_mq_free_tag_set(&dev->tag_set);
	dev->disk = NULL;
	return ret;
}

int dstor_device_add(struct net *net, const struct dstor_device_config *c,
		     struct dstor_device_info *info, struct dstor_error *err)
{
	struct dstor_grant *g = kzalloc(sizeof(*g), GFP_KERNEL);
	struct dstor_device *dev;
	int ret;

	if (!g)
		return dstor_fail(err, -ENOMEM, "out of memory");
	dev = new_device(net, c, err);
	if (IS_ERR(dev)) {
		kfree_sensitive(g);
		return PTR_ERR(dev);
	}
	ret = dstor_device_enlist(dev, err);
	if (ret)
		goto err_put;
	ret = first_connection(dev, g, err);
	if (ret)
		goto err_list;
	dstor_point(ATTACH_CONNECTED);
	/* The disk takes one reference over (free_disk), and a detach may drop that at once. */
	dstor_device_get(dev);
	ret = take_stage(dev, g, err);
	if (!ret) {
		memset(info, 0, sizeof(*info));
		dstor_device_fill_info(dev, info);
	}
	dstor_device_put(dev);
	if (ret)
		goto err_list;
	kfree_sensitive(g);
	return 0;

err_list:
	dstor_device_delist(dev);
err_put:
	dstor_device_put(dev);
	kfree_sensitive(g);
	return ret;
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
	/* An attach that hangs ends with errors. */
	if (ret && force && !dev->added)
		dstor_device_expel(dev, "detached while it was being attached");
	if (ret || force)
		return ret;
	/* Somebody may only be having a look at it, as udev does at a new disk. */
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
	int ret;

	if (!dev)
		return dstor_fail(err, -ENOENT, "no device \"%s\"", name);
	ret = claim_removal(dev, force, err);
	if (ret)
		goto out;
	/* Idle: say goodbye while there is somebody to say it to. */
	if (!force && all_live(dev) && !dstor_oldest(dev, &age, &retry, &in_flight)) {
		del_gendisk(dev->disk);
		deleted = true;
	}
	dstor_device_set_stopping(dev);
	if (!dstor_oldest(dev, &age, &retry, &in_flight))
		dstor_device_say_bye(dev);
	if (!deleted) {
		/* The monitor begins to fail things while we wait for locks of file systems. */
		WRITE_ONCE(dev->dead, true);
		mod_delayed_work(dstor_link_wq, &dev->monitor, 0);
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
		dstor_device_expel(dev, "its network namespace was deleted");
		for (i = 0; i < dev->n_queues; i++) {
			struct dstor_queue *q = &dev->queues[i];

			/* Who connects has a reference, and then we would not be here. */
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
