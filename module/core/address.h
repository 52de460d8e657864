/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An address of a socket, as netlink brings it and the socket calls take it, and
 * address.c, which writes one for people and finds the interface of one.
 */
#ifndef DSTOR_ADDRESS_H
#define DSTOR_ADDRESS_H

#include <linux/dstor.h>
#include <linux/if.h>
#include <linux/net.h>
#include <linux/socket.h>
#include <linux/types.h>

/* An address as the socket calls take it; the module does not look inside. */
struct dstor_address {
	u32 family;
	u32 type;
	u32 protocol;
	u32 len;			/* of addr, bytes */
	struct sockaddr_storage addr;
	char text[DSTOR_TEXT_LEN];
	char scope[IFNAMSIZ];		/* the interface of a link-local one; or empty */
};

struct net;

/* Notes the name of the interface that @a has the number of now, in @net. */
void dstor_address_name_scope(struct dstor_address *a, struct net *net);
/* The number of that interface may be another one by now: takes it into @a. */
void dstor_address_find_scope(struct dstor_address *a, struct net *net);

/* What tells one host from another: a part of an address, of which it points into. */
struct dstor_host {
	const void *at;
	size_t len;			/* bytes */
};

/*
 * The host in @addr: without a port, and of an IPv6 address the network of 64 bits, since
 * a host has all of it. UNIX sockets have one host. Any context.
 */
struct dstor_host dstor_sockaddr_host(const struct sockaddr_storage *addr);
/* @addr is zero behind its end. */
void dstor_sockaddr_text(const struct sockaddr_storage *addr, char text[DSTOR_TEXT_LEN]);

#endif
