// SPDX-License-Identifier: GPL-2.0
/*
 * dst set: changes a live device or export. The keys decide which of the two a
 * name means, since a device and an export may be called the same.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "attached.h"
#include "id.h"
#include "info.h"
#include "values.h"

const char help_set[] =
"Changes a live device or export. Rules of allow= replace all former ones.\n"
"\n"
"With evict= and allow= it returns when nothing more can be written by who has\n"
"lost that right. It waits for 10s at most, or as long as --wait TIME says.\n"
"\n";

#define WAIT_DEFAULT_MS 10000

enum { OPT_WAIT = 256 };

static const struct option options[] = {
	{ "wait", required_argument, NULL, OPT_WAIT },
	{ }
};

struct change {
	int kinds;		/* that have all the options given */
	struct option_values values;
	u32 wait_ms;
	char others[200];	/* the clients, when the one to be evicted is not among them */
};

/* The kinds of objects that have a live option of that name. */
static int set_kinds(const char *name)
{
	const struct option_spec *o = NULL;
	int kinds = 0;

	while ((o = option_next(o, OBJECT_EXPORT | OBJECT_DEVICE)))
		if (o->flags & (OPTION_LIVE | OPTION_ORDERED) && !strcmp(o->name, name))
			kinds |= o->kind;
	return kinds;
}

static int set_take(struct change *c, const char *text, struct reason *why)
{
	const char *value = strchr(text, '=');
	struct reason what;
	char name[32];
	int kinds;

	if (!value)
		return refuse(why, "\"%s\" is not KEY=VALUE (dst set --help lists the keys)",
			      text);
	snprintf(name, sizeof(name), "%.*s", (int)(value - text), text);
	kinds = set_kinds(name);
	if (!kinds)
		return refuse(why, "unknown key \"%.*s\" (dst set --help lists them)",
			      (int)(value - text), text);
	if (!(c->kinds & kinds))
		return refuse(why, "\"%s\" is for %s, what stands before it is not; %s", text,
			      kinds == OBJECT_DEVICE ? "a device" : "an export",
			      "use two commands");
	c->kinds &= kinds;
	if (!strcmp(name, "evict") && options_get(&c->values, name))
		return refuse(why, "evict: only one client at a time");
	if (options_add_typed(&c->values, option_find(name, c->kinds), value + 1, &what))
		return refuse(why, "%s: %.400s", name, what.text);
	return 0;
}

/*
 * Clients as show prints them: a name or an id means the machine, an address or
 * the id of a session only that session. NULL when @text names another client.
 */
static const u8 *set_named_by(const struct client_info *c, const char *who)
{
	size_t n = strlen(who);

	if (!strcmp(c->name, who) || !strcmp(c->rule_client, who) ||
	    !strcmp(hex_text(c->id).s, who))
		return c->id;
	if (!strcmp(c->address, who) || !strcmp(hex_text(c->session).s, who) ||
	    (!strncmp(c->address, who, n) && c->address[n] == ':' &&
	     !strchr(c->address + n + 1, ':')))
		return c->session;
	return NULL;
}

/*
 * The module is told an id, which alone is certain. It may know the client when we do
 * not: a writer from before a restart of the exporter has no session to be shown.
 */
static int set_put_evict(struct netlink *nl, struct nl_msg *msg, struct change *c,
			 const char *name, const char *evict, struct reason *why)
{
	const struct client_info *client;
	const u8 *found = NULL, *id;
	struct info info = { };
	char *others = c->others;
	int ret = -1;
	size_t i;

	if (info_load_export(nl, name, &info, why))
		goto out;
	for (i = 0; i < info.exports[0].n_clients; i++) {
		size_t len = strlen(others);

		client = &info.exports[0].clients[i];
		snprintf(others + len, sizeof(c->others) - len, "%s%s", len ? ", " : "",
			 client->name[0] ? client->name : client->address);
		id = set_named_by(client, evict);
		if (!id)
			continue;
		if (found && !dstor_id_equal(found, id)) {
			refuse(why, "more than one client is \"%s\": give its address or id",
			       evict);
			goto out;
		}
		found = id;
	}
	if (found)
		others[0] = '\0';
	put_text(msg, DSTOR_A_EVICT, found ? hex_text(found).s : evict);
	ret = 0;
out:
	info_free(&info);
	return ret;
}

/* Options of both kinds are of the device, if there is one of that name. */
static int set_find_kind(struct netlink *nl, struct change *c, const char *name,
			 struct reason *why)
{
	struct info info = { };
	int ret;

	if (c->kinds != (OBJECT_EXPORT | OBJECT_DEVICE))
		return 0;
	ret = info_load(nl, NULL, &info, why);
	c->kinds = !ret && info_device(&info, name) ? OBJECT_DEVICE : OBJECT_EXPORT;
	info_free(&info);
	return ret;
}

static int set_put(struct netlink *nl, struct nl_msg *msg, struct change *c, const char *name,
		   struct reason *why)
{
	size_t i;
	int ret = 0;

	put_text(msg, DSTOR_A_NAME, name);
	if (options_get(&c->values, "evict") || options_get(&c->values, "allow"))
		put_u32(msg, DSTOR_A_WAIT_MS, c->wait_ms);
	for (i = 0; !ret && i < c->values.n; i++) {
		const struct option_value *v = &c->values.value[i];
		const struct option_spec *o = option_find(v->option->name, c->kinds);

		if (o->type->put)
			ret = o->type->put(msg, o, v->text, why);
		else
			ret = set_put_evict(nl, msg, c, name, v->text, why);
	}
	return ret;
}

/* Settings that the module does not show are kept for save, beside those kept before. */
static void set_keep(struct netlink *nl, const struct change *c, const char *name)
{
	const struct config_section *told;
	const struct device_info *device;
	struct option_values kept = { };
	struct info info = { };
	struct config before;
	size_t i;

	told = attached_load(ATTACHED_FOLDER, name, &before);
	for (i = 0; told && i < told->values.n; i++)
		options_add(&kept, told->values.value[i].option, told->values.value[i].text, 0,
			    NULL);
	device = told || info_load(nl, name, &info, NULL) ? NULL : info_device(&info, name);
	if (device)
		options_add(&kept, option_find("uri", OBJECT_DEVICE), device->uri, 0, NULL);
	for (i = 0; i < c->values.n; i++) {
		const struct option_value *v = &c->values.value[i];

		if (v->option->flags & OPTION_UNSEEN)
			options_add(&kept, v->option, v->text, 0, NULL);
	}
	if (told || device)
		attached_keep(ATTACHED_FOLDER, name, &kept);
	options_free(&kept);
	config_free(&before);
	info_free(&info);
}

static bool set_unseen(const struct change *c)
{
	size_t i;

	for (i = 0; i < c->values.n; i++)
		if (c->values.value[i].option->flags & OPTION_UNSEEN)
			return true;
	return false;
}

static int set_change(struct change *c, const char *name, struct reason *why)
{
	struct nl_msg *msg;
	struct netlink nl;
	int ret = netlink_open_if_loaded(&nl, why);

	if (ret > 0)
		refuse(why, "there is no \"%s\": the kernel module dstor is not loaded", name);
	if (ret)
		return -1;
	ret = set_find_kind(&nl, c, name, why);
	if (!ret) {
		msg = netlink_request(c->kinds == OBJECT_DEVICE ? DSTOR_CMD_DEVICE_SET :
								   DSTOR_CMD_EXPORT_SET, 0);
		ret = set_put(&nl, msg, c, name, why);
		if (ret)
			netlink_drop(msg);
		else
			ret = netlink_ask(&nl, msg, NULL, NULL, why);
		if (ret == -ENOENT && c->others[0]) {
			struct reason what = *why;

			refuse(why, "%.300s (it has %s)", what.text, c->others);
		}
		if (!ret && set_unseen(c))
			set_keep(&nl, c, name);
	}
	netlink_close(&nl);
	return ret ? -1 : 0;
}

static int set_arguments(struct change *c, int argc, char **argv, char name[DSTOR_NAME_LEN],
			 struct reason *why)
{
	int i;

	for (i = optind + 1; i < argc; i++)
		if (set_take(c, argv[i], why))
			return -1;
	return c->kinds == OBJECT_EXPORT ? export_name(argv[optind], name, why) :
					   device_name(argv[optind], name, why);
}

int cmd_set(int argc, char **argv)
{
	struct change c = { .kinds = OBJECT_EXPORT | OBJECT_DEVICE, .wait_ms = WAIT_DEFAULT_MS };
	char name[DSTOR_NAME_LEN];
	struct reason why;
	int o, ret;

	while ((o = next_option(argc, argv, options)) != -1) {
		if (o == '?')
			return DST_EXIT_USAGE;
		if (parse_time(optarg, &c.wait_ms, &why))
			return bad_usage("--wait: %s", why.text);
	}
	if (argc - optind < 2)
		return bad_usage("a NAME and at least one KEY=VALUE are needed (dst set --help)");
	if (set_arguments(&c, argc, argv, name, &why))
		ret = bad_usage("%s", why.text);
	else
		ret = set_change(&c, name, &why) ? fail("%s", why.text) : 0;
	options_free(&c.values);
	return ret;
}
