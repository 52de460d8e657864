/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Limits the rate of a client (--max-bandwidth, --max-iops): a token bucket, as the
 * virtual scheduling algorithm of ITU-T I.371 (GCRA) writes it. Instead of tokens it
 * keeps the moment at which the bucket would be full again, so nothing has to fill it.
 *
 * Pure functions on the caller's memory: any context, no locks, no allocation, no
 * clock. The caller serialises access to each structure.
 */
#ifndef DSTOR_WIRE_THROTTLE_H
#define DSTOR_WIRE_THROTTLE_H

#include "host.h"

#define DSTOR_THROTTLE_BURST_NS 100000000ULL	/* what the bucket holds, in time */

struct dstor_throttle {
	u64 full_ns;	/* when the bucket is full, if nothing more is taken; 0: it is */
};

/* How long a request has to wait at @now_ns; 0: it may go, whatever it costs. */
u64 dstor_throttle_wait(const struct dstor_throttle *t, u64 now_ns);

/*
 * A request goes at @now_ns. @cost_ns: the time that it takes at the limit. One that
 * costs more than the bucket holds leaves a debt, and the next waits for that: no
 * size is refused, and the rate holds all the same.
 */
void dstor_throttle_take(struct dstor_throttle *t, u64 now_ns, u64 cost_ns);

#endif
