/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Network namespaces. Sockets live in that of whoever ran the command; devices,
 * exports and listeners do not hold it, so that it can be deleted, which ends them.
 */
#ifndef DSTOR_NETNS_H
#define DSTOR_NETNS_H

#include <net/net_namespace.h>

/*
 * The namespace with a reference (put_net), or NULL once it is being deleted.
 * Only netns.c changes @net_of. Any context.
 */
struct net *dstor_netns_get(struct net **net_of);
/* The namespace of @net_of is gone. Any context. */
void dstor_netns_gone(struct net **net_of);

#endif
