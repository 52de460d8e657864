// SPDX-License-Identifier: GPL-2.0
/*
 * An exported block device: opened exclusively, and requests as bios.
 *
 * Context: process, no locks. Commands: in the peer's work.
 */
#include <linux/blkdev.h>

#include "compat/compat.h"
#include "exporter/command.h"
#include "exporter/disk.h"
#include "exporter/export.h"
#include "exporter/peer.h"

static void bdev_geometry(struct dstor_export *e)
{
	struct block_device *bdev = e->disk.bdev.bdev;
	struct dstor_geometry *g = &e->disk.geometry;
	u64 discard = (u64)bdev_max_discard_sectors(bdev) << SECTOR_SHIFT;
	u64 zeroes = (u64)bdev_write_zeroes_sectors(bdev) << SECTOR_SHIFT;
	u32 block = bdev_logical_block_size(bdev);

	g->logical_block = block;
	g->physical_block = max(bdev_physical_block_size(bdev), block);
	g->io_min = bdev_io_min(bdev);
	g->io_opt = bdev_io_opt(bdev);
	g->max_discard = min_t(u64, discard, DSTOR_EXTENT_MAX) & ~(block - 1);
	g->max_write_zeroes = min_t(u64, zeroes, DSTOR_EXTENT_MAX) & ~(block - 1);
	if (g->max_discard) {
		g->disk_flags |= DSTOR_DISK_DISCARD;
		g->discard_granularity = max(bdev_discard_granularity(bdev), block);
		g->discard_alignment = bdev_discard_alignment(bdev);
	}
	if (g->max_write_zeroes)
		g->disk_flags |= DSTOR_DISK_WRITE_ZEROES;
	if (bdev_write_cache(bdev))
		g->disk_flags |= DSTOR_DISK_VOLATILE;
	if (bdev_fua(bdev))
		g->disk_flags |= DSTOR_DISK_FUA;
	if (dstor_compat_rotational(bdev))
		g->disk_flags |= DSTOR_DISK_ROTATIONAL;
}

int dstor_bdev_open(struct dstor_export *e, bool write, struct dstor_error *err)
{
	int ret = dstor_compat_open_bdev(&e->disk.bdev, e->config.path, write, e);

	if (ret == -EBUSY)
		return dstor_fail(err, ret, "%s is in use (mounted, or held by another driver)",
				  e->config.path);
	if (ret == -EACCES || ret == -EPERM || ret == -EROFS)
		return dstor_fail(err, ret, "%s is read-only: use --read-only", e->config.path);
	if (ret)
		return dstor_fail(err, ret, "cannot open %s: error %d", e->config.path, -ret);
	if (bdev_is_zoned(e->disk.bdev.bdev))
		return dstor_fail(err, -EOPNOTSUPP,
				  "%s is a zoned disk, which takes writes in order only: export one without zones",
				  e->config.path);
	/* What others wrote before must not be written later, over what clients write. */
	ret = sync_blockdev(e->disk.bdev.bdev);
	if (ret)
		return dstor_fail(err, ret,
				  "%s: pages that this machine has written before cannot be saved: error %d",
				  e->config.path, -ret);
	invalidate_bdev(e->disk.bdev.bdev);
	bdev_geometry(e);
	return 0;
}

static blk_opf_t bdev_hints(u16 flags)
{
	blk_opf_t opf = 0;

	if (flags & DSTOR_REQ_SYNC)
		opf |= REQ_SYNC;
	if (flags & DSTOR_REQ_META)
		opf |= REQ_META;
	if (flags & DSTOR_REQ_PRIO)
		opf |= REQ_PRIO;
	if (flags & DSTOR_REQ_IDLE)
		opf |= REQ_IDLE;
	if (flags & DSTOR_REQ_RAHEAD)
		opf |= REQ_RAHEAD;
	if (flags & DSTOR_REQ_BACKGROUND)
		opf |= REQ_BACKGROUND;
	return opf;
}

static bool writes_through(const struct dstor_command *cmd)
{
	return cmd->peer->export->config.flags & DSTOR_EXPORT_WRITE_THROUGH ||
	       cmd->flags & DSTOR_REQ_FUA;
}

u8 dstor_bdev_steps(const struct dstor_command *cmd)
{
	u8 steps = DSTOR_STEP_OPERATION;

	/* A write says it to the disk itself. */
	if (cmd->op != DSTOR_OP_DISCARD && cmd->op != DSTOR_OP_WRITE_ZEROES)
		return steps;
	if (!bdev_write_cache(cmd->peer->export->disk.bdev.bdev))
		return steps;
	if (cmd->flags & DSTOR_REQ_PREFLUSH)
		steps |= DSTOR_STEP_FLUSH_BEFORE;
	if (writes_through(cmd))
		steps |= DSTOR_STEP_FLUSH_AFTER;
	return steps;
}

static blk_opf_t bdev_operation(const struct dstor_command *cmd)
{
	blk_opf_t opf = bdev_hints(cmd->flags);

	switch (cmd->op) {
	case DSTOR_OP_READ:
		return opf | REQ_OP_READ;
	case DSTOR_OP_WRITE:
		if (writes_through(cmd))
			opf |= REQ_FUA;
		if (cmd->flags & DSTOR_REQ_PREFLUSH)
			opf |= REQ_PREFLUSH;
		return opf | REQ_OP_WRITE;
	case DSTOR_OP_FLUSH:
		return opf | REQ_OP_WRITE | REQ_PREFLUSH;
	case DSTOR_OP_DISCARD:
		return opf | REQ_OP_DISCARD;
	default:
		if (cmd->flags & DSTOR_REQ_NOUNMAP)
			opf |= REQ_NOUNMAP;
		return opf | REQ_OP_WRITE_ZEROES;
	}
}

void dstor_bdev_submit(struct dstor_command *cmd)
{
	u8 step = cmd->steps & -cmd->steps;
	struct bio *bio = &cmd->bio;

	cmd->steps &= ~step;
	if (step == DSTOR_STEP_OPERATION) {
		bio->bi_iter.bi_sector = cmd->offset >> SECTOR_SHIFT;
		bio->bi_opf = bdev_operation(cmd);
		if (cmd->op == DSTOR_OP_DISCARD || cmd->op == DSTOR_OP_WRITE_ZEROES)
			bio->bi_iter.bi_size = cmd->bytes;
	} else {
		bio->bi_opf = REQ_OP_WRITE | REQ_PREFLUSH;
	}
	submit_bio(bio);
}
