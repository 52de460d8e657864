// SPDX-License-Identifier: GPL-2.0
/*
 * Before 6.5 pages are sent without a copy by sendpage. Its absence is what
 * says that MSG_SPLICE_PAGES works: Debian's 6.1 defines that flag and ignores it.
 */
#include <linux/net.h>

int probe(struct socket *sock, struct page *page);
int probe(struct socket *sock, struct page *page)
{
	return kernel_sendpage(sock, page, 0, PAGE_SIZE, MSG_SENDPAGE_NOTLAST);
}
