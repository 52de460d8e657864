/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Points of delay and failure. In a build with CONFIG_DST_DEBUG a test names a
 * point through debugfs and lets each caller that comes there wait or fail. In
 * any other build a point compiles to nothing, type information included.
 *
 * Contexts: point.c says of each point whether its callers may sleep. A point
 * whose callers may sleep checks that with might_sleep(), order or none; any
 * other may be reached in hard interrupts. Locks: a point takes only a raw lock
 * of its own, a leaf, and waits with whatever locks its caller holds.
 */
#ifndef DSTOR_POINT_H
#define DSTOR_POINT_H

#ifdef DSTOR_DEBUG

enum dstor_point {
	/* exporter */
	DSTOR_POINT_SUBMIT,
	DSTOR_POINT_FILE_IO,
	DSTOR_POINT_DONE_BEFORE_KICK,
	DSTOR_POINT_RESULT_BEFORE_ANSWER,
	DSTOR_POINT_PEER_JOINED,
	DSTOR_POINT_FENCE_BEFORE_GRANT,
	DSTOR_POINT_PEER_CLOSING,
	DSTOR_POINT_PEER_CLOSED,
	DSTOR_POINT_PEER_FREE,
	DSTOR_POINT_LEASE_SAVE,
	DSTOR_POINT_STOP_BEFORE_FLUSH,
	DSTOR_POINT_DISK_FLUSH,
	DSTOR_POINT_DISK_FLUSHED,
	/* client */
	DSTOR_POINT_ATTACH_CONNECTED,
	DSTOR_POINT_ATTACH_ADDED,
	DSTOR_POINT_DETACH_STOPPED,
	DSTOR_POINT_SHOW_PICKED,
	DSTOR_POINT_LINK_ARM,
	DSTOR_POINT_LINK_CONNECTED,
	DSTOR_POINT_REQUEST_IN_SLOT,
	DSTOR_POINT_MESSAGE_SENT,
	DSTOR_POINT_CACHE_MARK,
	DSTOR_POINT_REPLAY_OVER,
	/* both */
	DSTOR_POINT_NETNS_LEAVE,
	DSTOR_POINTS
};

/* The caller waits as a test has ordered, if one has. */
#define dstor_point(name)	((void)dstor_point_reached(DSTOR_POINT_##name))
/* The same, and then 0 or the negative errno that the caller has to fail with. */
#define dstor_point_fails(name)	dstor_point_reached(DSTOR_POINT_##name)

int dstor_point_reached(enum dstor_point which);

void dstor_points_init(void);
/* Ends all orders and takes no new ones: no thread is held when the module goes. Sleeps. */
void dstor_points_exit(void);

#else

#define dstor_point(...)	((void)0)
#define dstor_point_fails(...)	0

static inline void dstor_points_init(void)
{
}

static inline void dstor_points_exit(void)
{
}

#endif

#endif
