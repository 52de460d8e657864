// SPDX-License-Identifier: GPL-2.0
/*
 * Counters of exports and devices: each CPU counts for itself, without a lock
 * (this_cpu_inc() at the event); a reader adds them up.
 */
#include <linux/percpu.h>
#include <linux/smp.h>
#include <linux/string.h>

#include "core/stats.h"

struct adding {
	const struct dstor_stats __percpu *stats;
	struct dstor_stats *sum;
};

static void add_cpu(const struct adding *a, int cpu)
{
	const u64 *from = (const u64 *)per_cpu_ptr(a->stats, cpu);
	u64 *to = (u64 *)a->sum;
	unsigned int i;

	for (i = 0; i < sizeof(*a->sum) / sizeof(u64); i++)
		to[i] += from[i];
}

static void add_here(void *data)
{
	add_cpu(data, smp_processor_id());
}

void dstor_stats_sum(const struct dstor_stats __percpu *stats, struct dstor_stats *sum)
{
	struct adding a = { stats, sum };
	int cpu;

	memset(sum, 0, sizeof(*sum));
	for_each_possible_cpu(cpu) {
		/*
		 * A 32-bit CPU writes a counter in two halves, with interrupts
		 * off, so only that CPU never sees one half. A CPU that is
		 * offline writes none.
		 */
		if (BITS_PER_LONG == 64 || smp_call_function_single(cpu, add_here, &a, true))
			add_cpu(&a, cpu);
	}
}
