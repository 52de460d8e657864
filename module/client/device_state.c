// SPDX-License-Identifier: GPL-2.0
/*
 * The state of a device, from its queues and their transactions, and its name.
 *
 * No locks: flags and states are read as they change. Any context.
 */
#include "client/device.h"
#include "client/device_state.h"
#include "core/work.h"

/*
 * A device's state is not stored. It is the first of these that is true:
 *
 *   FAILED         dev->failed: evicted or replaced. dstor_device_fail() sets it.
 *   SUSPENDED      dev->suspended: the last welcome was of another disk.
 *   CONNECTED      a queue is LIVE.
 *   RECONNECTING   no queue is.
 *
 *                  dstor_link_live()
 *    RECONNECTING ------------------> CONNECTED
 *         ^       <------------------     ^
 *         |        dstor_link_close()     |
 *         |                               |
 *         +---------> SUSPENDED <---------+
 *
 *    to SUSPENDED: check_resume() reads a welcome of another disk; back, to the one or
 *    the other: a welcome of the right disk
 *    to FAILED: from each, for ever
 *
 * dev->failed and dev->suspended are set under dev->lock, a queue's state under its
 * q->lock.
 */
enum dstor_device_state dstor_device_state(const struct dstor_device *dev)
{
	unsigned int i;

	if (smp_load_acquire(&dev->failed)) /* its reason can be read then */
		return DSTOR_DEVICE_FAILED;
	if (READ_ONCE(dev->recovery.suspended))
		return DSTOR_DEVICE_SUSPENDED;
	for (i = 0; i < dev->n_queues; i++)
		if (dstor_queue_live(&dev->queues[i]))
			return DSTOR_DEVICE_CONNECTED;
	return DSTOR_DEVICE_RECONNECTING;
}

bool dstor_device_all_live(const struct dstor_device *dev)
{
	unsigned int i;

	for (i = 0; i < dev->n_queues; i++)
		if (!dstor_queue_live(&dev->queues[i]))
			return false;
	return true;
}

const char *dstor_device_state_name(u8 state)
{
	static const char * const names[] = {
		[DSTOR_DEVICE_CONNECTED] = "connected",
		[DSTOR_DEVICE_RECONNECTING] = "reconnecting",
		[DSTOR_DEVICE_SUSPENDED] = "suspended",
		[DSTOR_DEVICE_FAILED] = "failed",
	};

	return state < ARRAY_SIZE(names) ? names[state] : "unknown";
}

bool dstor_oldest(struct dstor_device *dev, u32 *age_ms, u32 *retry, u32 *in_flight)
{
	u64 now = dstor_now_ms();
	unsigned int i, j;
	u64 oldest = 0;

	*age_ms = 0;
	*retry = 0;
	*in_flight = 0;
	for (i = 0; i < dev->n_queues; i++) {
		for (j = 0; j < dev->geometry.depth; j++) {
			struct dstor_transaction *t = dstor_queue_transaction(&dev->queues[i], j);
			u64 age;

			if (!t || t->own)
				continue;
			++*in_flight;
			age = now - min(now, t->attempt.start_ms);
			if (age < oldest)
				continue;
			oldest = age;
			*retry = dstor_attempt_number(&t->attempt, &dev->config.policy, now);
		}
	}
	*age_ms = min_t(u64, oldest, U32_MAX);
	return *in_flight;
}
