// SPDX-License-Identifier: GPL-2.0
/*
 * dst show, or dst alone: the exports and devices of this machine, in one of
 * several forms (show_*.c).
 */
#include <getopt.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "show.h"
#include "values.h"

#define CLEAR_SCREEN "\033[H\033[2J"

const char help_show[] =
"Shows exports with their clients, and devices with their state.\n"
"\n"
"  NAME          only the export and the device of this name\n"
"  --json        for programs: {\"exports\": [...], \"devices\": [...]}\n"
"  --watch       again each second, with rates, until interrupted\n"
"  --prometheus  as metrics, for the text file collector of its node exporter\n"
"  --names       only \"export NAME\" and \"device NAME\", one line each\n"
"  --why DEV     why the I/O of a device is stuck, if it is, and what to do\n";

enum { OPT_JSON = 256, OPT_WATCH, OPT_PROMETHEUS, OPT_NAMES, OPT_WHY };

static const struct option options[] = {
	{ "json", no_argument, NULL, OPT_JSON },
	{ "watch", no_argument, NULL, OPT_WATCH },
	{ "prometheus", no_argument, NULL, OPT_PROMETHEUS },
	{ "names", no_argument, NULL, OPT_NAMES },
	{ "why", required_argument, NULL, OPT_WHY },
	{ }
};

static u64 now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ULL + t.tv_nsec / 1000000;
}

/* 0 or -1; @info is to be freed in either case. */
static int show_load(const char *name, struct info *info, struct reason *why)
{
	struct netlink nl;
	int ret = netlink_open_if_loaded(&nl, why);

	memset(info, 0, sizeof(*info));
	if (ret < 0)
		return -1;
	if (!ret) {
		ret = info_load(&nl, name, info, why);
		netlink_close(&nl);
		return ret;
	}
	if (!name)
		return 0;
	return refuse(why, "there is no \"%s\": the kernel module dstor is not loaded", name);
}

static void show_names(const struct info *info)
{
	size_t i;

	for (i = 0; i < info->n_exports; i++)
		printf("export %s\n", info->exports[i].name);
	for (i = 0; i < info->n_devices; i++)
		printf("device %s\n", info->devices[i].name);
}

static int show_objects(const char *name, int form)
{
	struct reason why;
	struct info info;
	int ret = show_load(name, &info, &why);

	if (!ret && form == OPT_WHY && !info.n_devices)
		ret = refuse(&why, "there is no device \"%s\"", name);
	if (ret) {
		info_free(&info);
		return fail("%s", why.text);
	}
	switch (form) {
	case OPT_JSON:
		show_json(&info, true);
		break;
	case OPT_PROMETHEUS:
		show_prometheus(&info);
		break;
	case OPT_NAMES:
		show_names(&info);
		break;
	case OPT_WHY:
		show_why(&info.devices[0]);
		break;
	default:
		show_table(&info, name);
	}
	info_free(&info);
	return 0;
}

static int show_watch(const char *name, bool json)
{
	struct info now, then = { };
	u64 time, before = 0;
	struct reason why;

	do {
		time = now_ms();
		if (show_load(name, &now, &why)) {
			info_free(&now);
			info_free(&then);
			return fail("%s", why.text);
		}
		if (json) {
			show_json(&now, false);
		} else {
			if (isatty(STDOUT_FILENO))
				fputs(CLEAR_SCREEN, stdout);
			show_table(&now, false);
			show_rates(&now, before ? &then : NULL, time - before);
		}
		fflush(stdout);
		info_free(&then);
		then = now;
		before = time;
	} while (!ferror(stdout) && !sleep(1));
	info_free(&then);
	return 0;
}

int cmd_show(int argc, char **argv)
{
	const char *name = NULL;
	bool watching = false;
	int c, form = 0;

	while ((c = next_option(argc, argv, options)) != -1) {
		if (c == '?')
			return DST_EXIT_USAGE;
		if (c == OPT_WATCH) {
			watching = true;
			continue;
		}
		if (form && form != c)
			return bad_usage("one form at a time (dst show --help lists them)");
		form = c;
		if (c == OPT_WHY)
			name = optarg;
	}
	if (argc - optind > (name ? 0 : 1))
		return bad_usage("at most one NAME is possible (dst show --help)");
	if (argc > optind)
		name = argv[optind];
	if (!watching)
		return show_objects(name, form);
	if (form && form != OPT_JSON)
		return bad_usage("--watch goes with --json, or alone");
	return show_watch(name, form == OPT_JSON);
}
