// SPDX-License-Identifier: GPL-2.0
/*
 * The lifetime of exports, and the list of them. exports_lock protects the
 * list, and who listens where; it comes before export->lock.
 */
#include <linux/slab.h>

#include "exporter/disk.h"
#include "exporter/export.h"
#include "exporter/lease_file.h"
#include "exporter/rules.h"

static LIST_HEAD(exports);
static DEFINE_MUTEX(exports_lock);

static void free_export(struct kref *kref)
{
	struct dstor_export *e = container_of(kref, struct dstor_export, kref);

	dstor_disk_close(e);
	dstor_lease_file_close(e);
	bioset_exit(&e->disk.commands);
	free_percpu(e->stats);
	kfree(e->listen);
	kfree_sensitive(e->rules);
	dstor_threads_stop(&e->threads);
	kfree(e->config.path);
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

static struct dstor_export *export_find_locked(const char *name)
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
	e = export_find_locked(name);
	if (e)
		dstor_export_get(e);
	mutex_unlock(&exports_lock);
	return e;
}

int dstor_export_enlist(struct dstor_export *e, struct dstor_error *err)
{
	int ret = 0;

	mutex_lock(&exports_lock);
	if (export_find_locked(e->name))
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
	e = export_find_locked(name);
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

int dstor_export_prepare_keys(struct dstor_export *e, const struct dstor_rule *rules,
			      unsigned int n, struct dstor_error *err)
{
	if (!dstor_rules_have_key(rules, n))
		return 0;
	if (dstor_threads_start(&e->threads, e->name, e->config.crypto_threads, false))
		return dstor_fail(err, -ENOMEM, "out of memory");
	return 0;
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

static struct dstor_export *export_pick_locked(const char *name, bool next)
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
	e = export_pick_locked(name, next);
	if (e)
		dstor_export_get(e);
	mutex_unlock(&exports_lock);
	return e;
}
