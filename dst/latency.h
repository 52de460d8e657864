/* SPDX-License-Identifier: GPL-2.0 */
/*
 * latency.c - percentiles of a histogram of latencies. Pure functions.
 */
#ifndef DST_LATENCY_H
#define DST_LATENCY_H

#include "info.h"
#include "values.h"

u64 latency_count(const struct latency_info *l);
/* Upper end of a bucket, ns. */
u64 latency_limit(unsigned int bucket);
/* That @percent of all took no longer, ns; estimated within a bucket. 0: nothing was counted. */
u64 latency_percentile(const struct latency_info *l, double percent);
/* The counts of @now without those of @then. */
struct latency_info latency_since(const struct latency_info *now, const struct latency_info *then);
struct text latency_text(u64 ns);	/* 87us, 1.2ms, 14ms, 3.1s; - for 0 */

#endif
