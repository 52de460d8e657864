// SPDX-License-Identifier: GPL-2.0
/*
 * The address of a peer as dst/address.c writes it, for messages of the module; the host
 * in it; and the interface of an IPv6 address that is valid on one link alone.
 *
 * No locks. Any context.
 */
#include <linux/netdevice.h>
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

void dstor_address_name_scope(struct dstor_address *a, struct net *net)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->addr;
	const struct net_device *dev;

	a->scope[0] = 0;
	if (in6->sin6_family != AF_INET6 || !in6->sin6_scope_id)
		return;
	rcu_read_lock();
	dev = dev_get_by_index_rcu(net, in6->sin6_scope_id);
	if (dev)
		strscpy(a->scope, dev->name, sizeof(a->scope));
	rcu_read_unlock();
}

void dstor_address_find_scope(struct dstor_address *a, struct net *net)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a->addr;
	const struct net_device *dev;

	if (!a->scope[0])
		return;
	rcu_read_lock();
	dev = dev_get_by_name_rcu(net, a->scope);
	if (dev)
		in6->sin6_scope_id = dev->ifindex;
	rcu_read_unlock();
}
