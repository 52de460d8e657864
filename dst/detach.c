// SPDX-License-Identifier: GPL-2.0
/*
 * dst detach: takes devices away, in order, or by force within five seconds.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>

#include "attached.h"
#include "disk.h"
#include "names.h"
#include "values.h"

const char help_detach[] =
"Takes devices away: writes what is written, tells the exporter.\n"
"\n"
"  DEV        NAME, dst-NAME or /dev/dst-NAME; repeats, and one that fails does\n"
"             not stop the others\n"
"  --force    even if it is in use or its exporter is away; what was not\n"
"             acked fails, and its users get I/O errors\n";

enum { OPT_FORCE = 256 };

static const struct option options[] = {
	{ "force", no_argument, NULL, OPT_FORCE },
	{ }
};

static int detach_busy(const char *name, struct reason *why)
{
	char disk[DSTOR_NAME_LEN + 8], who[PATH_MAX + 16];

	snprintf(disk, sizeof(disk), "dst-%s", name);
	if (disk_user(disk, who, sizeof(who)))
		return refuse(why,
			      "/dev/%s is in use: it is %.300s; end that first, or use --force",
			      disk, who);
	return refuse(why,
		      "/dev/%s is in use by a process (fuser -v /dev/%s); end it, or use --force",
		      disk, disk);
}

static int detach_do(struct netlink *nl, const char *name, bool force, struct reason *why)
{
	struct nl_msg *msg = netlink_request(DSTOR_CMD_DEVICE_DEL, 0);
	int ret;

	put_text(msg, DSTOR_A_NAME, name);
	put_flag(msg, DSTOR_A_FORCE, force);
	ret = netlink_ask(nl, msg, NULL, NULL, why);
	if (ret == -EBUSY && !force)
		return detach_busy(name, why);
	if (!ret)
		attached_forget(ATTACHED_FOLDER, name);
	return ret ? -1 : 0;
}

int cmd_detach(int argc, char **argv)
{
	struct names names = { .noun = "device", .check = device_name };
	struct netlink nl;
	struct reason why;
	bool force = false;
	int c, ret;

	while ((c = next_option(argc, argv, options)) != -1) {
		if (c == '?')
			return DST_EXIT_USAGE;
		force = true;
	}
	ret = names_take(&names, argc, argv);
	if (ret)
		return ret;
	ret = names_open(&names, &nl);
	if (ret)
		return ret;
	while (names_next(&names))
		names_result(&names, detach_do(&nl, names.name, force, &why), &why);
	netlink_close(&nl);
	return names_end(&names);
}
