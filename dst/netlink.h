/* SPDX-License-Identifier: GPL-2.0 */
/*
 * netlink.c - talks to the module. One request at a time; an error brings the
 * module's own sentence.
 */
#ifndef DST_NETLINK_H
#define DST_NETLINK_H

#include <linux/dstor.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>

#include "address.h"
#include "dst.h"
#include "rule.h"

struct netlink {
	struct nl_sock *sk;
	int family;
};

/* Loads the module when it is not there. 0 or -1. */
int netlink_open(struct netlink *nl, struct reason *why);
/* 1: there is no module, which is no error for a command that only shows. */
int netlink_open_if_loaded(struct netlink *nl, struct reason *why);
/* Joins the group of events; then netlink_listen() calls @each with every one, for ever. */
int netlink_join(struct netlink *nl, struct reason *why);
int netlink_listen(struct netlink *nl, void (*each)(struct nlmsghdr *, void *), void *arg,
		   struct reason *why);
void netlink_close(struct netlink *nl);

/* An empty request; the program ends without memory. It needs no module yet. */
struct nl_msg *netlink_request(u8 cmd, int flags);
void netlink_drop(struct nl_msg *msg);	/* wiped */
/*
 * Sends @msg, hands each answer to @each (may be NULL), wipes and frees @msg.
 * 0, or a negative errno with a sentence: the module's, or that of the errno.
 */
int netlink_ask(struct netlink *nl, struct nl_msg *msg, void (*each)(struct nlmsghdr *, void *),
		void *arg, struct reason *why);

/* Attributes; the program ends if the message is full, which its bounds exclude. */
void put_text(struct nl_msg *msg, int attr, const char *text);
void put_u32(struct nl_msg *msg, int attr, u32 value);
void put_u64(struct nl_msg *msg, int attr, u64 value);
void put_bytes(struct nl_msg *msg, int attr, const void *data, size_t len);
void put_flag(struct nl_msg *msg, int attr, bool value);
void put_address(struct nl_msg *msg, int attr, const struct address *a, const char *text);
/* @key: NULL, or that of the rule's file. Returns how many the module counts. */
unsigned int put_rule(struct nl_msg *msg, const struct rule *r, const u8 *key);

#endif
