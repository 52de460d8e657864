// SPDX-License-Identifier: GPL-2.0
/*
 * Commands of the family for exports: hands plain values to the exporter
 * (exporter.h). No locks.
 */
#include <linux/limits.h>

#include "control/netlink.h"
#include "control/request.h"
#include "exporter/exporter.h"

/* Below one largest I/O nothing could ever be admitted. */
static struct netlink_range_validation inflight_range = {
	.min = DSTOR_IO_MAX, .max = DSTOR_SIZE_MAX,
};

static const struct nla_policy export_add_policy[DSTOR_A_MAX + 1] = {
	[DSTOR_A_NAME] = DSTOR_NL_NAME_POLICY,
	[DSTOR_A_UUID] = NLA_POLICY_EXACT_LEN(DSTOR_ID_LEN),
	[DSTOR_A_CHECKSUMS] = DSTOR_NL_LIST_POLICY,
	[DSTOR_A_CIPHERS] = DSTOR_NL_LIST_POLICY,
	[DSTOR_A_CRYPTO_THREADS] = DSTOR_NL_THREADS_POLICY,
	[DSTOR_A_LEASE_FILE] = { .type = NLA_NUL_STRING, .len = PATH_MAX - 1 },
	[DSTOR_A_PATH] = { .type = NLA_NUL_STRING, .len = PATH_MAX - 1 },
	[DSTOR_A_INSTANCE] = NLA_POLICY_EXACT_LEN(DSTOR_ID_LEN),
	[DSTOR_A_EXPORTER] = NLA_POLICY_EXACT_LEN(DSTOR_ID_LEN),
	[DSTOR_A_FLAGS] = NLA_POLICY_MASK(NLA_U32, DSTOR_EXPORT_READ_ONLY | DSTOR_EXPORT_SHARED |
						   DSTOR_EXPORT_WRITE_THROUGH |
						   DSTOR_EXPORT_NO_REPLAY),
	[DSTOR_A_LISTEN] = NLA_POLICY_NESTED(dstor_nl_address_policy),
	[DSTOR_A_ALLOW] = NLA_POLICY_NESTED(dstor_nl_rule_policy),
	[DSTOR_A_MAX_INFLIGHT] = NLA_POLICY_FULL_RANGE(NLA_U64, &inflight_range),
	[DSTOR_A_MAX_BANDWIDTH] = { .type = NLA_U64 },
	[DSTOR_A_MAX_IOPS] = { .type = NLA_U32 },
	[DSTOR_A_WRITER_TOKEN] = { .type = NLA_U64 },
};

static const struct nla_policy export_set_policy[DSTOR_A_MAX + 1] = {
	[DSTOR_A_NAME] = DSTOR_NL_NAME_POLICY,
	[DSTOR_A_ALLOW] = NLA_POLICY_NESTED(dstor_nl_rule_policy),
	[DSTOR_A_MAX_INFLIGHT] = NLA_POLICY_FULL_RANGE(NLA_U64, &inflight_range),
	[DSTOR_A_MAX_BANDWIDTH] = { .type = NLA_U64 },
	[DSTOR_A_MAX_IOPS] = { .type = NLA_U32 },
	[DSTOR_A_EVICT] = { .type = NLA_NUL_STRING, .len = DSTOR_TEXT_LEN - 1 },
	[DSTOR_A_CRYPTO_THREADS] = DSTOR_NL_THREADS_POLICY,
	[DSTOR_A_WAIT_MS] = { .type = NLA_U32 },
};

static int act_export_add(struct dstor_nl_request *r, struct genl_info *info)
{
	struct dstor_export_config *c = &r->export;
	struct nlattr **tb = r->tb;
	int ret = dstor_nl_name(r, DSTOR_A_NAME, "export", c->name) ?:
		  dstor_nl_need(r, DSTOR_A_PATH, "a path") ?:
		  dstor_nl_id(r, DSTOR_A_UUID, "uuid", c->uuid) ?:
		  dstor_nl_id(r, DSTOR_A_INSTANCE, "instance", c->instance) ?:
		  dstor_nl_id(r, DSTOR_A_EXPORTER, "exporter", c->exporter) ?:
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
	c->max_bandwidth = tb[DSTOR_A_MAX_BANDWIDTH] ? nla_get_u64(tb[DSTOR_A_MAX_BANDWIDTH]) : 0;
	c->max_iops = dstor_nl_u32_or(tb[DSTOR_A_MAX_IOPS], 0);
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
	char name[DSTOR_NAME_LEN];

	return dstor_nl_name(r, DSTOR_A_NAME, "export", name) ?:
	       dstor_export_del(name, nla_get_flag(r->tb[DSTOR_A_FORCE]), &r->err);
}

static int act_export_set(struct dstor_nl_request *r, struct genl_info *info)
{
	struct dstor_export_change *c = &r->export_change;
	char name[DSTOR_NAME_LEN], evict[DSTOR_TEXT_LEN] = "";
	u64 bandwidth;
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
	if (r->tb[DSTOR_A_MAX_BANDWIDTH]) {
		bandwidth = nla_get_u64(r->tb[DSTOR_A_MAX_BANDWIDTH]);
		c->max_bandwidth = &bandwidth;
	}
	if (r->tb[DSTOR_A_MAX_IOPS])
		c->max_iops = nla_data(r->tb[DSTOR_A_MAX_IOPS]);
	c->wait_ms = dstor_nl_u32_or(r->tb[DSTOR_A_WAIT_MS], 0);
	c->rules = r->rules;
	c->n_rules = r->n_rules;
	return dstor_export_set(name, c, &r->err);
}

static int act_export_get(struct dstor_nl_request *r, struct genl_info *info)
{
	char name[DSTOR_NAME_LEN];

	return dstor_nl_name(r, DSTOR_A_NAME, "export", name) ?:
	       dstor_show_export(name, info, &r->err);
}

int dstor_cmd_export_add(struct sk_buff *skb, struct genl_info *info)
{
	return dstor_nl_command(skb, info, export_add_policy, act_export_add);
}

int dstor_cmd_export_del(struct sk_buff *skb, struct genl_info *info)
{
	return dstor_nl_command(skb, info, dstor_nl_del_policy, act_export_del);
}

int dstor_cmd_export_set(struct sk_buff *skb, struct genl_info *info)
{
	return dstor_nl_command(skb, info, export_set_policy, act_export_set);
}

int dstor_cmd_export_get(struct sk_buff *skb, struct genl_info *info)
{
	return dstor_nl_answer(skb, info, dstor_nl_name_policy, act_export_get);
}
