// SPDX-License-Identifier: GPL-2.0
/*
 * Events of exports and of their clients, and lines of exports in the kernel log.
 */
#include <net/genetlink.h>

#include "core/event.h"
#include "core/netns.h"
#include "exporter/export.h"
#include "exporter/export_event.h"
#include "exporter/peer.h"
#include "exporter/session.h"

/* Commands of an administrator: not rate-limited. */
static void export_log(const struct dstor_export *e, enum dstor_event what)
{
	u64 size = READ_ONCE(e->disk.geometry.size);

	switch (what) {
	case DSTOR_EVENT_EXPORT_ADDED:
		pr_info("dstor: export %s: added, %llu bytes of %s\n", e->name, size,
			e->config.path);
		break;
	case DSTOR_EVENT_EXPORT_REMOVED:
		pr_info("dstor: export %s: removed\n", e->name);
		break;
	case DSTOR_EVENT_EXPORT_RESIZED:
		pr_info_ratelimited("dstor: export %s: has %llu bytes now\n", e->name, size);
		break;
	default:
		break;
	}
}

void dstor_event_export(struct dstor_export *e, enum dstor_event what)
{
	struct net *net = dstor_netns_get(&e->net);
	struct dstor_event_message m;
	int ret;

	export_log(e, what);
	if (!dstor_event_begin(&m, net, what, e->name))
		return;
	ret = nla_put(m.skb, DSTOR_A_UUID, DSTOR_ID_LEN, e->config.uuid) ?:
	      nla_put_u64_64bit(m.skb, DSTOR_A_SIZE, READ_ONCE(e->disk.geometry.size), DSTOR_A_PAD);
	dstor_event_end(&m, net, ret);
}

static int export_event_put_client(struct sk_buff *skb, const struct dstor_session *s)
{
	struct nlattr *nest = nla_nest_start(skb, DSTOR_A_CLIENT);

	if (!nest || nla_put_string(skb, DSTOR_CLIENT_NAME, s->client_name) ||
	    nla_put(skb, DSTOR_CLIENT_SOCKADDR, s->peer_id.addr_len, &s->peer_id.addr) ||
	    nla_put(skb, DSTOR_CLIENT_ID, DSTOR_ID_LEN, s->client) ||
	    nla_put(skb, DSTOR_CLIENT_SESSION, DSTOR_ID_LEN, s->id) ||
	    nla_put_u8(skb, DSTOR_CLIENT_ACCESS, dstor_session_access(s)))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

void dstor_event_client(struct dstor_peer *p, enum dstor_event what, const char *reason)
{
	struct net *net = dstor_netns_get(&p->export->net);
	struct dstor_event_message m;
	int ret;

	if (!dstor_event_begin(&m, net, what, p->export->name))
		return;
	ret = export_event_put_client(m.skb, p->session);
	if (!ret && reason)
		ret = nla_put_string(m.skb, DSTOR_A_REASON, reason);
	dstor_event_end(&m, net, ret);
}
