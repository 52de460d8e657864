// SPDX-License-Identifier: GPL-2.0
/*
 * The exported disk: opening, geometry, flush. A block device is opened
 * exclusively, a regular file for direct I/O where its file system can.
 * Called by export.c from process context; no locks.
 */
#include <linux/namei.h>

#include "compat/compat.h"
#include "exporter/disk.h"
#include "exporter/export.h"

#define FILE_BLOCK 512

static void bdev_geometry(struct dstor_export *e)
{
	struct block_device *bdev = e->bdev.bdev;
	struct dstor_geometry *g = &e->geometry;
	u64 discard = (u64)bdev_max_discard_sectors(bdev) << SECTOR_SHIFT;
	u64 zeroes = (u64)bdev_write_zeroes_sectors(bdev) << SECTOR_SHIFT;
	u32 block = bdev_logical_block_size(bdev);

	g->size = bdev_nr_bytes(bdev);
	g->logical_block = block;
	g->physical_block = max(bdev_physical_block_size(bdev), block);
	g->io_min = bdev_io_min(bdev);
	g->io_opt = bdev_io_opt(bdev);
	g->max_discard = min_t(u64, discard, DST_EXTENT_MAX) & ~(block - 1);
	g->max_write_zeroes = min_t(u64, zeroes, DST_EXTENT_MAX) & ~(block - 1);
	if (g->max_discard) {
		g->disk_flags |= DST_DISK_DISCARD;
		g->discard_granularity = max(bdev_discard_granularity(bdev), block);
		g->discard_alignment = bdev_discard_alignment(bdev);
	}
	if (g->max_write_zeroes)
		g->disk_flags |= DST_DISK_WRITE_ZEROES;
	if (bdev_write_cache(bdev))
		g->disk_flags |= DST_DISK_VOLATILE;
	if (bdev_fua(bdev))
		g->disk_flags |= DST_DISK_FUA;
	if (dstor_compat_rotational(bdev))
		g->disk_flags |= DST_DISK_ROTATIONAL;
}

static void file_geometry(struct dstor_export *e)
{
	struct inode *inode = file_inode(e->file);
	struct block_device *below = inode->i_sb->s_bdev;
	struct dstor_geometry *g = &e->geometry;

	/* Direct I/O wants the alignment of the disk below. */
	g->logical_block = e->direct && below ? bdev_logical_block_size(below) : FILE_BLOCK;
	g->physical_block = max_t(u32, g->logical_block,
				  clamp_t(u32, i_blocksize(inode), FILE_BLOCK, PAGE_SIZE));
	g->io_min = g->physical_block;
	g->disk_flags |= DST_DISK_VOLATILE;
	if (below && dstor_compat_rotational(below))
		g->disk_flags |= DST_DISK_ROTATIONAL;
	if (e->file->f_op->fallocate) {
		u32 unit = max_t(u32, g->logical_block, i_blocksize(inode));

		g->disk_flags |= DST_DISK_DISCARD | DST_DISK_WRITE_ZEROES;
		g->discard_granularity = unit;
		g->max_discard = DST_EXTENT_MAX & ~(unit - 1);
		g->max_write_zeroes = DST_EXTENT_MAX & ~(unit - 1);
	}
	g->size = i_size_read(inode) & ~((u64)g->logical_block - 1);
}

u64 dstor_disk_size(struct dstor_export *e)
{
	if (e->file)
		return i_size_read(file_inode(e->file)) & ~((u64)e->geometry.logical_block - 1);
	return bdev_nr_bytes(e->bdev.bdev);
}

static int open_file(struct dstor_export *e, bool write, struct dstor_error *err)
{
	int mode = (write ? O_RDWR : O_RDONLY) | O_LARGEFILE;
	struct file *file = filp_open(e->path, mode | O_DIRECT, 0);

	e->direct = !IS_ERR(file);
	if (!e->direct)
		file = filp_open(e->path, mode, 0);
	if (IS_ERR(file))
		return dstor_fail(err, PTR_ERR(file), "cannot open %s: error %ld", e->path,
				  -PTR_ERR(file));
	if (!file->f_op->read_iter || !file->f_op->write_iter) {
		fput(file);
		return dstor_fail(err, -EINVAL, "%s cannot be read and written at any place",
				  e->path);
	}
	e->file = file;
	file_geometry(e);
	return 0;
}

static int open_bdev(struct dstor_export *e, bool write, struct dstor_error *err)
{
	int ret = dstor_compat_open_bdev(&e->bdev, e->path, write, e);

	if (ret == -EBUSY)
		return dstor_fail(err, ret, "%s is in use (mounted, or held by another driver)",
				  e->path);
	if (ret == -EACCES || ret == -EPERM || ret == -EROFS)
		return dstor_fail(err, ret, "%s is read-only: use --read-only", e->path);
	if (ret)
		return dstor_fail(err, ret, "cannot open %s: error %d", e->path, -ret);
	bdev_geometry(e);
	return 0;
}

int dstor_disk_open(struct dstor_export *e, struct dstor_error *err)
{
	bool write = !(e->flags & DSTOR_EXPORT_READ_ONLY);
	struct path path;
	umode_t type;
	int ret = kern_path(e->path, LOOKUP_FOLLOW, &path);

	if (ret)
		return dstor_fail(err, ret, "%s does not exist", e->path);
	type = d_inode(path.dentry)->i_mode & S_IFMT;
	path_put(&path);
	if (type == S_IFBLK)
		ret = open_bdev(e, write, err);
	else if (type == S_IFREG)
		ret = open_file(e, write, err);
	else
		return dstor_fail(err, -ENOTBLK, "%s is neither a block device nor a regular file",
				  e->path);
	if (ret)
		return ret;
	if (e->flags & DSTOR_EXPORT_WRITE_THROUGH)
		e->geometry.disk_flags &= ~DST_DISK_VOLATILE;
	if (e->flags & DSTOR_EXPORT_SHARED)
		e->geometry.disk_flags |= DST_DISK_SHARED;
	if (e->flags & DSTOR_EXPORT_READ_ONLY)
		e->geometry.disk_flags |= DST_DISK_READ_ONLY;
	if (!e->geometry.size)
		ret = dstor_fail(err, -EINVAL, "%s is smaller than a block", e->path);
	else if (e->geometry.logical_block > DST_BLOCK_MAX)
		ret = dstor_fail(err, -EINVAL, "%s has blocks of %u bytes, at most %u work",
				 e->path, e->geometry.logical_block, DST_BLOCK_MAX);
	if (ret)
		dstor_disk_close(e);
	return ret;
}

void dstor_disk_close(struct dstor_export *e)
{
	if (e->file) {
		fput(e->file);
		e->file = NULL;
	} else if (e->bdev.bdev) {
		dstor_compat_close_bdev(&e->bdev);
		e->bdev.bdev = NULL;
	}
}

int dstor_disk_flush(struct dstor_export *e)
{
	if (e->file)
		return vfs_fsync(e->file, 1);
	return blkdev_issue_flush(e->bdev.bdev);
}
