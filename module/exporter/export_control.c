// SPDX-License-Identifier: GPL-2.0
/*
 * Control of an export: its settings are changed live, its state is shown.
 * Called by netlink; takes export->lock.
 */
#include <linux/slab.h>

#include "exporter/evict.h"
#include "exporter/export.h"
#include "exporter/gate.h"
#include "exporter/lease_file.h"
#include "exporter/rules.h"
#include "exporter/session.h"
#include "exporter/throttle.h"
#include "wire/id.h"

#define LEASE_WAIT_MS 10000	/* for the disk that has the lease */

/* A client that lost its right sends nothing more; its submitted writes may still land. */
static int await_fence(struct dstor_export *e, const struct dstor_export_change *c,
		       struct dstor_error *err)
{
	long left;

	if (!c->wait_ms || !(c->evict || c->n_rules))
		return 0;
	left = wait_event_killable_timeout(e->wait, dstor_sessions_drained(e),
					   msecs_to_jiffies(c->wait_ms));
	if (left > 0)
		return 0;
	return dstor_fail(err, left ? -EINTR : -ETIMEDOUT,
			  "export \"%s\" has changed, but writes from before are still on its disk: they may land until that answers",
			  e->name);
}

/* What was done stays done: a writer that is out is better than one that is not. */
static int check_lease_is_kept(struct dstor_export *e, const struct dstor_export_change *c,
			       struct dstor_error *err)
{
	long left;
	int error;

	if (!c->evict && !c->n_rules)
		return 0;
	left = wait_event_killable_timeout(e->wait, dstor_lease_file_idle(e),
					   msecs_to_jiffies(LEASE_WAIT_MS));
	if (left <= 0)
		return dstor_fail(err, left ? -EINTR : -ETIMEDOUT,
				  "export \"%s\" has changed, but its lease is not written yet, because the disk of its file does not answer: after a restart a former writer may be let in",
				  e->name);
	mutex_lock(&e->lock);
	error = e->lease_file.error;
	mutex_unlock(&e->lock);
	if (!error)
		return 0;
	return dstor_fail(err, error,
			  "export \"%s\" has changed, but its lease cannot be written (error %d): after a restart a former writer may be let in; make room, it is tried again each second",
			  e->name, -error);
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
		e->config.crypto_threads = *c->crypto_threads;
		dstor_threads_set(&e->threads, e->config.crypto_threads);
	}
	if (c->max_inflight)
		atomic64_set(&e->memory.max, c->max_inflight);
	dstor_throttle_set(e, c->max_bandwidth, c->max_iops);
	if (c->evict && !dstor_session_evict(e, c->evict))
		ret = dstor_fail(err, -ENOENT, "export \"%s\" has no client \"%s\"", name,
				 c->evict);
out_unlock:
	mutex_unlock(&e->lock);
	kfree_sensitive(rules);
	if (!ret)
		ret = await_fence(e, c, err) ?: check_lease_is_kept(e, c, err);
out:
	dstor_export_put(e);
	return ret;
}

/* While a key is changed, connections of a session use the one or the other. */
static void fill_keys(const struct dstor_session *s, char text[DSTOR_TEXT_LEN])
{
	char other[DSTOR_TEXT_LEN] = "";
	unsigned int i;

	dstor_rules_name_key(s->export, &s->peer_id, text);
	for (i = 0; i < s->n_queues && !other[0]; i++) {
		const struct dstor_peer *p = s->queues[i].peer;

		if (p && !dstor_id_equal(p->peer_id.fingerprint, s->peer_id.fingerprint))
			dstor_rules_name_key(s->export, &p->peer_id, other);
	}
	if (other[0]) {
		strlcat(text, ", ", DSTOR_TEXT_LEN);
		strlcat(text, other, DSTOR_TEXT_LEN);
	}
}

static void fill_clients(struct dstor_export *e, struct dstor_export_info *info)
{
	struct dstor_session *s;

	info->clients = kvcalloc(max(e->sessions.n, 1U), sizeof(*info->clients), GFP_KERNEL);
	if (!info->clients)
		return;
	list_for_each_entry(s, &e->sessions.list, entry) {
		struct dstor_client_info *c = &info->clients[info->n_clients];

		if (s->dormant)
			continue;
		info->n_clients++;

		strscpy(c->name, s->client_name, sizeof(c->name));
		memcpy(c->id, s->client, DSTOR_ID_LEN);
		memcpy(c->session, s->id, DSTOR_ID_LEN);
		c->addr = s->peer_id.addr;
		c->addr_len = s->peer_id.addr_len;
		fill_keys(s, c->key);
		strscpy(c->rule_client, s->peer_id.client, sizeof(c->rule_client));
		strscpy(c->cipher, s->cipher, sizeof(c->cipher));
		strscpy(c->checksum, s->checksum, sizeof(c->checksum));
		c->access = dstor_session_access(s);
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
	strscpy(info->checksums, e->config.checksums, sizeof(info->checksums));
	strscpy(info->ciphers, e->config.ciphers, sizeof(info->ciphers));
	memcpy(info->uuid, e->config.uuid, DSTOR_ID_LEN);
	memcpy(info->instance, e->config.instance, DSTOR_ID_LEN);
	memcpy(info->exporter, e->config.exporter, DSTOR_ID_LEN);
	info->path = kstrdup(e->config.path, GFP_KERNEL);
	info->flags = e->config.flags;
	info->size = e->disk.geometry.size;
	info->max_inflight = atomic64_read(&e->memory.max);
	info->max_bandwidth = atomic64_read(&e->limits.bandwidth);
	info->max_iops = atomic_read(&e->limits.iops);
	info->writer_token = e->lease.token;
	info->in_flight = atomic_read(&e->in_flight);
	info->readers_wait_ms = dstor_gate_wait_ms(e);
	info->crypto_threads = e->config.crypto_threads;
	info->n_listen = e->n_listen;
	info->listen = kmemdup(e->listen, e->n_listen * sizeof(*e->listen), GFP_KERNEL);
	info->n_rules = e->n_rules;
	info->rules = dstor_rules_copy(e->rules, e->n_rules);
	for (i = 0; info->rules && i < info->n_rules; i++)
		memzero_explicit(info->rules[i].key, DSTOR_KEY_LEN + DSTOR_ID_LEN);
	fill_clients(e, info);
	dstor_stats_sum(e->stats, &info->stats);
	mutex_unlock(&e->lock);
	return info->path && info->listen && info->rules && info->clients ? 0 : -ENOMEM;
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
