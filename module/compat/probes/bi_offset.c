// SPDX-License-Identifier: GPL-2.0
/* 7.x: bvec_iter.bi_bvec_done is called bi_offset. */
#include <linux/bvec.h>

unsigned int probe(struct bvec_iter *iter);
unsigned int probe(struct bvec_iter *iter)
{
	return iter->bi_offset;
}
