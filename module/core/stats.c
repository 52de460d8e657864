// SPDX-License-Identifier: GPL-2.0
/*
 * Counters of exports and devices: each CPU counts for itself, without a lock
 * (this_cpu_inc() where things happen); who shows them adds up.
 */
#include <linux/percpu.h>
#include <linux/string.h>

#include "core/stats.h"

void dstor_stats_sum(const struct dstor_stats __percpu *stats, struct dstor_stats *sum)
{
	unsigned int i;
	int cpu;

	memset(sum, 0, sizeof(*sum));
	for_each_possible_cpu(cpu) {
		const u64 *from = (const u64 *)per_cpu_ptr(stats, cpu);
		u64 *to = (u64 *)sum;

		for (i = 0; i < sizeof(*sum) / sizeof(u64); i++)
			to[i] += from[i];
	}
}
