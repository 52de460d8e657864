// SPDX-License-Identifier: GPL-2.0
/* 7.x: the NUMA node that init_request is told may be "none", which is negative. */
#include <linux/blk-mq.h>

static int init_request(struct blk_mq_tag_set *set, struct request *rq, unsigned int hctx_idx,
			int numa_node)
{
	return 0;
}

const struct blk_mq_ops probe = {
	.init_request = init_request,
};
