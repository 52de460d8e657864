// SPDX-License-Identifier: GPL-2.0
/*
 * Reads what the module shows: the state of exports and devices here, their
 * options by the table in options.c. Lengths are checked, unknown attributes are
 * passed over, because the module may be newer. Called by the commands.
 */
#include <stdlib.h>

#include "hello.h"
#include "info.h"
#include "options.h"
#include "values.h"

static void take_text(char *to, size_t size, struct nlattr *a)
{
	if (a && nla_len(a) > 0)
		nla_strlcpy(to, a, size);
}

static u32 take_u32(struct nlattr *a)
{
	return a && nla_len(a) >= (int)sizeof(u32) ? nla_get_u32(a) : 0;
}

static u8 take_u8(struct nlattr *a)
{
	return a && nla_len(a) >= 1 ? nla_get_u8(a) : 0;
}

static u64 take_u64(struct nlattr *a)
{
	return a && nla_len(a) >= (int)sizeof(u64) ? nla_get_u64(a) : 0;
}

static void take_id(u8 to[DSTOR_ID_LEN], struct nlattr *a)
{
	if (a && nla_len(a) == DSTOR_ID_LEN)
		memcpy(to, nla_data(a), DSTOR_ID_LEN);
}

const char *stats_name(int attr)
{
	static const char * const names[] = {
		[DSTOR_STATS_READS] = "reads",
		[DSTOR_STATS_WRITES] = "writes",
		[DSTOR_STATS_FLUSHES] = "flushes",
		[DSTOR_STATS_DISCARDS] = "discards",
		[DSTOR_STATS_READ_BYTES] = "read_bytes",
		[DSTOR_STATS_WRITE_BYTES] = "write_bytes",
		[DSTOR_STATS_ERRORS] = "errors",
		[DSTOR_STATS_RESENDS] = "resends",
		[DSTOR_STATS_RECONNECTS] = "reconnects",
		[DSTOR_STATS_FENCED] = "fenced",
		[DSTOR_STATS_REPLAYED] = "replayed",
		[DSTOR_STATS_CHECKSUM_ERRORS] = "checksum_errors",
		[DSTOR_STATS_AUTH_FAILURES] = "auth_failures",
		[DSTOR_STATS_MISMATCHES] = "mismatches",
		[DSTOR_STATS_COPIED_WRITES] = "copied_writes",
		[DSTOR_STATS_UNKEPT_WRITES] = "unkept_writes",
		[DSTOR_STATS_OWN_FLUSHES] = "own_flushes",
		[DSTOR_STATS_REPLAYS] = "replays",
		[DSTOR_STATS_KEPT_RESENT] = "kept_resent",
	};

	return attr < (int)ARRAY_SIZE(names) ? names[attr] : NULL;
}

static void take_stats(struct stats_info *s, struct nlattr *nest)
{
	struct nlattr *tb[DSTOR_STATS_MAX + 1];
	int i;

	if (!nest || nla_parse_nested(tb, DSTOR_STATS_MAX, nest, NULL))
		return;
	for (i = 0; i <= DSTOR_STATS_MAX; i++)
		s->value[i] = take_u64(tb[i]);
}

static void take_latency(struct latency_info *l, struct nlattr *a)
{
	if (a && nla_len(a) == (int)(sizeof(l->bucket) + sizeof(l->sum_ns))) {
		memcpy(l->bucket, nla_data(a), sizeof(l->bucket));
		memcpy(&l->sum_ns, (char *)nla_data(a) + sizeof(l->bucket), sizeof(l->sum_ns));
	}
}

void info_take_client(struct client_info *c, struct nlattr *nest)
{
	struct nlattr *tb[DSTOR_CLIENT_MAX + 1];

	memset(c, 0, sizeof(*c));
	if (nla_parse_nested(tb, DSTOR_CLIENT_MAX, nest, NULL))
		return;
	take_text(c->name, sizeof(c->name), tb[DSTOR_CLIENT_NAME]);
	if (tb[DSTOR_CLIENT_SOCKADDR])
		address_text(nla_data(tb[DSTOR_CLIENT_SOCKADDR]),
			     nla_len(tb[DSTOR_CLIENT_SOCKADDR]), c->address, sizeof(c->address));
	/* The client chose the path of its UNIX socket. */
	dstor_text_clean(c->address);
	take_id(c->id, tb[DSTOR_CLIENT_ID]);
	take_id(c->session, tb[DSTOR_CLIENT_SESSION]);
	c->access = take_u8(tb[DSTOR_CLIENT_ACCESS]);
	take_text(c->key, sizeof(c->key), tb[DSTOR_CLIENT_KEY]);
	take_text(c->rule_client, sizeof(c->rule_client), tb[DSTOR_CLIENT_RULE_CLIENT]);
	take_text(c->checksum, sizeof(c->checksum), tb[DSTOR_CLIENT_CHECKSUM]);
	take_text(c->cipher, sizeof(c->cipher), tb[DSTOR_CLIENT_CIPHER]);
	c->connections = take_u32(tb[DSTOR_CLIENT_CONNECTIONS]);
	c->in_flight = take_u32(tb[DSTOR_CLIENT_IN_FLIGHT]);
	c->silent_ms = take_u32(tb[DSTOR_CLIENT_SILENT_MS]);
}

static void add_client(struct export_info *e, struct nlattr *nest)
{
	e->clients = grow(e->clients, e->n_clients, sizeof(*e->clients));
	info_take_client(&e->clients[e->n_clients++], nest);
}

static void fill_export(struct export_info *e, struct nlattr **tb)
{
	take_text(e->name, sizeof(e->name), tb[DSTOR_A_NAME]);
	take_id(e->uuid, tb[DSTOR_A_UUID]);
	take_id(e->exporter, tb[DSTOR_A_EXPORTER]);
	e->size = take_u64(tb[DSTOR_A_SIZE]);
	e->token = take_u64(tb[DSTOR_A_WRITER_TOKEN]);
	e->in_flight = take_u32(tb[DSTOR_A_IN_FLIGHT]);
	e->readers_wait_ms = take_u32(tb[DSTOR_A_READERS_WAIT_MS]);
	take_stats(&e->stats, tb[DSTOR_A_STATS]);
}

/* The target of a dump; with @name only objects of that name are taken. */
struct gathering {
	struct info *info;
	const char *name;
};

static bool info_wanted(const struct gathering *g, struct nlmsghdr *nlh, struct nlattr **tb)
{
	char name[DSTOR_NAME_LEN] = "";

	if (genlmsg_parse(nlh, 0, tb, DSTOR_A_MAX, NULL) || !tb[DSTOR_A_NAME])
		return false;
	take_text(name, sizeof(name), tb[DSTOR_A_NAME]);
	return !g->name || !strcmp(g->name, name);
}

static void on_export(struct nlmsghdr *nlh, void *arg)
{
	struct nlattr *tb[DSTOR_A_MAX + 1], *a;
	const struct gathering *g = arg;
	struct info *info = g->info;
	char name[DSTOR_NAME_LEN] = "";
	struct export_info *e;
	int rem;

	if (!info_wanted(g, nlh, tb))
		return;
	take_text(name, sizeof(name), tb[DSTOR_A_NAME]);
	e = info->n_exports ? &info->exports[info->n_exports - 1] : NULL;
	/* More clients of the export before, which did not fit. */
	if (!e || strcmp(e->name, name)) {
		info->exports = grow(info->exports, info->n_exports, sizeof(*info->exports));
		e = &info->exports[info->n_exports++];
		fill_export(e, tb);
		options_take(OBJECT_EXPORT, nlh, e);
	}
	nlmsg_for_each_attr(a, nlh, GENL_HDRLEN, rem)
		if (nla_type(a) == DSTOR_A_CLIENT)
			add_client(e, a);
}

static void on_device(struct nlmsghdr *nlh, void *arg)
{
	struct nlattr *tb[DSTOR_A_MAX + 1];
	const struct gathering *g = arg;
	struct info *info = g->info;
	struct device_info *d;

	if (!info_wanted(g, nlh, tb))
		return;
	info->devices = grow(info->devices, info->n_devices, sizeof(*info->devices));
	d = &info->devices[info->n_devices++];
	take_text(d->name, sizeof(d->name), tb[DSTOR_A_NAME]);
	take_text(d->export, sizeof(d->export), tb[DSTOR_A_EXPORT]);
	d->size = take_u64(tb[DSTOR_A_SIZE]);
	d->state = take_u8(tb[DSTOR_A_STATE]);
	take_text(d->reason, sizeof(d->reason), tb[DSTOR_A_REASON]);
	d->in_flight = take_u32(tb[DSTOR_A_IN_FLIGHT]);
	d->retry = take_u32(tb[DSTOR_A_RETRY]);
	d->oldest_io_ms = take_u32(tb[DSTOR_A_OLDEST_IO_MS]);
	d->next_ms = take_u32(tb[DSTOR_A_NEXT_MS]);
	d->live = take_u32(tb[DSTOR_A_LIVE]);
	d->keeps = tb[DSTOR_A_KEPT];
	d->kept_bytes = take_u64(tb[DSTOR_A_KEPT]);
	d->replaying = tb[DSTOR_A_REPLAY];
	d->replayed_bytes = take_u64(tb[DSTOR_A_REPLAYED]);
	d->replay_bytes = take_u64(tb[DSTOR_A_REPLAY]);
	take_stats(&d->stats, tb[DSTOR_A_STATS]);
	take_latency(&d->read, tb[DSTOR_A_READ_LATENCY]);
	take_latency(&d->write, tb[DSTOR_A_WRITE_LATENCY]);
	options_take(OBJECT_DEVICE, nlh, d);
}

/* Dumps, whatever is wanted: an export may have more clients than one answer holds. */
static int info_dump(struct netlink *nl, u8 cmd, const char *name, struct info *info,
		     struct reason *why)
{
	struct gathering g = { .info = info, .name = name };

	return netlink_ask(nl, netlink_request(cmd, NLM_F_DUMP),
			   cmd == DSTOR_CMD_EXPORT_GET ? on_export : on_device, &g, why) ? -1 : 0;
}

int info_load_export(struct netlink *nl, const char *name, struct info *info,
		     struct reason *why)
{
	memset(info, 0, sizeof(*info));
	if (info_dump(nl, DSTOR_CMD_EXPORT_GET, name, info, why))
		return -1;
	return info->n_exports ? 0 : refuse(why, "there is no export \"%s\"", name);
}

int info_load(struct netlink *nl, const char *name, struct info *info, struct reason *why)
{
	char device[DSTOR_NAME_LEN];

	memset(info, 0, sizeof(*info));
	if (info_dump(nl, DSTOR_CMD_EXPORT_GET, name, info, why))
		return -1;
	if (name && !device_name(name, device, NULL))
		name = device;
	if (info_dump(nl, DSTOR_CMD_DEVICE_GET, name, info, why))
		return -1;
	if (name && !info->n_exports && !info->n_devices)
		return refuse(why, "there is no export and no device \"%s\"", name);
	return 0;
}

static int info_by_name(const void *name, const void *object)
{
	/* It is the first member of both. */
	return strcmp(name, object);
}

/* The module shows names in order, so that a thousand of them need no walk. */
const struct export_info *info_export(const struct info *info, const char *name)
{
	return info->n_exports ? bsearch(name, info->exports, info->n_exports,
					 sizeof(*info->exports), info_by_name) : NULL;
}

const struct device_info *info_device(const struct info *info, const char *name)
{
	return info->n_devices ? bsearch(name, info->devices, info->n_devices,
					 sizeof(*info->devices), info_by_name) : NULL;
}

bool info_has_key(enum object_kind kind, const void *object)
{
	const struct export_info *e = object;
	const struct device_info *d = object;
	struct rule r;
	size_t i;

	if (kind == OBJECT_DEVICE)
		return d->cipher[0];
	for (i = 0; i < e->rules.n; i++)
		if (!rule_parse(e->rules.text[i], &r, NULL) && r.key_file[0])
			return true;
	return false;
}

bool info_encrypted(enum object_kind kind, const void *object)
{
	const struct device_info *d = object;

	return kind == OBJECT_DEVICE && d->cipher[0] && strcmp(d->cipher, "none");
}

const char *protection_text(const char *cipher, const char *checksum, char *text, size_t size)
{
	bool summed = checksum[0] && strcmp(checksum, "none");

	if (cipher[0] && strcmp(cipher, "none"))
		snprintf(text, size, "encrypted (%s)", cipher);
	else if (cipher[0])
		snprintf(text, size, "authenticated, not encrypted (%s)", checksum);
	else
		snprintf(text, size, "in the clear (%s)", summed ? checksum : "no checksum");
	return text;
}

void info_free(struct info *info)
{
	size_t i;

	for (i = 0; i < info->n_exports; i++) {
		text_list_free(&info->exports[i].listen);
		text_list_free(&info->exports[i].rules);
		free(info->exports[i].clients);
	}
	free(info->exports);
	free(info->devices);
	memset(info, 0, sizeof(*info));
}

const char *state_name(u8 state)
{
	static const char * const names[] = {
		[DSTOR_DEVICE_CONNECTED] = "connected",
		[DSTOR_DEVICE_RECONNECTING] = "reconnecting",
		[DSTOR_DEVICE_SUSPENDED] = "suspended",
		[DSTOR_DEVICE_FAILED] = "failed",
	};

	return state < ARRAY_SIZE(names) ? names[state] : "unknown";
}
