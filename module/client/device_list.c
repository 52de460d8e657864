// SPDX-License-Identifier: GPL-2.0
/*
 * The list of devices, by name: from the moment that somebody begins to attach
 * one until it is detached. devices_lock protects the list; dev->lock may be
 * taken under it.
 *
 * A name must not be a partition's, too: the block layer names the partitions of
 * dst-a as dst-a1, those of dst-a1 as dst-a1p1, and asks nobody. A disk whose
 * partitions may have the name of another device, or of its partitions, gets no
 * further ones while that is in the list.
 */
#include <linux/ctype.h>
#include <linux/delay.h>
#include <linux/sched/signal.h>

#include "client/device.h"
#include "wire/id.h"

#define PARTITIONS_MAX 255		/* of a disk, in the block layer */
#define PARTITIONS_WAIT_MS 2000		/* for a table that is being read */

static LIST_HEAD(devices);
static DEFINE_MUTEX(devices_lock);

static struct dstor_device *device_find_locked(const char *name)
{
	struct dstor_device *dev;

	list_for_each_entry(dev, &devices, entry)
		if (!strcmp(dev->name, name))
			return dev;
	return NULL;
}

struct dstor_device *dstor_device_find(const char *name)
{
	struct dstor_device *dev;

	mutex_lock(&devices_lock);
	dev = device_find_locked(name);
	if (dev)
		dstor_device_get(dev);
	mutex_unlock(&devices_lock);
	return dev;
}

bool dstor_device_is_listed(const struct dstor_device *dev)
{
	bool ret;

	mutex_lock(&devices_lock);
	ret = !list_empty(&dev->entry);
	mutex_unlock(&devices_lock);
	return ret;
}

bool dstor_device_has_session(const u8 session[DSTOR_ID_LEN])
{
	struct dstor_device *dev;
	bool found = false;

	mutex_lock(&devices_lock);
	list_for_each_entry(dev, &devices, entry)
		found |= dstor_id_equal(dev->recovery.session, session);
	mutex_unlock(&devices_lock);
	return found;
}

/* The number of the partition of the device @disk that would be called @name, or 0. */
static unsigned int partition_number(const char *disk, const char *name)
{
	size_t len = strlen(disk);
	unsigned int n;

	if (!len || strncmp(name, disk, len))
		return 0;
	name += len;
	if (isdigit(disk[len - 1]) && *name++ != 'p')
		return 0;
	if (!isdigit(*name) || *name == '0' || kstrtouint(name, 10, &n))
		return 0;
	return n <= PARTITIONS_MAX ? n : 0;
}

/* Partitions of @a and @b have the same names: "a1" and "a1p". */
static bool partitions_alike(const char *a, const char *b)
{
	size_t len = strlen(a);

	return len && isdigit(a[len - 1]) && !strncmp(a, b, len) && !strcmp(b + len, "p");
}

static bool may_collide(const struct dstor_device *disk, const struct dstor_device *other)
{
	return disk != other &&
	       (partition_number(disk->name, other->name) ||
		partitions_alike(disk->name, other->name) ||
		partitions_alike(other->name, disk->name));
}

static const struct dstor_device *rival_locked(const struct dstor_device *dev)
{
	const struct dstor_device *other;

	list_for_each_entry(other, &devices, entry)
		if (may_collide(dev, other))
			return other;
	return NULL;
}

/* Not added yet, or under disk->open_mutex: then no table is being read. */
static void bar_partitions(struct dstor_device *dev, const struct dstor_device *rival)
{
	if (dev->disk->flags & GENHD_FL_NO_PART)
		return;
	dev->disk->flags |= GENHD_FL_NO_PART;
	pr_notice("dstor: dst-%s: it gets no partitions while the device \"%s\" is attached: one could have its name\n",
		  dev->name, rival->name);
}

static void admit_partitions_locked(struct dstor_device *dev)
{
	if (!(dev->disk->flags & GENHD_FL_NO_PART) || rival_locked(dev))
		return;
	dev->disk->flags &= ~GENHD_FL_NO_PART;
	pr_notice("dstor: dst-%s: it may get partitions again: blockdev --rereadpt /dev/dst-%s\n",
		  dev->name, dev->name);
}

void dstor_device_scan_begin(struct dstor_device *dev)
{
	const struct dstor_device *rival;

	mutex_lock(&devices_lock);
	dev->scanning = true;
	rival = rival_locked(dev);
	if (rival)
		bar_partitions(dev, rival);
	mutex_unlock(&devices_lock);
}

void dstor_device_scan_end(struct dstor_device *dev)
{
	mutex_lock(&devices_lock);
	dev->scanning = false;
	/* Detached already, it may have no disk any more. */
	if (!list_empty(&dev->entry))
		admit_partitions_locked(dev);
	mutex_unlock(&devices_lock);
}

/*
 * 0: no partition has the name of @dev, which is in the list, or will have it.
 * -EBUSY: that cannot be said now. A disk that is still to be added is not asked: it
 * will find @dev. A disk that is added exists as long as its device is in the list.
 */
static int keep_name_locked(const struct dstor_device *dev, struct dstor_error *err)
{
	struct dstor_device *other;

	list_for_each_entry(other, &devices, entry) {
		unsigned int n = partition_number(other->name, dev->name);
		bool taken;

		if (!may_collide(other, dev) || !(other->scanning || READ_ONCE(other->added)))
			continue;
		if (other->scanning || !mutex_trylock(&other->disk->open_mutex))
			return dstor_fail(err, -EBUSY,
					  "/dev/dst-%s may be a partition of the device \"%s\", whose table is being read: try again, or choose another --name",
					  dev->name, other->name);
		bar_partitions(other, dev);
		taken = n && xa_load(&other->disk->part_tbl, n);
		mutex_unlock(&other->disk->open_mutex);
		if (taken)
			return dstor_fail(err, -EEXIST,
					  "/dev/dst-%s is partition %u of the device \"%s\": choose another --name",
					  dev->name, n, other->name);
	}
	return 0;
}

static int keep_name(const struct dstor_device *dev, struct dstor_error *err)
{
	unsigned long until = jiffies + msecs_to_jiffies(PARTITIONS_WAIT_MS);
	int ret;

	for (;;) {
		mutex_lock(&devices_lock);
		ret = keep_name_locked(dev, err);
		mutex_unlock(&devices_lock);
		if (ret != -EBUSY || time_after(jiffies, until) || READ_ONCE(dev->dead) ||
		    signal_pending(current))
			return ret;
		msleep(20);
	}
}

int dstor_device_enlist(struct dstor_device *dev, struct dstor_error *err)
{
	int ret = 0;

	if (strlen(dev->name) + strlen("dst-") >= DISK_NAME_LEN)
		return dstor_fail(err, -ENAMETOOLONG,
				  "device name \"%s\" is longer than %zu characters",
				  dev->name, DISK_NAME_LEN - 1 - strlen("dst-"));
	mutex_lock(&devices_lock);
	if (device_find_locked(dev->name))
		ret = dstor_fail(err, -EEXIST, "a device \"%s\" exists already", dev->name);
	else
		list_add_tail(&dev->entry, &devices);
	mutex_unlock(&devices_lock);
	if (ret)
		return ret;
	ret = keep_name(dev, err);
	if (ret)
		dstor_device_delist(dev);
	return ret;
}

void dstor_device_delist(struct dstor_device *dev)
{
	struct dstor_device *other;

	mutex_lock(&devices_lock);
	list_del_init(&dev->entry);
	list_for_each_entry(other, &devices, entry)
		if (READ_ONCE(other->added) && !other->scanning && may_collide(other, dev))
			admit_partitions_locked(other);
	mutex_unlock(&devices_lock);
}

struct dstor_device *dstor_device_in(struct net *net)
{
	struct dstor_device *dev, *found = NULL;

	mutex_lock(&devices_lock);
	list_for_each_entry(dev, &devices, entry)
		if (READ_ONCE(dev->net) == net)
			found = dev;
	if (found)
		dstor_device_get(found);
	mutex_unlock(&devices_lock);
	return found;
}

void dstor_device_each(void (*fn)(struct dstor_device *dev))
{
	struct dstor_device *dev;

	mutex_lock(&devices_lock);
	list_for_each_entry(dev, &devices, entry)
		fn(dev);
	mutex_unlock(&devices_lock);
}

/* Device @name, or with @next the first by name behind it. */
static struct dstor_device *device_pick_locked(const char *name, bool next)
{
	struct dstor_device *dev, *best = NULL;

	list_for_each_entry(dev, &devices, entry) {
		int order = strcmp(dev->name, name);

		if (!READ_ONCE(dev->added) || (next ? order <= 0 : order != 0))
			continue;
		if (!best || strcmp(dev->name, best->name) < 0)
			best = dev;
	}
	return best;
}

struct dstor_device *dstor_device_pick(const char *name, bool next)
{
	struct dstor_device *dev;

	mutex_lock(&devices_lock);
	dev = device_pick_locked(name, next);
	if (dev)
		dstor_device_get(dev);
	mutex_unlock(&devices_lock);
	return dev;
}
