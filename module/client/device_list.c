// SPDX-License-Identifier: GPL-2.0
/*
 * The list of devices, by name: from the moment that somebody begins to attach
 * one until it is detached. devices_lock protects the list; dev->lock may be
 * taken under it.
 */
#include "client/device.h"
#include "wire/id.h"

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
	return ret;
}

void dstor_device_delist(struct dstor_device *dev)
{
	mutex_lock(&devices_lock);
	list_del_init(&dev->entry);
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
