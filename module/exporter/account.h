/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An account: what one client holds of an export, over all of its sessions. A client is
 * its key, or the name that a rule gives its keys; in the clear it is its host.
 */
#ifndef DSTOR_ACCOUNT_H
#define DSTOR_ACCOUNT_H

#include <linux/atomic.h>
#include <linux/list.h>

#include "exporter/rules.h"
#include "wire/throttle.h"

struct dstor_export;
struct dstor_peer;

struct dstor_account {
	struct list_head entry;		/* of export->memory.accounts; memory.lock */
	unsigned int users;		/* sessions; memory.lock */
	struct dstor_peer_id peer_id;
	atomic64_t used;		/* bytes of commands, of export->memory.used */
	u64 full_at;			/* of export->memory.scans; memory.lock */
	unsigned int n_peers;		/* connections; export->lock */
	atomic64_t slot_bytes;		/* of the slots of its sessions */
	spinlock_t rate_lock;		/* the next two, of throttle.c */
	struct dstor_throttle bandwidth, iops;
};

/* The account of the client @id, for one more session; NULL: no memory. Sleeps. */
struct dstor_account *dstor_account_get(struct dstor_export *e, const struct dstor_peer_id *id);
/* A session goes. Any context. */
void dstor_account_put(struct dstor_export *e, struct dstor_account *a);

/*
 * @bytes for a command are the peer's; or false: it is paused until they are, and comes
 * back with the same request. In the peer's work, once it has joined a session; so is
 * uncharge.
 */
bool dstor_account_charge(struct dstor_peer *p, u32 bytes);
void dstor_account_uncharge(struct dstor_peer *p, u32 bytes);
/* The peer waits no longer, and gives back what it was granted meanwhile. */
void dstor_account_leave(struct dstor_peer *p);
/* Does a connection of the export wait for memory? Any context; may be stale. */
bool dstor_account_is_short(const struct dstor_export *e);

#endif
