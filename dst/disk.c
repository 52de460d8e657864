// SPDX-License-Identifier: GPL-2.0
/*
 * Finds out which disk a path is. The identity decides on the UUID of an export
 * (P6): another disk under the same path must get another, the same disk under
 * another path the same. Reads sysfs only; called by export and detach.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "disk.h"
#include "machine.h"
#include "primitives.h"
#include "values.h"

#define LOOP_DEPTH_MAX 4	/* loop device on a file on a loop device ... */

static bool disk_identify(const char *sysfs, char identity[DISK_IDENTITY_LEN], int depth);

/* Too long a text is kept as its hash: cut off, two disks could look the same. */
static bool __printf(2, 3) name_it(char identity[DISK_IDENTITY_LEN], const char *fmt, ...)
{
	char text[PATH_MAX + DISK_IDENTITY_LEN];
	u8 digest[DSTOR_HASH_LEN];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	sha256(text, strlen(text), digest);
	if (strlen(text) < DISK_IDENTITY_LEN)
		copy_text(identity, DISK_IDENTITY_LEN, text);
	else
		snprintf(identity, DISK_IDENTITY_LEN, "sha256 %s", hex_text(digest).s);
	return true;
}

/* Serial numbers come from hardware: blanks at the ends, sometimes nothing else. */
static bool disk_attribute(const char *sysfs, const char *name, char *value, size_t size)
{
	char path[PATH_MAX], *p = value;

	snprintf(path, sizeof(path), "%s/%s", sysfs, name);
	if (!read_line(path, value, size))
		return false;
	while (*p == ' ')
		p++;
	memmove(value, p, strlen(p) + 1);
	for (p = value; *p; p++)
		if ((u8)*p < ' ' || *p == 0x7f)
			*p = '_';
	return value[strspn(value, "0 _-")] != '\0';
}

/* A file is its inode, by number and birth, on its file system's disk or id. */
static bool file_identity(const char *path, char identity[DISK_IDENTITY_LEN], int depth)
{
	char where[DISK_IDENTITY_LEN] = "", dir[64];
	struct statx x;
	struct statfs fs;

	if (statx(AT_FDCWD, path, 0, STATX_INO | STATX_BTIME, &x) || statfs(path, &fs))
		return false;
	snprintf(dir, sizeof(dir), "/sys/dev/block/%u:%u", x.stx_dev_major, x.stx_dev_minor);
	if (!x.stx_dev_major || !disk_identify(dir, where, depth + 1))
		name_it(where, "file system %08x%08x", fs.f_fsid.__val[0], fs.f_fsid.__val[1]);
	if (!(x.stx_mask & STATX_BTIME))
		memset(&x.stx_btime, 0, sizeof(x.stx_btime));
	return name_it(identity, "file %llu born %lld.%09u on %s",
		       (unsigned long long)x.stx_ino, (long long)x.stx_btime.tv_sec,
		       x.stx_btime.tv_nsec, where);
}

static bool loop_identity(const char *sysfs, char identity[DISK_IDENTITY_LEN], int depth)
{
	char path[PATH_MAX], file[DISK_IDENTITY_LEN], offset[24];

	if (depth >= LOOP_DEPTH_MAX ||
	    !disk_attribute(sysfs, "loop/backing_file", path, sizeof(path)) ||
	    !file_identity(path, file, depth))
		return false;
	disk_attribute(sysfs, "loop/offset", offset, sizeof(offset));
	return name_it(identity, "loop at %s of %s", offset, file);
}

static bool partition_identity(const char *sysfs, const char *number,
			       char identity[DISK_IDENTITY_LEN], int depth)
{
	char parent[PATH_MAX + 4], whole[PATH_MAX], disk[DISK_IDENTITY_LEN], start[24];

	snprintf(parent, sizeof(parent), "%s/..", sysfs);
	if (!realpath(parent, whole) || !disk_identify(whole, disk, depth))
		return false;
	disk_attribute(sysfs, "start", start, sizeof(start));
	return name_it(identity, "partition %s at %s of %s", number, start, disk);
}

static bool disk_identify(const char *sysfs, char identity[DISK_IDENTITY_LEN], int depth)
{
	static const char * const names[] = {
		"wwid", "device/wwid", "dm/uuid", "md/uuid", "serial", "device/serial",
		"device/cid", "dst/uuid",
	};
	char value[128], real[PATH_MAX];
	size_t i;

	if (!realpath(sysfs, real))
		return false;
	if (disk_attribute(real, "partition", value, sizeof(value)))
		return partition_identity(real, value, identity, depth);
	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (disk_attribute(real, names[i], value, sizeof(value)))
			return name_it(identity, "%s %s", names[i], value);
	return loop_identity(real, identity, depth);
}

bool disk_identity(const char *sysfs, char identity[DISK_IDENTITY_LEN])
{
	return disk_identify(sysfs, identity, 0);
}

int disk_find(const char *path, struct disk *d, struct reason *why)
{
	char dir[64];
	struct stat st;
	bool found;
	char *p;

	if (!realpath(path, d->path) || stat(d->path, &st))
		return refuse_errno(why, errno, "cannot export %s", path);
	if (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode))
		return refuse(why, "cannot export %s: it is neither %s", path,
			      "a block device nor a regular file (lsblk lists the disks)");
	snprintf(dir, sizeof(dir), "/sys/dev/block/%u:%u", major(st.st_rdev), minor(st.st_rdev));
	found = S_ISBLK(st.st_mode) ? disk_identity(dir, d->identity) :
				      file_identity(d->path, d->identity, 0);
	if (!found)
		name_it(d->identity, "path %s", d->path);
	for (p = d->identity; *p; p++)
		if ((u8)*p < ' ')
			*p = '_';
	return 0;
}

static bool is_mounted(const char *dev, char *who, size_t size)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	struct mntent *m;
	bool found = false;

	while (f && !found && (m = getmntent(f))) {
		found = !strcmp(m->mnt_fsname, dev);
		if (found)
			snprintf(who, size, "mounted on %s", m->mnt_dir);
	}
	if (f)
		endmntent(f);
	return found;
}

static bool swapped_on(const char *dev, char *who, size_t size)
{
	FILE *f = fopen("/proc/swaps", "re");
	char line[PATH_MAX];
	size_t n = strlen(dev);
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = !strncmp(line, dev, n) && (line[n] == ' ' || line[n] == '\t');
	if (f)
		fclose(f);
	if (found)
		snprintf(who, size, "used for swap");
	return found;
}

static bool disk_held(const char *name, char *who, size_t size)
{
	char path[PATH_MAX];
	struct dirent *e;
	bool found = false;
	DIR *d;

	snprintf(path, sizeof(path), "/sys/block/%s/holders", name);
	d = opendir(path);
	while (d && !found && (e = readdir(d))) {
		found = e->d_name[0] != '.';
		if (found)
			snprintf(who, size, "used by %.60s", e->d_name);
	}
	if (d)
		closedir(d);
	return found;
}

bool disk_user(const char *name, char *who, size_t size)
{
	char dev[PATH_MAX];

	snprintf(dev, sizeof(dev), "/dev/%s", name);
	return is_mounted(dev, who, size) || disk_held(name, who, size) ||
	       swapped_on(dev, who, size);
}
