/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kept writes of a device (P5, P7): wire/keep.h and wire/replay.h decide, and here are
 * their memory, their lock and their requests. Where dev->kept.on is false, a device keeps
 * nothing, and the functions do nothing.
 *
 * dev->cache_lock protects it all, unless a comment says else.
 */
#ifndef DSTOR_KEPT_H
#define DSTOR_KEPT_H

#include <linux/blk-mq.h>

#include "core/bio_buffer.h"
#include "core/error.h"
#include "wire/keep.h"
#include "wire/replay.h"

struct dstor_device;
struct dstor_queue;
struct dstor_transaction;

/*
 * A record, and the copy of its data. The pages are the allocator's: an old socket may refer
 * to them longer than the record does, and then they are nobody else's (P4).
 */
struct dstor_kept_write {
	struct dstor_kept record;	/* its cookie is this */
	struct dstor_transaction *t;	/* until it has ended */
	u16 flags;			/* enum dstor_request_flags: what a replay needs of them */
	bool spare;			/* goes back to dev->kept.spares */
	unsigned int n_pages;
	struct bio_vec *pages;		/* behind this structure */
	struct bio bio;			/* of them; never submitted */
};

struct dstor_kept_writes {
	bool on;			/* decided before the disk can be seen */
	bool live;			/* no replay is to be waited for */
	bool paused;			/* a welcome is being judged: no request of our own begins */
	bool all;			/* of the replay: each piece has been sent */
	bool draining;			/* a detach waits until nothing is kept */
	bool doubt;			/* a flush of our own failed: all is to be sent again, */
	bool doubted;			/* and was, and has not been flushed since */
	u64 vain;			/* flushes up to this number prove nothing for that reason */
	bool forgetting;		/* the tidy work takes out what @covered covers */
	u64 covered;			/* number of a flush that has succeeded */
	u32 pieces;			/* in flight */
	u32 flushes;			/* in flight: the user's and our own */
	u32 waiting;			/* records that wait for older ones */
	struct dstor_keep keep;
	struct dstor_kept **buckets;
	struct dstor_replay replay;
	struct dstor_replay_past past;
	struct dstor_welcome welcome;	/* of the replay */
	u64 total;			/* bytes of the replay, for people; so is the next */
	u64 again;			/* of them, acked this time */
	struct list_head parked;	/* message.entry of transactions without a record */
	struct dstor_kept *spare;	/* records for when there is no memory, by next */
	struct dstor_kept *dead;	/* chains to be freed; their heads by newer */
	struct dstor_bio_buffer *zeroes; /* constant */
	atomic64_t prolong_ms;		/* by which budgets are to be prolonged; any context */
	struct work_struct tidy;	/* frees the dead, and admits what was parked */
	struct work_struct over;	/* each piece was acked, or a flush of our own failed */
};

/* kept.c: records. */

/* By the first welcome, whose limits the device has; before there is a disk. Sleeps. */
int dstor_kept_begin(struct dstor_device *dev, const struct dstor_welcome *w);
/*
 * @t, a write in its slot and HELD. True: it is QUEUED, and the caller sends it now. False:
 * another will. In queue_rq; does not sleep.
 */
bool dstor_kept_submit(struct dstor_transaction *t);
/* @t, which has a record, was answered. Any context but hard irq; so are the next. */
void dstor_kept_answered(struct dstor_transaction *t);
/* @t, which has a record, fails without an answer. Nothing of it is sent by now. */
void dstor_kept_gave_up(struct dstor_transaction *t);
/* @t is HELD. True: it stays unsent, and is the caller's to end. dstor_kept_wake() follows. */
bool dstor_kept_withdraw(struct dstor_transaction *t);
/* Lets go on all writes that may. */
void dstor_kept_wake(struct dstor_device *dev);
/*
 * Flush @number has succeeded on the instance that is known now. Returns a chain to be freed;
 * the tidy work does the rest. Under the lock.
 */
struct dstor_kept *dstor_kept_flushed_locked(struct dstor_device *dev, u64 number);
/* A flush of the user's has ended, whatever its result. */
void dstor_kept_flush_ended(struct dstor_device *dev);
/* All that was acked on @q is durable. */
void dstor_kept_durable(struct dstor_queue *q);
/* dstor_kept_wake() of a range, under the lock. */
void dstor_kept_wake_locked(struct dstor_device *dev, u64 offset, u64 bytes);
void dstor_kept_tidy_work(struct work_struct *work);

/* kept_memory.c: records. Each takes the lock. In any context but hard irq. */

/* Leaves the reserves to reclaim, which may be about to write to this device. */
#define DSTOR_KEPT_GFP (GFP_NOWAIT | __GFP_NOWARN | __GFP_NOMEMALLOC)

/* A record with room for @n_pages, and without pages. NULL: no memory. */
struct dstor_kept_write *dstor_kept_new(unsigned int n_pages, gfp_t gfp);
/* One of those that were set aside, without pages; or NULL. */
struct dstor_kept_write *dstor_kept_spare(struct dstor_device *dev);
void dstor_kept_put(struct dstor_device *dev, struct dstor_kept_write *w);
/* Frees a @chain that wire/keep.c returned. The tidy work frees the end of a long one. */
void dstor_kept_free_chain(struct dstor_device *dev, struct dstor_kept *chain);
/* Both free what was left to the tidy work, by flushes and by others. Sleep. */
void dstor_kept_forget(struct dstor_device *dev);
void dstor_kept_bury(struct dstor_device *dev);
/* All of it: no transaction and no work is left. Sleeps. */
void dstor_kept_free(struct dstor_device *dev);

/* kept_own.c: requests of our own. Under the lock, in any context. */

/* Flushes if it is time to. */
void dstor_own_flush_locked(struct dstor_device *dev);
/* Sends what pieces of a replay it can. */
void dstor_own_pump_locked(struct dstor_device *dev);
/* It was answered. Takes the lock, as do the next. */
void dstor_own_answered(struct dstor_transaction *t);
/* The connection of @q is closed. Under q->lock; sleeps. */
void dstor_own_cancel(struct dstor_queue *q);
/* The clock of the device. Interrupts are on. */
void dstor_own_tick(struct dstor_device *dev);

#endif
