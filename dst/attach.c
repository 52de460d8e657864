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

#include "exporter.h"
#include "key.h"
#include "machine.h"
#include "netlink.h"
#include "values.h"

#define CONNECTIONS_DEFAULT_MAX 4
#define CRYPTO_THREADS_MAX 1024
#define NODE_WAIT_MS 5000	/* for devtmpfs */
#define NODE_POLL_MS 10

const char help_attach[] =
"Makes the export of a URI a block device, and prints its path.\n"
"\n"
"  URI                  dst://HOST[:PORT]/EXPORT, or with dst+mptcp, dst+sctp,\n"
"                       dst+smc, dst+unix (?socket=/path), dst+vsock, dst+tipc\n"
"  --name DEV           /dev/dst-DEV (the name of the export)\n"
"  --timeout TIME       until a transaction without an ack is resent (5s)\n"
"  --retries N|forever  resends before a transaction fails (24)\n"
"  --ping TIME          idle time after which the exporter is pinged (1s)\n"
"  --connections N      one for each hardware queue (number of CPUs, at most 4)\n"
"  --queue-depth N      transactions in flight on each connection (128)\n"
"  --max-io SIZE        largest request (1M)\n"
"  --read-only          do not write\n"
"  --checksum LIST      wanted checksums, best first (crc32c)\n"
"  --key FILE           the key of a rule of the exporter: encrypts and authenticates\n"
"  --cipher LIST        with a key: wanted ciphers, best first: aes-256-gcm,\n"
"                       chacha20-poly1305, auto, or an AEAD of the kernel (auto)\n"
"  --crypto-threads N   with a key: threads that seal, and that open, large data\n"
"                       (number of CPUs)\n";

enum {
	OPT_NAME = 256, OPT_TIMEOUT, OPT_RETRIES, OPT_PING, OPT_CONNECTIONS, OPT_QUEUE_DEPTH,
	OPT_MAX_IO, OPT_READ_ONLY, OPT_CHECKSUM, OPT_KEY, OPT_CIPHER, OPT_CRYPTO_THREADS,
};

static const struct option options[] = {
	{ "name", required_argument, NULL, OPT_NAME },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "retries", required_argument, NULL, OPT_RETRIES },
	{ "ping", required_argument, NULL, OPT_PING },
	{ "connections", required_argument, NULL, OPT_CONNECTIONS },
	{ "queue-depth", required_argument, NULL, OPT_QUEUE_DEPTH },
	{ "max-io", required_argument, NULL, OPT_MAX_IO },
	{ "read-only", no_argument, NULL, OPT_READ_ONLY },
	{ "checksum", required_argument, NULL, OPT_CHECKSUM },
	{ "key", required_argument, NULL, OPT_KEY },
	{ "cipher", required_argument, NULL, OPT_CIPHER },
	{ "crypto-threads", required_argument, NULL, OPT_CRYPTO_THREADS },
	{ }
};

struct wanted {
	const char *uri_text;
	struct uri uri;
	char name[DST_NAME_LEN];
	u32 timeout_ms, retries, ping_ms;
	u32 connections, queue_depth;
	u64 max_io;
	bool read_only;
	char checksums[DST_ALGO_LIST_LEN];
	char ciphers[DST_ALGO_LIST_LEN];	/* empty: not given */
	u32 crypto_threads;
	const char *key_file;
};

static int parse_max_io(const char *value, u64 *bytes, struct reason *why)
{
	if (parse_size(value, bytes, why))
		return -1;
	if (*bytes < DST_IO_MIN || *bytes > DST_IO_MAX || *bytes % DST_IO_MIN)
		return refuse(why, "--max-io: a multiple of 4K, from 4K to 1M");
	return 0;
}

static int take_option(struct wanted *w, int c, const char *value, struct reason *why)
{
	switch (c) {
	case OPT_NAME:
		return device_name(value, w->name, why);
	case OPT_TIMEOUT:
		return parse_time(value, &w->timeout_ms, why);
	case OPT_RETRIES:
		return parse_retries(value, &w->retries, why);
	case OPT_PING:
		return parse_time(value, &w->ping_ms, why);
	case OPT_CONNECTIONS:
		return parse_number(value, 1, DST_QUEUES_MAX, &w->connections, why);
	case OPT_QUEUE_DEPTH:
		return parse_number(value, 1, DST_SLOTS_MAX, &w->queue_depth, why);
	case OPT_MAX_IO:
		return parse_max_io(value, &w->max_io, why);
	case OPT_READ_ONLY:
		w->read_only = true;
		return 0;
	case OPT_CHECKSUM:
		return parse_algorithms(value, w->checksums, why);
	case OPT_KEY:
		w->key_file = value;
		return 0;
	case OPT_CIPHER:
		return parse_algorithms(value, w->ciphers, why);
	case OPT_CRYPTO_THREADS:
		return parse_number(value, 0, CRYPTO_THREADS_MAX, &w->crypto_threads, why);
	}
	return -1;
}

static void set_defaults(struct wanted *w)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	*w = (struct wanted){
		.timeout_ms = 5000, .retries = 24, .ping_ms = 1000,
		.connections = cpus < 1 ? 1 : cpus > CONNECTIONS_DEFAULT_MAX ?
			       CONNECTIONS_DEFAULT_MAX : cpus,
		.queue_depth = 128, .max_io = DST_IO_MAX, .checksums = "crc32c",
	};
}

/* 0 or the exit status, after having said why */
static int take_arguments(struct wanted *w, int argc, char **argv)
{
	struct reason why;
	int c;

	set_defaults(w);
	while ((c = next_option(argc, argv, options)) != -1) {
		if (c == '?')
			return DST_EXIT_USAGE;
		if (take_option(w, c, optarg, &why))
			return bad_usage("%s", why.text);
	}
	if (argc - optind != 1)
		return bad_usage("one URI is needed (dst attach --help)");
	w->uri_text = argv[optind];
	if (uri_parse(w->uri_text, &w->uri, &why))
		return bad_usage("%s", why.text);
	if (!w->uri.export[0])
		return bad_usage("\"%s\" names no export; \"dst list %s\" shows what there is",
				 w->uri_text, w->uri_text);
	if (!w->name[0] && device_name(w->uri.export, w->name, &why))
		return bad_usage("%s", why.text);
	return 0;
}

static int put_device(struct nl_msg *msg, const struct wanted *w, struct reason *why)
{
	struct address a[ADDRESSES_MAX];
	char client[DST_NAME_LEN];
	u8 id[DST_ID_LEN];
	int i, n;

	n = uri_resolve(&w->uri, a, why);
	if (n < 0 || client_id(id, why))
		return -1;
	for (i = 0; i < n; i++)
		put_address(msg, DSTOR_A_ADDRESS, &a[i], a[i].text);
	put_text(msg, DSTOR_A_NAME, w->name);
	put_text(msg, DSTOR_A_EXPORT, w->uri.export);
	put_text(msg, DSTOR_A_URI, w->uri_text);
	put_bytes(msg, DSTOR_A_CLIENT_ID, id, sizeof(id));
	client_name(client);
	if (client[0])
		put_text(msg, DSTOR_A_CLIENT_NAME, client);
	put_u32(msg, DSTOR_A_TIMEOUT_MS, w->timeout_ms);
	put_u32(msg, DSTOR_A_RETRIES, w->retries);
	put_u32(msg, DSTOR_A_PING_MS, w->ping_ms);
	put_u32(msg, DSTOR_A_CONNECTIONS, w->connections);
	put_u32(msg, DSTOR_A_QUEUE_DEPTH, w->queue_depth);
	put_u32(msg, DSTOR_A_MAX_IO, w->max_io);
	put_flag(msg, DSTOR_A_READ_ONLY, w->read_only);
	put_text(msg, DSTOR_A_CHECKSUMS, w->checksums);
	if (w->ciphers[0])
		put_text(msg, DSTOR_A_CIPHERS, w->ciphers);
	put_u32(msg, DSTOR_A_CRYPTO_THREADS, w->crypto_threads);
	return 0;
}

static int put_key(struct nl_msg *msg, const struct wanted *w, struct reason *why)
{
	u8 key[DST_KEY_LEN];
	int ret;

	if (!w->key_file)
		return 0;
	ret = key_read(w->key_file, key, why);
	if (!ret)
		put_bytes(msg, DSTOR_A_KEY, key, sizeof(key));
	explicit_bzero(key, sizeof(key));
	return ret;
}

struct node {
	u32 major, minor;
	bool known;
};

static void on_answer(struct nlmsghdr *nlh, void *arg)
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

static bool node_is_there(const char *path, const struct node *node)
{
	struct stat st;

	return !stat(path, &st) && S_ISBLK(st.st_mode) &&
	       (!node->known || (major(st.st_rdev) == node->major &&
				 minor(st.st_rdev) == node->minor));
}

static int wait_for_node(const char *path, const struct node *node, struct reason *why)
{
	struct timespec pause = { .tv_nsec = NODE_POLL_MS * 1000000 };
	int i;

	for (i = 0; i <= NODE_WAIT_MS / NODE_POLL_MS; i++) {
		if (node_is_there(path, node))
			return 0;
		nanosleep(&pause, NULL);
	}
	return refuse(why, "attached, but %s does not appear (is devtmpfs mounted on /dev?)",
		      path);
}

/* Which exports are there instead? Nothing is added when that cannot be found out. */
static int no_such_export(const struct wanted *w, const struct reason *why)
{
	struct dstor_entry *entries = NULL;
	char offers[256] = "";
	u8 key[DST_KEY_LEN];
	struct exporter x;
	int i, n;

	if (w->key_file && key_read(w->key_file, key, NULL))
		return fail("%s", why->text);
	n = exporter_dial(&w->uri, DST_HELLO_LIST, w->key_file ? key : NULL, &x, NULL);
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
	return fail("exporter %s has no export \"%s\" (%s%s)", x.text, w->uri.export,
		    n ? "it offers: " : "it offers none", offers);
}

static int explain(const struct wanted *w, int error, const struct reason *why)
{
	bool exporter_says = !strncmp(why->text, "exporter ", 9);

	if (error == -ENOENT && exporter_says)
		return no_such_export(w, why);
	if (error == -EBUSY && exporter_says)
		return fail("%s; attach it --read-only, or evict that client at the exporter",
			    why->text);
	return fail("%s", why->text);
}

int cmd_attach(int argc, char **argv)
{
	char path[DST_NAME_LEN + 16];
	struct node node = { };
	struct wanted w;
	struct netlink nl;
	struct reason why;
	struct nl_msg *msg;
	int ret = take_arguments(&w, argc, argv);

	if (ret)
		return ret;
	msg = netlink_request(DSTOR_CMD_DEVICE_ADD, 0);
	if (put_key(msg, &w, &why) || put_device(msg, &w, &why) || netlink_open(&nl, &why)) {
		netlink_drop(msg);
		return fail("%s", why.text);
	}
	ret = netlink_ask(&nl, msg, on_answer, &node, &why);
	netlink_close(&nl);
	if (ret)
		return explain(&w, ret, &why);
	snprintf(path, sizeof(path), "/dev/dst-%s", w.name);
	if (wait_for_node(path, &node, &why))
		return fail("%s", why.text);
	puts(path);
	return 0;
}
