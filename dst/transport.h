/* SPDX-License-Identifier: GPL-2.0 */
/*
 * transport.c - what a transport needs of this machine before and after use.
 */
#ifndef DST_TRANSPORT_H
#define DST_TRANSPORT_H

#include "uri.h"

/* Loads a kernel module, as far as modprobe finds it and we may. */
void module_load(const char *name);
/* The modules that the kernel does not load by itself when a socket is made. */
void transport_load(const struct uri *u);
/*
 * Removes the file of a UNIX socket at which nobody listens; refuses when
 * something else is in its place.
 */
int transport_sweep(const struct uri *u, struct reason *why);

#endif
