// SPDX-License-Identifier: GPL-2.0
/*
 * Exports and devices for people: aligned, and with colours on a terminal (not if
 * NO_COLOR is set). Called by show.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "latency.h"
#include "show.h"

#define PROTECTION_LEN (DSTOR_ALGO_LEN + 40)
#define STATE_LEN 12	/* of the longest name of a state */

enum style { PLAIN, BOLD, GREEN, YELLOW, RED };

static const char *table_style(enum style s)
{
	static const char * const codes[] = {
		[PLAIN] = "\033[0m",
		[BOLD] = "\033[1m",
		[GREEN] = "\033[32m",
		[YELLOW] = "\033[33m",
		[RED] = "\033[31m",
	};
	static int coloured = -1;

	if (coloured < 0)
		coloured = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	return coloured ? codes[s] : "";
}

static enum style state_style(const struct device_info *d)
{
	switch (d->state) {
	case DSTOR_DEVICE_CONNECTED:
		return d->live == d->connections ? GREEN : YELLOW;
	case DSTOR_DEVICE_RECONNECTING:
		return YELLOW;
	default:
		return RED;
	}
}

static void table_widen(int *width, const char *text)
{
	int n = strlen(text);

	if (n > *width)
		*width = n;
}

static const char *export_access(const struct export_info *e)
{
	if (e->flags & DSTOR_EXPORT_READ_ONLY)
		return "read-only";
	return e->flags & DSTOR_EXPORT_SHARED ? "shared" : "one-writer";
}

static void print_texts(const char *what, const struct text_list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		printf("%s%s", i ? " " : what, l->text[i]);
}

static void print_client(const struct client_info *c)
{
	char protection[PROTECTION_LEN];

	printf("  client %s %s: %s, %u connection%s, %u in flight", c->name, c->address,
	       c->access == DSTOR_ACCESS_WRITE ? "writes" : "reads", c->connections,
	       c->connections == 1 ? "" : "s", c->in_flight);
	if (!c->connections)
		printf(", silent for %s", time_text(c->silent_ms).s);
	printf(", %s", protection_text(c->cipher, c->checksum, protection, sizeof(protection)));
	if (c->rule_client[0])
		printf(", client %s", c->rule_client);
	printf("%s%s\n", c->key[0] ? ", key " : "", c->key);
}

static void print_identity(const char *exporter, const char *uuid)
{
	printf("  exporter %s, disk %s\n", exporter, uuid);
}

static void print_exports(const struct info *info, bool identities)
{
	int name = strlen("EXPORT"), path = strlen("PATH");
	size_t i, j;

	for (i = 0; i < info->n_exports; i++) {
		table_widen(&name, info->exports[i].name);
		table_widen(&path, info->exports[i].path);
	}
	if (info->n_exports)
		printf("%s%-*s  %-*s  %8s  %-10s  %s%s\n", table_style(BOLD), name, "EXPORT", path,
		       "PATH", "SIZE", "ACCESS", "OFFERED", table_style(PLAIN));
	for (i = 0; i < info->n_exports; i++) {
		const struct export_info *e = &info->exports[i];

		printf("%-*s  %-*s  %8s  %-10s", name, e->name, path, e->path,
		       size_text(e->size).s, export_access(e));
		print_texts("  on ", &e->listen);
		print_texts(" to ", &e->rules);
		putchar('\n');
		if (identities)
			print_identity(hex_text(e->exporter).s, uuid_text(e->uuid).s);
		if (e->readers_wait_ms)
			printf("  readers have waited for %s, until the writer has sent again what a crash took, or 30 s without progress\n",
			       time_text(e->readers_wait_ms).s);
		for (j = 0; j < e->n_clients; j++)
			print_client(&e->clients[j]);
	}
}

/* Prints what a troubled device waits for, and why. */
static void print_trouble(const struct device_info *d)
{
	char retries[16] = "forever";

	if (d->retries != DSTOR_RETRIES_FOREVER)
		snprintf(retries, sizeof(retries), "%u", d->retries);
	if (d->state == DSTOR_DEVICE_CONNECTED) {
		printf("  %u of %u connections%s%s\n", d->live, d->connections,
		       d->reason[0] ? ": " : "", d->reason);
		return;
	}
	if (d->state == DSTOR_DEVICE_FAILED) {
		printf("  %s\n", d->reason);
		return;
	}
	printf("  retry %u/%s, next in %s, ", d->retry, retries, time_text(d->next_ms).s);
	if (d->in_flight || d->oldest_io_ms)
		printf("oldest I/O %s", time_text(d->oldest_io_ms).s);
	else
		printf("no I/O waits");
	printf("%s%s\n", d->reason[0] ? ": " : "", d->reason);
}

static void print_devices(const struct info *info, bool identities)
{
	int name = 0, uri = strlen("URI"), before = strlen("/dev/dst-");
	char protection[PROTECTION_LEN];
	size_t i;

	for (i = 0; i < info->n_devices; i++) {
		table_widen(&name, info->devices[i].name);
		table_widen(&uri, info->devices[i].uri);
	}
	if (info->n_devices)
		printf("%s%-*s  %-*s  %8s  %-10s  %-*s  %s%s\n", table_style(BOLD), before + name,
		       "DEVICE", uri, "URI", "SIZE", "ACCESS", STATE_LEN, "STATE", "PROTECTION",
		       table_style(PLAIN));
	for (i = 0; i < info->n_devices; i++) {
		const struct device_info *d = &info->devices[i];

		printf("/dev/dst-%-*s  %-*s  %8s  %-10s  %s%-*s%s  %s\n", name, d->name, uri,
		       d->uri, size_text(d->size).s, d->read_only ? "read-only" : "read-write",
		       table_style(state_style(d)), STATE_LEN, state_name(d->state),
		       table_style(PLAIN),
		       protection_text(d->cipher, d->checksum, protection, sizeof(protection)));
		if (identities)
			print_identity(d->exporter[0] ? d->exporter : "any", d->uuid);
		if (d->state != DSTOR_DEVICE_CONNECTED || d->live < d->connections)
			print_trouble(d);
	}
}

void show_table(const struct info *info, bool identities)
{
	print_exports(info, identities);
	if (info->n_exports && info->n_devices)
		putchar('\n');
	print_devices(info, identities);
}

/* Rates -------------------------------------------------------------------- */

static double per_second(u64 now, u64 then, u64 ms)
{
	/* Something of the same name came instead: it counts from the beginning. */
	return ms ? (double)(now >= then ? now - then : now) * 1000 / ms : 0;
}

static struct text rate_text(double bytes)
{
	/* A digit behind the point says enough. */
	struct text t = size_text(bytes < 1024 ? (u64)bytes : (u64)bytes / 1024 * 1024);

	return t;
}

static void print_rates(const char *name, int width, const struct stats_info *now,
			const struct stats_info *then, u64 ms)
{
	const struct stats_info none = { };

	if (!then)
		then = &none;
	printf("%-*s  %7.0f  %7.0f  %7.0f  %8s  %8s", width, name,
	       per_second(now->value[DSTOR_STATS_READS], then->value[DSTOR_STATS_READS], ms),
	       per_second(now->value[DSTOR_STATS_WRITES], then->value[DSTOR_STATS_WRITES], ms),
	       per_second(now->value[DSTOR_STATS_FLUSHES], then->value[DSTOR_STATS_FLUSHES], ms),
	       rate_text(per_second(now->value[DSTOR_STATS_READ_BYTES],
				    then->value[DSTOR_STATS_READ_BYTES], ms)).s,
	       rate_text(per_second(now->value[DSTOR_STATS_WRITE_BYTES],
				    then->value[DSTOR_STATS_WRITE_BYTES], ms)).s);
}

static void print_latency(const struct latency_info *now, const struct latency_info *then)
{
	struct latency_info d = then ? latency_since(now, then) : (struct latency_info){ };

	printf("  %7s  %7s", latency_text(latency_percentile(&d, 50)).s,
	       latency_text(latency_percentile(&d, 99)).s);
}

void show_rates(const struct info *now, const struct info *then, u64 ms)
{
	int width = strlen("PER SECOND");
	size_t i;

	for (i = 0; i < now->n_exports; i++)
		table_widen(&width, now->exports[i].name);
	for (i = 0; i < now->n_devices; i++)
		table_widen(&width, now->devices[i].name);
	if (now->n_exports + now->n_devices == 0)
		return;
	printf("\n%s%-*s  %7s  %7s  %7s  %8s  %8s", table_style(BOLD), width, "PER SECOND", "READS",
	       "WRITES", "FLUSHES", "READ", "WRITTEN");
	printf("  %7s  %7s  %7s  %7s  %9s%s\n", "R P50", "R P99", "W P50", "W P99", "IN FLIGHT",
	       table_style(PLAIN));
	/* Both lists are sorted by name, and seldom differ. */
	for (i = 0; i < now->n_exports; i++) {
		const struct export_info *e = &now->exports[i];
		const struct export_info *b = then ? info_export(then, e->name) : NULL;

		print_rates(e->name, width, &e->stats, b ? &b->stats : NULL, b ? ms : 0);
		printf("  %7s  %7s  %7s  %7s  %9u\n", "", "", "", "", e->in_flight);
	}
	for (i = 0; i < now->n_devices; i++) {
		const struct device_info *d = &now->devices[i];
		const struct device_info *b = then ? info_device(then, d->name) : NULL;

		print_rates(d->name, width, &d->stats, b ? &b->stats : NULL, b ? ms : 0);
		print_latency(&d->read, b ? &b->read : NULL);
		print_latency(&d->write, b ? &b->write : NULL);
		printf("  %9u\n", d->in_flight);
	}
}
