/* SPDX-License-Identifier: GPL-2.0 */
/*
 * transport.c - what a transport needs of this machine before and after use.
 */
#ifndef DST_TRANSPORT_H
#define DST_TRANSPORT_H

#include "uri.h"

/*
 * The modules that the kernel does not load by itself when dstor makes a socket (vsock_loopback),
 * or must not: those with a generic netlink family of their own would wait for the end of our
 * command, and it for them.
 */
void transport_load(const struct uri *u);
/*
 * Removes the file of a UNIX socket at which nobody listens; refuses when
 * something else is in its place.
 */
int transport_sweep(const struct uri *u, struct reason *why);

#endif
