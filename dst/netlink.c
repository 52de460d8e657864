// SPDX-License-Identifier: GPL-2.0
/*
 * The utility's end of generic netlink: finds the family (and loads the module),
 * sends requests, gathers answers and the sentences of extended acks. Messages
 * are wiped after use, because they may hold keys.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <netlink/genl/ctrl.h>

#include "netlink.h"
#include "module.h"

static const char as_root[] = "; run it as root";

#define REQUEST_BYTES 65536	/* most rules and addresses, with room to spare */

struct answer {
	void (*each)(struct nlmsghdr *nlh, void *arg);
	void *arg;
	struct reason *why;
	int error;
	bool done;
};

static int connect_to_family(struct netlink *nl, struct reason *why)
{
	int on = 1;

	nl->sk = nl_socket_alloc();
	if (!nl->sk || genl_connect(nl->sk)) {
		nl_socket_free(nl->sk);
		return refuse(why, "this kernel has no generic netlink");
	}
	/* The request need not come back with an error: it may hold a key. */
	setsockopt(nl_socket_get_fd(nl->sk), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	setsockopt(nl_socket_get_fd(nl->sk), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	nl->family = genl_ctrl_resolve(nl->sk, DSTOR_GENL_NAME);
	if (nl->family >= 0)
		return 0;
	netlink_close(nl);
	return 1;
}

int netlink_open_if_loaded(struct netlink *nl, struct reason *why)
{
	return connect_to_family(nl, why);
}

int netlink_open(struct netlink *nl, struct reason *why)
{
	int ret = connect_to_family(nl, why);
	struct utsname u;

	if (ret <= 0)
		return ret;
	if (geteuid())
		return refuse(why, "the module dstor is not loaded, and only root may load it%s",
			      as_root);
	module_load("dstor");
	ret = connect_to_family(nl, why);
	if (ret == 1)
		return refuse(why, "modprobe cannot load dstor for kernel %s (%s); %s",
			      uname(&u) ? "?" : u.release,
			      "not installed for it, or refused by Secure Boot",
			      "\"modprobe dstor\" says which");
	return ret;
}

void netlink_close(struct netlink *nl)
{
	nl_socket_free(nl->sk);
	nl->sk = NULL;
}

struct nl_msg *netlink_request(u8 cmd, int flags)
{
	struct nl_msg *msg = nlmsg_alloc_size(REQUEST_BYTES);

	/* netlink_ask() knows the family. */
	if (!msg || !genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, 0, 0, flags, cmd,
				 DSTOR_GENL_VERSION))
		exit(fail("out of memory"));
	return msg;
}

void netlink_drop(struct nl_msg *msg)
{
	explicit_bzero(nlmsg_data(nlmsg_hdr(msg)), nlmsg_datalen(nlmsg_hdr(msg)));
	nlmsg_free(msg);
}

static int on_valid(struct nl_msg *msg, void *arg)
{
	struct answer *a = arg;

	if (a->each)
		a->each(nlmsg_hdr(msg), a->arg);
	return NL_OK;
}

/* Events have none. */
static int on_valid_sequence(struct nl_msg *msg, void *arg)
{
	return NL_OK;
}

static int on_ack(struct nl_msg *msg, void *arg)
{
	((struct answer *)arg)->done = true;
	return NL_STOP;
}

/* The end of a dump carries its result. */
static int on_finish(struct nl_msg *msg, void *arg)
{
	struct nlmsghdr *nlh = nlmsg_hdr(msg);
	struct answer *a = arg;
	int error = 0;

	if (nlmsg_datalen(nlh) >= (int)sizeof(error))
		memcpy(&error, nlmsg_data(nlh), sizeof(error));
	if (error < 0) {
		a->error = error;
		refuse(a->why, "the module reports: %s", strerror(-error));
	}
	a->done = true;
	return NL_STOP;
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *err, void *arg)
{
	struct nlmsghdr *nlh = (void *)((char *)err - NLMSG_HDRLEN);
	struct nlattr *tb[NLMSGERR_ATTR_MSG + 1] = { };
	struct answer *a = arg;
	int len = sizeof(*err);

	a->done = true;
	a->error = err->error;
	refuse(a->why, "the module reports: %s", strerror(-err->error));
	if (a->error == -EPERM)
		refuse(a->why, "only root may do this (%s are needed)%s",
		       "CAP_SYS_ADMIN and CAP_NET_ADMIN", as_root);
	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return NL_STOP;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		len += nlmsg_datalen(&err->msg);
	nlmsg_parse(nlh, len, tb, NLMSGERR_ATTR_MSG, NULL);
	if (tb[NLMSGERR_ATTR_MSG] && nla_len(tb[NLMSGERR_ATTR_MSG]) > 1)
		refuse(a->why, "%.*s", nla_len(tb[NLMSGERR_ATTR_MSG]),
		       (char *)nla_data(tb[NLMSGERR_ATTR_MSG]));
	return NL_STOP;
}

int netlink_ask(struct netlink *nl, struct nl_msg *msg, void (*each)(struct nlmsghdr *, void *),
		void *arg, struct reason *why)
{
	struct answer a = { .each = each, .arg = arg, .why = why };
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int ret;

	if (!cb)
		exit(fail("out of memory"));
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_valid, &a);
	nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_ack, &a);
	nl_cb_set(cb, NL_CB_FINISH, NL_CB_CUSTOM, on_finish, &a);
	nl_cb_err(cb, NL_CB_CUSTOM, on_error, &a);
	nlmsg_hdr(msg)->nlmsg_type = nl->family;
	ret = nl_send_auto(nl->sk, msg);
	netlink_drop(msg);
	while (ret >= 0 && !a.done)
		ret = nl_recvmsgs(nl->sk, cb);
	nl_cb_put(cb);
	if (!a.done) {
		refuse(why, "cannot talk to the module: %s", nl_geterror(ret));
		return -EIO;
	}
	return a.error;
}

static void request_must(int ret)
{
	if (ret)
		exit(fail("the request is too large for one message"));
}

void put_text(struct nl_msg *msg, int attr, const char *text)
{
	request_must(nla_put_string(msg, attr, text));
}

void put_u32(struct nl_msg *msg, int attr, u32 value)
{
	request_must(nla_put_u32(msg, attr, value));
}

void put_u64(struct nl_msg *msg, int attr, u64 value)
{
	request_must(nla_put_u64(msg, attr, value));
}

void put_bytes(struct nl_msg *msg, int attr, const void *data, size_t len)
{
	request_must(nla_put(msg, attr, len, data));
}

void put_flag(struct nl_msg *msg, int attr, bool value)
{
	if (value)
		request_must(nla_put_flag(msg, attr));
}

static struct nlattr *request_nest(struct nl_msg *msg, int attr)
{
	struct nlattr *n = nla_nest_start(msg, NLA_F_NESTED | attr);

	request_must(!n);
	return n;
}

void put_address(struct nl_msg *msg, int attr, const struct address *a, const char *text)
{
	struct nlattr *n = request_nest(msg, attr);

	put_u32(msg, DSTOR_ADDRESS_FAMILY, a->family);
	put_u32(msg, DSTOR_ADDRESS_TYPE, a->type);
	put_u32(msg, DSTOR_ADDRESS_PROTOCOL, a->protocol);
	put_bytes(msg, DSTOR_ADDRESS_SOCKADDR, &a->addr, a->len);
	put_text(msg, DSTOR_ADDRESS_TEXT, text);
	nla_nest_end(msg, n);
}

unsigned int put_rule(struct nl_msg *msg, const struct rule *r, const u8 *key)
{
	struct match m[RULE_MATCHES_MAX];
	unsigned int i, count = rule_matches(r, m);

	for (i = 0; i < count; i++) {
		struct nlattr *n = request_nest(msg, DSTOR_A_ALLOW);

		if (m[i].family)
			put_u32(msg, DSTOR_RULE_FAMILY, m[i].family);
		if (m[i].bits) {
			put_u32(msg, DSTOR_RULE_OFFSET, m[i].offset);
			put_u32(msg, DSTOR_RULE_BITS, m[i].bits);
			put_bytes(msg, DSTOR_RULE_BYTES, m[i].bytes, sizeof(m[i].bytes));
		}
		put_flag(msg, DSTOR_RULE_READ_ONLY, r->read_only);
		if (key)
			put_bytes(msg, DSTOR_RULE_KEY, key, DSTOR_KEY_LEN);
		put_text(msg, DSTOR_RULE_TEXT, r->text);
		if (r->client[0])
			put_text(msg, DSTOR_RULE_CLIENT, r->client);
		nla_nest_end(msg, n);
	}
	return count;
}

int netlink_join(struct netlink *nl, struct reason *why)
{
	int group = genl_ctrl_resolve_grp(nl->sk, DSTOR_GENL_NAME, DSTOR_GENL_EVENTS);

	if (group < 0 || nl_socket_add_membership(nl->sk, group))
		return refuse(why, "cannot listen to events (CAP_SYS_ADMIN is needed)%s", as_root);
	return 0;
}

int netlink_listen(struct netlink *nl, void (*each)(struct nlmsghdr *, void *), void *arg,
		   struct reason *why)
{
	struct answer a = { .each = each, .arg = arg, .why = why };
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int ret;

	if (!cb)
		exit(fail("out of memory"));
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_valid, &a);
	nl_cb_set(cb, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, on_valid_sequence, NULL);
	do {
		ret = nl_recvmsgs(nl->sk, cb);
		/* The kernel's word for a full buffer. */
		if (ret == -NLE_NOMEM)
			fail("events came too fast, some are lost");
	} while (ret >= 0 || ret == -NLE_NOMEM || ret == -NLE_INTR || ret == -NLE_AGAIN);
	nl_cb_put(cb);
	return refuse(why, "no more events: %s", nl_geterror(ret));
}
