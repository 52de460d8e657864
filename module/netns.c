// SPDX-License-Identifier: GPL-2.0
/*
 * What happens when a network namespace is deleted: its sockets have to be
 * closed before it is freed. Devices fail and say why; exports end.
 *
 * The kernel holds pernet_ops_rwsem while it calls us. Loading the module of a
 * transport takes that for writing: no lock that we take here may be held
 * while a socket is made.
 */
#include <linux/spinlock.h>

#include "netns.h"
#include "point.h"

static DEFINE_SPINLOCK(homes_lock);	/* all homes */

struct net *dstor_netns_get(struct net **home)
{
	struct net *net;

	spin_lock_bh(&homes_lock);
	net = *home ? maybe_get_net(*home) : NULL;
	spin_unlock_bh(&homes_lock);
	return net;
}

void dstor_netns_gone(struct net **home)
{
	spin_lock_bh(&homes_lock);
	*home = NULL;
	spin_unlock_bh(&homes_lock);
}

static void __net_exit leave(struct net *net)
{
	dstor_devices_leave(net);
	dstor_point(NETNS_LEAVE);
	dstor_exports_leave(net);
	dstor_peers_leave(net);
}

/* As a "device": those are left first, while the network still carries a farewell. */
static struct pernet_operations operations = { .exit = leave };

int dstor_netns_init(void)
{
	return register_pernet_device(&operations);
}

void dstor_netns_exit(void)
{
	unregister_pernet_device(&operations);
}
