// SPDX-License-Identifier: GPL-2.0
/*
 * The address of a peer as dst/address.c writes it, for messages of the module, and the
 * host in it.
 *
 * No locks. Any context.
 */
#include <linux/tipc.h>
#include <linux/un.h>
#include <linux/vm_sockets.h>
#include <net/ipv6.h>

#include "core/address.h"
#include "wire/hello.h"

static void ip6_text(const struct sockaddr_in6 *in6, char text[DSTOR_TEXT_LEN])
{
	/* An IPv4 client of a listener for both is no IPv6 one. */
	if (ipv6_addr_v4mapped(&in6->sin6_addr))
		snprintf(text, DSTOR_TEXT_LEN, "%pI4:%u", &in6->sin6_addr.s6_addr32[3],
			 ntohs(in6->sin6_port));
	else
		snprintf(text, DSTOR_TEXT_LEN, "%pISpc", in6);
}

static void tipc_text(const struct sockaddr_tipc *tipc, char text[DSTOR_TEXT_LEN])
{
	if (tipc->addrtype == TIPC_SERVICE_ADDR)
		snprintf(text, DSTOR_TEXT_LEN, "tipc:%u:%u", tipc->addr.name.name.type,
			 tipc->addr.name.name.instance);
	else
		snprintf(text, DSTOR_TEXT_LEN, "tipc:%x:%u", tipc->addr.id.node, tipc->addr.id.ref);
}

struct dstor_host dstor_sockaddr_host(const struct sockaddr_storage *addr)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)addr;
	const struct sockaddr_in *in = (const struct sockaddr_in *)addr;
	const struct sockaddr_vm *vm = (const struct sockaddr_vm *)addr;
	const struct sockaddr_tipc *tipc = (const struct sockaddr_tipc *)addr;

	switch (addr->ss_family) {
	case AF_INET:
		return (struct dstor_host){ &in->sin_addr, sizeof(in->sin_addr) };
	case AF_INET6:
		if (ipv6_addr_v4mapped(&in6->sin6_addr))
			return (struct dstor_host){ &in6->sin6_addr.s6_addr32[3],
						    sizeof(struct in_addr) };
		return (struct dstor_host){ &in6->sin6_addr, sizeof(u64) };
	case AF_VSOCK:
		return (struct dstor_host){ &vm->svm_cid, sizeof(vm->svm_cid) };
	case AF_TIPC:
		return (struct dstor_host){ &tipc->addr.id.node, sizeof(tipc->addr.id.node) };
	default:
		return (struct dstor_host){ &addr->ss_family, sizeof(addr->ss_family) };
	}
}

void dstor_sockaddr_text(const struct sockaddr_storage *addr, char text[DSTOR_TEXT_LEN])
{
	const struct sockaddr_vm *vm = (const struct sockaddr_vm *)addr;

	switch (addr->ss_family) {
	case AF_INET:
		snprintf(text, DSTOR_TEXT_LEN, "%pISpc", addr);
		break;
	case AF_INET6:
		ip6_text((const struct sockaddr_in6 *)addr, text);
		break;
	case AF_UNIX:
		/* A client that has a path chose it. It may lack a terminator. */
		snprintf(text, DSTOR_TEXT_LEN, "unix:%.*s", UNIX_PATH_MAX,
			 ((const struct sockaddr_un *)addr)->sun_path);
		dstor_text_clean(text);
		break;
	case AF_VSOCK:
		snprintf(text, DSTOR_TEXT_LEN, "vsock:%u:%u", vm->svm_cid, vm->svm_port);
		break;
	case AF_TIPC:
		tipc_text((const struct sockaddr_tipc *)addr, text);
		break;
	default:
		snprintf(text, DSTOR_TEXT_LEN, "family %u", addr->ss_family);
	}
}
