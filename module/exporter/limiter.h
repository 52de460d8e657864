/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How often an address may try a key.
 */
#ifndef DSTOR_LIMITER_H
#define DSTOR_LIMITER_H

#include <linux/types.h>

struct sockaddr_storage;

/* May a stranger from there try a key now? Whose key is right gives it back. */
bool dstor_limiter_take(const struct sockaddr_storage *addr);
void dstor_limiter_give(const struct sockaddr_storage *addr);

#endif
