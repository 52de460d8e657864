// SPDX-License-Identifier: GPL-2.0
/*
 * An export is made: configuration, disk, lease, listeners. What fails on the
 * way is undone here.
 *
 * Context: the caller's, which may sleep. Clients find the export as soon as
 * its first listener is there.
 */
#include <linux/module.h>
#include <linux/random.h>
#include <net/net_namespace.h>

#include "core/work.h"
#include "exporter/command.h"
#include "exporter/disk.h"
#include "exporter/export.h"
#include "exporter/export_event.h"
#include "exporter/gate.h"
#include "exporter/lease_file.h"
#include "exporter/listener.h"
#include "exporter/rules.h"
#include "exporter/session.h"
#include "exporter/stop.h"
#include "exporter/poll.h"

#define COMMANDS_RESERVE 16	/* commands of any size that always find memory; 4 KiB each */

static struct dstor_export *new_export(const struct dstor_export_config *c)
{
	struct dstor_export *e = kzalloc(sizeof(*e), GFP_KERNEL);

	if (!e)
		return NULL;
	kref_init(&e->kref);
	mutex_init(&e->lock);
	spin_lock_init(&e->memory.lock);
	INIT_LIST_HEAD(&e->entry);
	INIT_LIST_HEAD(&e->memory.waiting);
	INIT_LIST_HEAD(&e->memory.accounts);
	INIT_LIST_HEAD(&e->disk.claim);
	INIT_LIST_HEAD(&e->sessions.list);
	init_waitqueue_head(&e->wait);
	e->sessions.ran_ms = dstor_now_ms();
	INIT_DELAYED_WORK(&e->poll, dstor_export_poll);
	INIT_WORK(&e->end.gone, dstor_export_end_work);
	INIT_WORK(&e->end.shutdown, dstor_export_shutdown_work);
	INIT_LIST_HEAD(&e->disk.claim);
	dstor_lease_file_init(e, dstor_gate_lease_saved);
	strscpy(e->name, c->name, sizeof(e->name));
	strscpy(e->config.checksums, c->checksums[0] ? c->checksums : "crc32c,none",
		sizeof(e->config.checksums));
	memcpy(e->config.uuid, c->uuid, DSTOR_ID_LEN);
	memcpy(e->config.instance, c->instance, DSTOR_ID_LEN);
	memcpy(e->config.exporter, c->exporter, DSTOR_ID_LEN);
	get_random_bytes(e->life, DSTOR_ID_LEN);
	e->config.flags = c->flags;
	e->config.crypto_threads = c->crypto_threads;
	atomic64_set(&e->memory.max, c->max_inflight);
	atomic64_set(&e->limits.bandwidth, c->max_bandwidth);
	atomic_set(&e->limits.iops, c->max_iops);
	e->lease.token = c->writer_token;
	e->n_rules = c->n_rules;
	e->config.path = kstrdup(c->path, GFP_KERNEL);
	e->listen = kmemdup(c->listen, c->n_listen * sizeof(*c->listen), GFP_KERNEL);
	e->rules = dstor_rules_copy(c->rules, c->n_rules);
	e->stats = alloc_percpu(struct dstor_stats);
	if (e->config.path && e->listen && e->rules && e->stats &&
	    !bioset_init(&e->disk.commands, COMMANDS_RESERVE, offsetof(struct dstor_command, bio),
			 BIOSET_NEED_BVECS))
		return e;
	dstor_export_put(e);
	return NULL;
}

static int check_config(const struct dstor_export_config *c, struct dstor_error *err)
{
	if (!c->n_rules)
		return dstor_fail(err, -EACCES,
				  "export \"%s\" has no --allow rule: nobody could attach it",
				  c->name);
	if (!c->n_listen)
		return dstor_fail(err, -EINVAL, "export \"%s\" listens nowhere", c->name);
	/* A user who names a cipher expects encryption: refuse it without a key. */
	if (c->ciphers[0] && !dstor_rules_have_key(c->rules, c->n_rules))
		return dstor_fail(err, -EINVAL,
				  "a cipher needs a key: give a rule with key=FILE, too");
	return 0;
}

static int open_listeners(struct net *net, struct dstor_export *e,
			  const struct dstor_export_config *c, struct dstor_error *err)
{
	while (e->n_listen < c->n_listen) {
		struct dstor_listener *l = dstor_listener_get(net, &c->listen[e->n_listen], err);

		if (IS_ERR(l))
			return PTR_ERR(l);
		dstor_export_add_listener(e, l);
	}
	return 0;
}

int dstor_export_add(struct net *net, const struct dstor_export_config *c,
		     struct dstor_error *err)
{
	struct dstor_export *e;
	int ret = check_config(c, err);

	if (ret)
		return ret;
	e = new_export(c);
	if (!e)
		return dstor_fail(err, -ENOMEM, "out of memory");
	e->net = net;
	if (dstor_cipher_list(c->ciphers, e->config.ciphers) &&
	    dstor_rules_have_key(c->rules, c->n_rules))
		ret = dstor_fail(err, -ENOPROTOOPT, "this kernel has none of the ciphers %s",
				 c->ciphers[0] ? c->ciphers : "auto");
	if (!ret)
		ret = dstor_export_prepare_keys(e, c->rules, c->n_rules, err);
	if (ret)
		goto err_put;
	ret = dstor_export_enlist(e, err);
	if (ret)
		goto err_put;
	ret = dstor_disk_open(e, err);
	if (!ret && c->lease_file)
		ret = dstor_lease_file_open(e, c->lease_file, err);
	if (!ret) {
		dstor_gate_begin(e);
		ret = open_listeners(net, e, c, err);
	}
	if (!ret) {
		/*
		 * The reference lasts until unexport. dstor_peers_end() waits
		 * for whatever outlives that.
		 */
		__module_get(THIS_MODULE);
		queue_delayed_work(dstor_watch_wq, &e->poll, 0);
		dstor_event_export(e, DSTOR_EVENT_EXPORT_ADDED);
		/* The last step: from here on an unexport may end the export, and free it. */
		mutex_lock(&e->lock);
		e->made = true;
		mutex_unlock(&e->lock);
		return 0;
	}
	mutex_lock(&e->lock);
	e->stopping = true;
	dstor_session_end_all(e);
	mutex_unlock(&e->lock);
	dstor_export_close_listeners(e);
	dstor_export_delist(e);
err_put:
	dstor_export_put(e);
	return ret;
}
