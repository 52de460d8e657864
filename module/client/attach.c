// SPDX-License-Identifier: GPL-2.0
/*
 * Attach: a device is made from its configuration, gets its first connection
 * and then its disk, and goes live. What fails on the way is undone here.
 *
 * Context: the caller's, which may sleep. Takes dev->lock and dev->report.lock.
 */
#include <linux/module.h>
#include <linux/random.h>
#include <linux/sched/signal.h>
#include <net/net_namespace.h>

#include "client/device.h"
#include "client/device_event.h"
#include "client/reclaim.h"
#include "conn/transport.h"
#include "core/point.h"
#include "core/words.h"
#include "core/work.h"
#include "wire/id.h"

static int init_queue(struct dstor_device *dev, unsigned int index)
{
	static struct lock_class_key tx_key;
	struct dstor_queue *q = &dev->queues[index];

	q->dev = dev;
	q->index = index;
	mutex_init(&q->lock);
	INIT_WORK(&q->work, dstor_queue_work);
	q->batch.moved = jiffies;
	INIT_DELAYED_WORK(&q->link, dstor_link_work);
	q->next_try = jiffies;
	dstor_conn_init(&q->conn, &dstor_client_ops, dstor_io_wq, &q->work, &tx_key);
	dstor_conn_allow_inline(&q->conn, true);
	return dstor_control_init(q);
}

static int copy_config(struct dstor_device *dev, const struct dstor_device_config *c,
		       struct dstor_error *err)
{
	const char *left = c->checksums[0] ? c->checksums : "none";
	char word[DSTOR_ALGO_LEN], chosen[DSTOR_ALGO_LEN];
	unsigned int i;

	strscpy(dev->name, c->name, sizeof(dev->name));
	strscpy(dev->config.export, c->export, sizeof(dev->config.export));
	strscpy(dev->config.client_name, c->client_name, sizeof(dev->config.client_name));
	memcpy(dev->config.client_id, c->client_id, DSTOR_ID_LEN);
	memcpy(dev->geometry.identity.exporter, c->exporter, DSTOR_ID_LEN);
	memcpy(dev->geometry.identity.uuid, c->uuid, DSTOR_ID_LEN);
	dev->config.policy.timeout_ms = c->timeout_ms;
	dev->config.policy.retries = c->retries;
	dev->config.ping_ms = c->ping_ms;
	dev->n_queues = c->connections;
	dev->geometry.depth = c->queue_depth;
	dev->geometry.max_io = c->max_io;
	dev->config.read_only = c->read_only;
	dev->config.crypto_threads = c->crypto_threads;
	/* Offer only what this kernel can do. */
	while (dstor_next_word(&left, word)) {
		if (dstor_digest_choose(word, word, false, chosen) &&
		    (!c->has_key || dstor_digest_choose(word, word, true, chosen)))
			continue;
		if (dev->config.checksums[0])
			strlcat(dev->config.checksums, ",", sizeof(dev->config.checksums));
		strlcat(dev->config.checksums, chosen, sizeof(dev->config.checksums));
	}
	if (!dev->config.checksums[0])
		return dstor_fail(err, -ENOPROTOOPT, "this kernel has none of the checksums %s",
				  c->checksums);
	dev->config.has_key = c->has_key;
	memcpy(dev->config.key, c->key, DSTOR_KEY_LEN);
	if (dev->config.has_key && dstor_cipher_list(c->ciphers, dev->config.ciphers))
		return dstor_fail(err, -ENOPROTOOPT, "this kernel has none of the ciphers %s",
				  c->ciphers);
	dev->config.uri = kstrdup(c->uri, GFP_KERNEL);
	dev->config.n_addresses = c->n_addresses;
	dev->config.addresses = kmemdup(c->addresses, sizeof(*c->addresses) * c->n_addresses,
					GFP_KERNEL);
	if (!dev->config.uri || !dev->config.addresses ||
	    (dev->config.has_key &&
	     dstor_threads_start(&dev->threads, dev->name, dev->config.crypto_threads, true)))
		return dstor_fail(err, -ENOMEM, "out of memory");
	for (i = 0; i < c->n_addresses; i++)
		dstor_address_name_scope(&dev->config.addresses[i], dev->net);
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
	mutex_init(&dev->report.lock);
	INIT_WORK(&dev->report.uevent, dstor_event_work);
	spin_lock_init(&dev->cache_lock);
	spin_lock_init(&dev->copies.lock);
	INIT_LIST_HEAD(&dev->copies.free);
	INIT_LIST_HEAD(&dev->entry);
	INIT_WORK(&dev->resize, dstor_device_resize_work);
	INIT_WORK(&dev->geometry.relimit, dstor_device_relimit_work);
	INIT_DELAYED_WORK(&dev->watchdog, dstor_watchdog_work);
	get_random_bytes(dev->recovery.session, DSTOR_ID_LEN);
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
	if (!ret) {
		dstor_reclaim_teach(dev);
		return dev;
	}
	dstor_fail(err, ret, "out of memory");
err:
	if (!dev->queues)
		dev->n_queues = 0;
	dstor_device_put(dev);
	return ERR_PTR(ret);
}

/* The first welcome determines the properties of the device. */
static int accept_grant(struct dstor_device *dev, const struct dstor_welcome *w)
{
	unsigned int i;
	int ret;

	memcpy(dev->geometry.identity.uuid, w->uuid, DSTOR_ID_LEN);
	memcpy(dev->geometry.identity.exporter, w->exporter, DSTOR_ID_LEN);
	dev->geometry.identity.size = le64_to_cpu(w->size);
	dev->geometry.identity.block = le32_to_cpu(w->logical_block);
	dev->geometry.depth = le16_to_cpu(w->slots);
	dev->geometry.max_io = le32_to_cpu(w->max_io);
	/* A block device takes requests of a page at least. */
	if (dev->geometry.max_io < PAGE_SIZE)
		return -EMSGSIZE;
	dev->geometry.identity.slots = dev->geometry.depth;
	dev->geometry.identity.max_io = dev->geometry.max_io;
	dev->geometry.disk_flags = le32_to_cpu(w->disk_flags);
	if (dev->config.has_key)
		dstor_threads_keep(&dev->threads, w->cipher);
	if (w->access == DSTOR_ACCESS_READ)
		dev->config.read_only = true;
	for (i = 0; i < dev->n_queues; i++) {
		struct dstor_queue *q = &dev->queues[i];

		q->slots = kvcalloc(dev->geometry.depth, sizeof(*q->slots), GFP_KERNEL);
		q->resend = kvcalloc(dev->geometry.depth, sizeof(*q->resend), GFP_KERNEL);
		if (!q->slots || !q->resend)
			return -ENOMEM;
		ret = dstor_protection_make(&q->conn.former, &q->conn, w, dev->config.has_key,
					    dev->geometry.max_io, &dev->threads);
		if (ret)
			return ret;
	}
	return dstor_copies_alloc(dev);
}

/* Is it the exporter and the disk that the device was asked to insist on? */
static int check_pinned(struct dstor_device *dev, struct dstor_grant *g, struct dstor_error *err)
{
	enum dstor_resume r = dstor_resume_pinned(&dev->geometry.identity, &g->welcome);

	if (r == DSTOR_RESUME_OK)
		return 0;
	return dstor_link_mismatch(dev, r, &g->welcome, err);
}

/*
 * Where an identity is insisted on, the first hello asks for reading only: the wrong
 * exporter must not give its lease to a client that never writes there (P15).
 */
static int look_first(struct dstor_device *dev, struct dstor_grant *g, struct dstor_error *err)
{
	const struct dstor_identity *mine = &dev->geometry.identity;
	int ret;

	if (dev->config.read_only ||
	    (dstor_id_is_zero(mine->exporter) && dstor_id_is_zero(mine->uuid)))
		return 0;
	g->looking = true;
	ret = dstor_link_connect(&dev->queues[0], g, NULL, err) ?: check_pinned(dev, g, err);
	g->looking = false;
	if (!ret)
		dstor_connect_end(g);
	return ret;
}

static int first_connection(struct dstor_device *dev, struct dstor_grant *g,
			    struct dstor_error *err)
{
	struct dstor_queue *q = &dev->queues[0];
	u8 holder[DSTOR_ID_LEN];
	u16 most;
	int ret = look_first(dev, g, err) ?: dstor_link_connect(q, g, NULL, err);

	/* Our own former session, from before a reboot or a forced detach. */
	memcpy(holder, g->welcome.holder, DSTOR_ID_LEN);
	if (ret != -ECANCELED && g->welcome.status == DSTOR_WELCOME_IN_USE &&
	    !dstor_id_is_zero(holder) &&
	    !dstor_device_has_session(holder))
		ret = dstor_link_connect(q, g, holder, err);
	if (ret && READ_ONCE(dev->dead))
		return dstor_fail(err, -ECANCELED, "%s", dev->reason);
	if (ret)
		return ret;
	ret = check_pinned(dev, g, err);
	if (ret)
		return ret;
	most = le16_to_cpu(g->welcome.queues);
	ret = accept_grant(dev, &g->welcome);
	if (!ret && most < dev->n_queues)
		ret = -E2BIG;
	if (ret)
		return dstor_fail(err, ret, ret == -E2BIG ?
				  "the exporter allows only %u connections" :
				  ret == -EMSGSIZE ?
				  "the largest I/O is smaller than a page of this machine" :
				  ret == -ENOMEM ? "out of memory" :
				  "this kernel cannot do what the exporter chose", most);
	return 0;
}

static int device_go_live(struct dstor_device *dev, struct dstor_grant *g, struct dstor_error *err)
{
	int ret = dstor_device_make_disk(dev, &g->welcome);
	unsigned int i;

	if (ret)
		return dstor_fail(err, ret, "cannot make the block device: error %d", -ret);
	ret = dstor_link_live(&dev->queues[0], g, err);
	if (ret && READ_ONCE(dev->dead))
		dstor_fail(err, ret, "%s", dev->reason);
	if (ret)
		goto err_disk;
	mutex_lock(&dev->lock);
	/* A detach may have called the attach off meanwhile. */
	if (dev->dead)
		ret = dstor_fail(err, -ECANCELED, "%s", dev->reason);
	else if (signal_pending(current))
		ret = dstor_fail(err, -ECANCELED, "interrupted");
	dev->running = !ret;
	mutex_unlock(&dev->lock);
	if (ret)
		goto err_live;
	queue_delayed_work(dstor_watch_wq, &dev->watchdog, 0);
	for (i = 1; i < dev->n_queues; i++)
		queue_delayed_work(dstor_link_wq, &dev->queues[i].link, 0);
	dstor_device_scan_begin(dev);
	ret = device_add_disk(NULL, dev->disk, dstor_device_groups);
	if (!ret) {
		mutex_lock(&dev->lock);
		dev->added = true;
		mutex_unlock(&dev->lock);
		dstor_device_scan_end(dev);
		dstor_point(ATTACH_ADDED);
		/* From "added" on another process may detach the device. */
		mutex_lock(&dev->report.lock);
		if (!dev->stopping) {
			dstor_event_device(dev, DSTOR_EVENT_DEVICE_ATTACHED);
			/*
			 * A reader that was faster than "added" could not read
			 * sysfs: tell udev again.
			 */
			queue_work(DSTOR_UNBOUND_WQ, &dev->report.uevent);
		}
		mutex_unlock(&dev->report.lock);
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
	dstor_sockets_for_reclaim();
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
	ret = device_go_live(dev, g, err);
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
	/* The exporter has granted it: nothing of it stays there. */
	if (g->sock)
		dstor_device_give_back(&dev->queues[0], g);
	dstor_connect_end(g);
	dstor_device_delist(dev);
err_put:
	dstor_device_put(dev);
	kfree_sensitive(g);
	return ret;
}
