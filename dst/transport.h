/* SPDX-License-Identifier: GPL-2.0 */
/*
 * transport.c - preparation and clean-up of this machine for a transport.
 */
#ifndef DST_TRANSPORT_H
#define DST_TRANSPORT_H

#include "uri.h"

/*
 * Loads modules that the kernel does not load by itself when dstor makes a socket
 * (vsock_loopback), or must not load. A module with a generic netlink family of its own
 * would wait for the end of our command, and the command for the module.
 */
void transport_load(const struct uri *u);
/*
 * Removes the file of a UNIX socket without a listener; refuses when something
 * else is in its place.
 */
int transport_sweep(const struct uri *u, struct reason *why);

#endif
