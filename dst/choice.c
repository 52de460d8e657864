// SPDX-License-Identifier: GPL-2.0
/*
 * Arguments of up and down. Called by them alone.
 */
#include <getopt.h>

#include "choice.h"
#include "values.h"

enum { OPT_DRY_RUN = 256, OPT_FORCE, OPT_WAIT, OPT_EXPORT, OPT_DEVICE };

static const struct {
	char letter;
	struct option option;
} all[] = {
	{ 'D', { "dry-run", no_argument, NULL, OPT_DRY_RUN } },
	{ 'F', { "force", no_argument, NULL, OPT_FORCE } },
	{ 'W', { "wait", required_argument, NULL, OPT_WAIT } },
	{ 0, { "export", required_argument, NULL, OPT_EXPORT } },
	{ 0, { "device", required_argument, NULL, OPT_DEVICE } },
};

static int take_option(struct choice *c, int option, const char *value, struct reason *why)
{
	switch (option) {
	case OPT_DRY_RUN:
		c->dry_run = true;
		return 0;
	case OPT_FORCE:
		c->force = true;
		return 0;
	case OPT_WAIT:
		c->wait = true;
		c->wait_ms = UINT32_MAX;
		return strcmp(value, "forever") ? parse_time(value, &c->wait_ms, why) : 0;
	}
	if (c->name)
		return refuse(why, "--export and --device choose one section only");
	c->name = value;
	c->kind = option == OPT_EXPORT ? OBJECT_EXPORT : OBJECT_DEVICE;
	return 0;
}

int choice_take(struct choice *c, int argc, char **argv, const char *allowed)
{
	struct option options[ARRAY_SIZE(all) + 1] = { };
	struct reason why;
	size_t i, n = 0;
	int option;

	*c = (struct choice){ .file = CONFIG_FILE };
	for (i = 0; i < ARRAY_SIZE(all); i++)
		if (!all[i].letter || strchr(allowed, all[i].letter))
			options[n++] = all[i].option;
	while ((option = next_option(argc, argv, options)) != -1) {
		if (option == '?')
			return DST_EXIT_USAGE;
		if (take_option(c, option, optarg, &why))
			return bad_usage("%s", why.text);
	}
	if (argc - optind > 1)
		return bad_usage("at most one FILE is possible (dst %s --help)", reporting_as());
	if (argc - optind == 1)
		c->file = argv[optind];
	return 0;
}

int choice_load(const struct choice *c, struct config *config,
		const struct config_section **only, struct reason *why)
{
	*only = NULL;
	if (config_load(c->file, config, why))
		return -1;
	if (!c->name)
		return 0;
	*only = config_find(config, c->kind, c->name);
	if (!*only)
		return refuse(why, "%.300s has no %s \"%.63s\"", c->file,
			      object_name(c->kind), c->name);
	return 0;
}

int choice_running(struct info *info, struct reason *why)
{
	struct netlink nl;
	int ret;

	memset(info, 0, sizeof(*info));
	ret = netlink_open_if_loaded(&nl, why);
	if (ret)
		return ret < 0 ? -1 : 0;
	ret = info_load(&nl, NULL, info, why);
	netlink_close(&nl);
	return ret;
}
