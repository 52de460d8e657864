/* SPDX-License-Identifier: GPL-2.0 */
/* Opening a block device, as the kernel at hand does it (module/compat knows the same). */
struct target {
	struct block_device *bdev;
	struct file *file;
	u64 ios;
	bool write;
};

#ifdef DSTOR_HAVE_BDEV_FILE
static int open_target(struct target *t, const char *path, bool write)
{
	struct file *file = bdev_file_open_by_path(path, BLK_OPEN_READ | (write ? BLK_OPEN_WRITE : 0),
						   NULL, NULL);

	if (IS_ERR(file))
		return PTR_ERR(file);
	t->file = file;
	t->bdev = file_bdev(file);
	return 0;
}

static void close_target(struct target *t)
{
	fput(t->file);
}
#else
static int open_target(struct target *t, const char *path, bool write)
{
	struct block_device *bdev = blkdev_get_by_path(path, FMODE_READ | (write ? FMODE_WRITE : 0), NULL);

	if (IS_ERR(bdev))
		return PTR_ERR(bdev);
	t->bdev = bdev;
	t->write = write;
	return 0;
}

static void close_target(struct target *t)
{
	blkdev_put(t->bdev, FMODE_READ | (t->write ? FMODE_WRITE : 0));
}
#endif
