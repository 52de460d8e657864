/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A request of the family, taken apart.
 *
 * Functions that return int return 0 or a negative errno, with a sentence in
 * r->err. They run in process context, without locks; only dstor_nl_answer() and
 * dstor_nl_command() sleep.
 */
#ifndef DSTOR_NETLINK_REQUEST_H
#define DSTOR_NETLINK_REQUEST_H

#include <net/genetlink.h>

#include "client/client.h"
#include "exporter/exporter.h"

/* A request, taken apart. What it points to is inside it or in the message. */
struct dstor_nl_request {
	struct nlattr *tb[DSTOR_A_MAX + 1];
	struct dstor_error err;
	unsigned int n_addresses;
	unsigned int n_rules;
	struct dstor_address addresses[DSTOR_ADDRESSES_MAX];
	struct dstor_rule rules[DSTOR_RULES_MAX];
	union {
		struct dstor_export_config export;
		struct dstor_export_change export_change;
		struct dstor_device_config device;
		struct dstor_device_change device_change;
	};
};

#define DSTOR_NL_NAME_POLICY { .type = NLA_NUL_STRING, .len = DSTOR_NAME_LEN - 1 }
#define DSTOR_NL_LIST_POLICY { .type = NLA_NUL_STRING, .len = DSTOR_ALGO_LIST_LEN - 1 }
#define DSTOR_NL_THREADS_POLICY NLA_POLICY_MAX(NLA_U32, DSTOR_CRYPTO_THREADS_MAX)
#define DSTOR_NL_AT_LEAST_1 NLA_POLICY_MIN(NLA_U32, 1)

extern const struct nla_policy dstor_nl_address_policy[DSTOR_ADDRESS_MAX + 1];
extern const struct nla_policy dstor_nl_rule_policy[DSTOR_RULE_MAX + 1];
/* Policies of commands that take only a name, and of those that also take "force". */
extern const struct nla_policy dstor_nl_name_policy[DSTOR_A_MAX + 1];
extern const struct nla_policy dstor_nl_del_policy[DSTOR_A_MAX + 1];

typedef int (*dstor_nl_act)(struct dstor_nl_request *r, struct genl_info *info);

/*
 * Checks the sender, parses the message by @policy and calls @act. The text of
 * an error goes into the extended ack, and the message is wiped. Sleeps. Generic
 * netlink's lock is held: @act must not wait for a disk, a machine or an attach.
 */
int dstor_nl_answer(struct sk_buff *skb, struct genl_info *info, const struct nla_policy *policy,
		    dstor_nl_act act);
/*
 * The same, but @act runs after the return, without that lock, before the sender is back in
 * user space; it may take as long as it likes. One message with several commands starts
 * them in any order.
 */
int dstor_nl_command(struct sk_buff *skb, struct genl_info *info, const struct nla_policy *policy,
		     dstor_nl_act act);
/* Fails with -EINVAL: the request lacks @what. */
int dstor_nl_lacks(struct dstor_nl_request *r, const char *what);
int dstor_nl_need(struct dstor_nl_request *r, int attr, const char *what);
/* Has @s no control characters? A terminal will show it. */
bool dstor_nl_is_text(const char *s);
/* @a, a NUL-terminated text, into @to; nothing when @a is NULL. */
int dstor_nl_text(struct dstor_nl_request *r, const struct nlattr *a, char *to, size_t size);
/* The name of the @what; required. */
int dstor_nl_name(struct dstor_nl_request *r, int attr, const char *what, char to[DSTOR_NAME_LEN]);
int dstor_nl_device_name(struct dstor_nl_request *r, char to[DSTOR_NAME_LEN]);
/* The id called @what, which is required and not zero. */
int dstor_nl_id(struct dstor_nl_request *r, int attr, const char *what, u8 to[DSTOR_ID_LEN]);
/* @otherwise when @a is NULL. */
u32 dstor_nl_u32_or(const struct nlattr *a, u32 otherwise);
int dstor_nl_protection(struct dstor_nl_request *r, char checksums[DSTOR_ALGO_LIST_LEN],
			char ciphers[DSTOR_ALGO_LIST_LEN]);
/* All attributes @attr of the message into r->addresses. */
int dstor_nl_addresses(struct dstor_nl_request *r, struct genl_info *info, int attr);
/* All rules of the message into r->rules. */
int dstor_nl_rules(struct dstor_nl_request *r, struct genl_info *info);

#endif
