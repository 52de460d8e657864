// SPDX-License-Identifier: GPL-2.0
/*
 * Events: one netlink message each, to the group "events" of the namespace that
 * the object's sockets live in. For a device's state, a uevent as well, from a
 * work of its own: udev's locks must not stand in the way of recovery.
 *
 * dev->told_lock is a leaf; it puts the messages of one device into an order.
 */
#include "compat.h"
#include "device.h"
#include "event.h"
#include "export.h"
#include "netlink.h"
#include "netns.h"

#define GFP_EVENT (GFP_NOWAIT | __GFP_NOWARN)	/* a lost message is no harm */
#define EVENT_BYTES 1024

struct event {
	struct sk_buff *skb;
	void *hdr;
};

/*
 * False: nobody listens, there is no memory, or no @net; else end() follows.
 * Takes over the reference to @net.
 */
static bool begin(struct event *e, struct net *net, enum dstor_event what, const char *name)
{
	if (!net)
		return false;
	if (!genl_has_listeners(&dstor_genl_family, net, 0))
		goto no;
	e->skb = genlmsg_new(EVENT_BYTES, GFP_EVENT);
	if (!e->skb)
		goto no;
	e->hdr = genlmsg_put(e->skb, 0, 0, &dstor_genl_family, 0, DSTOR_CMD_EVENT);
	if (e->hdr && !nla_put_u8(e->skb, DSTOR_A_EVENT, what) &&
	    !nla_put_string(e->skb, DSTOR_A_NAME, name))
		return true;
	nlmsg_free(e->skb);
no:
	put_net(net);
	return false;
}

static void end(struct event *e, struct net *net, int ret)
{
	if (ret) {
		nlmsg_free(e->skb);
	} else {
		genlmsg_end(e->skb, e->hdr);
		genlmsg_multicast_netns(&dstor_genl_family, net, e->skb, 0, 0, GFP_EVENT);
	}
	put_net(net);
}

/* Devices ------------------------------------------------------------------ */

enum dstor_device_state dstor_device_state(const struct dstor_device *dev)
{
	unsigned int i;

	if (smp_load_acquire(&dev->failed)) /* its reason can be read then */
		return DSTOR_DEVICE_FAILED;
	if (READ_ONCE(dev->suspended))
		return DSTOR_DEVICE_SUSPENDED;
	for (i = 0; i < dev->n_queues; i++)
		if (dstor_queue_live(&dev->queues[i]))
			return DSTOR_DEVICE_CONNECTED;
	return DSTOR_DEVICE_RECONNECTING;
}

static void tell(struct dstor_device *dev, enum dstor_event what, u8 state, const char *reason)
{
	struct net *net = dstor_netns_get(&dev->net);
	struct event e;
	int ret;

	if (!begin(&e, net, what, dev->name))
		return;
	ret = nla_put_u8(e.skb, DSTOR_A_STATE, state) ?:
	      nla_put(e.skb, DSTOR_A_UUID, DST_ID_LEN, dev->identity.uuid) ?:
	      nla_put_u64_64bit(e.skb, DSTOR_A_SIZE, READ_ONCE(dev->identity.size), DSTOR_A_PAD);
	if (!ret && reason && reason[0])
		ret = nla_put_string(e.skb, DSTOR_A_REASON, reason);
	end(&e, net, ret);
}

void dstor_event_device(struct dstor_device *dev, enum dstor_event what)
{
	tell(dev, what, dstor_device_state(dev), NULL);
}

void dstor_event_state(struct dstor_device *dev, const char *reason)
{
	u8 state, before;
	bool news;

	mutex_lock(&dev->told_lock);
	/* Before and after its life as a disk there are no states. */
	if (!READ_ONCE(dev->added) || READ_ONCE(dev->stopping))
		goto out;
	state = dstor_device_state(dev);
	before = dev->told_state;
	/* That one stays as it is, and another queue's word may have come late. */
	if (state == DSTOR_DEVICE_FAILED)
		reason = dev->reason;
	news = state != before ||
	       (state != DSTOR_DEVICE_CONNECTED && reason && strcmp(reason, dev->told_reason));
	if (news) {
		dev->told_state = state;
		strscpy(dev->told_reason, reason ?: "", sizeof(dev->told_reason));
		tell(dev, DSTOR_EVENT_DEVICE_STATE, state, dev->told_reason);
	}
	if (state != before)
		queue_work(DSTOR_UNBOUND_WQ, &dev->uevent);
out:
	mutex_unlock(&dev->told_lock);
}

/* The state as it is by now: udev wants to know what is, not what was. */
void dstor_event_work(struct work_struct *work)
{
	struct dstor_device *dev = container_of(work, struct dstor_device, uevent);
	char state[32], *env[2];

	snprintf(state, sizeof(state), "DST_STATE=%s",
		 dstor_state_name(dstor_device_state(dev)));
	env[0] = state;
	env[1] = NULL;
	kobject_uevent_env(&disk_to_dev(dev->disk)->kobj, KOBJ_CHANGE, env);
}

/* Exports and clients ------------------------------------------------------ */

void dstor_event_export(struct dstor_export *e, enum dstor_event what)
{
	struct net *net = dstor_netns_get(&e->net);
	struct event m;
	int ret;

	if (!begin(&m, net, what, e->name))
		return;
	ret = nla_put(m.skb, DSTOR_A_UUID, DST_ID_LEN, e->uuid) ?:
	      nla_put_u64_64bit(m.skb, DSTOR_A_SIZE, READ_ONCE(e->geometry.size), DSTOR_A_PAD);
	end(&m, net, ret);
}

static int put_client(struct sk_buff *skb, const struct dstor_session *s)
{
	struct nlattr *nest = nla_nest_start(skb, DSTOR_A_CLIENT);

	if (!nest || nla_put_string(skb, DSTOR_CLIENT_NAME, s->client_name) ||
	    nla_put(skb, DSTOR_CLIENT_SOCKADDR, s->who.addr_len, &s->who.addr) ||
	    nla_put(skb, DSTOR_CLIENT_ID, DST_ID_LEN, s->client) ||
	    nla_put(skb, DSTOR_CLIENT_SESSION, DST_ID_LEN, s->id) ||
	    nla_put_u8(skb, DSTOR_CLIENT_ACCESS, s->access))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

void dstor_event_client(struct dstor_peer *p, enum dstor_event what, const char *reason)
{
	struct net *net = dstor_netns_get(&p->export->net);
	struct event m;
	int ret;

	if (!begin(&m, net, what, p->export->name))
		return;
	ret = put_client(m.skb, p->session);
	if (!ret && reason)
		ret = nla_put_string(m.skb, DSTOR_A_REASON, reason);
	end(&m, net, ret);
}
