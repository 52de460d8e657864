/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How much of our stream has reached the other side?
 */
#ifndef DSTOR_DELIVERY_H
#define DSTOR_DELIVERY_H

#include <linux/types.h>

struct dstor_conn;

/*
 * Bytes that the other side's transport has acknowledged, as far as the socket tells; it
 * may fall a little where that is not TCP. One caller at a time, the connection open.
 */
u64 dstor_conn_delivered(const struct dstor_conn *c);

#endif
