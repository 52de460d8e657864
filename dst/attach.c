// SPDX-License-Identifier: GPL-2.0
/*
 * dst attach: makes an export of another machine a block device of this one,
 * and prints its path once it is there.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "arguments.h"
#include "attached.h"
#include "exporter.h"
#include "key.h"
#include "machine.h"
#include "netlink.h"
#include "values.h"

#define NODE_WAIT_MS 5000	/* for devtmpfs */
#define NODE_POLL_MS 10

const char help_attach[] =
"Makes the export of a URI a block device, and prints its path.\n"
"\n"
"  URI                  dst://HOST[:PORT]/EXPORT, or with dst+mptcp, dst+sctp,\n"
"                       dst+smc, dst+unix (?socket=/path), dst+vsock, dst+tipc\n";

struct attach_wanted {
	struct option_values values;
	struct uri uri;
	char name[DSTOR_NAME_LEN];
};

/* 0 or the exit status, after having said why */
static int attach_take(struct attach_wanted *w, int argc, char **argv)
{
	const char *name;
	struct reason why;
	int ret = arguments_take(argc, argv, OBJECT_DEVICE, &w->values);

	if (ret)
		return ret;
	if (argc - optind != 1)
		return bad_usage("one URI is needed (dst attach --help)");
	if (options_add(&w->values, option_find("uri", OBJECT_DEVICE), argv[optind], 0, &why) ||
	    uri_parse(argv[optind], &w->uri, &why))
		return bad_usage("%s", why.text);
	name = options_text(&w->values, "name", w->uri.export);
	if (device_name(name, w->name, &why))
		return bad_usage("%s", why.text);
	return 0;
}

static int attach_put(struct nl_msg *msg, const struct attach_wanted *w, struct reason *why)
{
	char client[DSTOR_NAME_LEN];
	u8 id[DSTOR_ID_LEN];

	if (client_id(id, why))
		return -1;
	put_text(msg, DSTOR_A_NAME, w->name);
	put_bytes(msg, DSTOR_A_CLIENT_ID, id, sizeof(id));
	client_name(client);
	if (client[0])
		put_text(msg, DSTOR_A_CLIENT_NAME, client);
	return options_put(msg, OBJECT_DEVICE, &w->values, why);
}

struct node {
	u32 major, minor;
	bool known;
};

static void attach_answered(struct nlmsghdr *nlh, void *arg)
{
	struct nlattr *tb[DSTOR_A_MAX + 1];
	struct node *node = arg;

	if (genlmsg_parse(nlh, 0, tb, DSTOR_A_MAX, NULL) || !tb[DSTOR_A_MAJOR] ||
	    !tb[DSTOR_A_MINOR])
		return;
	node->major = nla_get_u32(tb[DSTOR_A_MAJOR]);
	node->minor = nla_get_u32(tb[DSTOR_A_MINOR]);
	node->known = true;
}

static bool attach_node_is_there(const char *path, const struct node *node)
{
	struct stat st;

	return !stat(path, &st) && S_ISBLK(st.st_mode) &&
	       (!node->known || (major(st.st_rdev) == node->major &&
				 minor(st.st_rdev) == node->minor));
}

static int attach_wait_for_node(const char *path, const struct node *node, struct reason *why)
{
	struct timespec pause = { .tv_nsec = NODE_POLL_MS * 1000000 };
	int i;

	for (i = 0; i <= NODE_WAIT_MS / NODE_POLL_MS; i++) {
		if (attach_node_is_there(path, node))
			return 0;
		nanosleep(&pause, NULL);
	}
	return refuse(why, "attached, but %s does not appear (is devtmpfs mounted on /dev?)",
		      path);
}

/* Adds the exports that the exporter offers to the message, if they can be listed. */
static int attach_no_such_export(const struct attach_wanted *w, const struct reason *why)
{
	const char *key_file = options_text(&w->values, "key", NULL);
	struct dstor_entry *entries = NULL;
	char offers[256] = "";
	u8 key[DSTOR_KEY_LEN];
	struct exporter x;
	int i, n;

	if (key_file && key_read(key_file, key, NULL))
		return fail("%s", why->text);
	n = exporter_dial(&w->uri, DSTOR_HELLO_LIST, key_file ? key : NULL, &x, NULL);
	explicit_bzero(key, sizeof(key));
	if (n)
		return fail("%s", why->text);
	n = exporter_list(&x, &entries, NULL);
	exporter_close(&x);
	if (n < 0)
		return fail("%s", why->text);
	for (i = 0; i < n; i++) {
		size_t len = strlen(offers);

		if (len + sizeof(entries[i].name) + 4 > sizeof(offers)) {
			snprintf(offers + len, sizeof(offers) - len, ", ...");
			break;
		}
		snprintf(offers + len, sizeof(offers) - len, "%s%.63s", len ? ", " : "",
			 entries[i].name);
	}
	free(entries);
	/* It says the same of an export that does not admit this client. */
	return fail("exporter %s has no export \"%s\" (%s%s) for a client %s", x.text,
		    w->uri.export, n ? "it offers: " : "it offers none", offers,
		    key_file ? "with this key" : "without a key");
}

static int attach_explain(const struct attach_wanted *w, int error, const struct reason *why)
{
	bool exporter_says = !strncmp(why->text, "exporter ", 9);

	if (error == -ENOENT && exporter_says)
		return attach_no_such_export(w, why);
	if (error == -EBUSY && exporter_says)
		return fail("%s; attach it --read-only, or evict that client at the exporter",
			    why->text);
	return fail("%s", why->text);
}

static int attach_do(const struct attach_wanted *w)
{
	struct nl_msg *msg = netlink_request(DSTOR_CMD_DEVICE_ADD, 0);
	char path[DSTOR_NAME_LEN + 16];
	struct node node = { };
	struct netlink nl;
	struct reason why;
	int ret;

	if (attach_put(msg, w, &why) || netlink_open(&nl, &why)) {
		netlink_drop(msg);
		return fail("%s", why.text);
	}
	ret = netlink_ask(&nl, msg, attach_answered, &node, &why);
	netlink_close(&nl);
	if (ret)
		return attach_explain(w, ret, &why);
	attached_keep(ATTACHED_FOLDER, w->name, &w->values);
	snprintf(path, sizeof(path), "/dev/dst-%s", w->name);
	if (attach_wait_for_node(path, &node, &why))
		return fail("%s", why.text);
	puts(path);
	return 0;
}

int cmd_attach(int argc, char **argv)
{
	struct attach_wanted w = { };
	int ret = attach_take(&w, argc, argv);

	if (!ret)
		ret = attach_do(&w);
	options_free(&w.values);
	return ret;
}
