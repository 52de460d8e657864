// SPDX-License-Identifier: GPL-2.0
/*
 * Events: one netlink message each, to the group "events" of the namespace that
 * the object's sockets live in. The family is family.c's; netlink.c registers it.
 *
 * No locks: any may be held.
 */
#include <net/genetlink.h>

#include "core/event.h"

#define GFP_EVENT (GFP_NOWAIT | __GFP_NOWARN)	/* a lost message is no harm */
#define EVENT_BYTES 1024

static const struct genl_family *family __ro_after_init;

void __init dstor_event_init(const struct genl_family *f)
{
	family = f;
}

bool dstor_event_begin(struct dstor_event_message *e, struct net *net, enum dstor_event what,
		       const char *name)
{
	if (!net)
		return false;
	if (!genl_has_listeners(family, net, 0))
		goto no;
	e->skb = genlmsg_new(EVENT_BYTES, GFP_EVENT);
	if (!e->skb)
		goto no;
	e->hdr = genlmsg_put(e->skb, 0, 0, family, 0, DSTOR_CMD_EVENT);
	if (e->hdr && !nla_put_u8(e->skb, DSTOR_A_EVENT, what) &&
	    !nla_put_string(e->skb, DSTOR_A_NAME, name))
		return true;
	nlmsg_free(e->skb);
no:
	put_net(net);
	return false;
}

void dstor_event_end(struct dstor_event_message *e, struct net *net, int ret)
{
	if (ret) {
		nlmsg_free(e->skb);
	} else {
		genlmsg_end(e->skb, e->hdr);
		genlmsg_multicast_netns(family, net, e->skb, 0, 0, GFP_EVENT);
	}
	put_net(net);
}
