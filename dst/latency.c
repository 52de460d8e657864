// SPDX-License-Identifier: GPL-2.0
/*
 * Histograms with buckets in powers of two: enough to tell a disk from a cache and
 * a network from an outage. Called by show; unit-tested.
 */
#include <stdio.h>

#include "latency.h"

u64 latency_count(const struct latency_info *l)
{
	u64 n = 0;
	int i;

	for (i = 0; i < DSTOR_LATENCY_BUCKETS; i++)
		n += l->bucket[i];
	return n;
}

u64 latency_limit(unsigned int bucket)
{
	return 1024ULL << bucket;
}

u64 latency_percentile(const struct latency_info *l, double percent)
{
	double wanted = latency_count(l) * percent / 100, before = 0;
	int i;

	for (i = 0; i < DSTOR_LATENCY_BUCKETS; i++) {
		u64 high = latency_limit(i), low = i ? high / 2 : 0;

		if (l->bucket[i] && before + l->bucket[i] >= wanted)
			return low + (high - low) * ((wanted - before) / l->bucket[i]);
		before += l->bucket[i];
	}
	return 0;
}

struct latency_info latency_since(const struct latency_info *now, const struct latency_info *then)
{
	struct latency_info d = { .sum_ns = now->sum_ns - then->sum_ns };
	int i;

	/* CPUs are read while they count: less than before is nothing. */
	for (i = 0; i < DSTOR_LATENCY_BUCKETS; i++)
		if (now->bucket[i] > then->bucket[i])
			d.bucket[i] = now->bucket[i] - then->bucket[i];
	return d;
}

struct text latency_text(u64 ns)
{
	static const struct {
		u64 ns;
		const char *name;
	} units[] = { { 1000, "us" }, { 1000000, "ms" }, { 1000000000, "s" } };
	struct text t = { "-" };
	size_t i = 0;

	if (!ns)
		return t;
	while (i + 1 < ARRAY_SIZE(units) && ns >= units[i + 1].ns)
		i++;
	if (i && ns < 10 * units[i].ns)
		snprintf(t.s, sizeof(t.s), "%.1f%s", (double)ns / units[i].ns, units[i].name);
	else
		snprintf(t.s, sizeof(t.s), "%llu%s",
			 (unsigned long long)((ns + units[i].ns / 2) / units[i].ns), units[i].name);
	return t;
}
