// SPDX-License-Identifier: GPL-2.0
/*
 * The rate of a client: see throttle.h.
 */
#include "throttle.h"

/* The time that the bucket lacks of being full. */
static u64 throttle_debt(const struct dstor_throttle *t, u64 now_ns)
{
	return t->full_ns > now_ns ? t->full_ns - now_ns : 0;
}

u64 dstor_throttle_wait(const struct dstor_throttle *t, u64 now_ns)
{
	u64 debt = throttle_debt(t, now_ns);

	return debt > DSTOR_THROTTLE_BURST_NS ? debt - DSTOR_THROTTLE_BURST_NS : 0;
}

void dstor_throttle_take(struct dstor_throttle *t, u64 now_ns, u64 cost_ns)
{
	t->full_ns = now_ns + throttle_debt(t, now_ns) + cost_ns;
}
