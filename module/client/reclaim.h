/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reclaim may write to a device, or swap to it, and waits then until its connection is
 * back. So whoever holds what a reconnect needs must not allocate memory that reclaim
 * has to find first, except within memalloc_noio_save(). A kernel with lockdep is
 * taught this here, and reports each place that breaks it. In any other all of it
 * compiles to nothing.
 */
#ifndef DSTOR_CLIENT_RECLAIM_H
#define DSTOR_CLIENT_RECLAIM_H

#include <linux/lockdep.h>

struct dstor_device;

/* All locks of @dev that a reconnect takes are taken in reclaim. Holds none; sleeps. */
void dstor_reclaim_teach(struct dstor_device *dev);

#ifdef CONFIG_PROVE_LOCKING

/* A lock in name only: whoever holds it does what reclaim may wait for. */
extern struct lockdep_map dstor_recovery_map;

static inline void dstor_recovery_begin(void)
{
	lock_map_acquire(&dstor_recovery_map);
}

static inline void dstor_recovery_end(void)
{
	lock_map_release(&dstor_recovery_map);
}

#else

static inline void dstor_recovery_begin(void)
{
}

static inline void dstor_recovery_end(void)
{
}

#endif

#endif
