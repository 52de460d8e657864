/* SPDX-License-Identifier: GPL-2.0 */
/* Opening a block device, as the kernel at hand does it (module/compat knows the same). */
#ifdef DSTOR_HAVE_BDEV_FILE
static struct file *target;

static int open_target(const char *path)
{
	target = bdev_file_open_by_path(path, BLK_OPEN_READ | BLK_OPEN_WRITE, NULL, NULL);
	if (IS_ERR(target))
		return PTR_ERR(target);
	bdev = file_bdev(target);
	return 0;
}

static void close_target(void)
{
	fput(target);
}
#else
static int open_target(const char *path)
{
	bdev = blkdev_get_by_path(path, FMODE_READ | FMODE_WRITE, NULL);
	return PTR_ERR_OR_ZERO(bdev);
}

static void close_target(void)
{
	blkdev_put(bdev, FMODE_READ | FMODE_WRITE);
}
#endif
