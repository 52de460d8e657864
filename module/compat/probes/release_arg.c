// SPDX-License-Identifier: GPL-2.0
/* 6.5: who closes a disk does not say for what it was open. */
#include <linux/blkdev.h>

static void release(struct gendisk *disk)
{
}

const struct block_device_operations probe = {
	.release = release,
};
