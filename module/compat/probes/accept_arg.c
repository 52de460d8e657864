// SPDX-License-Identifier: GPL-2.0
/* 6.10: what accept is told is a struct. */
#include <linux/net.h>
#include <net/sock.h>

int probe(struct socket *sock, struct socket *new);
int probe(struct socket *sock, struct socket *new)
{
	struct proto_accept_arg arg = { .kern = true };

	return sock->ops->accept(sock, new, &arg);
}
