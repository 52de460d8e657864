// SPDX-License-Identifier: GPL-2.0
/*
 * dst set: changes a live device or export. The keys decide which of the two a
 * name means, since a device and an export may be called the same.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "info.h"
#include "key.h"
#include "values.h"
#include "wire.h"

#define RULES_MAX 64
#define CRYPTO_THREADS_MAX 1024

const char help_set[] =
"Changes a live device or export.\n"
"\n"
"A device:   timeout=TIME retries=N|forever ping=TIME\n"
"            uri=URI               where its export is now\n"
"An export:  allow=RULE            repeats; the rules replace all former ones\n"
"            max-inflight=SIZE\n"
"            evict=CLIENT          its name, address or id: it may never write\n"
"                                  again without a new attach\n"
"Either:     crypto-threads=N      0: as many as there are CPUs\n";

enum kind {
	KIND_EITHER,
	KIND_DEVICE,
	KIND_EXPORT,
};

struct change {
	enum kind kind;
	struct nl_msg *msg;
	unsigned int rules;
	const char *evict;
};

struct key {
	const char *name;
	enum kind kind;
	int (*take)(struct change *c, const char *value, struct reason *why);
};

static int put_time(struct change *c, int attr, const char *value, struct reason *why)
{
	u32 ms;

	if (parse_time(value, &ms, why))
		return -1;
	put_u32(c->msg, attr, ms);
	return 0;
}

static int take_timeout(struct change *c, const char *value, struct reason *why)
{
	return put_time(c, DSTOR_A_TIMEOUT_MS, value, why);
}

static int take_ping(struct change *c, const char *value, struct reason *why)
{
	return put_time(c, DSTOR_A_PING_MS, value, why);
}

static int take_retries(struct change *c, const char *value, struct reason *why)
{
	u32 retries;

	if (parse_retries(value, &retries, why))
		return -1;
	put_u32(c->msg, DSTOR_A_RETRIES, retries);
	return 0;
}

static int take_crypto_threads(struct change *c, const char *value, struct reason *why)
{
	u32 n;

	if (parse_number(value, 0, CRYPTO_THREADS_MAX, &n, why))
		return -1;
	put_u32(c->msg, DSTOR_A_CRYPTO_THREADS, n);
	return 0;
}

static int take_uri(struct change *c, const char *value, struct reason *why)
{
	struct address a[ADDRESSES_MAX];
	struct uri u;
	int i, n;

	if (uri_parse(value, &u, why))
		return -1;
	if (!u.export[0])
		return refuse(why, "\"%s\" names no export", value);
	n = uri_resolve(&u, a, why);
	if (n < 0)
		return -1;
	for (i = 0; i < n; i++)
		put_address(c->msg, DSTOR_A_ADDRESS, &a[i], a[i].text);
	put_text(c->msg, DSTOR_A_URI, value);
	put_text(c->msg, DSTOR_A_EXPORT, u.export);
	return 0;
}

static int take_allow(struct change *c, const char *value, struct reason *why)
{
	u8 key[DST_KEY_LEN];
	struct rule r;
	int ret = rule_parse(value, &r, why);

	if (!ret && r.key_file[0])
		ret = key_read(r.key_file, key, why);
	if (!ret)
		c->rules += put_rule(c->msg, &r, r.key_file[0] ? key : NULL);
	explicit_bzero(key, sizeof(key));
	if (!ret && c->rules > RULES_MAX)
		return refuse(why, "more than %d rules, where an IPv4 network counts twice",
			      RULES_MAX);
	return ret;
}

static int take_max_inflight(struct change *c, const char *value, struct reason *why)
{
	u64 bytes;

	if (parse_size(value, &bytes, why))
		return -1;
	if (bytes < DST_IO_MAX)
		return refuse(why, "max-inflight: at least 1M, the largest request");
	put_u64(c->msg, DSTOR_A_MAX_INFLIGHT, bytes);
	return 0;
}

static int take_evict(struct change *c, const char *value, struct reason *why)
{
	if (c->evict || !*value)
		return refuse(why, "evict= takes one client at a time");
	c->evict = value;
	return 0;
}

static const struct key keys[] = {
	{ "timeout", KIND_DEVICE, take_timeout },
	{ "retries", KIND_DEVICE, take_retries },
	{ "ping", KIND_DEVICE, take_ping },
	{ "uri", KIND_DEVICE, take_uri },
	{ "crypto-threads", KIND_EITHER, take_crypto_threads },
	{ "allow", KIND_EXPORT, take_allow },
	{ "max-inflight", KIND_EXPORT, take_max_inflight },
	{ "evict", KIND_EXPORT, take_evict },
};

static int take_change(struct change *c, const char *text, struct reason *why)
{
	size_t i, n = strcspn(text, "=");

	if (!text[n])
		return refuse(why, "\"%s\" is not KEY=VALUE", text);
	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (strlen(keys[i].name) == n && !strncmp(keys[i].name, text, n))
			break;
	if (i == ARRAY_SIZE(keys))
		return refuse(why, "unknown key \"%.*s\" (dst set --help lists them)", (int)n,
			      text);
	if (c->kind && keys[i].kind && c->kind != keys[i].kind)
		return refuse(why, "\"%s\" is for %s, what stands before it is not", text,
			      keys[i].kind == KIND_DEVICE ? "a device" : "an export");
	if (keys[i].kind)
		c->kind = keys[i].kind;
	return keys[i].take(c, text + n + 1, why);
}

/*
 * As show prints them: a name or an id means the machine, an address or the id of
 * a session only that session. NULL when it is somebody else.
 */
static const u8 *named_by(const struct client_info *c, const char *who)
{
	size_t n = strlen(who);

	if (!strcmp(c->name, who) || !strcmp(hex_text(c->id).s, who))
		return c->id;
	if (!strcmp(c->address, who) || !strcmp(hex_text(c->session).s, who) ||
	    (!strncmp(c->address, who, n) && c->address[n] == ':' &&
	     !strchr(c->address + n + 1, ':')))
		return c->session;
	return NULL;
}

/* The module is told an id, which alone is certain. */
static int put_evict(struct netlink *nl, struct change *c, const char *name, struct reason *why)
{
	const struct client_info *client;
	const u8 *found = NULL, *id;
	struct info info = { };
	char others[200] = "";
	int ret = -1;
	size_t i;

	if (info_load_export(nl, name, &info, why))
		goto out;
	for (i = 0; i < info.exports[0].n_clients; i++) {
		size_t len = strlen(others);

		client = &info.exports[0].clients[i];
		snprintf(others + len, sizeof(others) - len, "%s%s", len ? ", " : "",
			 client->name[0] ? client->name : client->address);
		id = named_by(client, c->evict);
		if (!id)
			continue;
		if (found && !dstor_id_equal(found, id)) {
			refuse(why, "more than one client is \"%s\": give its address or id",
			       c->evict);
			goto out;
		}
		found = id;
	}
	/* A writer from before a restart of the exporter is known to the module alone, by name. */
	if (found || !others[0]) {
		put_text(c->msg, DSTOR_A_EVICT, found ? hex_text(found).s : c->evict);
		ret = 0;
	} else {
		refuse(why, "export \"%s\" has no client \"%s\" (it has %s)", name, c->evict,
		       others);
	}
out:
	info_free(&info);
	return ret;
}

/* What may be changed of both: the device, if there is one of that name. */
static int find_kind(struct netlink *nl, struct change *c, const char *name, struct reason *why)
{
	struct info info = { };
	size_t i;
	int ret;

	if (c->kind)
		return 0;
	ret = info_load(nl, NULL, &info, why);
	c->kind = KIND_EXPORT;
	for (i = 0; !ret && i < info.n_devices; i++)
		if (!strcmp(info.devices[i].name, name))
			c->kind = KIND_DEVICE;
	info_free(&info);
	return ret;
}

static int change(struct change *c, const char *name, struct reason *why)
{
	struct netlink nl;
	int ret = netlink_open_if_loaded(&nl, why);

	if (ret > 0)
		refuse(why, "there is no \"%s\": the kernel module dstor is not loaded", name);
	if (!ret && (find_kind(&nl, c, name, why) ||
		     (c->evict && put_evict(&nl, c, name, why)))) {
		netlink_close(&nl);
		ret = -1;
	}
	if (ret) {
		netlink_drop(c->msg);
		return -1;
	}
	put_text(c->msg, DSTOR_A_NAME, name);
	genlmsg_hdr(nlmsg_hdr(c->msg))->cmd =
		c->kind == KIND_DEVICE ? DSTOR_CMD_DEVICE_SET : DSTOR_CMD_EXPORT_SET;
	ret = netlink_ask(&nl, c->msg, NULL, NULL, why);
	netlink_close(&nl);
	return ret ? -1 : 0;
}

int cmd_set(int argc, char **argv)
{
	static const struct option none[] = { { } };
	char name[DST_NAME_LEN];
	struct change c = { };
	struct reason why;
	int i;

	if (next_option(argc, argv, none) != -1)
		return DST_EXIT_USAGE;
	if (argc - optind < 2)
		return bad_usage("a NAME and at least one KEY=VALUE are needed (dst set --help)");
	c.msg = netlink_request(DSTOR_CMD_UNSPEC, 0);
	for (i = optind + 1; i < argc; i++)
		if (take_change(&c, argv[i], &why))
			goto usage;
	if (c.kind == KIND_EXPORT ? export_name(argv[optind], name, &why) :
				    device_name(argv[optind], name, &why))
		goto usage;
	return change(&c, name, &why) ? fail("%s", why.text) : 0;
usage:
	netlink_drop(c.msg);
	return bad_usage("%s", why.text);
}
