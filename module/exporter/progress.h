/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Does a connection move? In the peer's work.
 */
#ifndef DSTOR_PROGRESS_H
#define DSTOR_PROGRESS_H

#include <linux/types.h>

struct dstor_frame;
struct dstor_peer;

/*
 * @f is not answered before earlier answers have left: there are as many as the exporter
 * keeps. The peer is paused then.
 */
bool dstor_peer_must_wait(struct dstor_peer *p, const struct dstor_frame *f);
/* One answer less is kept: a peer that waited for that reads on. */
void dstor_peer_answered(struct dstor_peer *p);
/*
 * The client takes no answers, or sends no data of a write that it has begun, for its
 * silence limit or less. After all that could be sent and received was.
 */
bool dstor_peer_stands_still(struct dstor_peer *p);

#endif
