// SPDX-License-Identifier: GPL-2.0
/*
 * Commands of the family for devices: hands plain values to the client
 * (client.h). No locks.
 */
#include <linux/slab.h>

#include "client/client.h"
#include "control/family.h"
#include "control/netlink.h"
#include "control/request.h"

/* 6.1's policies cannot point to a const range. */
static struct netlink_range_validation max_io_range = {
	.min = DSTOR_IO_MIN, .max = DSTOR_IO_MAX,
};

static const struct nla_policy device_add_policy[DSTOR_A_MAX + 1] = {
	[DSTOR_A_NAME] = DSTOR_NL_NAME_POLICY,
	[DSTOR_A_CHECKSUMS] = DSTOR_NL_LIST_POLICY,
	[DSTOR_A_CIPHERS] = DSTOR_NL_LIST_POLICY,
	[DSTOR_A_CRYPTO_THREADS] = DSTOR_NL_THREADS_POLICY,
	[DSTOR_A_EXPORT] = DSTOR_NL_NAME_POLICY,
	[DSTOR_A_URI] = { .type = NLA_NUL_STRING, .len = DSTOR_URI_LEN - 1 },
	[DSTOR_A_ADDRESS] = NLA_POLICY_NESTED(dstor_nl_address_policy),
	[DSTOR_A_EXPORTER] = NLA_POLICY_EXACT_LEN(DSTOR_ID_LEN),
	[DSTOR_A_UUID] = NLA_POLICY_EXACT_LEN(DSTOR_ID_LEN),
	[DSTOR_A_CLIENT_ID] = NLA_POLICY_EXACT_LEN(DSTOR_ID_LEN),
	[DSTOR_A_CLIENT_NAME] = DSTOR_NL_NAME_POLICY,
	[DSTOR_A_TIMEOUT_MS] = DSTOR_NL_AT_LEAST_1,
	[DSTOR_A_RETRIES] = { .type = NLA_U32 },
	[DSTOR_A_PING_MS] = DSTOR_NL_AT_LEAST_1,
	[DSTOR_A_CONNECTIONS] = NLA_POLICY_RANGE(NLA_U32, 1, DSTOR_QUEUES_MAX),
	[DSTOR_A_QUEUE_DEPTH] = NLA_POLICY_RANGE(NLA_U32, 1, DSTOR_SLOTS_MAX),
	[DSTOR_A_MAX_IO] = NLA_POLICY_FULL_RANGE(NLA_U32, &max_io_range),
	[DSTOR_A_READ_ONLY] = { .type = NLA_FLAG },
	[DSTOR_A_KEY] = NLA_POLICY_EXACT_LEN(DSTOR_KEY_LEN),
	[DSTOR_A_KEEP] = { .type = NLA_U64 },
};

static const struct nla_policy device_set_policy[DSTOR_A_MAX + 1] = {
	[DSTOR_A_NAME] = DSTOR_NL_NAME_POLICY,
	[DSTOR_A_CRYPTO_THREADS] = DSTOR_NL_THREADS_POLICY,
	[DSTOR_A_EXPORT] = DSTOR_NL_NAME_POLICY,
	[DSTOR_A_URI] = { .type = NLA_NUL_STRING, .len = DSTOR_URI_LEN - 1 },
	[DSTOR_A_ADDRESS] = NLA_POLICY_NESTED(dstor_nl_address_policy),
	[DSTOR_A_EXPORTER] = NLA_POLICY_EXACT_LEN(DSTOR_ID_LEN),
	[DSTOR_A_UUID] = NLA_POLICY_EXACT_LEN(DSTOR_ID_LEN),
	[DSTOR_A_TIMEOUT_MS] = DSTOR_NL_AT_LEAST_1,
	[DSTOR_A_RETRIES] = { .type = NLA_U32 },
	[DSTOR_A_PING_MS] = DSTOR_NL_AT_LEAST_1,
	[DSTOR_A_KEY] = NLA_POLICY_EXACT_LEN(DSTOR_KEY_LEN),
	[DSTOR_A_DROP_KEPT] = { .type = NLA_FLAG },
};

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
	if (tb[DSTOR_A_EXPORTER])
		memcpy(c->exporter, nla_data(tb[DSTOR_A_EXPORTER]), DSTOR_ID_LEN);
	if (tb[DSTOR_A_UUID])
		memcpy(c->uuid, nla_data(tb[DSTOR_A_UUID]), DSTOR_ID_LEN);
	c->uri = nla_data(tb[DSTOR_A_URI]);
	c->timeout_ms = nla_get_u32(tb[DSTOR_A_TIMEOUT_MS]);
	c->retries = nla_get_u32(tb[DSTOR_A_RETRIES]);
	c->ping_ms = nla_get_u32(tb[DSTOR_A_PING_MS]);
	c->connections = nla_get_u32(tb[DSTOR_A_CONNECTIONS]);
	c->queue_depth = nla_get_u32(tb[DSTOR_A_QUEUE_DEPTH]);
	c->max_io = nla_get_u32(tb[DSTOR_A_MAX_IO]);
	c->read_only = nla_get_flag(tb[DSTOR_A_READ_ONLY]);
	c->keep_bytes = tb[DSTOR_A_KEEP] ? nla_get_u64(tb[DSTOR_A_KEEP]) : 0;
	c->crypto_threads = dstor_nl_u32_or(tb[DSTOR_A_CRYPTO_THREADS], 0);
	c->has_key = tb[DSTOR_A_KEY];
	if (c->has_key)
		memcpy(c->key, nla_data(tb[DSTOR_A_KEY]), DSTOR_KEY_LEN);
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
	if (c->max_io % DSTOR_IO_MIN)
		return dstor_fail(&r->err, -EINVAL,
				  "the largest I/O is not a multiple of %d bytes", DSTOR_IO_MIN);
	if (c->keep_bytes && (c->keep_bytes < DSTOR_KEEP_MIN || c->keep_bytes > DSTOR_KEEP_MAX))
		return dstor_fail(&r->err, -EINVAL,
				  "kept writes need from %llu to %llu bytes, or 0", DSTOR_KEEP_MIN,
				  DSTOR_KEEP_MAX);
	/* A user who names a cipher expects encryption: refuse it without a key. */
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
	char name[DSTOR_NAME_LEN];

	return dstor_nl_device_name(r, name) ?:
	       dstor_device_del(name, nla_get_flag(r->tb[DSTOR_A_FORCE]), &r->err);
}

static int act_device_set(struct dstor_nl_request *r, struct genl_info *info)
{
	struct dstor_device_change *c = &r->device_change;
	char name[DSTOR_NAME_LEN], export[DSTOR_NAME_LEN];
	u8 uuid[DSTOR_ID_LEN] = { };
	struct nlattr **tb = r->tb;
	int ret = dstor_nl_device_name(r, name) ?:
		  dstor_nl_addresses(r, info, DSTOR_A_ADDRESS);

	if (!ret && tb[DSTOR_A_EXPORT])
		ret = dstor_nl_name(r, DSTOR_A_EXPORT, "export", export);
	if (!ret && tb[DSTOR_A_UUID])
		ret = dstor_nl_id(r, DSTOR_A_UUID, "UUID of the disk", uuid);
	if (ret)
		return ret;
	if (tb[DSTOR_A_EXPORTER])
		c->exporter = nla_data(tb[DSTOR_A_EXPORTER]);
	if (tb[DSTOR_A_UUID])
		c->uuid = uuid;
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
	if (tb[DSTOR_A_KEY])
		c->key = nla_data(tb[DSTOR_A_KEY]);
	c->drop_kept = nla_get_flag(tb[DSTOR_A_DROP_KEPT]);
	c->addresses = r->addresses;
	c->n_addresses = r->n_addresses;
	return dstor_device_set(name, c, &r->err);
}

static int act_device_get(struct dstor_nl_request *r, struct genl_info *info)
{
	char name[DSTOR_NAME_LEN];

	return dstor_nl_device_name(r, name) ?:
	       dstor_show_device(name, info, &r->err);
}

int dstor_cmd_device_add(struct sk_buff *skb, struct genl_info *info)
{
	return dstor_nl_command(skb, info, device_add_policy, act_device_add);
}

int dstor_cmd_device_del(struct sk_buff *skb, struct genl_info *info)
{
	return dstor_nl_command(skb, info, dstor_nl_del_policy, act_device_del);
}

int dstor_cmd_device_set(struct sk_buff *skb, struct genl_info *info)
{
	return dstor_nl_command(skb, info, device_set_policy, act_device_set);
}

int dstor_cmd_device_get(struct sk_buff *skb, struct genl_info *info)
{
	return dstor_nl_answer(skb, info, dstor_nl_name_policy, act_device_get);
}
