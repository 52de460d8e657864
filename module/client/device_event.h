/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Events of devices, for dst monitor and udev.
 */
#ifndef DSTOR_DEVICE_EVENT_H
#define DSTOR_DEVICE_EVENT_H

#include <linux/dstor.h>
#include <linux/workqueue.h>

struct dstor_device;

/* Attached, detached, resized. Under dev->lock, or while the caller alone has @dev. */
void dstor_event_device(struct dstor_device *dev, enum dstor_event what);
/*
 * Something happened that may have changed the state: says so if it has, or if the
 * state is not "connected" and @reason is another one. Any lock may be held.
 */
void dstor_event_state(struct dstor_device *dev, const char *reason);
/* The work that tells udev. */
void dstor_event_work(struct work_struct *work);

#endif
