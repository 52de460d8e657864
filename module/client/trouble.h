/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is wrong with a device although it connects, for people. Its transactions do not
 * depend on it.
 */
#ifndef DSTOR_TROUBLE_H
#define DSTOR_TROUBLE_H

struct dstor_device;
struct dstor_queue;

enum dstor_trouble {
	DSTOR_TROUBLE_NONE,
	DSTOR_TROUBLE_DIGESTS,		/* data that nobody changes arrives damaged */
	DSTOR_TROUBLE_LARGE_SENT,	/* the exporter gets small packets, and no large ones */
	DSTOR_TROUBLE_LARGE_RECEIVED,	/* the same the other way */
	DSTOR_TROUBLE_DISK_HANGS,
	DSTOR_TROUBLE_DISK_GONE,
};

/* It was seen now. Any context. */
void dstor_trouble_note(struct dstor_device *dev, enum dstor_trouble what);
/* Looks at a live connection, for packets that do not pass. Under q->lock. */
void dstor_trouble_look(struct dstor_queue *q);
/* It is closed since the exporter is silent. Under q->lock. */
void dstor_trouble_silent(struct dstor_queue *q);
/*
 * The other side has ended it. An exporter whose answers do not arrive waits as long as
 * the client, and either may be the first to give up. Under q->lock.
 */
void dstor_trouble_ended(struct dstor_queue *q);
/* A sentence about what was seen lately, or NULL. Any context. */
const char *dstor_trouble_text(const struct dstor_device *dev);

#endif
