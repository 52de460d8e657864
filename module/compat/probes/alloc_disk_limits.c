// SPDX-License-Identifier: GPL-2.0
/* 6.9: queue limits are given when the disk is allocated. */
#include <linux/blk-mq.h>

struct gendisk *probe(struct blk_mq_tag_set *set, struct queue_limits *lim, void *data);
struct gendisk *probe(struct blk_mq_tag_set *set, struct queue_limits *lim, void *data)
{
	lim->features = BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA;
	return blk_mq_alloc_disk(set, lim, data);
}
