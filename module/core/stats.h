/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counters of an export or a device.
 */
#ifndef DSTOR_STATS_H
#define DSTOR_STATS_H

#include <linux/bitops.h>
#include <linux/dstor.h>
#include <linux/minmax.h>
#include <linux/types.h>

enum dstor_latency {
	DSTOR_LATENCY_READ,
	DSTOR_LATENCY_WRITE,
	DSTOR_LATENCIES,
};

/* Counters of an export or a device; netlink and sysfs name them alike. */
struct dstor_stats {
	u64 reads;
	u64 writes;
	u64 flushes;
	u64 discards;
	u64 read_bytes;
	u64 write_bytes;
	u64 errors;
	u64 resends;
	u64 reconnects;
	u64 fenced;
	u64 replayed;
	u64 checksum_errors;
	u64 auth_failures;
	u64 mismatches;		/* welcomes of another exporter or disk than the device's */
	u64 copied_writes;	/* devices: sent again from a copy; so are those up to latency */
	u64 unkept_writes;	/* made durable, for want of memory or of room */
	u64 own_flushes;	/* made by the client itself, for kept writes */
	u64 replays;		/* that were completed */
	u64 kept_resent;	/* requests of replays */
	/* devices: see DSTOR_LATENCY_BUCKETS */
	u64 latency[DSTOR_LATENCIES][DSTOR_LATENCY_BUCKETS + 1];
};

/* In powers of two; the last one has all that took longer. */
static inline unsigned int dstor_latency_bucket(u64 ns)
{
	return min_t(unsigned int, fls64(ns >> 10), DSTOR_LATENCY_BUCKETS - 1);
}

/* Interrupts are on; @sum is overwritten. Counters of one CPU are read as they run. */
void dstor_stats_sum(const struct dstor_stats __percpu *stats, struct dstor_stats *sum);

#endif
