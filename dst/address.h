/* SPDX-License-Identifier: GPL-2.0 */
/*
 * address.c - socket addresses from a URI, and back to text. The only place
 * that knows socket families; the module does not look inside.
 */
#ifndef DST_ADDRESS_H
#define DST_ADDRESS_H

#include <linux/dstor.h>
#include <sys/socket.h>

#include "uri.h"

struct address {
	int family, type, protocol;
	socklen_t len;
	struct sockaddr_storage addr;
	char text[DSTOR_TEXT_LEN];	/* 10.0.0.2:7710, unix:/path, ... */
};

/* All addresses of the host, at most DSTOR_ADDRESSES_MAX; their number or -1. */
int uri_resolve(const struct uri *u, struct address a[DSTOR_ADDRESSES_MAX], struct reason *why);
void address_text(const void *addr, socklen_t len, char *text, size_t size);
const char *transport_name(enum transport t);

#endif
