/* SPDX-License-Identifier: GPL-2.0 */
/*
 * disk.c - the disk behind PATH of an export: a block device or a file, and
 * which one.
 */
#ifndef DST_DISK_H
#define DST_DISK_H

#include <limits.h>

#include "dst.h"

#define DISK_IDENTITY_LEN 256

struct disk {
	char path[PATH_MAX];	/* absolute, without symbolic links */
	/* The same for the same disk, whatever it is called this time; one line. */
	char identity[DISK_IDENTITY_LEN];
};

int disk_find(const char *path, struct disk *d, struct reason *why);
/* The identity of the block device of folder @sysfs; false when it has none that lasts. */
bool disk_identity(const char *sysfs, char identity[DISK_IDENTITY_LEN]);

/*
 * The user of the block device /dev/NAME: "mounted on /mnt", "used by dm-0";
 * false: none is seen.
 */
bool disk_user(const char *name, char *who, size_t size);

#endif
