// SPDX-License-Identifier: GPL-2.0
/*
 * dst show --why: explains on one screen why the I/O of a device is stuck.
 */
#include <stdio.h>

#include "address.h"
#include "disk.h"
#include "latency.h"
#include "show.h"

#define SLOW_MS 1000	/* older requests are worth a word */

static void why_line(const char *what)
{
	printf("  %-12s ", what);
}

static const char *why_meaning(const struct device_info *d)
{
	switch (d->state) {
	case DSTOR_DEVICE_CONNECTED:
		if (d->oldest_io_ms >= SLOW_MS)
			return "the exporter is there, but is slow to answer";
		return d->in_flight ? "it works, and is busy" : "it works, and nothing waits";
	case DSTOR_DEVICE_RECONNECTING:
		return "no connection works; I/O waits";
	case DSTOR_DEVICE_SUSPENDED:
		return "another disk or exporter answers there; I/O waits for the right one";
	case DSTOR_DEVICE_FAILED:
		return "its session has ended; all I/O fails";
	}
	return "this dst does not know that state";
}

/* How long the oldest request still has. */
static void print_budget(const struct device_info *d)
{
	u64 budget = (u64)d->timeout_ms * (d->retries + 1ULL);
	u64 most = d->timeout_ms * (d->retry + 1ULL);
	/* It stands still while a request is in progress. */
	u64 spent = d->oldest_io_ms < most ? d->oldest_io_ms : most;

	why_line("budget");
	if (d->retries == DSTOR_RETRIES_FOREVER) {
		printf("requests wait for ever (dst set %s retries=N ends that)\n", d->name);
		return;
	}
	printf("a request fails after %s without an answer (timeout %s, %u retries)",
	       time_text(budget).s, time_text(d->timeout_ms).s, d->retries);
	if (d->in_flight && d->state != DSTOR_DEVICE_FAILED)
		printf(": the oldest in %s",
		       time_text(budget > spent ? budget - spent : 0).s);
	putchar('\n');
}

static void print_io(const struct device_info *d)
{
	why_line("I/O");
	if (!d->in_flight)
		puts("none waits");
	else
		printf("%u in flight; the oldest waits for %s, at attempt %u\n", d->in_flight,
		       time_text(d->oldest_io_ms).s, d->retry + 1);
}

/* Acked writes that a crash of the exporter must not lose. */
static void print_kept(const struct device_info *d)
{
	if (!d->keep_bytes)
		return;
	why_line("kept writes");
	if (!d->keeps)
		puts("none: the disk needs no flush, or the export is shared, or it is only read");
	else if (d->replaying)
		printf("replaying %s of %s\n", size_text(d->replayed_bytes).s,
		       size_text(d->replay_bytes).s);
	else
		printf("%s of %s\n", size_text(d->kept_bytes).s, size_text(d->keep_bytes).s);
}

static void print_connections(const struct device_info *d)
{
	why_line("connections");
	printf("%u of %u work", d->live, d->connections);
	if (d->live < d->connections && d->state != DSTOR_DEVICE_FAILED)
		printf("; the next attempt is in %s", time_text(d->next_ms).s);
	putchar('\n');
}

/* The module knows addresses, not names: it does not notice that a name has another one now. */
static void print_name(const struct device_info *d)
{
	struct address a[DSTOR_ADDRESSES_MAX];
	struct reason why;
	struct uri u;
	int i, n;

	if (d->state != DSTOR_DEVICE_RECONNECTING || uri_parse(d->uri, &u, &why) ||
	    !uri_has_name(&u))
		return;
	n = uri_resolve(&u, a, &why);
	why_line("name");
	if (n < 0)
		puts(why.text);
	else
		printf("%s is ", u.host);
	for (i = 0; i < n; i++)
		printf("%s%s", i ? ", " : "", a[i].text);
	if (n > 0)
		printf(" now; dst set %s uri=%s connects there\n", d->name, d->uri);
}

static void print_past(const struct device_info *d)
{
	static const int counters[] = {
		DSTOR_STATS_RECONNECTS, DSTOR_STATS_RESENDS, DSTOR_STATS_ERRORS,
		DSTOR_STATS_CHECKSUM_ERRORS, DSTOR_STATS_AUTH_FAILURES, DSTOR_STATS_MISMATCHES,
		DSTOR_STATS_COPIED_WRITES, DSTOR_STATS_REPLAYS, DSTOR_STATS_KEPT_RESENT,
	};
	size_t i;

	why_line("since attach");
	for (i = 0; i < ARRAY_SIZE(counters); i++)
		printf("%s%llu %s", i ? ", " : "",
		       (unsigned long long)d->stats.value[counters[i]], stats_name(counters[i]));
	putchar('\n');
	why_line("latency");
	printf("reads %s, writes %s; 99 of 100 within %s and %s\n",
	       latency_text(latency_percentile(&d->read, 50)).s,
	       latency_text(latency_percentile(&d->write, 50)).s,
	       latency_text(latency_percentile(&d->read, 99)).s,
	       latency_text(latency_percentile(&d->write, 99)).s);
}

static void print_advice(const struct device_info *d)
{
	const char *name = d->name;

	switch (d->state) {
	case DSTOR_DEVICE_CONNECTED:
		if (d->oldest_io_ms < SLOW_MS)
			return;
		why_line("what to do");
		puts("look at the exporter's disk (dst show, iostat -x there) and at the network");
		return;
	case DSTOR_DEVICE_RECONNECTING:
		why_line("what to do");
		printf("dst ping %s shows whether the exporter answers\n", d->uri);
		why_line("");
		printf("dst set %s uri=... if it is somewhere else now\n", name);
		why_line("");
		printf("dst detach %s --force ends the waiting with errors\n", name);
		return;
	case DSTOR_DEVICE_SUSPENDED:
		why_line("what to do");
		puts("export the former disk again: exporter and disk are known by their ids");
		why_line("");
		printf("dst set %s exporter=ID uuid=UUID if that is the disk by now\n",
		       name);
		why_line("");
		printf("dst detach %s --force if it is gone for good\n", name);
		return;
	case DSTOR_DEVICE_FAILED:
		why_line("what to do");
		printf("dst detach %s --force, then attach it anew\n", name);
	}
}

void show_why(const struct device_info *d)
{
	char disk[DSTOR_NAME_LEN + 8], who[PATH_MAX + 16];

	printf("/dev/dst-%s is %s: %s\n", d->name, state_name(d->state), why_meaning(d));
	why_line("exporter");
	puts(d->uri);
	why_line("identity");
	printf("exporter %s, disk %s\n", d->exporter[0] ? d->exporter : "any", d->uuid);
	if (d->reason[0]) {
		why_line("reason");
		puts(d->reason);
	}
	print_connections(d);
	print_io(d);
	print_budget(d);
	print_kept(d);
	print_past(d);
	snprintf(disk, sizeof(disk), "dst-%s", d->name);
	if (disk_user(disk, who, sizeof(who))) {
		why_line("user");
		printf("it is %s\n", who);
	}
	print_advice(d);
	/* Last: without a name server it takes long. */
	fflush(stdout);
	print_name(d);
}
