// SPDX-License-Identifier: GPL-2.0
/*
 * Exports and devices as Prometheus metrics, in its text format: all samples of a
 * metric behind its type. Called by show.
 */
#include <stdio.h>

#include "latency.h"
#include "show.h"

static void metric_head(const char *name, const char *type, const char *help)
{
	printf("# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value, quoted */
static void metric_quoted(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		putchar(*text == '\n' ? ' ' : *text);
	}
	putchar('"');
}

static void metric_sample(const char *metric, const char *label, const char *name, u64 value)
{
	printf("%s{%s=", metric, label);
	metric_quoted(name);
	printf("} %llu\n", (unsigned long long)value);
}

/* A value of each device, found by its place in the structure. */
static void gauge_u32(const struct info *info, const char *metric, size_t offset, const char *help)
{
	size_t i;

	metric_head(metric, "gauge", help);
	for (i = 0; i < info->n_devices; i++) {
		const struct device_info *d = &info->devices[i];

		metric_sample(metric, "device", d->name, *(const u32 *)((const char *)d + offset));
	}
}

static void print_devices(const struct info *info)
{
	size_t i;
	u8 s;

	metric_head("dst_device_state", "gauge", "1 for the state the device is in.");
	for (i = 0; i < info->n_devices; i++) {
		for (s = DSTOR_DEVICE_CONNECTED; s <= DSTOR_DEVICE_FAILED; s++) {
			fputs("dst_device_state{device=", stdout);
			metric_quoted(info->devices[i].name);
			printf(",state=\"%s\"} %d\n", state_name(s), info->devices[i].state == s);
		}
	}
	metric_head("dst_device_info", "gauge", "Always 1; where the disk is.");
	for (i = 0; i < info->n_devices; i++) {
		fputs("dst_device_info{device=", stdout);
		metric_quoted(info->devices[i].name);
		fputs(",uri=", stdout);
		metric_quoted(info->devices[i].uri);
		printf(",uuid=\"%s\",exporter=\"%s\"} 1\n", info->devices[i].uuid,
		       info->devices[i].exporter);
	}
	metric_head("dst_device_size_bytes", "gauge", "Size of the disk.");
	for (i = 0; i < info->n_devices; i++)
		metric_sample("dst_device_size_bytes", "device", info->devices[i].name,
			      info->devices[i].size);
	metric_head("dst_device_kept_bytes", "gauge", "Memory of kept writes.");
	for (i = 0; i < info->n_devices; i++)
		metric_sample("dst_device_kept_bytes", "device", info->devices[i].name,
			      info->devices[i].kept_bytes);
	gauge_u32(info, "dst_device_connections", offsetof(struct device_info, connections),
		  "Connections it should have.");
	gauge_u32(info, "dst_device_connections_live", offsetof(struct device_info, live),
		  "Connections that work.");
	gauge_u32(info, "dst_device_in_flight", offsetof(struct device_info, in_flight),
		  "Requests in flight.");
	gauge_u32(info, "dst_device_oldest_io_milliseconds",
		  offsetof(struct device_info, oldest_io_ms), "Age of the oldest request.");
}

static void print_exports(const struct info *info)
{
	size_t i;

	metric_head("dst_export_size_bytes", "gauge", "Size of the exported disk.");
	for (i = 0; i < info->n_exports; i++)
		metric_sample("dst_export_size_bytes", "export", info->exports[i].name,
			      info->exports[i].size);
	metric_head("dst_export_clients", "gauge", "Clients, connected or expected back.");
	for (i = 0; i < info->n_exports; i++)
		metric_sample("dst_export_clients", "export", info->exports[i].name,
			      info->exports[i].n_clients);
	metric_head("dst_export_in_flight", "gauge", "Requests the disk has.");
	for (i = 0; i < info->n_exports; i++)
		metric_sample("dst_export_in_flight", "export", info->exports[i].name,
			      info->exports[i].in_flight);
	metric_head("dst_export_readers_wait_milliseconds", "gauge",
		    "How long readers have waited for a writer that restores the disk.");
	for (i = 0; i < info->n_exports; i++)
		metric_sample("dst_export_readers_wait_milliseconds", "export",
			      info->exports[i].name, info->exports[i].readers_wait_ms);
}

static void print_counters(const struct info *info)
{
	char metric[64];
	size_t i;
	int c;

	for (c = 0; c <= DSTOR_STATS_MAX; c++) {
		if (!stats_name(c))
			continue;
		snprintf(metric, sizeof(metric), "dst_device_%s_total", stats_name(c));
		metric_head(metric, "counter", "Since it was attached.");
		for (i = 0; i < info->n_devices; i++)
			metric_sample(metric, "device", info->devices[i].name,
				      info->devices[i].stats.value[c]);
		snprintf(metric, sizeof(metric), "dst_export_%s_total", stats_name(c));
		metric_head(metric, "counter", "Since it was exported.");
		for (i = 0; i < info->n_exports; i++)
			metric_sample(metric, "export", info->exports[i].name,
				      info->exports[i].stats.value[c]);
	}
}

static void print_histogram(const char *name, const char *op, const struct latency_info *l)
{
	u64 sum = 0;
	int i;

	for (i = 0; i < DSTOR_LATENCY_BUCKETS; i++) {
		sum += l->bucket[i];
		fputs("dst_device_latency_seconds_bucket{device=", stdout);
		metric_quoted(name);
		if (i < DSTOR_LATENCY_BUCKETS - 1)
			printf(",op=\"%s\",le=\"%.9g\"} %llu\n", op, latency_limit(i) / 1e9,
			       (unsigned long long)sum);
		else
			printf(",op=\"%s\",le=\"+Inf\"} %llu\n", op, (unsigned long long)sum);
	}
	fputs("dst_device_latency_seconds_sum{device=", stdout);
	metric_quoted(name);
	printf(",op=\"%s\"} %.9f\n", op, l->sum_ns / 1e9);
	fputs("dst_device_latency_seconds_count{device=", stdout);
	metric_quoted(name);
	printf(",op=\"%s\"} %llu\n", op, (unsigned long long)sum);
}

void show_prometheus(const struct info *info)
{
	size_t i;

	print_devices(info);
	print_exports(info);
	print_counters(info);
	metric_head("dst_device_latency_seconds", "histogram", "From submission to answer.");
	for (i = 0; i < info->n_devices; i++) {
		print_histogram(info->devices[i].name, "read", &info->devices[i].read);
		print_histogram(info->devices[i].name, "write", &info->devices[i].write);
	}
}
