// SPDX-License-Identifier: GPL-2.0
/*
 * The exported disk: opening, flush, end. What a block device does is in
 * disk_bdev.c, what a file does in disk_file.c.
 * Called by start.c, stop.c and watchdog.c from process context; no locks.
 */
#include <linux/blkdev.h>
#include <linux/namei.h>

#include "compat/compat.h"
#include "core/point.h"
#include "exporter/disk.h"
#include "exporter/export.h"

/* A disk may end within a block, which no request reaches. */
u64 dstor_disk_size(struct dstor_export *e)
{
	u64 size = e->disk.file ? i_size_read(file_inode(e->disk.file)) :
				  bdev_nr_bytes(e->disk.bdev.bdev);

	return size & ~((u64)e->disk.geometry.logical_block - 1);
}

int dstor_disk_open(struct dstor_export *e, struct dstor_error *err)
{
	bool write = !(e->config.flags & DSTOR_EXPORT_READ_ONLY);
	struct path path;
	umode_t type;
	int ret = kern_path(e->config.path, LOOKUP_FOLLOW, &path);

	if (ret == -ENOENT)
		return dstor_fail(err, ret, "%s does not exist", e->config.path);
	if (ret)
		return dstor_fail(err, ret, "cannot open %s: error %d", e->config.path, -ret);
	type = d_inode(path.dentry)->i_mode & S_IFMT;
	path_put(&path);
	if (type == S_IFBLK)
		ret = dstor_bdev_open(e, write, err);
	else if (type == S_IFREG)
		ret = dstor_file_open(e, write, err);
	else
		return dstor_fail(err, -ENOTBLK, "%s is neither a block device nor a regular file",
				  e->config.path);
	if (ret)
		return ret;
	e->disk.geometry.size = dstor_disk_size(e);
	if (e->config.flags & DSTOR_EXPORT_WRITE_THROUGH)
		e->disk.geometry.disk_flags &= ~DSTOR_DISK_VOLATILE;
	if (e->config.flags & DSTOR_EXPORT_SHARED)
		e->disk.geometry.disk_flags |= DSTOR_DISK_SHARED;
	if (e->config.flags & DSTOR_EXPORT_READ_ONLY)
		e->disk.geometry.disk_flags |= DSTOR_DISK_READ_ONLY;
	if (!e->disk.geometry.size)
		ret = dstor_fail(err, -EINVAL, "%s is smaller than a block", e->config.path);
	else if (e->disk.geometry.logical_block > DSTOR_BLOCK_MAX)
		ret = dstor_fail(err, -EINVAL, "%s has blocks of %u bytes, at most %u work",
				 e->config.path, e->disk.geometry.logical_block, DSTOR_BLOCK_MAX);
	if (ret)
		dstor_disk_close(e);
	return ret;
}

void dstor_disk_close(struct dstor_export *e)
{
	if (e->disk.file) {
		dstor_file_close(e);
	} else if (e->disk.bdev.bdev) {
		/* Pages that were read here meanwhile are not what clients have written. */
		invalidate_bdev(e->disk.bdev.bdev);
		dstor_compat_close_bdev(&e->disk.bdev);
		e->disk.bdev.bdev = NULL;
	}
}

int dstor_disk_flush(struct dstor_export *e)
{
	int ret = dstor_point_fails(DISK_FLUSH);

	if (ret)
		return ret;
	ret = e->disk.file ? vfs_fsync(e->disk.file, 1) : blkdev_issue_flush(e->disk.bdev.bdev);
	dstor_point(DISK_FLUSHED);
	return ret;
}
