// SPDX-License-Identifier: GPL-2.0
/*
 * An exported file: opened for direct I/O where its file system can, and requests
 * as calls of its own methods.
 *
 * Context: process, no locks, may block on the file's disk.
 */
#include <linux/blkdev.h>
#include <linux/falloc.h>
#include <linux/uio.h>

#include "compat/compat.h"
#include "exporter/command.h"
#include "exporter/disk.h"
#include "exporter/export.h"

#define FILE_BLOCK 512
#define FILE_IO_MAX 64		/* operations on one file at a time */

static LIST_HEAD(file_claims);	/* export->disk.claim: files that are exported */
static DEFINE_MUTEX(file_claims_lock);

/* The alignment of direct I/O: the file system says so, or it is that of the disk below. */
static u32 file_alignment(const struct file *file, struct block_device *below)
{
	struct kstat stat;

	if (!vfs_getattr(&file->f_path, &stat, STATX_DIOALIGN, AT_STATX_SYNC_AS_STAT) &&
	    stat.result_mask & STATX_DIOALIGN && is_power_of_2(stat.dio_offset_align))
		return max_t(u32, stat.dio_offset_align, FILE_BLOCK);
	return below ? bdev_logical_block_size(below) : FILE_BLOCK;
}

static void file_geometry(struct dstor_export *e)
{
	struct inode *inode = file_inode(e->disk.file);
	struct block_device *below = inode->i_sb->s_bdev;
	struct dstor_geometry *g = &e->disk.geometry;

	g->logical_block = e->disk.direct ? file_alignment(e->disk.file, below) : FILE_BLOCK;
	g->physical_block = max_t(u32, g->logical_block,
				  clamp_t(u32, i_blocksize(inode), FILE_BLOCK, PAGE_SIZE));
	g->io_min = g->physical_block;
	g->disk_flags |= DSTOR_DISK_VOLATILE;
	if (below && dstor_compat_rotational(below))
		g->disk_flags |= DSTOR_DISK_ROTATIONAL;
	if (e->disk.file->f_op->fallocate) {
		u32 unit = max_t(u32, g->logical_block, i_blocksize(inode));

		g->disk_flags |= DSTOR_DISK_DISCARD | DSTOR_DISK_WRITE_ZEROES;
		g->discard_granularity = unit;
		g->max_discard = DSTOR_EXTENT_MAX & ~(unit - 1);
		g->max_write_zeroes = DSTOR_EXTENT_MAX & ~(unit - 1);
	}
}

/*
 * Two exports of one file would be two leases, and two memories of what was done. Whoever
 * else writes to it, a loop device or a virtual machine, knows nothing of ours.
 */
static int file_claim(struct dstor_export *e, bool write, struct dstor_error *err)
{
	struct inode *inode = file_inode(e->disk.file);
	struct dstor_export *other;
	int ret = 0;

	if (IS_SWAPFILE(inode))
		return dstor_fail(err, -EBUSY, "%s is in use as swap", e->config.path);
	mutex_lock(&file_claims_lock);
	list_for_each_entry(other, &file_claims, disk.claim)
		if (file_inode(other->disk.file) == inode)
			ret = dstor_fail(err, -EBUSY, "%s is exported already, as \"%s\"",
					 e->config.path, other->name);
	if (!ret && atomic_read(&inode->i_writecount) > write)
		ret = dstor_fail(err, -EBUSY,
				 "%s is open for writing elsewhere (a loop device, a virtual machine): end that first",
				 e->config.path);
	if (!ret)
		list_add(&e->disk.claim, &file_claims);
	mutex_unlock(&file_claims_lock);
	return ret;
}

void dstor_file_close(struct dstor_export *e)
{
	if (e->disk.wq)
		destroy_workqueue(e->disk.wq);
	e->disk.wq = NULL;
	mutex_lock(&file_claims_lock);
	list_del_init(&e->disk.claim);
	mutex_unlock(&file_claims_lock);
	fput(e->disk.file);
	e->disk.file = NULL;
}

int dstor_file_open(struct dstor_export *e, bool write, struct dstor_error *err)
{
	int mode = (write ? O_RDWR : O_RDONLY) | O_LARGEFILE;
	struct file *file = filp_open(e->config.path, mode | O_DIRECT, 0);

	e->disk.direct = !IS_ERR(file);
	if (!e->disk.direct)
		file = filp_open(e->config.path, mode, 0);
	if (IS_ERR(file))
		return dstor_fail(err, PTR_ERR(file), "cannot open %s: error %ld", e->config.path,
				  -PTR_ERR(file));
	if (!file->f_op->read_iter || !file->f_op->write_iter) {
		fput(file);
		return dstor_fail(err, -EINVAL, "%s cannot be read and written at any place",
				  e->config.path);
	}
	e->disk.file = file;
	e->disk.wq = alloc_workqueue("dst-%.16s", WQ_MEM_RECLAIM | WQ_UNBOUND, FILE_IO_MAX,
				     e->name);
	if (!e->disk.wq)
		return dstor_fail(err, -ENOMEM, "out of memory");
	file_geometry(e);
	return file_claim(e, write, err);
}

/*
 * One call of the file's own method: vfs_iter_write() takes the superblock's
 * writer count itself on some kernels and wants it taken on others.
 */
static ssize_t file_step(struct file *file, struct iov_iter *iter, loff_t pos, bool write,
			 bool through)
{
	struct kiocb kiocb;
	ssize_t n;

	init_sync_kiocb(&kiocb, file);
	kiocb.ki_pos = pos;
	if (!write)
		return file->f_op->read_iter(&kiocb, iter);
	if (through)
		kiocb.ki_flags |= IOCB_DSYNC | IOCB_SYNC;
	file_start_write(file);
	n = file->f_op->write_iter(&kiocb, iter);
	file_end_write(file);
	return n;
}

int dstor_file_rw(struct dstor_export *e, struct dstor_command *cmd)
{
	bool write = cmd->op == DSTOR_OP_WRITE;
	bool through = e->config.flags & DSTOR_EXPORT_WRITE_THROUGH || cmd->flags & DSTOR_REQ_FUA;
	loff_t pos = cmd->offset;
	struct iov_iter iter;
	ssize_t n;

	/* A file that was truncated does not grow again by what its clients know of it. */
	if (pos + cmd->bytes > i_size_read(file_inode(e->disk.file)))
		return -EIO;
	iov_iter_bvec(&iter, write ? ITER_SOURCE : ITER_DEST, cmd->bio.bi_io_vec,
		      cmd->bio.bi_vcnt, cmd->bytes);
	while (iov_iter_count(&iter)) {
		n = file_step(e->disk.file, &iter, pos, write, through);
		if (n < 0)
			return n;
		if (!n)
			return -EIO;
		pos += n;
	}
	return 0;
}

int dstor_file_allocate(struct dstor_export *e, struct dstor_command *cmd)
{
	int mode = FALLOC_FL_KEEP_SIZE;
	int ret;

	if (cmd->op == DSTOR_OP_DISCARD)
		mode |= FALLOC_FL_PUNCH_HOLE;
	else if (cmd->flags & DSTOR_REQ_NOUNMAP)
		mode |= FALLOC_FL_ZERO_RANGE;
	else
		mode |= FALLOC_FL_PUNCH_HOLE;
	ret = vfs_fallocate(e->disk.file, mode, cmd->offset, cmd->bytes);
	if (!ret && (e->config.flags & DSTOR_EXPORT_WRITE_THROUGH || cmd->flags & DSTOR_REQ_FUA))
		ret = vfs_fsync(e->disk.file, 1);
	return ret;
}
