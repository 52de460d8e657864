// SPDX-License-Identifier: GPL-2.0
/*
 * dst export: offers a disk. Everything that can be wrong is found before the
 * module is asked; what the export must remember is written down before it
 * begins (state.c).
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "arguments.h"
#include "disk.h"
#include "netlink.h"
#include "export_state.h"
#include "values.h"

const char help_export[] =
"Offers a block device or a regular file to other machines.\n"
"\n";

struct export_wanted {
	char name[DSTOR_NAME_LEN];
	struct disk disk;
	struct option_values values;
};

/* 0 or the exit status, after having said why */
static int export_take(struct export_wanted *w, int argc, char **argv)
{
	struct reason why;
	int ret = arguments_take(argc, argv, OBJECT_EXPORT, &w->values);

	if (ret)
		return ret;
	if (argc - optind != 2)
		return bad_usage("a NAME and a PATH are needed (dst export --help)");
	if (export_name(argv[optind], w->name, &why))
		return bad_usage("%s", why.text);
	if (!options_get(&w->values, "allow"))
		return bad_usage("nobody could attach it: give a rule (--allow from=10.0.0.0/24)");
	if (disk_find(argv[optind + 1], &w->disk, &why))
		return fail("%s", why.text);
	return 0;
}

static void export_put(struct nl_msg *msg, const struct export_wanted *w, const struct state *s,
		       u64 token)
{
	char lease[PATH_MAX];

	put_text(msg, DSTOR_A_NAME, w->name);
	put_text(msg, DSTOR_A_PATH, w->disk.path);
	put_bytes(msg, DSTOR_A_UUID, s->disks[0].uuid, DSTOR_ID_LEN);
	put_bytes(msg, DSTOR_A_INSTANCE, s->instance, DSTOR_ID_LEN);
	put_bytes(msg, DSTOR_A_EXPORTER, s->exporter, DSTOR_ID_LEN);
	put_u64(msg, DSTOR_A_WRITER_TOKEN, token);
	state_lease_path(w->name, lease);
	put_text(msg, DSTOR_A_LEASE_FILE, lease);
}

static int export_begin(struct state *s, const struct export_wanted *w, u64 *token,
			struct reason *why)
{
	char boot[BOOT_ID_LEN], hardware[HARDWARE_ID_LEN];
	struct state_start start = {
		.name = w->name, .identity = w->disk.identity, .boot = boot, .hardware = hardware,
	};

	if (boot_id(boot, why))
		return -1;
	hardware_id(hardware);
	if (state_is_foreign(s, hardware))
		warn("export \"%s\": its state is of another machine (hardware %s, here %s); "
		     "if this machine is a clone, remove %s/export-%s on one of them", w->name,
		     s->hardware, hardware, STATE_FOLDER, w->name);
	random_bytes(start.fresh, sizeof(start.fresh));
	state_begin(s, &start, token);
	return 0;
}

static int export_explain(const struct export_wanted *w, int error, const struct reason *why)
{
	const char *dev = w->disk.path + strlen("/dev/");
	char who[PATH_MAX + 16];

	if (error == -EBUSY && !strncmp(w->disk.path, "/dev/", 5) &&
	    disk_user(dev, who, sizeof(who)))
		return fail("cannot export %s: it is %s", w->disk.path, who);
	return fail("%s", why->text);
}

/* The file says "not ended in order" before the export can begin, and as before if it cannot. */
static int export_start(struct netlink *nl, struct nl_msg *msg, const struct export_wanted *w,
			struct state_file *f)
{
	struct state before, now;
	struct reason why, lost;
	u64 token;
	int ret, had;

	had = state_load(f, &before, &why);
	now = before;
	if (had < 0 || state_make_lease(f, &why) || export_begin(&now, w, &token, &why) ||
	    state_save(f, &now, &why)) {
		netlink_drop(msg);
		return fail("%s", why.text);
	}
	export_put(msg, w, &now, token);
	ret = netlink_ask(nl, msg, NULL, NULL, &why);
	if (!ret)
		return 0;
	if (had ? state_save(f, &before, &lost) : state_remove(f))
		return fail("%s; and its state is lost", why.text);
	return export_explain(w, ret, &why);
}

static int export_do(const struct export_wanted *w)
{
	struct nl_msg *msg = netlink_request(DSTOR_CMD_EXPORT_ADD, 0);
	struct state_file f;
	struct reason why;
	struct netlink nl;
	int ret;

	if (options_put(msg, OBJECT_EXPORT, &w->values, &why) || netlink_open(&nl, &why)) {
		netlink_drop(msg);
		return fail("%s", why.text);
	}
	if (state_open(&f, STATE_FOLDER, w->name, &why)) {
		netlink_drop(msg);
		ret = fail("%s", why.text);
	} else {
		ret = export_start(&nl, msg, w, &f);
		state_close(&f);
	}
	netlink_close(&nl);
	return ret;
}

int cmd_export(int argc, char **argv)
{
	struct export_wanted w = { };
	int ret = export_take(&w, argc, argv);

	if (!ret)
		ret = export_do(&w);
	options_free(&w.values);
	return ret;
}
