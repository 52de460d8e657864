// SPDX-License-Identifier: GPL-2.0
/*
 * Network namespaces that devices, exports and listeners live in without a
 * reference. netns_lock is a leaf: it orders taking a reference and marking the
 * namespace as gone.
 */
#include <linux/spinlock.h>

#include "core/netns.h"

static DEFINE_SPINLOCK(netns_lock);	/* all pointers that dstor_netns_get() reads */

struct net *dstor_netns_get(struct net **net_of)
{
	struct net *net;

	spin_lock_bh(&netns_lock);
	net = *net_of ? maybe_get_net(*net_of) : NULL;
	spin_unlock_bh(&netns_lock);
	return net;
}

void dstor_netns_gone(struct net **net_of)
{
	spin_lock_bh(&netns_lock);
	*net_of = NULL;
	spin_unlock_bh(&netns_lock);
}
