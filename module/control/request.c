// SPDX-License-Identifier: GPL-2.0
/*
 * Parses requests of the family: refuses malformed ones, and turns attributes
 * into plain values.
 *
 * No locks; only the ring of error texts is shared.
 */
#include <linux/anon_inodes.h>
#include <linux/atomic.h>
#include <linux/blkdev.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <net/sock.h>

#include "control/family.h"
#include "control/request.h"
#include "wire/hello.h"
#include "wire/id.h"

#define DEVICE_PREFIX "dst-"
/* "dst-" and the closing NUL have to fit too. */
#define DEVICE_NAME_MAX (DISK_NAME_LEN - sizeof(DEVICE_PREFIX))
/* Requests that may fail at the same time and still each keep their text. */
#define TEXTS_MAX 64

static_assert(DSTOR_LISTEN_MAX == DSTOR_ADDRESSES_MAX);

const struct nla_policy dstor_nl_address_policy[DSTOR_ADDRESS_MAX + 1] = {
	[DSTOR_ADDRESS_FAMILY] = NLA_POLICY_RANGE(NLA_U32, 1, AF_MAX - 1),
	[DSTOR_ADDRESS_TYPE] = NLA_POLICY_RANGE(NLA_U32, 1, SOCK_MAX - 1),
	[DSTOR_ADDRESS_PROTOCOL] = { .type = NLA_U32 },
	[DSTOR_ADDRESS_SOCKADDR] = NLA_POLICY_RANGE(NLA_BINARY, sizeof(sa_family_t),
						    sizeof(struct sockaddr_storage)),
	[DSTOR_ADDRESS_TEXT] = { .type = NLA_NUL_STRING, .len = DSTOR_TEXT_LEN - 1 },
};

const struct nla_policy dstor_nl_rule_policy[DSTOR_RULE_MAX + 1] = {
	[DSTOR_RULE_FAMILY] = NLA_POLICY_RANGE(NLA_U32, 1, AF_MAX - 1),
	[DSTOR_RULE_OFFSET] = NLA_POLICY_MAX(NLA_U32, sizeof(struct sockaddr_storage) - 1),
	[DSTOR_RULE_BITS] = NLA_POLICY_MAX(NLA_U32, 8 * sizeof_field(struct dstor_rule, bytes)),
	[DSTOR_RULE_BYTES] = { .type = NLA_BINARY, .len = sizeof_field(struct dstor_rule, bytes) },
	[DSTOR_RULE_READ_ONLY] = { .type = NLA_FLAG },
	[DSTOR_RULE_KEY] = NLA_POLICY_EXACT_LEN(DSTOR_KEY_LEN),
	[DSTOR_RULE_TEXT] = { .type = NLA_NUL_STRING, .len = DSTOR_TEXT_LEN - 1 },
	[DSTOR_RULE_CLIENT] = DSTOR_NL_NAME_POLICY,
};

const struct nla_policy dstor_nl_name_policy[DSTOR_A_MAX + 1] = {
	[DSTOR_A_NAME] = DSTOR_NL_NAME_POLICY,
};

const struct nla_policy dstor_nl_del_policy[DSTOR_A_MAX + 1] = {
	[DSTOR_A_NAME] = DSTOR_NL_NAME_POLICY,
	[DSTOR_A_FORCE] = { .type = NLA_FLAG },
};

/*
 * The extended ack only points to its text and is sent after the command has
 * returned, so the text must outlive it: 6.1 has no buffer for it and 6.12 one
 * of 80 bytes. A ring keeps the last ones; it is read a few instructions later,
 * by the same task.
 */
static void request_set_extack(struct netlink_ext_ack *extack, const struct dstor_error *err)
{
	static char texts[TEXTS_MAX][DSTOR_ERROR_LEN];
	static atomic_t n = ATOMIC_INIT(-1);
	char *text;

	if (!extack || !err->text[0])
		return;
	text = texts[(unsigned int)atomic_inc_return(&n) % TEXTS_MAX];
	strscpy(text, err->text, DSTOR_ERROR_LEN);
	extack->_msg = text;
}

/*
 * Keys must not stay in freed memory, so everything behind the header goes, on
 * every path. That is why requests are parsed here: a policy of the family
 * would refuse a malformed one, key and all, before this code is called.
 */
static void request_wipe(struct nlmsghdr *nlh)
{
	if (nlmsg_len(nlh) > GENL_HDRLEN)
		memzero_explicit(nlmsg_data(nlh) + GENL_HDRLEN, nlmsg_len(nlh) - GENL_HDRLEN);
}

static int request_parse(struct sk_buff *skb, struct genl_info *info,
			 const struct nla_policy *policy, struct dstor_nl_request *r)
{
	int ret;

	/* GENL_ADMIN_PERM asks for CAP_NET_ADMIN; disks take more than that. */
	if (netlink_capable(skb, CAP_SYS_ADMIN))
		ret = genlmsg_parse(info->nlhdr, &dstor_genl_family, r->tb, DSTOR_A_MAX, policy,
				    info->extack);
	else
		ret = dstor_fail(&r->err, -EPERM, "CAP_SYS_ADMIN is needed");
	return ret;
}

int dstor_nl_answer(struct sk_buff *skb, struct genl_info *info, const struct nla_policy *policy,
		    dstor_nl_act act)
{
	struct dstor_nl_request *r = kzalloc(sizeof(*r), GFP_KERNEL);
	int ret = -ENOMEM;

	if (!r)
		goto out;
	ret = request_parse(skb, info, policy, r) ?: act(r, info);
	if (ret)
		request_set_extack(info->extack, &r->err);
out:
	kfree_sensitive(r);
	request_wipe(nlmsg_hdr(skb));
	return ret;
}

/* A command between its request and its answer; its file holds the module. */
struct command {
	struct dstor_nl_request request;
	dstor_nl_act act;
	struct genl_info info;
	struct nlmsghdr *nlh;
	struct sk_buff *skb;		/* has the request */
	struct sock *sender;		/* of skb: held for netlink_ack() */
};

static void command_free(struct command *c)
{
	request_wipe(c->nlh);
	consume_skb(c->skb);
	sock_put(c->sender);
	kfree_sensitive(c);
}

static int command_run(struct inode *inode, struct file *file)
{
	struct command *c = file->private_data;
	struct netlink_ext_ack extack = { };
	int ret = c->act(&c->request, &c->info);

	if (ret && c->request.err.text[0])
		extack._msg = c->request.err.text;
	/* An error's ack repeats the request. */
	request_wipe(c->nlh);
	if (ret || c->nlh->nlmsg_flags & NLM_F_ACK)
		netlink_ack(c->skb, c->nlh, ret, &extack);
	command_free(c);
	return 0;
}

static const struct file_operations command_fops = {
	.owner = THIS_MODULE,
	.release = command_run,
};

/*
 * Generic netlink holds its lock of all families while it calls us. A family that is
 * registered meanwhile waits for that lock, and then every other request does. So the
 * command runs when the sender has left the lock, on its way back to user space, as the
 * release of a file that is closed there: in the sender's context, with its files, its
 * rights and its signals.
 */
static int command_start(struct command *c)
{
	struct file *file = anon_inode_getfile("[dst-command]", &command_fops, c, O_RDONLY);

	if (IS_ERR(file))
		return PTR_ERR(file);
	fput(file);
	/* The ack is not netlink's to send: see netlink_rcv_skb(). */
	return -EINTR;
}

int dstor_nl_command(struct sk_buff *skb, struct genl_info *info, const struct nla_policy *policy,
		     dstor_nl_act act)
{
	struct command *c = kzalloc(sizeof(*c), GFP_KERNEL);
	int ret;

	if (!c) {
		request_wipe(nlmsg_hdr(skb));
		return -ENOMEM;
	}
	c->act = act;
	c->info = *info;
	c->info.extack = NULL;
	c->nlh = nlmsg_hdr(skb);
	c->skb = skb_get(skb);
	c->sender = NETLINK_CB(skb).sk;
	sock_hold(c->sender);
	ret = request_parse(skb, info, policy, &c->request);
	if (ret)
		request_set_extack(info->extack, &c->request.err);
	else
		ret = command_start(c);
	if (ret != -EINTR)
		command_free(c);
	return ret;
}

int dstor_nl_lacks(struct dstor_nl_request *r, const char *what)
{
	return dstor_fail(&r->err, -EINVAL, "the request lacks %s", what);
}

int dstor_nl_need(struct dstor_nl_request *r, int attr, const char *what)
{
	return r->tb[attr] ? 0 : dstor_nl_lacks(r, what);
}

bool dstor_nl_is_text(const char *s)
{
	for (; *s; s++)
		if ((u8)*s < ' ' || *s == 0x7f)
			return false;
	return true;
}

int dstor_nl_text(struct dstor_nl_request *r, const struct nlattr *a, char *to, size_t size)
{
	if (!a)
		return 0;
	nla_strscpy(to, a, size);
	if (!dstor_nl_is_text(to))
		return dstor_fail(&r->err, -EINVAL, "a text has control characters");
	return 0;
}

int dstor_nl_name(struct dstor_nl_request *r, int attr, const char *what, char to[DSTOR_NAME_LEN])
{
	if (!r->tb[attr])
		return dstor_fail(&r->err, -EINVAL, "the request lacks the name of the %s", what);
	nla_strscpy(to, r->tb[attr], DSTOR_NAME_LEN);
	if (!dstor_name_ok(to, DSTOR_NAME_LEN))
		return dstor_fail(&r->err, -EINVAL, "the name of the %s is not one: %s", what,
				  "1 to 63 of A-Z a-z 0-9 . _ - and neither - nor . first");
	return 0;
}

int dstor_nl_device_name(struct dstor_nl_request *r, char to[DSTOR_NAME_LEN])
{
	int ret = dstor_nl_name(r, DSTOR_A_NAME, "device", to);

	if (!ret && strlen(to) > DEVICE_NAME_MAX)
		ret = dstor_fail(&r->err, -EINVAL,
				 "the name of the device is longer than %zu characters",
				 DEVICE_NAME_MAX);
	return ret;
}

int dstor_nl_id(struct dstor_nl_request *r, int attr, const char *what, u8 to[DSTOR_ID_LEN])
{
	if (r->tb[attr])
		memcpy(to, nla_data(r->tb[attr]), DSTOR_ID_LEN);
	if (dstor_id_is_zero(to))
		return dstor_fail(&r->err, -EINVAL, "the request lacks the %s", what);
	return 0;
}

u32 dstor_nl_u32_or(const struct nlattr *a, u32 otherwise)
{
	return a ? nla_get_u32(a) : otherwise;
}

int dstor_nl_protection(struct dstor_nl_request *r, char checksums[DSTOR_ALGO_LIST_LEN],
			char ciphers[DSTOR_ALGO_LIST_LEN])
{
	return dstor_nl_text(r, r->tb[DSTOR_A_CHECKSUMS], checksums, DSTOR_ALGO_LIST_LEN) ?:
	       dstor_nl_text(r, r->tb[DSTOR_A_CIPHERS], ciphers, DSTOR_ALGO_LIST_LEN);
}

static int take_address(struct dstor_nl_request *r, const struct nlattr *nest,
			struct dstor_address *to)
{
	struct nlattr *tb[DSTOR_ADDRESS_MAX + 1];
	int ret = nla_parse_nested(tb, DSTOR_ADDRESS_MAX, nest, dstor_nl_address_policy, NULL);

	if (ret)
		return ret;
	if (!tb[DSTOR_ADDRESS_FAMILY] || !tb[DSTOR_ADDRESS_TYPE] || !tb[DSTOR_ADDRESS_SOCKADDR])
		return dstor_fail(&r->err, -EINVAL,
				  "an address lacks its family, type or socket address");
	to->family = nla_get_u32(tb[DSTOR_ADDRESS_FAMILY]);
	to->type = nla_get_u32(tb[DSTOR_ADDRESS_TYPE]);
	to->protocol = dstor_nl_u32_or(tb[DSTOR_ADDRESS_PROTOCOL], 0);
	to->len = nla_len(tb[DSTOR_ADDRESS_SOCKADDR]);
	memcpy(&to->addr, nla_data(tb[DSTOR_ADDRESS_SOCKADDR]), to->len);
	return dstor_nl_text(r, tb[DSTOR_ADDRESS_TEXT], to->text, sizeof(to->text));
}

int dstor_nl_addresses(struct dstor_nl_request *r, struct genl_info *info, int attr)
{
	const struct nlattr *a;
	int rem, ret;

	nlmsg_for_each_attr(a, info->nlhdr, GENL_HDRLEN, rem) {
		if (nla_type(a) != attr)
			continue;
		if (r->n_addresses == DSTOR_ADDRESSES_MAX)
			return dstor_fail(&r->err, -E2BIG, "more than %d addresses",
					  DSTOR_ADDRESSES_MAX);
		ret = take_address(r, a, &r->addresses[r->n_addresses]);
		if (ret)
			return ret;
		r->n_addresses++;
	}
	return 0;
}

/* A rule in the clear proves no name. */
static int take_rule_client(struct dstor_nl_request *r, const struct nlattr *a,
			    struct dstor_rule *to)
{
	if (!a)
		return 0;
	nla_strscpy(to->client, a, sizeof(to->client));
	if (!dstor_name_ok(to->client, sizeof(to->client)))
		return dstor_fail(&r->err, -EINVAL, "the client of a rule has no proper name");
	if (!to->has_key)
		return dstor_fail(&r->err, -EINVAL, "the rule of client \"%s\" has no key",
				  to->client);
	return 0;
}

static int take_rule(struct dstor_nl_request *r, const struct nlattr *nest, struct dstor_rule *to)
{
	struct nlattr *tb[DSTOR_RULE_MAX + 1];
	int ret = nla_parse_nested(tb, DSTOR_RULE_MAX, nest, dstor_nl_rule_policy, NULL);

	if (ret)
		return ret;
	to->family = dstor_nl_u32_or(tb[DSTOR_RULE_FAMILY], 0);
	to->offset = dstor_nl_u32_or(tb[DSTOR_RULE_OFFSET], 0);
	to->bits = dstor_nl_u32_or(tb[DSTOR_RULE_BITS], 0);
	to->read_only = nla_get_flag(tb[DSTOR_RULE_READ_ONLY]);
	to->has_key = tb[DSTOR_RULE_KEY];
	if (to->has_key)
		memcpy(to->key, nla_data(tb[DSTOR_RULE_KEY]), DSTOR_KEY_LEN);
	if (tb[DSTOR_RULE_BYTES])
		nla_memcpy(to->bytes, tb[DSTOR_RULE_BYTES], sizeof(to->bytes));
	if (to->bits && (!to->family || !tb[DSTOR_RULE_BYTES] ||
			 to->bits > 8 * nla_len(tb[DSTOR_RULE_BYTES]) ||
			 to->offset + DIV_ROUND_UP(to->bits, 8) > sizeof(struct sockaddr_storage)))
		return dstor_fail(&r->err, -EINVAL, "a rule compares bytes outside of its address");
	return take_rule_client(r, tb[DSTOR_RULE_CLIENT], to) ?:
	       dstor_nl_text(r, tb[DSTOR_RULE_TEXT], to->text, sizeof(to->text));
}

int dstor_nl_rules(struct dstor_nl_request *r, struct genl_info *info)
{
	const struct nlattr *a;
	int rem, ret;

	nlmsg_for_each_attr(a, info->nlhdr, GENL_HDRLEN, rem) {
		if (nla_type(a) != DSTOR_A_ALLOW)
			continue;
		if (r->n_rules == DSTOR_RULES_MAX)
			return dstor_fail(&r->err, -E2BIG, "more than %d rules", DSTOR_RULES_MAX);
		ret = take_rule(r, a, &r->rules[r->n_rules]);
		if (ret)
			return ret;
		r->n_rules++;
	}
	return 0;
}
