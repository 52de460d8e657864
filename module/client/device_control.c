// SPDX-License-Identifier: GPL-2.0
/*
 * Control of an attached device: its settings are changed live, its state is
 * shown. Called by netlink and sysfs; takes dev->lock, and q->lock after it
 * where a connection has to move.
 */
#include <linux/sched/mm.h>

#include "client/device.h"
#include "client/device_state.h"
#include "client/kept_replay.h"
#include "client/trouble.h"
#include "core/netns.h"
#include "core/point.h"
#include "wire/id.h"

/* All that is unacked is resent at the new address. */
static void move_queues(struct dstor_device *dev)
{
	unsigned int i;

	for (i = 0; i < dev->n_queues; i++) {
		struct dstor_queue *q = &dev->queues[i];

		mutex_lock(&q->lock);
		q->address = 0;
		dstor_link_close(q, "told to use another address");
		q->next_try = jiffies;
		mutex_unlock(&q->lock);
		dstor_link_soon(q);
	}
}

/* A device that insists on another identity has to connect anew. Under dev->lock. */
static bool change_identity(struct dstor_device *dev, const struct dstor_device_change *c)
{
	struct dstor_identity *mine = &dev->geometry.identity;
	bool changed = false;

	if (c->exporter && !dstor_id_equal(mine->exporter, c->exporter)) {
		memcpy(mine->exporter, c->exporter, DSTOR_ID_LEN);
		changed = true;
	}
	if (c->uuid && !dstor_id_equal(mine->uuid, c->uuid)) {
		memcpy(mine->uuid, c->uuid, DSTOR_ID_LEN);
		/* It was of the other disk's lease: there it would look replaced (P15). */
		dev->recovery.writer_token = 0;
		changed = true;
	}
	return changed;
}

static void change_settings(struct dstor_device *dev, const struct dstor_device_change *c)
{
	if (c->timeout_ms)
		WRITE_ONCE(dev->config.policy.timeout_ms, *c->timeout_ms);
	if (c->retries)
		WRITE_ONCE(dev->config.policy.retries, *c->retries);
	if (c->ping_ms)
		WRITE_ONCE(dev->config.ping_ms, *c->ping_ms);
	if (c->crypto_threads) {
		dev->config.crypto_threads = *c->crypto_threads;
		dstor_threads_set(&dev->threads, dev->config.crypto_threads);
	}
}

/* The interfaces of the namespace that the device connects from. */
static void name_scopes(struct dstor_device *dev, struct dstor_address *a, unsigned int n)
{
	struct net *net = dstor_netns_get(&dev->net);

	while (net && n)
		dstor_address_name_scope(&a[--n], net);
	if (net)
		put_net(net);
}

/* Somebody has changed the disk meanwhile. Under dev->lock. */
static int drop_kept(struct dstor_device *dev, struct dstor_error *err)
{
	int ret = dstor_kept_may_drop(dev, err);

	if (ret)
		return ret;
	dstor_link_stop_replay(dev, "kept writes were dropped");
	dstor_kept_drop(dev);
	return 0;
}

int dstor_device_set(const char *name, const struct dstor_device_change *c,
		     struct dstor_error *err)
{
	struct dstor_device *dev = dstor_device_find(name);
	struct dstor_address *addresses = NULL;
	char *uri = NULL;
	bool move = false;
	int ret = 0;

	if (!dev)
		return dstor_fail(err, -ENOENT, "no device \"%s\"", name);
	if (!READ_ONCE(dev->added)) {
		dstor_device_put(dev);
		return dstor_fail(err, -EBUSY, "\"%s\" is being attached", name);
	}
	if (c->n_addresses)
		addresses = kmemdup(c->addresses, sizeof(*addresses) * c->n_addresses, GFP_KERNEL);
	if (c->uri)
		uri = kstrdup(c->uri, GFP_KERNEL);
	if ((c->n_addresses && !addresses) || (c->uri && !uri)) {
		kfree(addresses);
		kfree(uri);
		dstor_device_put(dev);
		return dstor_fail(err, -ENOMEM, "out of memory");
	}
	mutex_lock(&dev->lock);
	if (c->key)
		ret = dstor_renewal_set_key(dev, c->key, err);
	if (!ret && c->drop_kept)
		ret = drop_kept(dev, err);
	if (ret)
		goto out;
	change_settings(dev, c);
	move = change_identity(dev, c);
	if (uri)
		swap(dev->config.uri, uri);
	if (c->export)
		strscpy(dev->config.export, c->export, sizeof(dev->config.export));
	if (addresses) {
		name_scopes(dev, addresses, c->n_addresses);
		swap(dev->config.addresses, addresses);
		dev->config.n_addresses = c->n_addresses;
		move = true;
	}
	dev->config.moves += move;
out:
	mutex_unlock(&dev->lock);
	kfree(uri);
	kfree(addresses);
	if (!ret && move)
		move_queues(dev);
	if (!ret && c->key)
		dstor_renewal_next(dev);
	dstor_device_put(dev);
	return ret;
}

static bool cache_tells(struct dstor_device *dev)
{
	bool ret;

	spin_lock_irq(&dev->cache_lock);
	ret = dstor_flush_mark_tells(&dev->cache);
	spin_unlock_irq(&dev->cache_lock);
	return ret;
}

static void tell_former_keys(const struct dstor_device *dev, struct dstor_device_info *info)
{
	strscpy(info->reason, "connections keep their former keys: ", sizeof(info->reason));
	strlcat(info->reason, dev->renewal.why, sizeof(info->reason));
}

static void fill_kept(struct dstor_device *dev, struct dstor_device_info *info)
{
	info->keep_bytes = dev->config.keep_bytes;
	dstor_kept_look(dev, &info->kept);
}

static void fill_state(struct dstor_device *dev, struct dstor_device_info *info)
{
	unsigned long next = 0;
	unsigned int i;

	for (i = 0; i < dev->n_queues; i++) {
		struct dstor_queue *q = &dev->queues[i];

		if (dstor_queue_live(q))
			info->live++;
		else if (!next || time_before(q->next_try, next))
			next = q->next_try;
	}
	info->state = dstor_device_state(dev);
	if (next && time_after(next, jiffies))
		info->next_ms = jiffies_to_msecs(next - jiffies);
	if (info->state == DSTOR_DEVICE_CONNECTED) {
		/* It did not when the device was made. */
		if (dev->recovery.access == DSTOR_ACCESS_READ && !dev->config.read_only)
			strscpy(info->reason, "the exporter allows only reading now: writes fail",
				sizeof(info->reason));
		else if (info->kept.replaying)
			snprintf(info->reason, sizeof(info->reason),
				 "the exporter crashed: replaying %llu of %llu MiB",
				 info->kept.replayed >> 20, (info->kept.total >> 20) + 1);
		else if (cache_tells(dev))
			strscpy(info->reason,
				"acked writes may be lost: flush and FUA fail for 60 s or until it is closed",
				sizeof(info->reason));
		else if (dev->renewal.why[0])
			tell_former_keys(dev, info);
		else
			strscpy(info->reason, dstor_trouble_text(dev) ?: "",
				sizeof(info->reason));
		return;
	}
	strscpy(info->reason, dev->reason, sizeof(info->reason));
	/* No attempt has failed yet: show why the connection was lost. */
	if (!info->reason[0])
		strscpy(info->reason, dstor_trouble_text(dev) ?: "", sizeof(info->reason));
	mutex_lock(&dev->report.lock);
	if (!info->reason[0])
		strscpy(info->reason, dev->report.reason, sizeof(info->reason));
	mutex_unlock(&dev->report.lock);
}

void dstor_device_fill_info(struct dstor_device *dev, struct dstor_device_info *info)
{
	/* Reconnecting takes dev->lock, so its holder must not wait for I/O of this device. */
	unsigned int noio = memalloc_noio_save();

	mutex_lock(&dev->lock);
	strscpy(info->name, dev->name, sizeof(info->name));
	strscpy(info->export, dev->config.export, sizeof(info->export));
	strscpy(info->checksum, dev->recovery.checksum, sizeof(info->checksum));
	strscpy(info->cipher, dev->recovery.cipher, sizeof(info->cipher));
	info->uri = kstrdup(dev->config.uri, GFP_KERNEL);
	memcpy(info->uuid, dev->geometry.identity.uuid, DSTOR_ID_LEN);
	memcpy(info->exporter, dev->geometry.identity.exporter, DSTOR_ID_LEN);
	info->size = dev->geometry.identity.size;
	info->timeout_ms = dev->config.policy.timeout_ms;
	info->retries = dev->config.policy.retries;
	info->ping_ms = dev->config.ping_ms;
	info->connections = dev->n_queues;
	info->queue_depth = dev->geometry.tags;
	info->max_io = dev->geometry.max_io;
	info->read_only = dev->config.read_only;
	info->crypto_threads = dev->config.crypto_threads;
	fill_kept(dev, info);
	fill_state(dev, info);
	if (dev->disk) {
		dstor_oldest(dev, &info->oldest_io_ms, &info->retry, &info->in_flight);
		info->major = disk_devt(dev->disk) ? MAJOR(disk_devt(dev->disk)) : 0;
		info->minor = MINOR(disk_devt(dev->disk));
	}
	dstor_stats_sum(dev->stats, &info->stats);
	mutex_unlock(&dev->lock);
	memalloc_noio_restore(noio);
}

int dstor_device_info(const char *name, bool next, struct dstor_device_info *info)
{
	struct dstor_device *dev;

	memset(info, 0, sizeof(*info));
	dev = dstor_device_pick(name, next);
	if (!dev)
		return -ENOENT;
	dstor_point(SHOW_PICKED);
	dstor_device_fill_info(dev, info);
	dstor_device_put(dev);
	return info->uri ? 0 : -ENOMEM;
}

void dstor_device_info_free(struct dstor_device_info *info)
{
	kfree(info->uri);
	info->uri = NULL;
}
