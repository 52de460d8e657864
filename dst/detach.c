// SPDX-License-Identifier: GPL-2.0
/*
 * dst detach: takes a device away, in order, or by force within five seconds.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>

#include "disk.h"
#include "netlink.h"
#include "values.h"

const char help_detach[] =
"Takes a device away: writes what is written, tells the exporter.\n"
"\n"
"  DEV        NAME, dst-NAME or /dev/dst-NAME\n"
"  --force    even if it is in use or its exporter is away; what was not\n"
"             acked fails, and its users get I/O errors\n";

enum { OPT_FORCE = 256 };

static const struct option options[] = {
	{ "force", no_argument, NULL, OPT_FORCE },
	{ }
};

static int busy(const char *name)
{
	char disk[DST_NAME_LEN + 8], who[PATH_MAX + 16];

	snprintf(disk, sizeof(disk), "dst-%s", name);
	if (disk_user(disk, who, sizeof(who)))
		return fail("/dev/%s is in use: it is %s; end that first, or use --force", disk,
			    who);
	return fail("/dev/%s is in use by a process (fuser -v /dev/%s); end it, or use --force",
		    disk, disk);
}

int cmd_detach(int argc, char **argv)
{
	char name[DST_NAME_LEN];
	bool force = false;
	struct netlink nl;
	struct reason why;
	struct nl_msg *msg;
	int c, ret;

	while ((c = next_option(argc, argv, options)) != -1) {
		if (c == '?')
			return DST_EXIT_USAGE;
		force = true;
	}
	if (argc - optind != 1)
		return bad_usage("the name of one device is needed (dst detach --help)");
	if (device_name(argv[optind], name, &why))
		return bad_usage("%s", why.text);
	ret = netlink_open_if_loaded(&nl, &why);
	if (ret > 0)
		return fail("there is no device \"%s\": the kernel module dstor is not loaded",
			    name);
	if (ret < 0)
		return fail("%s", why.text);
	msg = netlink_request(DSTOR_CMD_DEVICE_DEL, 0);
	put_text(msg, DSTOR_A_NAME, name);
	put_flag(msg, DSTOR_A_FORCE, force);
	ret = netlink_ask(&nl, msg, NULL, NULL, &why);
	netlink_close(&nl);
	if (ret == -EBUSY && !force)
		return busy(name);
	return ret ? fail("%s", why.text) : 0;
}
