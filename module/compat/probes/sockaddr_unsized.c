// SPDX-License-Identifier: GPL-2.0
/* 6.19: an address whose size is not that of its type has a type of its own. */
#include <linux/net.h>

int probe(struct socket *sock, struct sockaddr_unsized *addr, int len);
int probe(struct socket *sock, struct sockaddr_unsized *addr, int len)
{
	return kernel_bind(sock, addr, len);
}
