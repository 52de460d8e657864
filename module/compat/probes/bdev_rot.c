// SPDX-License-Identifier: GPL-2.0
/* 7.x: a disk is asked whether it rotates, not whether it does not. */
#include <linux/blkdev.h>

bool probe(struct block_device *bdev);
bool probe(struct block_device *bdev)
{
	return bdev_rot(bdev);
}
