/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The exported disk: a block device or a file.
 */
#ifndef DSTOR_DISK_H
#define DSTOR_DISK_H

#include <linux/types.h>

#include "core/error.h"

struct dstor_command;
struct dstor_export;

/* Geometry of the exported disk, as a welcome says it. Bytes. */
struct dstor_geometry {
	u64 size;
	u32 logical_block;
	u32 physical_block;
	u32 io_min;
	u32 io_opt;
	u32 discard_granularity;
	u32 discard_alignment;
	u32 max_discard;
	u32 max_write_zeroes;
	u32 disk_flags;			/* enum dstor_disk_flags */
};

int dstor_disk_open(struct dstor_export *e, struct dstor_error *err);
void dstor_disk_close(struct dstor_export *e);
/* Sleeps. 0 or a negative errno. */
int dstor_disk_flush(struct dstor_export *e);
u64 dstor_disk_size(struct dstor_export *e);

/* disk_bdev.c - a block device. */
int dstor_bdev_open(struct dstor_export *e, bool write, struct dstor_error *err);
/* All that has to be done for it: bits of enum dstor_step. */
u8 dstor_bdev_steps(const struct dstor_command *cmd);
/*
 * Submits the first of cmd->steps, and takes it from there. bi_end_io of the command's
 * bio is set. The disk may keep the caller as long as it likes.
 */
void dstor_bdev_submit(struct dstor_command *cmd);

/* disk_file.c - a file. Sleep. 0 or a negative errno. */
int dstor_file_open(struct dstor_export *e, bool write, struct dstor_error *err);
void dstor_file_close(struct dstor_export *e);
int dstor_file_rw(struct dstor_export *e, struct dstor_command *cmd);
int dstor_file_allocate(struct dstor_export *e, struct dstor_command *cmd);

#endif
