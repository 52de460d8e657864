/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Signs of life of the other side, and ours. One caller at a time, who keeps the
 * connection open.
 */
#ifndef DSTOR_LIVENESS_H
#define DSTOR_LIVENESS_H

#include "conn/connection.h"

/* How far is our stream? */
void dstor_conn_look(struct dstor_conn *c);
/*
 * Counts the looks at which the other side's transport had taken bytes since the look
 * before, while a frame with data was partly sent. From 0 for each socket.
 */
static inline u32 dstor_conn_moves(const struct dstor_conn *c)
{
	return c->tx.moves;
}

/* The position in the stream that the other side's transport had at the last look. */
static inline u64 dstor_conn_acked(const struct dstor_conn *c)
{
	return c->tx.acked;
}

/*
 * How often has TCP sent the same bytes of data again, while the other side was heard?
 * 0: not at all, or it cannot be told.
 */
unsigned int dstor_conn_retransmits(const struct dstor_conn *c);
/* Is it to be taken for dead? Looks. The client's alone: see R9.13. */
bool dstor_conn_is_silent(struct dstor_conn *c, u32 ping_ms, u32 timeout_ms);
/* Has one of both sides been silent for @ping_ms? The caller pings at most once in that time. */
bool dstor_conn_wants_ping(const struct dstor_conn *c, u32 ping_ms);

#endif
