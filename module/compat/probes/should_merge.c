// SPDX-License-Identifier: GPL-2.0
/* Until 6.13 a tag set says whether its requests may be merged; later they always may. */
#include <linux/blk-mq.h>

unsigned int probe(void);
unsigned int probe(void)
{
	return BLK_MQ_F_SHOULD_MERGE;
}
