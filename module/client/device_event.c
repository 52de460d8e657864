// SPDX-License-Identifier: GPL-2.0
/*
 * Events of devices, and their lines in the kernel log. For a device's state, a
 * uevent as well, from a work of its own: udev's locks must not stand in the way
 * of recovery.
 *
 * dev->report.lock is a leaf; it puts the messages of one device into an order.
 */
#include <net/genetlink.h>

#include "client/device.h"
#include "client/device_event.h"
#include "client/device_state.h"
#include "compat/compat.h"
#include "core/event.h"
#include "core/netns.h"

static void device_event_send(struct dstor_device *dev, enum dstor_event what, u8 state,
			      const char *reason)
{
	struct net *net = dstor_netns_get(&dev->net);
	struct dstor_event_message e;
	int ret;

	if (!dstor_event_begin(&e, net, what, dev->name))
		return;
	ret = nla_put_u8(e.skb, DSTOR_A_STATE, state) ?:
	      nla_put(e.skb, DSTOR_A_UUID, DSTOR_ID_LEN, dev->geometry.identity.uuid) ?:
	      nla_put_u64_64bit(e.skb, DSTOR_A_SIZE,
				READ_ONCE(dev->geometry.identity.size), DSTOR_A_PAD);
	if (!ret && reason && reason[0])
		ret = nla_put_string(e.skb, DSTOR_A_REASON, reason);
	dstor_event_end(&e, net, ret);
}

/* Commands of an administrator: not rate-limited. */
static void device_log(const struct dstor_device *dev, enum dstor_event what)
{
	u64 size = READ_ONCE(dev->geometry.identity.size);

	switch (what) {
	case DSTOR_EVENT_DEVICE_ATTACHED:
		pr_info("dstor: dst-%s: attached, %llu bytes\n", dev->name, size);
		break;
	case DSTOR_EVENT_DEVICE_DETACHED:
		pr_info("dstor: dst-%s: detached\n", dev->name);
		break;
	case DSTOR_EVENT_DEVICE_RESIZED:
		pr_info_ratelimited("dstor: dst-%s: has %llu bytes now\n", dev->name, size);
		break;
	default:
		break;
	}
}

/* An unstable network changes it often: rate-limited. A device fails once. */
static void device_log_state(const struct dstor_device *dev, u8 state, const char *reason)
{
	switch (state) {
	case DSTOR_DEVICE_CONNECTED:
		pr_info_ratelimited("dstor: dst-%s: connected\n", dev->name);
		break;
	case DSTOR_DEVICE_RECONNECTING:
		pr_warn_ratelimited("dstor: dst-%s: reconnecting: %s\n", dev->name, reason);
		break;
	case DSTOR_DEVICE_SUSPENDED:
		pr_warn_ratelimited("dstor: dst-%s: suspended: %s\n", dev->name, reason);
		break;
	default:
		pr_err("dstor: dst-%s: failed: %s\n", dev->name, reason);
	}
}

void dstor_event_device(struct dstor_device *dev, enum dstor_event what)
{
	device_log(dev, what);
	device_event_send(dev, what, dstor_device_state(dev), NULL);
}

void dstor_event_state(struct dstor_device *dev, const char *reason)
{
	u8 state, before;
	bool news, replaying;

	mutex_lock(&dev->report.lock);
	/* Before and after its life as a disk there are no states. */
	if (!READ_ONCE(dev->added) || READ_ONCE(dev->stopping))
		goto out;
	state = dstor_device_state(dev);
	before = dev->report.state;
	/* That one stays as it is, and another queue's word may have come late. */
	if (state == DSTOR_DEVICE_FAILED)
		reason = dev->reason;
	replaying = state == DSTOR_DEVICE_CONNECTED && dev->kept.on && !READ_ONCE(dev->kept.live);
	if (replaying)
		reason = "replaying kept writes after a crash of the exporter";
	news = state != before || replaying != dev->report.replaying ||
	       (state != DSTOR_DEVICE_CONNECTED && reason && strcmp(reason, dev->report.reason));
	if (news) {
		dev->report.state = state;
		dev->report.replaying = replaying;
		strscpy(dev->report.reason, reason ?: "", sizeof(dev->report.reason));
		device_event_send(dev, DSTOR_EVENT_DEVICE_STATE, state, dev->report.reason);
	}
	if (state != before) {
		device_log_state(dev, state, dev->report.reason);
		queue_work(DSTOR_UNBOUND_WQ, &dev->report.uevent);
	}
out:
	mutex_unlock(&dev->report.lock);
}

/* udev gets the present state, which may be a later one than that of the event. */
void dstor_event_work(struct work_struct *work)
{
	struct dstor_device *dev = container_of(work, struct dstor_device, report.uevent);
	char state[32], *env[2];

	snprintf(state, sizeof(state), "DST_STATE=%s",
		 dstor_device_state_name(dstor_device_state(dev)));
	env[0] = state;
	env[1] = NULL;
	kobject_uevent_env(&disk_to_dev(dev->disk)->kobj, KOBJ_CHANGE, env);
}
