// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of our own for data that others may change while it is looked at.
 * No locks: each buffer is its owner's.
 */
#include <linux/highmem.h>
#include <linux/slab.h>

#include "core/bio_buffer.h"

void dstor_bio_buffer_free(struct dstor_bio_buffer *b)
{
	if (!b)
		return;
	while (b->n_pages)
		put_page(b->pages[--b->n_pages].bv_page);
	kvfree(b->pages);
	kfree(b);
}

struct dstor_bio_buffer *dstor_bio_buffer_new(u32 bytes)
{
	unsigned int n = DIV_ROUND_UP(bytes, PAGE_SIZE);
	struct dstor_bio_buffer *b = kzalloc(sizeof(*b), GFP_KERNEL);

	if (!b)
		return NULL;
	b->pages = kvcalloc(n, sizeof(*b->pages), GFP_KERNEL);
	while (b->pages && b->n_pages < n) {
		struct bio_vec *bv = &b->pages[b->n_pages];

		bv->bv_page = alloc_page(GFP_KERNEL);
		if (!bv->bv_page)
			break;
		bv->bv_len = PAGE_SIZE;
		b->n_pages++;
	}
	if (b->n_pages < n) {
		dstor_bio_buffer_free(b);
		return NULL;
	}
	bio_init(&b->bio, NULL, b->pages, n, 0);
	return b;
}

void dstor_bio_copy(struct dstor_bio_span to, struct dstor_bio_span from, u32 bytes)
{
	struct bio_vec src, dst;

	while (dstor_bio_span_next(&from, &bytes, &src, true)) {
		u32 left = src.bv_len;
		u8 *data = bvec_kmap_local(&src);

		while (dstor_bio_span_next(&to, &left, &dst, true))
			memcpy_to_bvec(&dst, data + src.bv_len - left - dst.bv_len);
		kunmap_local(data);
		if (WARN_ON_ONCE(left))
			return;
	}
	WARN_ON_ONCE(bytes);
}
