/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A new instance of the exporter and the kept writes of a device (P5, P7). All of it
 * sleeps.
 */
#ifndef DSTOR_KEPT_REPLAY_H
#define DSTOR_KEPT_REPLAY_H

#include "client/client.h"
#include "client/kept.h"

/* A welcome is being judged: no request of our own begins until dstor_kept_judge(). */
void dstor_kept_pause(struct dstor_device *dev);
/* Whether @w may be sent what is kept. Under dev->lock. */
enum dstor_replay_verdict dstor_kept_verdict(struct dstor_device *dev,
					     const struct dstor_welcome *w);
/*
 * Does as @v says. Unless it is NONE or GOES_ON, no connection has a request of our own.
 * Under dev->lock; takes each q->lock.
 */
void dstor_kept_judge(struct dstor_device *dev, const struct dstor_welcome *w,
		      enum dstor_replay_verdict v);
/* @q is fenced, and is about to begin: bars it while a replay runs. Under q->lock. */
void dstor_kept_bar(struct dstor_queue *q);
/* It is live: the exporter is told if all is there. Under dev->lock and q->lock. */
void dstor_kept_live(struct dstor_queue *q);
/*
 * Has a flush of our own failed? Then all connections are to end, and the next welcome is
 * judged as that of a new instance. Under dev->lock.
 */
bool dstor_kept_doubts(struct dstor_device *dev);
/* Has each piece been answered? Then transactions go on. Takes dev->lock. */
void dstor_kept_over(struct dstor_device *dev);
/*
 * The user drops what is kept. Only where no exporter has it; dstor_link_stop_replay() comes
 * in between. 0 or a negative errno. Under dev->lock.
 */
int dstor_kept_may_drop(struct dstor_device *dev, struct dstor_error *err);
void dstor_kept_drop(struct dstor_device *dev);
/* Prolongs the budgets of transactions by @ms of a replay. The watchdog; under q->lock. */
void dstor_kept_prolong(struct dstor_queue *q, u64 ms);
/* Before an orderly detach: all that is kept is flushed, or is told of. 0 or a negative errno. */
int dstor_kept_drain(struct dstor_device *dev, struct dstor_error *err);
/* Says in the log what goes with the device, if anything does. Takes the lock. */
void dstor_kept_say_dropped(struct dstor_device *dev);

/* For people. Takes the lock; interrupts are on. */
void dstor_kept_look(struct dstor_device *dev, struct dstor_kept_info *info);

#endif
