/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How often a host may try a key.
 */
#ifndef DSTOR_LIMITER_H
#define DSTOR_LIMITER_H

#include <linux/types.h>

struct sockaddr_storage;

#define DSTOR_HOSTS 1024	/* hosts that are told apart, by a secret hash */

/*
 * A number below DSTOR_HOSTS for the host in @addr (see dstor_sockaddr_host()), at a
 * UNIX socket for the user @uid instead.
 */
u16 dstor_limiter_host(const struct sockaddr_storage *addr, u32 uid);
/* May a stranger from there try a key now? Whose key is right gives it back. */
bool dstor_limiter_take(u16 host);
void dstor_limiter_give(u16 host);

#endif
