/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One listening socket for each address, shared by exports.
 */
#ifndef DSTOR_LISTENER_H
#define DSTOR_LISTENER_H

#include <linux/net.h>

#include "core/address.h"
#include "core/error.h"

struct dstor_listener;
struct net;

struct dstor_listener *dstor_listener_get(struct net *net, const struct dstor_address *a,
					  struct dstor_error *err);
void dstor_listener_put(struct dstor_listener *l);
/* Has @net one whose socket is not closed yet? Sleeps. */
bool dstor_listeners_in(const struct net *net);
/* Only compares: the namespace may be gone. */
bool dstor_listener_is_in(const struct dstor_listener *l, const struct net *net);
void dstor_listener_hold(struct dstor_listener *l);
void dstor_listener_drop(struct dstor_listener *l);

#endif
