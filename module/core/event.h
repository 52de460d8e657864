/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A message to listeners (dst monitor) of an event of a device, an export or a
 * client. No part waits for it, and none of it allocates with I/O.
 */
#ifndef DSTOR_EVENT_H
#define DSTOR_EVENT_H

#include <linux/dstor.h>
#include <linux/types.h>

struct genl_family;
struct net;
struct sk_buff;

struct dstor_event_message {
	struct sk_buff *skb;
	void *hdr;
};

/* netlink.c calls it before it registers @family, which all events are of. */
void dstor_event_init(const struct genl_family *family);
/*
 * False: there is no listener, no memory, or no @net; else dstor_event_end()
 * follows. Takes over the reference to @net. Any context.
 */
bool dstor_event_begin(struct dstor_event_message *e, struct net *net, enum dstor_event what,
		       const char *name);
/* Sends the message, unless @ret is an error of its attributes. */
void dstor_event_end(struct dstor_event_message *e, struct net *net, int ret);

#endif
