/* SPDX-License-Identifier: GPL-2.0 */
/*
 * uri.c - dst://HOST[:PORT]/EXPORT and its like, taken apart. Pure: no name is
 * looked up. address.c makes socket addresses of it.
 */
#ifndef DST_URI_H
#define DST_URI_H

#include <linux/dstor.h>

#include "dst.h"

#define URI_HOST_LEN 256
#define URI_SOCKET_LEN 108	/* of sockaddr_un */

enum transport {
	TRANSPORT_TCP,
	TRANSPORT_MPTCP,
	TRANSPORT_SCTP,
	TRANSPORT_SMC,
	TRANSPORT_UNIX,
	TRANSPORT_VSOCK,
	TRANSPORT_TIPC,
};

struct uri {
	enum transport transport;
	char host[URI_HOST_LEN];	/* IP: name or address, without brackets */
	bool ipv6;			/* host is an IPv6 address, perhaps with %scope */
	u32 port;			/* IP, vsock */
	char socket[URI_SOCKET_LEN];	/* UNIX */
	u32 cid;			/* vsock */
	u32 type, instance;		/* TIPC */
	char export[DSTOR_NAME_LEN];	/* empty when left out */
};

int uri_parse(const char *text, struct uri *u, struct reason *why);
/* Is the host a name, which another address may have later? */
bool uri_has_name(const struct uri *u);

#endif
