// SPDX-License-Identifier: GPL-2.0
/*
 * dst export: offers a disk. Everything that can be wrong is found before the
 * module is asked; what the export must remember is written down before it
 * begins (state.c).
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "disk.h"
#include "key.h"
#include "netlink.h"
#include "state.h"
#include "transport.h"
#include "values.h"

#define LISTEN_MAX 8
#define RULES_MAX 64
#define LISTEN_TEXT_MAX 127	/* of the module */
#define INFLIGHT_DEFAULT (64ULL << 20)
#define CRYPTO_THREADS_MAX 1024

const char help_export[] =
"Offers a block device or a regular file to other machines.\n"
"\n"
"  --allow RULE         whom to admit: any, from=CIDR, key=FILE, ro; comma-separated,\n"
"                       all must hold. Repeats; the most permissive match wins\n"
"  --listen URI         where to listen, without /EXPORT; repeats (dst://[::])\n"
"  --read-only          no client writes\n"
"  --shared             more than one client writes at once\n"
"  --write-through      every write is durable before it is acked\n"
"  --max-inflight SIZE  ceiling of memory for requests in flight (64M)\n"
"  --checksum LIST      accepted checksums, best first (crc32c)\n"
"  --cipher LIST        for clients with a key: accepted ciphers, best first (auto)\n"
"  --crypto-threads N   threads that seal, and that open, large data (number of CPUs)\n";

enum {
	OPT_ALLOW = 256, OPT_LISTEN, OPT_READ_ONLY, OPT_SHARED, OPT_WRITE_THROUGH,
	OPT_MAX_INFLIGHT, OPT_CHECKSUM, OPT_CIPHER, OPT_CRYPTO_THREADS,
};

static const struct option options[] = {
	{ "allow", required_argument, NULL, OPT_ALLOW },
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "read-only", no_argument, NULL, OPT_READ_ONLY },
	{ "shared", no_argument, NULL, OPT_SHARED },
	{ "write-through", no_argument, NULL, OPT_WRITE_THROUGH },
	{ "max-inflight", required_argument, NULL, OPT_MAX_INFLIGHT },
	{ "checksum", required_argument, NULL, OPT_CHECKSUM },
	{ "cipher", required_argument, NULL, OPT_CIPHER },
	{ "crypto-threads", required_argument, NULL, OPT_CRYPTO_THREADS },
	{ }
};

struct wanted {
	char name[DST_NAME_LEN];
	struct disk disk;
	u32 flags;
	u64 max_inflight;
	char checksums[DST_ALGO_LIST_LEN];
	char ciphers[DST_ALGO_LIST_LEN];	/* empty: not given */
	u32 crypto_threads;
	unsigned int n_listen;
	unsigned int n_rules;
	struct uri listen[LISTEN_MAX];
	const char *listen_text[LISTEN_MAX];
	struct rule rules[RULES_MAX];
};

static int add_rule(struct wanted *w, const char *text, struct reason *why)
{
	if (w->n_rules == RULES_MAX)
		return refuse(why, "at most %d rules", RULES_MAX);
	return rule_parse(text, &w->rules[w->n_rules++], why);
}

static int add_listen(struct wanted *w, const char *text, struct reason *why)
{
	struct uri *u = &w->listen[w->n_listen];

	if (w->n_listen == LISTEN_MAX)
		return refuse(why, "at most %d addresses to listen on", LISTEN_MAX);
	if (strlen(text) > LISTEN_TEXT_MAX)
		return refuse(why, "--listen \"%.40s...\" is too long", text);
	if (uri_parse(text, u, why))
		return -1;
	if (u->export[0])
		return refuse(why, "--listen \"%s\": leave out the export, one port serves all",
			      text);
	w->listen_text[w->n_listen++] = text;
	return 0;
}

static int take_option(struct wanted *w, int c, const char *value, struct reason *why)
{
	switch (c) {
	case OPT_ALLOW:
		return add_rule(w, value, why);
	case OPT_LISTEN:
		return add_listen(w, value, why);
	case OPT_READ_ONLY:
		w->flags |= DSTOR_EXPORT_READ_ONLY;
		return 0;
	case OPT_SHARED:
		w->flags |= DSTOR_EXPORT_SHARED;
		return 0;
	case OPT_WRITE_THROUGH:
		w->flags |= DSTOR_EXPORT_WRITE_THROUGH;
		return 0;
	case OPT_MAX_INFLIGHT:
		if (parse_size(value, &w->max_inflight, why))
			return -1;
		if (w->max_inflight < DST_IO_MAX)
			return refuse(why, "--max-inflight: at least 1M, the largest request");
		return 0;
	case OPT_CHECKSUM:
		return parse_algorithms(value, w->checksums, why);
	case OPT_CIPHER:
		return parse_algorithms(value, w->ciphers, why);
	case OPT_CRYPTO_THREADS:
		return parse_number(value, 0, CRYPTO_THREADS_MAX, &w->crypto_threads, why);
	}
	return -1;
}

/* The default: both IPs, or the one there is. */
static int listen_anywhere(struct wanted *w, struct reason *why)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 && errno == EAFNOSUPPORT)
		return add_listen(w, "dst://0.0.0.0", why);
	if (fd >= 0)
		close(fd);
	return add_listen(w, "dst://[::]", why);
}

/* 0 or the exit status, after having said why */
static int take_arguments(struct wanted *w, int argc, char **argv)
{
	struct reason why;
	int c;

	while ((c = next_option(argc, argv, options)) != -1) {
		if (c == '?')
			return DST_EXIT_USAGE;
		if (take_option(w, c, optarg, &why))
			return bad_usage("%s", why.text);
	}
	if (argc - optind != 2)
		return bad_usage("a NAME and a PATH are needed (dst export --help)");
	if (export_name(argv[optind], w->name, &why))
		return bad_usage("%s", why.text);
	if (!w->n_rules)
		return bad_usage("nobody could attach it: give a rule (--allow from=10.0.0.0/24)");
	if (!w->n_listen && listen_anywhere(w, &why))
		return fail("%s", why.text);
	if (disk_find(argv[optind + 1], &w->disk, &why))
		return fail("%s", why.text);
	return 0;
}

static int put_rules(struct nl_msg *msg, const struct wanted *w, struct reason *why)
{
	unsigned int i, count = 0;
	u8 key[DST_KEY_LEN];
	int ret = 0;

	for (i = 0; !ret && i < w->n_rules; i++) {
		const struct rule *r = &w->rules[i];

		if (r->key_file[0])
			ret = key_read(r->key_file, key, why);
		if (!ret)
			count += put_rule(msg, r, r->key_file[0] ? key : NULL);
	}
	explicit_bzero(key, sizeof(key));
	if (!ret && count > RULES_MAX)
		return refuse(why, "more than %d rules, where an IPv4 network counts twice",
			      RULES_MAX);
	return ret;
}

static int put_listens(struct nl_msg *msg, const struct wanted *w, struct reason *why)
{
	struct address a[ADDRESSES_MAX];
	unsigned int i, count = 0;
	int j, n;

	for (i = 0; i < w->n_listen; i++) {
		if (transport_sweep(&w->listen[i], why))
			return -1;
		n = uri_resolve(&w->listen[i], a, why);
		if (n < 0)
			return -1;
		for (j = 0; j < n && count < LISTEN_MAX; j++, count++)
			put_address(msg, DSTOR_A_LISTEN, &a[j], w->listen_text[i]);
	}
	return 0;
}

static void put_export(struct nl_msg *msg, const struct wanted *w, const struct state *s,
		       u64 token)
{
	char lease[PATH_MAX];

	put_text(msg, DSTOR_A_NAME, w->name);
	put_text(msg, DSTOR_A_PATH, w->disk.path);
	put_bytes(msg, DSTOR_A_UUID, s->disks[0].uuid, DST_ID_LEN);
	put_bytes(msg, DSTOR_A_INSTANCE, s->instance, DST_ID_LEN);
	put_u32(msg, DSTOR_A_FLAGS, w->flags);
	put_u64(msg, DSTOR_A_MAX_INFLIGHT, w->max_inflight);
	put_u64(msg, DSTOR_A_WRITER_TOKEN, token);
	/* No export's name begins with a dot. */
	snprintf(lease, sizeof(lease), "%s/.lease-%s", STATE_FOLDER, w->name);
	put_text(msg, DSTOR_A_LEASE_FILE, lease);
	put_text(msg, DSTOR_A_CHECKSUMS, w->checksums);
	if (w->ciphers[0])
		put_text(msg, DSTOR_A_CIPHERS, w->ciphers);
	put_u32(msg, DSTOR_A_CRYPTO_THREADS, w->crypto_threads);
}

static int begin(struct state *s, const struct wanted *w, u64 *token, struct reason *why)
{
	char boot[BOOT_ID_LEN], machine[MACHINE_ID_LEN] = "";
	struct state_start start = {
		.name = w->name, .identity = w->disk.identity, .boot = boot, .machine = machine,
	};

	if (boot_id(boot, why))
		return -1;
	if (!machine_id(machine))
		machine[0] = '\0';
	random_bytes(start.fresh, sizeof(start.fresh));
	state_begin(s, &start, token);
	return 0;
}

static int explain(const struct wanted *w, int error, const struct reason *why)
{
	const char *dev = w->disk.path + strlen("/dev/");
	char who[PATH_MAX + 16];

	if (error == -EBUSY && !strncmp(w->disk.path, "/dev/", 5) &&
	    disk_user(dev, who, sizeof(who)))
		return fail("cannot export %s: it is %s", w->disk.path, who);
	return fail("%s", why->text);
}

/* The file says "not ended in order" before the export can begin, and as before if it cannot. */
static int start_export(struct netlink *nl, struct nl_msg *msg, const struct wanted *w,
			struct state_file *f)
{
	struct state before, now;
	struct reason why, lost;
	u64 token;
	int ret, had;

	had = state_load(f, &before, &why);
	now = before;
	if (had < 0 || begin(&now, w, &token, &why) || state_save(f, &now, &why)) {
		netlink_drop(msg);
		return fail("%s", why.text);
	}
	put_export(msg, w, &now, token);
	ret = netlink_ask(nl, msg, NULL, NULL, &why);
	if (!ret)
		return 0;
	if (had ? state_save(f, &before, &lost) : state_remove(f))
		return fail("%s; and its state is lost", why.text);
	return explain(w, ret, &why);
}

int cmd_export(int argc, char **argv)
{
	static struct wanted w = { .max_inflight = INFLIGHT_DEFAULT, .checksums = "crc32c" };
	struct state_file f;
	struct reason why;
	struct netlink nl;
	struct nl_msg *msg;
	int ret = take_arguments(&w, argc, argv);

	if (ret)
		return ret;
	msg = netlink_request(DSTOR_CMD_EXPORT_ADD, 0);
	if (put_rules(msg, &w, &why) || put_listens(msg, &w, &why) || netlink_open(&nl, &why)) {
		netlink_drop(msg);
		return fail("%s", why.text);
	}
	if (state_open(&f, STATE_FOLDER, w.name, &why)) {
		netlink_drop(msg);
		ret = fail("%s", why.text);
	} else {
		ret = start_export(&nl, msg, &w, &f);
		state_close(&f);
	}
	netlink_close(&nl);
	return ret;
}
