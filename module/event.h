/* SPDX-License-Identifier: GPL-2.0 */
/*
 * event.c - tells who listens (dst monitor, udev) what happens to devices,
 * exports and clients. Nobody waits for them, and none of it allocates with I/O.
 */
#ifndef DSTOR_EVENT_H
#define DSTOR_EVENT_H

#include <linux/workqueue.h>

#include "dstor.h"

struct dstor_device;
struct dstor_export;
struct net;
struct dstor_peer;

/* Attached, detached, resized. Under dev->lock, or where nobody else has @dev. */
void dstor_event_device(struct dstor_device *dev, enum dstor_event what);
/*
 * Something happened that may have changed the state: says so if it has, or if the
 * state is not "connected" and @reason is another one. Any lock may be held.
 */
void dstor_event_state(struct dstor_device *dev, const char *reason);
/* The work that tells udev. */
void dstor_event_work(struct work_struct *work);
enum dstor_device_state dstor_device_state(const struct dstor_device *dev);

void dstor_event_export(struct dstor_export *e, enum dstor_event what);
/* Under export->lock. */
void dstor_event_client(struct dstor_peer *p, enum dstor_event what, const char *reason);

#endif
