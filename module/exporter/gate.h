/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Readers wait while a writer restores the disk (P2, P7): the gate of wire/replay_gate.h,
 * which is kept with the lease. Only reads of sessions that may not write wait: their
 * connection reads no further, as when there is no memory for a request.
 */
#ifndef DSTOR_GATE_H
#define DSTOR_GATE_H

#include "exporter/export.h"
#include "exporter/peer.h"

/* Has a read of this connection to wait? Any context. */
static inline bool dstor_gate_holds(const struct dstor_peer *p)
{
	return READ_ONCE(p->export->gate.holds) && p->bounds.read_only;
}

/* A read of @p waits. In ops->head(). */
void dstor_gate_wait(struct dstor_peer *p);

/* A write of @p is done: that is progress, if it restores the disk. The peer's work. */
static inline void dstor_gate_moved(const struct dstor_peer *p)
{
	struct dstor_export *e = p->export;

	if (READ_ONCE(e->gate.holds) && !p->bounds.read_only)
		WRITE_ONCE(e->gate.moved, true);
}

/* A life of the export begins with what was kept. Before there are clients; takes the lock. */
void dstor_gate_begin(struct dstor_export *e);

/* REPLAYED has come from @p. The peer's work; takes the lock. */
void dstor_gate_replayed(struct dstor_peer *p);

/* All below: under export->lock. */
/*
 * The lease is granted to the session of @p; @same: which had it. True: the gate has
 * changed, and the caller keeps it with the lease, or puts both back as they were.
 */
bool dstor_gate_granted(struct dstor_peer *p, bool same);
/* Nobody has the lease any more. The caller keeps that. */
static inline void dstor_gate_released(struct dstor_export *e)
{
	dstor_replay_gate_holder(&e->holder.gate, false, false, e->config.instance);
}

/* What the welcome of a session with the lease says: enum dstor_grant_flags. */
u16 dstor_gate_flags(const struct dstor_export *e);
/* dstor_session_lease_saved(), and then readers may go on: they may have waited for that. */
void dstor_gate_lease_saved(struct dstor_export *e);
/* Now and then: readers that have waited for too long are served. */
void dstor_gate_poll(struct dstor_export *e);
/* How long a reader has waited, or 0: none does. */
u32 dstor_gate_wait_ms(const struct dstor_export *e);

#endif
