// SPDX-License-Identifier: GPL-2.0
/*
 * The generic netlink family "dstor": takes requests apart, refuses what is
 * malformed, hands plain values to exporter and client (exporter.h, client.h).
 *
 * Commands run in the caller's context and in parallel: an attach may last
 * seconds and must not hold up a detach. No locks here; what is shared is the
 * ring of error texts. Called by the networking core, and by main.c.
 *
 * There is no MODULE_ALIAS_GENL_FAMILY on purpose: with it anybody could load
 * the module by asking for the family. The utility runs modprobe.
 */
#include <linux/atomic.h>
#include <linux/blkdev.h>
#include <linux/limits.h>
#include <linux/slab.h>

#include "client/client.h"
#include "control/family.h"
#include "control/netlink.h"
#include "control/request.h"
#include "core/event.h"
#include "exporter/exporter.h"
#include "wire/wire.h"

#define DEVICE_PREFIX "dst-"
/* "dst-" and the closing NUL have to fit too. */
#define DEVICE_NAME_MAX (DISK_NAME_LEN - sizeof(DEVICE_PREFIX))
/* Requests that may fail at the same time and still each keep their text. */
#define TOLD_MAX 64

static_assert(DSTOR_LISTEN_MAX == DSTOR_ADDRESSES_MAX);

/* Not const: 6.1's policies cannot point to such. */
static struct netlink_range_validation max_io_range = {
	.min = DST_IO_MIN, .max = DST_IO_MAX,
};

/* Below one largest I/O nothing could ever be admitted. */
static struct netlink_range_validation inflight_range = {
	.min = DST_IO_MAX, .max = DST_SIZE_MAX,
};

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
	[DSTOR_RULE_KEY] = NLA_POLICY_EXACT_LEN(DST_KEY_LEN),
	[DSTOR_RULE_TEXT] = { .type = NLA_NUL_STRING, .len = DSTOR_TEXT_LEN - 1 },
};

const struct nla_policy dstor_nl_name_policy[DSTOR_A_MAX + 1] = {
	[DSTOR_A_NAME] = DSTOR_NL_NAME_POLICY,
};

const struct nla_policy dstor_nl_del_policy[DSTOR_A_MAX + 1] = {
	[DSTOR_A_NAME] = DSTOR_NL_NAME_POLICY,
	[DSTOR_A_FORCE] = { .type = NLA_FLAG },
};

static const struct nla_policy export_add_policy[DSTOR_A_MAX + 1] = {
	[DSTOR_A_NAME] = DSTOR_NL_NAME_POLICY,
	[DSTOR_A_UUID] = NLA_POLICY_EXACT_LEN(DST_ID_LEN),
	[DSTOR_A_CHECKSUMS] = DSTOR_NL_LIST_POLICY,
	[DSTOR_A_CIPHERS] = DSTOR_NL_LIST_POLICY,
	[DSTOR_A_CRYPTO_THREADS] = DSTOR_NL_THREADS_POLICY,
	[DSTOR_A_LEASE_FILE] = { .type = NLA_NUL_STRING, .len = PATH_MAX - 1 },
	[DSTOR_A_PATH] = { .type = NLA_NUL_STRING, .len = PATH_MAX - 1 },
	[DSTOR_A_INSTANCE] = NLA_POLICY_EXACT_LEN(DST_ID_LEN),
	[DSTOR_A_FLAGS] = NLA_POLICY_MASK(NLA_U32, DSTOR_EXPORT_READ_ONLY | DSTOR_EXPORT_SHARED |
						   DSTOR_EXPORT_WRITE_THROUGH),
	[DSTOR_A_LISTEN] = NLA_POLICY_NESTED(dstor_nl_address_policy),
	[DSTOR_A_ALLOW] = NLA_POLICY_NESTED(dstor_nl_rule_policy),
	[DSTOR_A_MAX_INFLIGHT] = NLA_POLICY_FULL_RANGE(NLA_U64, &inflight_range),
	[DSTOR_A_WRITER_TOKEN] = { .type = NLA_U64 },
};

static const struct nla_policy export_set_policy[DSTOR_A_MAX + 1] = {
	[DSTOR_A_NAME] = DSTOR_NL_NAME_POLICY,
	[DSTOR_A_ALLOW] = NLA_POLICY_NESTED(dstor_nl_rule_policy),
	[DSTOR_A_MAX_INFLIGHT] = NLA_POLICY_FULL_RANGE(NLA_U64, &inflight_range),
	[DSTOR_A_EVICT] = { .type = NLA_NUL_STRING, .len = DSTOR_TEXT_LEN - 1 },
	[DSTOR_A_CRYPTO_THREADS] = DSTOR_NL_THREADS_POLICY,
};

static const struct nla_policy device_add_policy[DSTOR_A_MAX + 1] = {
	[DSTOR_A_NAME] = DSTOR_NL_NAME_POLICY,
	[DSTOR_A_CHECKSUMS] = DSTOR_NL_LIST_POLICY,
	[DSTOR_A_CIPHERS] = DSTOR_NL_LIST_POLICY,
	[DSTOR_A_CRYPTO_THREADS] = DSTOR_NL_THREADS_POLICY,
	[DSTOR_A_EXPORT] = DSTOR_NL_NAME_POLICY,
	[DSTOR_A_URI] = { .type = NLA_NUL_STRING, .len = DSTOR_URI_LEN - 1 },
	[DSTOR_A_ADDRESS] = NLA_POLICY_NESTED(dstor_nl_address_policy),
	[DSTOR_A_CLIENT_ID] = NLA_POLICY_EXACT_LEN(DST_ID_LEN),
	[DSTOR_A_CLIENT_NAME] = DSTOR_NL_NAME_POLICY,
	[DSTOR_A_TIMEOUT_MS] = DSTOR_NL_AT_LEAST_1,
	[DSTOR_A_RETRIES] = { .type = NLA_U32 },
	[DSTOR_A_PING_MS] = DSTOR_NL_AT_LEAST_1,
	[DSTOR_A_CONNECTIONS] = NLA_POLICY_RANGE(NLA_U32, 1, DST_QUEUES_MAX),
	[DSTOR_A_QUEUE_DEPTH] = NLA_POLICY_RANGE(NLA_U32, 1, DST_SLOTS_MAX),
	[DSTOR_A_MAX_IO] = NLA_POLICY_FULL_RANGE(NLA_U32, &max_io_range),
	[DSTOR_A_READ_ONLY] = { .type = NLA_FLAG },
	[DSTOR_A_KEY] = NLA_POLICY_EXACT_LEN(DST_KEY_LEN),
};

static const struct nla_policy device_set_policy[DSTOR_A_MAX + 1] = {
	[DSTOR_A_NAME] = DSTOR_NL_NAME_POLICY,
	[DSTOR_A_CRYPTO_THREADS] = DSTOR_NL_THREADS_POLICY,
	[DSTOR_A_EXPORT] = DSTOR_NL_NAME_POLICY,
	[DSTOR_A_URI] = { .type = NLA_NUL_STRING, .len = DSTOR_URI_LEN - 1 },
	[DSTOR_A_ADDRESS] = NLA_POLICY_NESTED(dstor_nl_address_policy),
	[DSTOR_A_TIMEOUT_MS] = DSTOR_NL_AT_LEAST_1,
	[DSTOR_A_RETRIES] = { .type = NLA_U32 },
	[DSTOR_A_PING_MS] = DSTOR_NL_AT_LEAST_1,
};

/*
 * The extended ack only points to its text and is sent after the command has
 * returned, so the text must outlive it: 6.1 has no buffer for it and 6.12 one
 * of 80 bytes. A ring keeps the last ones; it is read a few instructions later,
 * by the same task.
 */
static void tell(struct netlink_ext_ack *extack, const struct dstor_error *err)
{
	static char told[TOLD_MAX][DSTOR_ERROR_LEN];
	static atomic_t n = ATOMIC_INIT(-1);
	char *text;

	if (!extack || !err->text[0])
		return;
	text = told[(unsigned int)atomic_inc_return(&n) % TOLD_MAX];
	strscpy(text, err->text, DSTOR_ERROR_LEN);
	extack->_msg = text;
}

/*
 * Keys must not stay in freed memory, so everything behind the header goes, on
 * every path. That is why requests are parsed here: a policy of the family
 * would refuse a malformed one, key and all, before this code is called.
 */
static void wipe(struct sk_buff *skb)
{
	struct nlmsghdr *nlh = nlmsg_hdr(skb);

	if (nlmsg_len(nlh) > GENL_HDRLEN)
		memzero_explicit(nlmsg_data(nlh) + GENL_HDRLEN, nlmsg_len(nlh) - GENL_HDRLEN);
}

int dstor_nl_handle(struct sk_buff *skb, struct genl_info *info, const struct nla_policy *policy,
		    int (*act)(struct dstor_nl_request *r, struct genl_info *info))
{
	struct dstor_nl_request *r = kzalloc(sizeof(*r), GFP_KERNEL);
	int ret = -ENOMEM;

	if (!r)
		goto out;
	/* GENL_ADMIN_PERM asks for CAP_NET_ADMIN; disks take more than that. */
	if (netlink_capable(skb, CAP_SYS_ADMIN))
		ret = genlmsg_parse(info->nlhdr, &dstor_genl_family, r->tb, DSTOR_A_MAX, policy,
				    info->extack) ?: act(r, info);
	else
		ret = dstor_fail(&r->err, -EPERM, "CAP_SYS_ADMIN is needed");
	if (ret)
		tell(info->extack, &r->err);
out:
	kfree_sensitive(r);
	wipe(skb);
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

int dstor_nl_name(struct dstor_nl_request *r, int attr, const char *what, char to[DST_NAME_LEN])
{
	if (!r->tb[attr])
		return dstor_fail(&r->err, -EINVAL, "the request lacks the name of the %s", what);
	nla_strscpy(to, r->tb[attr], DST_NAME_LEN);
	if (!dstor_name_ok(to, DST_NAME_LEN))
		return dstor_fail(&r->err, -EINVAL, "the name of the %s is not one: %s", what,
				  "1 to 63 of A-Z a-z 0-9 . _ - and neither - nor . first");
	return 0;
}

int dstor_nl_device_name(struct dstor_nl_request *r, char to[DST_NAME_LEN])
{
	int ret = dstor_nl_name(r, DSTOR_A_NAME, "device", to);

	if (!ret && strlen(to) > DEVICE_NAME_MAX)
		ret = dstor_fail(&r->err, -EINVAL,
				 "the name of the device is longer than %zu characters",
				 DEVICE_NAME_MAX);
	return ret;
}

int dstor_nl_id(struct dstor_nl_request *r, int attr, const char *what, u8 to[DST_ID_LEN])
{
	if (r->tb[attr])
		memcpy(to, nla_data(r->tb[attr]), DST_ID_LEN);
	if (dstor_id_is_zero(to))
		return dstor_fail(&r->err, -EINVAL, "the request lacks the %s", what);
	return 0;
}

u32 dstor_nl_u32_or(const struct nlattr *a, u32 otherwise)
{
	return a ? nla_get_u32(a) : otherwise;
}

int dstor_nl_protection(struct dstor_nl_request *r, char checksums[DST_ALGO_LIST_LEN],
			char ciphers[DST_ALGO_LIST_LEN])
{
	return dstor_nl_text(r, r->tb[DSTOR_A_CHECKSUMS], checksums, DST_ALGO_LIST_LEN) ?:
	       dstor_nl_text(r, r->tb[DSTOR_A_CIPHERS], ciphers, DST_ALGO_LIST_LEN);
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
		memcpy(to->key, nla_data(tb[DSTOR_RULE_KEY]), DST_KEY_LEN);
	if (tb[DSTOR_RULE_BYTES])
		nla_memcpy(to->bytes, tb[DSTOR_RULE_BYTES], sizeof(to->bytes));
	if (to->bits && (!to->family || !tb[DSTOR_RULE_BYTES] ||
			 to->bits > 8 * nla_len(tb[DSTOR_RULE_BYTES]) ||
			 to->offset + DIV_ROUND_UP(to->bits, 8) > sizeof(struct sockaddr_storage)))
		return dstor_fail(&r->err, -EINVAL, "a rule compares what is not there");
	return dstor_nl_text(r, tb[DSTOR_RULE_TEXT], to->text, sizeof(to->text));
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

static int act_export_add(struct dstor_nl_request *r, struct genl_info *info)
{
	struct dstor_export_config *c = &r->export;
	struct nlattr **tb = r->tb;
	int ret = dstor_nl_name(r, DSTOR_A_NAME, "export", c->name) ?:
		  dstor_nl_need(r, DSTOR_A_PATH, "a path") ?:
		  dstor_nl_id(r, DSTOR_A_UUID, "uuid", c->uuid) ?:
		  dstor_nl_id(r, DSTOR_A_INSTANCE, "instance", c->instance) ?:
		  dstor_nl_protection(r, c->checksums, c->ciphers) ?:
		  dstor_nl_addresses(r, info, DSTOR_A_LISTEN) ?:
		  dstor_nl_rules(r, info);

	if (ret)
		return ret;
	c->path = nla_data(tb[DSTOR_A_PATH]);
	if (c->path[0] != '/' || !dstor_nl_is_text(c->path))
		return dstor_fail(&r->err, -EINVAL,
				  "the path must be absolute and without control characters");
	if (!r->n_rules)
		return dstor_fail(&r->err, -EACCES, "no rule, so nobody could attach it");
	if (!r->n_addresses)
		return dstor_nl_lacks(r, "an address to listen on");
	c->flags = dstor_nl_u32_or(tb[DSTOR_A_FLAGS], 0);
	c->max_inflight = tb[DSTOR_A_MAX_INFLIGHT] ? nla_get_u64(tb[DSTOR_A_MAX_INFLIGHT]) :
						     DSTOR_INFLIGHT_DEFAULT;
	c->lease_file = tb[DSTOR_A_LEASE_FILE] ? nla_data(tb[DSTOR_A_LEASE_FILE]) : NULL;
	c->writer_token = tb[DSTOR_A_WRITER_TOKEN] ? nla_get_u64(tb[DSTOR_A_WRITER_TOKEN]) : 0;
	c->crypto_threads = dstor_nl_u32_or(tb[DSTOR_A_CRYPTO_THREADS], 0);
	c->listen = r->addresses;
	c->n_listen = r->n_addresses;
	c->rules = r->rules;
	c->n_rules = r->n_rules;
	return dstor_export_add(genl_info_net(info), c, &r->err);
}

static int act_export_del(struct dstor_nl_request *r, struct genl_info *info)
{
	char name[DST_NAME_LEN];

	return dstor_nl_name(r, DSTOR_A_NAME, "export", name) ?:
	       dstor_export_del(name, nla_get_flag(r->tb[DSTOR_A_FORCE]), &r->err);
}

static int act_export_set(struct dstor_nl_request *r, struct genl_info *info)
{
	struct dstor_export_change *c = &r->export_change;
	char name[DST_NAME_LEN], evict[DSTOR_TEXT_LEN] = "";
	int ret = dstor_nl_name(r, DSTOR_A_NAME, "export", name) ?:
		  dstor_nl_text(r, r->tb[DSTOR_A_EVICT], evict, sizeof(evict)) ?:
		  dstor_nl_rules(r, info);

	if (ret)
		return ret;
	if (r->tb[DSTOR_A_EVICT])
		c->evict = evict;
	if (r->tb[DSTOR_A_CRYPTO_THREADS])
		c->crypto_threads = nla_data(r->tb[DSTOR_A_CRYPTO_THREADS]);
	if (r->tb[DSTOR_A_MAX_INFLIGHT])
		c->max_inflight = nla_get_u64(r->tb[DSTOR_A_MAX_INFLIGHT]);
	c->rules = r->rules;
	c->n_rules = r->n_rules;
	return dstor_export_set(name, c, &r->err);
}

static int act_export_get(struct dstor_nl_request *r, struct genl_info *info)
{
	char name[DST_NAME_LEN];

	return dstor_nl_name(r, DSTOR_A_NAME, "export", name) ?:
	       dstor_show_export(name, info, &r->err);
}

static int need_device_values(struct dstor_nl_request *r)
{
	return dstor_nl_need(r, DSTOR_A_URI, "a URI") ?:
	       dstor_nl_need(r, DSTOR_A_TIMEOUT_MS, "a timeout") ?:
	       dstor_nl_need(r, DSTOR_A_RETRIES, "a number of retries") ?:
	       dstor_nl_need(r, DSTOR_A_PING_MS, "a ping time") ?:
	       dstor_nl_need(r, DSTOR_A_CONNECTIONS, "a number of connections") ?:
	       dstor_nl_need(r, DSTOR_A_QUEUE_DEPTH, "a queue depth") ?:
	       dstor_nl_need(r, DSTOR_A_MAX_IO, "a largest I/O");
}

static int take_device(struct dstor_nl_request *r, struct genl_info *info)
{
	struct dstor_device_config *c = &r->device;
	struct nlattr **tb = r->tb;
	int ret = dstor_nl_device_name(r, c->name) ?:
		  dstor_nl_name(r, DSTOR_A_EXPORT, "export", c->export) ?:
		  dstor_nl_id(r, DSTOR_A_CLIENT_ID, "id of the client", c->client_id) ?:
		  need_device_values(r) ?:
		  dstor_nl_protection(r, c->checksums, c->ciphers) ?:
		  dstor_nl_addresses(r, info, DSTOR_A_ADDRESS);

	if (!ret && tb[DSTOR_A_CLIENT_NAME])
		ret = dstor_nl_name(r, DSTOR_A_CLIENT_NAME, "client", c->client_name);
	if (ret)
		return ret;
	c->uri = nla_data(tb[DSTOR_A_URI]);
	c->timeout_ms = nla_get_u32(tb[DSTOR_A_TIMEOUT_MS]);
	c->retries = nla_get_u32(tb[DSTOR_A_RETRIES]);
	c->ping_ms = nla_get_u32(tb[DSTOR_A_PING_MS]);
	c->connections = nla_get_u32(tb[DSTOR_A_CONNECTIONS]);
	c->queue_depth = nla_get_u32(tb[DSTOR_A_QUEUE_DEPTH]);
	c->max_io = nla_get_u32(tb[DSTOR_A_MAX_IO]);
	c->read_only = nla_get_flag(tb[DSTOR_A_READ_ONLY]);
	c->crypto_threads = dstor_nl_u32_or(tb[DSTOR_A_CRYPTO_THREADS], 0);
	c->has_key = tb[DSTOR_A_KEY];
	if (c->has_key)
		memcpy(c->key, nla_data(tb[DSTOR_A_KEY]), DST_KEY_LEN);
	c->addresses = r->addresses;
	c->n_addresses = r->n_addresses;
	return 0;
}

static int check_device(struct dstor_nl_request *r)
{
	const struct dstor_device_config *c = &r->device;

	if (!c->n_addresses)
		return dstor_nl_lacks(r, "an address of the exporter");
	if (!dstor_nl_is_text(c->uri))
		return dstor_fail(&r->err, -EINVAL, "the URI has control characters");
	if (c->max_io % DST_IO_MIN)
		return dstor_fail(&r->err, -EINVAL,
				  "the largest I/O is not a multiple of %d bytes", DST_IO_MIN);
	/* Nobody may think that a channel is closed when it is not. */
	if (c->ciphers[0] && !c->has_key)
		return dstor_fail(&r->err, -EINVAL, "a cipher needs a key: give --key FILE, too");
	return 0;
}

/* The answer is made before the device, so that it cannot fail after it. */
static int act_device_add(struct dstor_nl_request *r, struct genl_info *info)
{
	struct dstor_device_info *dev;
	struct sk_buff *answer;
	int ret = take_device(r, info) ?: check_device(r);
	void *hdr;

	if (ret)
		return ret;
	dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	answer = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);
	ret = -ENOMEM;
	if (!dev || !answer)
		goto out;
	ret = dstor_device_add(genl_info_net(info), &r->device, dev, &r->err);
	if (ret)
		goto out;
	hdr = genlmsg_put_reply(answer, info, &dstor_genl_family, 0, DSTOR_CMD_DEVICE_ADD);
	if (hdr && !nla_put_string(answer, DSTOR_A_NAME, r->device.name) &&
	    !nla_put_u32(answer, DSTOR_A_MAJOR, dev->major) &&
	    !nla_put_u32(answer, DSTOR_A_MINOR, dev->minor) &&
	    !nla_put_u64_64bit(answer, DSTOR_A_SIZE, dev->size, DSTOR_A_PAD)) {
		genlmsg_end(answer, hdr);
		genlmsg_reply(answer, info);
		answer = NULL;
	}
	dstor_device_info_free(dev);
out:
	nlmsg_free(answer);
	kfree(dev);
	return ret;
}

static int act_device_del(struct dstor_nl_request *r, struct genl_info *info)
{
	char name[DST_NAME_LEN];

	return dstor_nl_device_name(r, name) ?:
	       dstor_device_del(name, nla_get_flag(r->tb[DSTOR_A_FORCE]), &r->err);
}

static int act_device_set(struct dstor_nl_request *r, struct genl_info *info)
{
	struct dstor_device_change *c = &r->device_change;
	char name[DST_NAME_LEN], export[DST_NAME_LEN];
	struct nlattr **tb = r->tb;
	int ret = dstor_nl_device_name(r, name) ?:
		  dstor_nl_addresses(r, info, DSTOR_A_ADDRESS);

	if (!ret && tb[DSTOR_A_EXPORT])
		ret = dstor_nl_name(r, DSTOR_A_EXPORT, "export", export);
	if (ret)
		return ret;
	if (tb[DSTOR_A_TIMEOUT_MS])
		c->timeout_ms = nla_data(tb[DSTOR_A_TIMEOUT_MS]);
	if (tb[DSTOR_A_RETRIES])
		c->retries = nla_data(tb[DSTOR_A_RETRIES]);
	if (tb[DSTOR_A_PING_MS])
		c->ping_ms = nla_data(tb[DSTOR_A_PING_MS]);
	if (tb[DSTOR_A_CRYPTO_THREADS])
		c->crypto_threads = nla_data(tb[DSTOR_A_CRYPTO_THREADS]);
	if (tb[DSTOR_A_EXPORT])
		c->export = export;
	if (tb[DSTOR_A_URI]) {
		c->uri = nla_data(tb[DSTOR_A_URI]);
		if (!dstor_nl_is_text(c->uri))
			return dstor_fail(&r->err, -EINVAL, "the URI has control characters");
	}
	c->addresses = r->addresses;
	c->n_addresses = r->n_addresses;
	return dstor_device_set(name, c, &r->err);
}

static int act_device_get(struct dstor_nl_request *r, struct genl_info *info)
{
	char name[DST_NAME_LEN];

	return dstor_nl_device_name(r, name) ?:
	       dstor_show_device(name, info, &r->err);
}

int dstor_cmd_export_add(struct sk_buff *skb, struct genl_info *info)
{
	return dstor_nl_handle(skb, info, export_add_policy, act_export_add);
}

int dstor_cmd_export_del(struct sk_buff *skb, struct genl_info *info)
{
	return dstor_nl_handle(skb, info, dstor_nl_del_policy, act_export_del);
}

int dstor_cmd_export_set(struct sk_buff *skb, struct genl_info *info)
{
	return dstor_nl_handle(skb, info, export_set_policy, act_export_set);
}

int dstor_cmd_export_get(struct sk_buff *skb, struct genl_info *info)
{
	return dstor_nl_handle(skb, info, dstor_nl_name_policy, act_export_get);
}

int dstor_cmd_device_add(struct sk_buff *skb, struct genl_info *info)
{
	return dstor_nl_handle(skb, info, device_add_policy, act_device_add);
}

int dstor_cmd_device_del(struct sk_buff *skb, struct genl_info *info)
{
	return dstor_nl_handle(skb, info, dstor_nl_del_policy, act_device_del);
}

int dstor_cmd_device_set(struct sk_buff *skb, struct genl_info *info)
{
	return dstor_nl_handle(skb, info, device_set_policy, act_device_set);
}

int dstor_cmd_device_get(struct sk_buff *skb, struct genl_info *info)
{
	return dstor_nl_handle(skb, info, dstor_nl_name_policy, act_device_get);
}

static const struct genl_ops ops[] = {
	{ .cmd = DSTOR_CMD_EXPORT_ADD, .flags = GENL_ADMIN_PERM, .doit = dstor_cmd_export_add },
	{ .cmd = DSTOR_CMD_EXPORT_DEL, .flags = GENL_ADMIN_PERM, .doit = dstor_cmd_export_del },
	{ .cmd = DSTOR_CMD_EXPORT_SET, .flags = GENL_ADMIN_PERM, .doit = dstor_cmd_export_set },
	{ .cmd = DSTOR_CMD_EXPORT_GET, .flags = GENL_ADMIN_PERM, .doit = dstor_cmd_export_get,
	  .start = dstor_dump_start, .dumpit = dstor_dump_exports, .done = dstor_dump_done },
	{ .cmd = DSTOR_CMD_DEVICE_ADD, .flags = GENL_ADMIN_PERM, .doit = dstor_cmd_device_add },
	{ .cmd = DSTOR_CMD_DEVICE_DEL, .flags = GENL_ADMIN_PERM, .doit = dstor_cmd_device_del },
	{ .cmd = DSTOR_CMD_DEVICE_SET, .flags = GENL_ADMIN_PERM, .doit = dstor_cmd_device_set },
	{ .cmd = DSTOR_CMD_DEVICE_GET, .flags = GENL_ADMIN_PERM, .doit = dstor_cmd_device_get,
	  .start = dstor_dump_start, .dumpit = dstor_dump_devices, .done = dstor_dump_done },
};

static const struct genl_multicast_group groups[] = {
	{
		.name = DSTOR_GENL_EVENTS,
#ifdef GENL_MCAST_CAP_SYS_ADMIN
		.flags = GENL_MCAST_CAP_SYS_ADMIN,
#endif
	},
};

struct genl_family dstor_genl_family __ro_after_init = {
	.name = DSTOR_GENL_NAME,
	.version = DSTOR_GENL_VERSION,
	.netnsok = true,
	.parallel_ops = true,
	.module = THIS_MODULE,
	.resv_start_op = __DSTOR_CMD_MAX,
	.mcgrps = groups,
	.n_mcgrps = ARRAY_SIZE(groups),
};

int __init dstor_netlink_init(void)
{
	dstor_genl_family.ops = ops;
	dstor_genl_family.n_ops = ARRAY_SIZE(ops);
	dstor_event_init(&dstor_genl_family);
	return genl_register_family(&dstor_genl_family);
}

void dstor_netlink_exit(void)
{
	genl_unregister_family(&dstor_genl_family);
}
