// SPDX-License-Identifier: GPL-2.0
/*
 * Socket addresses: looks host names up, fills in the structure of each family,
 * and writes addresses for people. Called by the commands that take a URI, and
 * by show for the addresses of clients.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/un.h>
#include <linux/tipc.h>
#include <linux/vm_sockets.h>

#include "address.h"
#include "transport.h"
#include "values.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef AF_SMC
#define AF_SMC 43
#endif
#define SMCPROTO_SMC 0
#define SMCPROTO_SMC6 1

const char *transport_name(enum transport t)
{
	static const char * const names[] = {
		[TRANSPORT_TCP] = "TCP",
		[TRANSPORT_MPTCP] = "MPTCP",
		[TRANSPORT_SCTP] = "SCTP",
		[TRANSPORT_SMC] = "SMC",
		[TRANSPORT_UNIX] = "UNIX",
		[TRANSPORT_VSOCK] = "vsock",
		[TRANSPORT_TIPC] = "TIPC",
	};

	return names[t];
}

static void address_finish(struct address *a, int family, const void *addr, socklen_t len)
{
	a->family = family;
	a->type = SOCK_STREAM;
	a->len = len;
	memcpy(&a->addr, addr, len);
	address_text(addr, len, a->text, sizeof(a->text));
}

static void fill_ip(struct address *a, enum transport t, const struct addrinfo *ai)
{
	address_finish(a, ai->ai_family, ai->ai_addr, ai->ai_addrlen);
	if (t == TRANSPORT_TCP)
		a->protocol = IPPROTO_TCP;
	if (t == TRANSPORT_MPTCP)
		a->protocol = IPPROTO_MPTCP;
	if (t == TRANSPORT_SCTP)
		a->protocol = IPPROTO_SCTP;
	if (t == TRANSPORT_SMC) {
		/* Its socket addresses are those of IP. */
		a->protocol = a->family == AF_INET6 ? SMCPROTO_SMC6 : SMCPROTO_SMC;
		a->family = AF_SMC;
	}
}

static int resolve_ip(const struct uri *u, struct address *a, struct reason *why)
{
	struct addrinfo hints = {
		.ai_family = u->ipv6 ? AF_INET6 : AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV | (u->ipv6 ? AI_NUMERICHOST : 0),
	};
	struct addrinfo *found, *ai;
	char port[8];
	int n = 0, ret;

	snprintf(port, sizeof(port), "%u", u->port);
	ret = getaddrinfo(u->host, port, &hints, &found);
	if (ret)
		return refuse(why, "cannot find the address of \"%s\" (%s); %s", u->host,
			      gai_strerror(ret), "check the name, or give the address");
	for (ai = found; ai && n < DSTOR_ADDRESSES_MAX; ai = ai->ai_next)
		if (ai->ai_family == AF_INET || ai->ai_family == AF_INET6)
			fill_ip(&a[n++], u->transport, ai);
	freeaddrinfo(found);
	return n ? n : refuse(why, "\"%s\" has no IP address", u->host);
}

static void fill_unix(const struct uri *u, struct address *a)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	memcpy(sun.sun_path, u->socket, strlen(u->socket));
	address_finish(a, AF_UNIX, &sun,
		       offsetof(struct sockaddr_un, sun_path) + strlen(u->socket) + 1);
}

static void fill_vsock(const struct uri *u, struct address *a)
{
	struct sockaddr_vm vm = {
		.svm_family = AF_VSOCK, .svm_port = u->port, .svm_cid = u->cid,
	};

	address_finish(a, AF_VSOCK, &vm, sizeof(vm));
}

static void fill_tipc(const struct uri *u, struct address *a)
{
	struct sockaddr_tipc tipc = {
		.family = AF_TIPC,
		.addrtype = TIPC_SERVICE_ADDR,
		.scope = TIPC_CLUSTER_SCOPE,
		.addr.name.name = { .type = u->type, .instance = u->instance },
	};

	address_finish(a, AF_TIPC, &tipc, sizeof(tipc));
}

int uri_resolve(const struct uri *u, struct address a[DSTOR_ADDRESSES_MAX], struct reason *why)
{
	memset(a, 0, DSTOR_ADDRESSES_MAX * sizeof(*a));
	transport_load(u);
	switch (u->transport) {
	case TRANSPORT_UNIX:
		fill_unix(u, a);
		return 1;
	case TRANSPORT_VSOCK:
		fill_vsock(u, a);
		return 1;
	case TRANSPORT_TIPC:
		fill_tipc(u, a);
		return 1;
	default:
		return resolve_ip(u, a, why);
	}
}

static void ip_text(const struct sockaddr_storage *ss, char *text, size_t size)
{
	const struct sockaddr_in6 *in6 = (const void *)ss;
	const struct sockaddr_in *in = (const void *)ss;
	char host[INET6_ADDRSTRLEN] = "", scope[IF_NAMESIZE] = "";

	if (ss->ss_family == AF_INET) {
		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(text, size, "%s:%u", host, ntohs(in->sin_port));
	} else if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		/* An IPv4 peer of a dual-stack listener. */
		inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], host, sizeof(host));
		snprintf(text, size, "%s:%u", host, ntohs(in6->sin6_port));
	} else {
		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		if (in6->sin6_scope_id && !if_indextoname(in6->sin6_scope_id, scope))
			snprintf(scope, sizeof(scope), "%u", in6->sin6_scope_id);
		snprintf(text, size, "[%s%s%s]:%u", host, *scope ? "%" : "", scope,
			 ntohs(in6->sin6_port));
	}
}

static void tipc_text(const struct sockaddr_tipc *tipc, char *text, size_t size)
{
	if (tipc->addrtype == TIPC_SERVICE_ADDR)
		snprintf(text, size, "tipc:%u:%u", tipc->addr.name.name.type,
			 tipc->addr.name.name.instance);
	else
		snprintf(text, size, "tipc:%x:%u", tipc->addr.id.node, tipc->addr.id.ref);
}

void address_text(const void *addr, socklen_t len, char *text, size_t size)
{
	struct sockaddr_storage ss = { };
	const struct sockaddr_vm *vm = (const void *)&ss;
	const struct sockaddr_un *sun = (const void *)&ss;

	memcpy(&ss, addr, len < sizeof(ss) ? len : sizeof(ss));
	switch (ss.ss_family) {
	case AF_INET:
	case AF_INET6:
		ip_text(&ss, text, size);
		break;
	case AF_UNIX:
		snprintf(text, size, "unix:%s", sun->sun_path);
		break;
	case AF_VSOCK:
		if (vm->svm_cid == VMADDR_CID_ANY)
			snprintf(text, size, "vsock:any:%u", vm->svm_port);
		else
			snprintf(text, size, "vsock:%u:%u", vm->svm_cid, vm->svm_port);
		break;
	case AF_TIPC:
		tipc_text((const void *)&ss, text, size);
		break;
	default:
		snprintf(text, size, "family %u", ss.ss_family);
	}
}
