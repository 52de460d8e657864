// SPDX-License-Identifier: GPL-2.0
/*
 * Network namespaces that devices, exports and listeners live in without a
 * reference. homes_lock is a leaf: it decides between who takes a reference
 * and who says that the namespace is gone.
 */
#include <linux/spinlock.h>

#include "core/netns.h"

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
