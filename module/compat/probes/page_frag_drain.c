// SPDX-License-Identifier: GPL-2.0
/* 6.13: a page_frag_cache keeps its contents to itself and can be drained. */
#include <linux/skbuff.h>

void probe(struct page_frag_cache *cache);
void probe(struct page_frag_cache *cache)
{
	page_frag_cache_drain(cache);
}
