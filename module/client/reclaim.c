// SPDX-License-Identifier: GPL-2.0
/*
 * Teaches lockdep which locks are taken in reclaim: see reclaim.h. One device is enough
 * for all, because locks of a kind have one class.
 *
 * Locks: takes none, in name only.
 */
#include <linux/sched/mm.h>

#include "client/device.h"
#include "client/reclaim.h"

#ifdef CONFIG_PROVE_LOCKING
struct lockdep_map dstor_recovery_map =
	STATIC_LOCKDEP_MAP_INIT("dstor-recovery", &dstor_recovery_map);
#endif

void dstor_reclaim_teach(struct dstor_device *dev)
{
	fs_reclaim_acquire(GFP_KERNEL);
	dstor_recovery_begin();
	dstor_recovery_end();
	might_lock(&dev->lock);
	might_lock(&dev->report.lock);
	might_lock(&dev->queues[0].lock);
	might_lock(&dev->queues[0].conn.tx.lock);
	fs_reclaim_release(GFP_KERNEL);
}
