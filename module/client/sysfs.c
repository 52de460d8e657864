// SPDX-License-Identifier: GPL-2.0
/*
 * Attributes of a device under /sys/block/dst-NAME/dst/, one value per file, all
 * read-only: for udev rules and for monitoring without the utility. Changes go
 * through netlink.
 *
 * No locks: each read takes a copy from device_control.c. Called by the driver core,
 * which keeps the disk while a file is read.
 */
#include <linux/blkdev.h>
#include <linux/device.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "client/device.h"
#include "client/device_state.h"

struct attribute_of_device {
	struct device_attribute attr;
	ssize_t (*print)(const struct dstor_device_info *d, char *buf);
};

static ssize_t sysfs_attr_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	const struct attribute_of_device *a = container_of(attr, struct attribute_of_device, attr);
	const char *name = dev_to_disk(dev)->disk_name + strlen("dst-");
	struct dstor_device_info *d = kzalloc(sizeof(*d), GFP_KERNEL);
	ssize_t ret = -ENOMEM;

	if (d)
		ret = dstor_device_info(name, false, d);
	if (!ret) {
		ret = a->print(d, buf);
		dstor_device_info_free(d);
	}
	kfree(d);
	return ret;
}

#define ATTRIBUTE(name, fmt, ...)							\
static ssize_t name##_print(const struct dstor_device_info *d, char *buf)		\
{											\
	return sysfs_emit(buf, fmt "\n", __VA_ARGS__);					\
}											\
static struct attribute_of_device name##_attr = {					\
	.attr = __ATTR(name, 0444, sysfs_attr_show, NULL),				\
	.print = name##_print,								\
}

static ssize_t retries_print(const struct dstor_device_info *d, char *buf)
{
	if (d->retries == DSTOR_RETRIES_FOREVER)
		return sysfs_emit(buf, "forever\n");
	return sysfs_emit(buf, "%u\n", d->retries);
}

static struct attribute_of_device retries_attr = {
	.attr = __ATTR(retries, 0444, sysfs_attr_show, NULL),
	.print = retries_print,
};

ATTRIBUTE(state, "%s", dstor_device_state_name(d->state));
ATTRIBUTE(reason, "%s", d->reason);
ATTRIBUTE(uri, "%s", d->uri ?: "");
ATTRIBUTE(size, "%llu", d->size);
ATTRIBUTE(uuid, "%pUb", d->uuid);
ATTRIBUTE(exporter, "%*phN", DSTOR_ID_LEN, d->exporter);
ATTRIBUTE(connections, "%u", d->connections);
ATTRIBUTE(live, "%u", d->live);
ATTRIBUTE(queue_depth, "%u", d->queue_depth);
ATTRIBUTE(max_io, "%u", d->max_io);
ATTRIBUTE(in_flight, "%u", d->in_flight);
ATTRIBUTE(retry, "%u", d->retry);
ATTRIBUTE(oldest_io_ms, "%u", d->oldest_io_ms);
ATTRIBUTE(timeout_ms, "%u", d->timeout_ms);
ATTRIBUTE(ping_ms, "%u", d->ping_ms);
ATTRIBUTE(checksum, "%s", d->checksum[0] ? d->checksum : "none");
ATTRIBUTE(cipher, "%s", d->cipher[0] ? d->cipher : "none");
ATTRIBUTE(reads, "%llu", d->stats.reads);
ATTRIBUTE(writes, "%llu", d->stats.writes);
ATTRIBUTE(flushes, "%llu", d->stats.flushes);
ATTRIBUTE(discards, "%llu", d->stats.discards);
ATTRIBUTE(read_bytes, "%llu", d->stats.read_bytes);
ATTRIBUTE(write_bytes, "%llu", d->stats.write_bytes);
ATTRIBUTE(errors, "%llu", d->stats.errors);
ATTRIBUTE(resends, "%llu", d->stats.resends);
ATTRIBUTE(reconnects, "%llu", d->stats.reconnects);
ATTRIBUTE(fenced, "%llu", d->stats.fenced);
ATTRIBUTE(replayed, "%llu", d->stats.replayed);
ATTRIBUTE(checksum_errors, "%llu", d->stats.checksum_errors);
ATTRIBUTE(auth_failures, "%llu", d->stats.auth_failures);
ATTRIBUTE(mismatches, "%llu", d->stats.mismatches);
ATTRIBUTE(copied_writes, "%llu", d->stats.copied_writes);

static struct attribute *attributes[] = {
	&state_attr.attr.attr,
	&reason_attr.attr.attr,
	&uri_attr.attr.attr,
	&size_attr.attr.attr,
	&uuid_attr.attr.attr,
	&exporter_attr.attr.attr,
	&connections_attr.attr.attr,
	&live_attr.attr.attr,
	&queue_depth_attr.attr.attr,
	&max_io_attr.attr.attr,
	&in_flight_attr.attr.attr,
	&retry_attr.attr.attr,
	&oldest_io_ms_attr.attr.attr,
	&timeout_ms_attr.attr.attr,
	&retries_attr.attr.attr,
	&ping_ms_attr.attr.attr,
	&checksum_attr.attr.attr,
	&cipher_attr.attr.attr,
	&reads_attr.attr.attr,
	&writes_attr.attr.attr,
	&flushes_attr.attr.attr,
	&discards_attr.attr.attr,
	&read_bytes_attr.attr.attr,
	&write_bytes_attr.attr.attr,
	&errors_attr.attr.attr,
	&resends_attr.attr.attr,
	&reconnects_attr.attr.attr,
	&fenced_attr.attr.attr,
	&replayed_attr.attr.attr,
	&checksum_errors_attr.attr.attr,
	&auth_failures_attr.attr.attr,
	&mismatches_attr.attr.attr,
	&copied_writes_attr.attr.attr,
	NULL
};

static const struct attribute_group group = {
	.name = "dst",
	.attrs = attributes,
};

const struct attribute_group *dstor_device_groups[] = { &group, NULL };
