// SPDX-License-Identifier: GPL-2.0
/*
 * Exports and devices as one JSON object. Scripts rely on its fields: they may
 * become more, never fewer. Called by show.
 */
#include <json-c/json.h>
#include <stdio.h>

#include "latency.h"
#include "show.h"

static void json_text(struct json_object *o, const char *name, const char *value)
{
	json_object_object_add(o, name, json_object_new_string(value));
}

static void json_number(struct json_object *o, const char *name, u64 value)
{
	json_object_object_add(o, name, json_object_new_uint64(value));
}

static void json_boolean(struct json_object *o, const char *name, bool value)
{
	json_object_object_add(o, name, json_object_new_boolean(value));
}

static void json_texts(struct json_object *o, const char *name, const struct text_list *l)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < l->n; i++)
		json_object_array_add(list, json_object_new_string(l->text[i]));
	json_object_object_add(o, name, list);
}

static void json_option(struct json_object *o, const struct option_spec *spec, const void *object)
{
	struct text_list shown = { };
	u64 n;

	if (!spec->json)
		return;
	if (!spec->type->text) {
		option_shown(spec, object, &shown);
		if (spec->flags & OPTION_REPEATS)
			json_texts(o, spec->json, &shown);
		else
			json_text(o, spec->json, shown.n ? shown.text[0] : "");
		text_list_free(&shown);
		return;
	}
	n = option_shown_number(spec, object);
	if (!spec->type->value)
		json_boolean(o, spec->json, n);
	else if (spec->word && n == spec->word_means)
		json_text(o, spec->json, spec->word);
	else
		json_number(o, spec->json, n);
}

/* @object: struct export_info or device_info */
static void json_options(struct json_object *o, enum object_kind kind, const void *object)
{
	const struct option_spec *spec = NULL;

	while ((spec = option_next(spec, kind)))
		json_option(o, spec, object);
}

static void json_stats(struct json_object *o, const struct stats_info *s)
{
	struct json_object *counters = json_object_new_object();
	int i;

	for (i = 0; i <= DSTOR_STATS_MAX; i++)
		if (stats_name(i))
			json_number(counters, stats_name(i), s->value[i]);
	json_object_object_add(o, "stats", counters);
}

/* Buckets as the module counts them, up to the last that is not empty. */
static struct json_object *json_histogram(const struct latency_info *l)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();
	int i, n = DSTOR_LATENCY_BUCKETS;

	json_number(o, "count", latency_count(l));
	json_number(o, "sum_ns", l->sum_ns);
	json_number(o, "p50_ns", latency_percentile(l, 50));
	json_number(o, "p99_ns", latency_percentile(l, 99));
	json_number(o, "p999_ns", latency_percentile(l, 99.9));
	while (n && !l->bucket[n - 1])
		n--;
	for (i = 0; i < n; i++)
		json_object_array_add(list, json_object_new_uint64(l->bucket[i]));
	json_object_object_add(o, "below_1024ns_doubling", list);
	return o;
}

static struct json_object *json_client(const struct client_info *c)
{
	struct json_object *o = json_object_new_object();

	json_text(o, "name", c->name);
	json_text(o, "address", c->address);
	json_text(o, "id", hex_text(c->id).s);
	json_text(o, "session", hex_text(c->session).s);
	json_object_object_add(o, "key", c->key[0] ? json_object_new_string(c->key) : NULL);
	json_object_object_add(o, "rule_client",
			       c->rule_client[0] ? json_object_new_string(c->rule_client) : NULL);
	json_text(o, "cipher", c->cipher[0] ? c->cipher : "none");
	json_text(o, "checksum", c->checksum[0] ? c->checksum : "none");
	json_text(o, "access", c->access == DSTOR_ACCESS_WRITE ? "write" : "read");
	json_number(o, "connections", c->connections);
	json_number(o, "in_flight", c->in_flight);
	json_number(o, "silent_ms", c->silent_ms);
	return o;
}

static struct json_object *json_export(const struct export_info *e)
{
	struct json_object *o = json_object_new_object(), *clients = json_object_new_array();
	size_t i;

	json_text(o, "name", e->name);
	json_text(o, "uuid", uuid_text(e->uuid).s);
	json_text(o, "exporter", hex_text(e->exporter).s);
	json_number(o, "size", e->size);
	json_options(o, OBJECT_EXPORT, e);
	json_number(o, "in_flight", e->in_flight);
	json_number(o, "readers_wait_ms", e->readers_wait_ms);
	for (i = 0; i < e->n_clients; i++)
		json_object_array_add(clients, json_client(&e->clients[i]));
	json_object_object_add(o, "clients", clients);
	json_stats(o, &e->stats);
	return o;
}

static struct json_object *json_device(const struct device_info *d)
{
	struct json_object *o = json_object_new_object(), *latency;
	char path[DSTOR_NAME_LEN + 16];

	snprintf(path, sizeof(path), "/dev/dst-%s", d->name);
	json_text(o, "name", d->name);
	json_text(o, "path", path);
	json_text(o, "export", d->export);
	json_text(o, "state", state_name(d->state));
	json_text(o, "reason", d->reason);
	json_number(o, "size", d->size);
	json_options(o, OBJECT_DEVICE, d);
	json_number(o, "live", d->live);
	json_number(o, "retry", d->retry);
	json_number(o, "in_flight", d->in_flight);
	json_number(o, "oldest_io_ms", d->oldest_io_ms);
	json_number(o, "next_ms", d->next_ms);
	json_boolean(o, "keeps", d->keeps);
	json_number(o, "kept_bytes", d->kept_bytes);
	json_boolean(o, "replaying", d->replaying);
	json_number(o, "replayed_bytes", d->replayed_bytes);
	json_number(o, "replay_bytes", d->replay_bytes);
	json_stats(o, &d->stats);
	latency = json_object_new_object();
	json_object_object_add(latency, "read", json_histogram(&d->read));
	json_object_object_add(latency, "write", json_histogram(&d->write));
	json_object_object_add(o, "latency", latency);
	return o;
}

void show_json(const struct info *info, bool pretty)
{
	struct json_object *exports = json_object_new_array(), *devices = json_object_new_array();
	struct json_object *top = json_object_new_object();
	int style = JSON_C_TO_STRING_NOSLASHESCAPE;
	size_t i;

	for (i = 0; i < info->n_exports; i++)
		json_object_array_add(exports, json_export(&info->exports[i]));
	for (i = 0; i < info->n_devices; i++)
		json_object_array_add(devices, json_device(&info->devices[i]));
	json_object_object_add(top, "exports", exports);
	json_object_object_add(top, "devices", devices);
	if (pretty)
		style |= JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED;
	puts(json_object_to_json_string_ext(top, style));
	json_object_put(top);
}
