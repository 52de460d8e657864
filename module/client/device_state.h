/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The state of a device.
 */
#ifndef DSTOR_DEVICE_STATE_H
#define DSTOR_DEVICE_STATE_H

#include <linux/dstor.h>
#include <linux/types.h>

struct dstor_device;

enum dstor_device_state dstor_device_state(const struct dstor_device *dev);
const char *dstor_device_state_name(u8 state);	/* enum dstor_device_state */
/* Oldest transaction: its age and number of tries. False: none. */
bool dstor_oldest(struct dstor_device *dev, u32 *age_ms, u32 *retry, u32 *in_flight);

/* Has each queue a connection? */
bool dstor_device_all_live(const struct dstor_device *dev);

#endif
