// SPDX-License-Identifier: GPL-2.0
/*
 * Exports: made, changed, shown, ended in order. exports_lock protects the list
 * and comes before export->lock.
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
#include "exporter/command.h"
#include "exporter/disk.h"
#include "exporter/evict.h"
#include "exporter/export.h"
#include "exporter/export_event.h"
#include "exporter/lease_file.h"
#include "exporter/listener.h"
#include "exporter/peer.h"
#include "exporter/rules.h"
#include "exporter/session.h"
#include "exporter/stop.h"
#include "exporter/watchdog.h"

#define COMMANDS_RESERVE 16	/* commands of any size that always find memory; 4 KiB each */
#define MONITOR_MS 1000
#define PARTING_MS 3000		/* for the clients to hear of the end */

static LIST_HEAD(exports);
static DEFINE_MUTEX(exports_lock);

static void free_export(struct kref *kref)
{
	struct dstor_export *e = container_of(kref, struct dstor_export, kref);

	dstor_disk_close(e);
	dstor_lease_close(e);
	bioset_exit(&e->commands);
	free_percpu(e->stats);
	kfree(e->listen);
	kfree_sensitive(e->rules);
	dstor_threads_stop(&e->threads);
	kfree(e->path);
	kfree(e);
}

void dstor_export_get(struct dstor_export *e)
{
	kref_get(&e->kref);
}

void dstor_export_put(struct dstor_export *e)
{
	kref_put(&e->kref, free_export);
}

static struct dstor_export *find_locked(const char *name)
{
	struct dstor_export *e;

	list_for_each_entry(e, &exports, entry)
		if (!strcmp(e->name, name))
			return e;
	return NULL;
}

struct dstor_export *dstor_export_by_name(const char *name)
{
	struct dstor_export *e;

	mutex_lock(&exports_lock);
	e = find_locked(name);
	if (e)
		dstor_export_get(e);
	mutex_unlock(&exports_lock);
	return e;
}

int dstor_export_enlist(struct dstor_export *e, struct dstor_error *err)
{
	int ret = 0;

	mutex_lock(&exports_lock);
	if (find_locked(e->name))
		ret = dstor_fail(err, -EEXIST, "an export \"%s\" exists already", e->name);
	else
		list_add_tail(&e->entry, &exports);
	mutex_unlock(&exports_lock);
	return ret;
}

void dstor_export_delist(struct dstor_export *e)
{
	mutex_lock(&exports_lock);
	list_del_init(&e->entry);
	mutex_unlock(&exports_lock);
}

void dstor_export_add_listener(struct dstor_export *e, struct dstor_listener *l)
{
	mutex_lock(&exports_lock);
	e->listeners[e->n_listen++] = l;
	mutex_unlock(&exports_lock);
}

unsigned int dstor_export_drop_listeners(struct dstor_export *e)
{
	unsigned int n;

	mutex_lock(&exports_lock);
	n = e->n_listen;
	e->n_listen = 0;
	mutex_unlock(&exports_lock);
	return n;
}

static bool listens_on(const struct dstor_export *e, const struct dstor_listener *l)
{
	unsigned int i;

	for (i = 0; i < e->n_listen; i++)
		if (e->listeners[i] == l)
			return true;
	return false;
}

struct dstor_export *dstor_export_find(struct dstor_listener *l, const char *name)
{
	struct dstor_export *e;

	mutex_lock(&exports_lock);
	e = find_locked(name);
	if (e && !listens_on(e, l))
		e = NULL;
	if (e)
		dstor_export_get(e);
	mutex_unlock(&exports_lock);
	return e;
}

void dstor_export_each(struct dstor_listener *l, void (*fn)(struct dstor_export *, void *),
		       void *arg)
{
	struct dstor_export *e;

	mutex_lock(&exports_lock);
	list_for_each_entry(e, &exports, entry)
		if (!l || listens_on(e, l))
			fn(e, arg);
	mutex_unlock(&exports_lock);
}

void dstor_export_watch(struct work_struct *work)
{
	struct dstor_export *e = container_of(work, struct dstor_export, monitor.work);
	u64 size;

	mutex_lock(&e->lock);
	size = dstor_disk_size(e);
	if (!e->stopping && size && size != e->geometry.size) {
		bool grew = size > e->geometry.size;

		e->geometry.size = size;
		atomic64_set(&e->grown, size);
		if (grew)
			dstor_sessions_notify(e, DSTOR_NOTICE_SIZE);
		dstor_event_export(e, DSTOR_EVENT_EXPORT_RESIZED);
	}
	dstor_session_expire(e);
	mutex_unlock(&e->lock);
	queue_delayed_work(dstor_link_wq, &e->monitor, msecs_to_jiffies(MONITOR_MS));
}

static struct dstor_export *new_export(const struct dstor_export_config *c)
{
	struct dstor_export *e = kzalloc(sizeof(*e), GFP_KERNEL);

	if (!e)
		return NULL;
	kref_init(&e->kref);
	mutex_init(&e->lock);
	spin_lock_init(&e->wait_lock);
	INIT_LIST_HEAD(&e->entry);
	INIT_LIST_HEAD(&e->waiting);
	INIT_LIST_HEAD(&e->sessions);
	init_waitqueue_head(&e->wait);
	INIT_DELAYED_WORK(&e->monitor, dstor_export_watch);
	INIT_WORK(&e->burial, dstor_export_burial_work);
	strscpy(e->name, c->name, sizeof(e->name));
	strscpy(e->checksums, c->checksums[0] ? c->checksums : "crc32c,none",
		sizeof(e->checksums));
	memcpy(e->uuid, c->uuid, DST_ID_LEN);
	memcpy(e->instance, c->instance, DST_ID_LEN);
	e->flags = c->flags;
	e->crypto_threads = c->crypto_threads;
	atomic64_set(&e->max_inflight, c->max_inflight);
	e->lease.token = c->writer_token;
	e->n_rules = c->n_rules;
	e->path = kstrdup(c->path, GFP_KERNEL);
	e->listen = kmemdup(c->listen, c->n_listen * sizeof(*c->listen), GFP_KERNEL);
	e->rules = dstor_rules_copy(c->rules, c->n_rules);
	e->stats = alloc_percpu(struct dstor_stats);
	if (e->path && e->listen && e->rules && e->stats &&
	    !bioset_init(&e->commands, COMMANDS_RESERVE, offsetof(struct dstor_command, bio),
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
	/* Nobody may think that a channel is closed when it is not. */
	if (c->ciphers[0] && !dstor_rules_have_key(c->rules, c->n_rules))
		return dstor_fail(err, -EINVAL,
				  "a cipher needs a key: give a rule with key=FILE, too");
	return 0;
}

int dstor_export_prepare_keys(struct dstor_export *e, const struct dstor_rule *rules,
			      unsigned int n, struct dstor_error *err)
{
	if (!dstor_rules_have_key(rules, n))
		return 0;
	if (dstor_threads_start(&e->threads, e->name, e->crypto_threads, false))
		return dstor_fail(err, -ENOMEM, "out of memory");
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

void dstor_export_close_listeners(struct dstor_export *e)
{
	unsigned int n = dstor_export_drop_listeners(e);

	while (n)
		dstor_listener_put(e->listeners[--n]);
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
	if (dstor_cipher_list(c->ciphers, e->ciphers) && dstor_rules_have_key(c->rules, c->n_rules))
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
		ret = dstor_lease_open(e, c->lease_file, err);
	if (!ret)
		ret = open_listeners(net, e, c, err);
	if (!ret) {
		/* Until unexport; what outlives that, dstor_peers_end() waits for. */
		__module_get(THIS_MODULE);
		queue_delayed_work(dstor_link_wq, &e->monitor, 0);
		dstor_event_export(e, DSTOR_EVENT_EXPORT_ADDED);
		/* The last of it: from here on somebody else may end it, and free it. */
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

static unsigned int count_clients(struct dstor_export *e)
{
	struct dstor_session *s;
	unsigned int n = 0;

	list_for_each_entry(s, &e->sessions, entry)
		n += dstor_session_connections(s) > 0;
	return n;
}

/* Without the lock: who waits for it must not sleep for anything else. */
static bool no_peers(const struct dstor_export *e)
{
	return !READ_ONCE(e->n_peers);
}

/* Nothing is on the disk, and no peer is about to give it something. */
static bool drained(const struct dstor_export *e)
{
	/* pairs with stop_admitting() in peer.c, which comes after the last submission */
	return !atomic_read_acquire(&e->admitting) && !atomic_read(&e->in_flight);
}

/*
 * Drain, flush, tell. An exporter never gives up waiting for its disk: what it
 * has submitted may still be written, and nobody may believe otherwise.
 */
static int wind_down(struct dstor_export *e)
{
	int ret = 0;

	mutex_lock(&e->lock);
	dstor_sessions_notify(e, DSTOR_NOTICE_STOP);
	mutex_unlock(&e->lock);
	if (wait_event_killable(e->wait, drained(e)))
		return -ERESTARTSYS;
	dstor_point(STOP_BEFORE_FLUSH);
	if (!(e->flags & DSTOR_EXPORT_READ_ONLY))
		ret = dstor_disk_flush(e);
	mutex_lock(&e->lock);
	dstor_sessions_notify(e, ret ? DSTOR_NOTICE_UNFLUSHED : DSTOR_NOTICE_FLUSHED);
	mutex_unlock(&e->lock);
	wait_event_timeout(e->wait, no_peers(e), msecs_to_jiffies(PARTING_MS));
	return ret;
}

/* The last of an export that has no more I/O: when it returns its disk is free. */
static void finish(struct dstor_export *e)
{
	mutex_lock(&e->lock);
	dstor_session_end_all(e);
	mutex_unlock(&e->lock);
	dstor_export_close_listeners(e);
	wait_event(e->wait, no_peers(e));
	cancel_delayed_work_sync(&e->monitor);
	mutex_lock(&e->lock);
	dstor_session_end_all(e);
	mutex_unlock(&e->lock);
	/* Free for others, whoever still looks at the export. */
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
	else if (e->ending)
		ret = dstor_fail(err, -EBUSY, "export \"%s\" is being stopped", name);
	else if (!force && count_clients(e))
		ret = dstor_fail(err, -EBUSY, "export \"%s\" has %u client(s)", name,
				 count_clients(e));
	if (!ret) {
		e->stopping = true;
		e->ending = true;
	}
	mutex_unlock(&e->lock);
	if (ret)
		goto out;
	ret = wind_down(e);
	if (ret == -ERESTARTSYS) {
		/* Killed while the disk keeps what it has: unexport can be tried again. */
		mutex_lock(&e->lock);
		e->ending = false;
		mutex_unlock(&e->lock);
		ret = dstor_fail(err, -ECANCELED, "export \"%s\" still waits for its disk", name);
		goto out;
	}
	if (ret)
		dstor_fail(err, ret,
			   "export \"%s\" is gone, but its disk could not be flushed: error %d",
			   name, -ret);
	finish(e);
out:
	dstor_export_put(e);
	return ret;
}

void dstor_export_burial_work(struct work_struct *work)
{
	struct dstor_export *e = container_of(work, struct dstor_export, burial);

	wait_event_idle(e->wait, !atomic_read(&e->in_flight));
	if (!(e->flags & DSTOR_EXPORT_READ_ONLY) && dstor_disk_flush(e))
		pr_warn("dstor: the disk of export \"%s\" could not be flushed\n", e->name);
	finish(e);
}

struct dstor_export *dstor_export_in(struct net *net)
{
	struct dstor_export *e, *found = NULL;

	mutex_lock(&exports_lock);
	list_for_each_entry(e, &exports, entry)
		if (READ_ONCE(e->net) == net)
			found = e;
	if (found)
		dstor_export_get(found);
	mutex_unlock(&exports_lock);
	return found;
}

void dstor_exports_leave(struct net *net)
{
	struct dstor_export *e;
	bool go;

	while ((e = dstor_export_in(net))) {
		mutex_lock(&e->lock);
		go = !e->ending;
		e->stopping = true;
		e->ending = true;
		dstor_session_end_all(e);
		mutex_unlock(&e->lock);
		dstor_export_close_listeners(e);
		dstor_netns_gone(&e->net);
		if (go)
			queue_work(dstor_disk_wq, &e->burial);
		dstor_export_put(e);
	}
	/* An unexport that is under way closes its own. */
	while (dstor_listeners_in(net))
		usleep_range(500, 1000);
}

static void shut_down(struct dstor_export *e, void *unused)
{
	bool go;

	mutex_lock(&e->lock);
	/* There may be no disk to flush yet while it is being made. */
	go = e->made && !e->stopping;
	e->stopping = true;
	mutex_unlock(&e->lock);
	if (go)
		wind_down(e);
}

/* The machine goes down: in order, but nothing is taken apart. */
void dstor_exports_shutdown(void)
{
	dstor_export_each(NULL, shut_down, NULL);
}

int dstor_export_set(const char *name, const struct dstor_export_change *c,
		     struct dstor_error *err)
{
	struct dstor_export *e = dstor_export_by_name(name);
	struct dstor_rule *rules = NULL;
	int ret = 0;

	if (!e)
		return dstor_fail(err, -ENOENT, "no export \"%s\"", name);
	if (c->n_rules) {
		rules = dstor_rules_copy(c->rules, c->n_rules);
		if (!rules)
			ret = dstor_fail(err, -ENOMEM, "out of memory");
	}
	if (ret)
		goto out;
	mutex_lock(&e->lock);
	if (rules)
		ret = dstor_export_prepare_keys(e, rules, c->n_rules, err);
	if (ret)
		goto out_unlock;
	if (rules) {
		swap(e->rules, rules);
		e->n_rules = c->n_rules;
		dstor_sessions_enforce_rules(e);
	}
	if (c->crypto_threads) {
		e->crypto_threads = *c->crypto_threads;
		dstor_threads_set(&e->threads, e->crypto_threads);
	}
	if (c->max_inflight)
		atomic64_set(&e->max_inflight, c->max_inflight);
	if (c->evict && !dstor_session_evict(e, c->evict))
		ret = dstor_fail(err, -ENOENT, "export \"%s\" has no client \"%s\"", name,
				 c->evict);
out_unlock:
	mutex_unlock(&e->lock);
	kfree_sensitive(rules);
out:
	dstor_export_put(e);
	return ret;
}

static void fill_clients(struct dstor_export *e, struct dstor_export_info *info)
{
	struct dstor_session *s;

	info->clients = kvcalloc(max(e->n_sessions, 1U), sizeof(*info->clients), GFP_KERNEL);
	if (!info->clients)
		return;
	list_for_each_entry(s, &e->sessions, entry) {
		struct dstor_client_info *c = &info->clients[info->n_clients++];

		strscpy(c->name, s->client_name, sizeof(c->name));
		memcpy(c->id, s->client, DST_ID_LEN);
		memcpy(c->session, s->id, DST_ID_LEN);
		c->addr = s->who.addr;
		c->addr_len = s->who.addr_len;
		dstor_rules_name_key(e, &s->who, c->key);
		c->access = s->access;
		c->connections = dstor_session_connections(s);
		c->in_flight = dstor_session_in_flight(s);
		c->silent_ms = dstor_session_silent_ms(s);
	}
}

static int fill_info(struct dstor_export *e, struct dstor_export_info *info)
{
	unsigned int i;

	mutex_lock(&e->lock);
	strscpy(info->name, e->name, sizeof(info->name));
	strscpy(info->checksums, e->checksums, sizeof(info->checksums));
	strscpy(info->ciphers, e->ciphers, sizeof(info->ciphers));
	memcpy(info->uuid, e->uuid, DST_ID_LEN);
	memcpy(info->instance, e->instance, DST_ID_LEN);
	info->path = kstrdup(e->path, GFP_KERNEL);
	info->flags = e->flags;
	info->size = e->geometry.size;
	info->max_inflight = atomic64_read(&e->max_inflight);
	info->writer_token = e->lease.token;
	info->in_flight = atomic_read(&e->in_flight);
	info->crypto_threads = e->crypto_threads;
	info->n_listen = e->n_listen;
	info->listen = kmemdup(e->listen, e->n_listen * sizeof(*e->listen), GFP_KERNEL);
	info->n_rules = e->n_rules;
	info->rules = dstor_rules_copy(e->rules, e->n_rules);
	for (i = 0; info->rules && i < info->n_rules; i++)
		memzero_explicit(info->rules[i].key, DST_KEY_LEN + DST_ID_LEN);
	fill_clients(e, info);
	dstor_stats_sum(e->stats, &info->stats);
	mutex_unlock(&e->lock);
	return info->path && info->listen && info->rules && info->clients ? 0 : -ENOMEM;
}

static struct dstor_export *pick(const char *name, bool next)
{
	struct dstor_export *e, *best = NULL;

	list_for_each_entry(e, &exports, entry) {
		int order = strcmp(e->name, name);

		if (next ? order <= 0 : order != 0)
			continue;
		if (!best || strcmp(e->name, best->name) < 0)
			best = e;
	}
	return best;
}

struct dstor_export *dstor_export_pick(const char *name, bool next)
{
	struct dstor_export *e;

	mutex_lock(&exports_lock);
	e = pick(name, next);
	if (e)
		dstor_export_get(e);
	mutex_unlock(&exports_lock);
	return e;
}

int dstor_export_info(const char *name, bool next, struct dstor_export_info *info)
{
	struct dstor_export *e;
	int ret;

	memset(info, 0, sizeof(*info));
	e = dstor_export_pick(name, next);
	if (!e)
		return -ENOENT;
	ret = fill_info(e, info);
	if (ret)
		dstor_export_info_free(info);
	dstor_export_put(e);
	return ret;
}

void dstor_export_info_free(struct dstor_export_info *info)
{
	kfree(info->path);
	kfree(info->listen);
	kfree(info->rules);
	kvfree(info->clients);
	memset(info, 0, sizeof(*info));
}
