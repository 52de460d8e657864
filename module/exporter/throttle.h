/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rate of each client of an export. See throttle.c.
 */
#ifndef DSTOR_EXPORTER_THROTTLE_H
#define DSTOR_EXPORTER_THROTTLE_H

#include "exporter/export.h"

struct dstor_command;
struct dstor_peer;

/* Is there a limit? Any context. */
static inline bool dstor_throttle_is_on(const struct dstor_export *e)
{
	return atomic64_read(&e->limits.bandwidth) || atomic_read(&e->limits.iops);
}

/*
 * Charges the ready commands of @p that may go to the disk, and parks the others. The peer
 * is kicked when these are worth another look. Under conn.tx.lock; in the peer's work alone.
 */
void dstor_throttle_park(struct dstor_peer *p);
/* Is so much parked that the next request is to wait in the socket? */
bool dstor_throttle_is_full(const struct dstor_peer *p);
/* The work that kicks a peer whose commands may go on. */
void dstor_throttle_work(struct work_struct *work);
/* New limits, NULL: as before. Effective at once. Under export->lock. */
void dstor_throttle_set(struct dstor_export *e, const u64 *bandwidth, const u32 *iops);

#endif
