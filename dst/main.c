// SPDX-License-Identifier: GPL-2.0
/*
 * The utility's front: finds the command in a table, prints help, and sees that
 * an answer that could not be written is a failure.
 */
#include <errno.h>
#include <stdio.h>

#include "arguments.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *arguments;
	const char *what;
	const char *help;
} commands[] = {
	{ "export", cmd_export, "NAME PATH --allow RULE... [options]",
	  "offer a block device or a regular file", help_export },
	{ "unexport", cmd_unexport, "NAME... [--force]", "take exports away", help_unexport },
	{ "attach", cmd_attach, "URI [--name DEV] [options]",
	  "make an export of another machine a block device", help_attach },
	{ "detach", cmd_detach, "DEV... [--force]", "take devices away", help_detach },
	{ "show", cmd_show, "[NAME] [--json] [--watch] [--prometheus] [--names] [--why DEV]",
	  "show exports and devices (the default)", help_show },
	{ "set", cmd_set, "NAME KEY=VALUE...", "change a live device or export", help_set },
	{ "list", cmd_list, "URI [--key FILE] [--json]",
	  "show what an exporter would let this machine attach", help_list },
	{ "ping", cmd_ping, "URI [-c COUNT] [--key FILE]",
	  "measure handshake and round trips to an exporter", help_ping },
	{ "monitor", cmd_monitor, "[--json]", "print events as they happen", help_monitor },
	{ "genkey", cmd_genkey, "", "print a new key", help_genkey },
	{ "up", cmd_up, "[FILE] [options]", "apply the configuration file", help_up },
	{ "down", cmd_down, "[FILE] [options]", "undo what the configuration file says",
	  help_down },
	{ "save", cmd_save, "[FILE]", "write what runs to the configuration file", help_save },
};

static void print_help(void)
{
	size_t i;

	puts("usage: dst COMMAND ... (dst help COMMAND says more)\n");
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  dst %-8s %s\n", commands[i].name, commands[i].what);
	puts("\nSizes take K M G T (64M), times us ms s m h (5s; a plain number is seconds).");
}

static void print_command_help(const struct command *c)
{
	printf("usage: dst %s %s\n\n%s", c->name, c->arguments, c->help);
	if (c->run == cmd_export)
		arguments_help(OBJECT_EXPORT);
	if (c->run == cmd_attach)
		arguments_help(OBJECT_DEVICE);
	if (c->run == cmd_set)
		arguments_help_live();
}

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

/* dst help [COMMAND] */
static int help_about(const char *name)
{
	const struct command *c = name ? find_command(name) : NULL;

	if (name && !c)
		return bad_usage("unknown command \"%s\" (dst help lists them)", name);
	if (c)
		print_command_help(c);
	else
		print_help();
	return 0;
}

static bool asks_for_help(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return true;
	return false;
}

static int main_run(int argc, char **argv)
{
	const struct command *c;

	if (argc < 2) {
		report_as("show");
		return cmd_show(argc, argv);
	}
	c = find_command(argv[1]);
	if (c) {
		report_as(c->name);
		if (!asks_for_help(argc - 1, argv + 1))
			return c->run(argc - 1, argv + 1);
		print_command_help(c);
		return 0;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
		return help_about(argv[2]);
	if (!strcmp(argv[1], "--version"))
		printf("dst %s, protocol %d\n", DST_RELEASE, DSTOR_VERSION);
	else
		return bad_usage("unknown command \"%s\" (dst --help lists them)", argv[1]);
	return 0;
}

int main(int argc, char **argv)
{
	int ret = main_run(argc, argv);

	if ((fflush(stdout) || ferror(stdout)) && !ret)
		ret = fail("cannot write the answer: %s", strerror(errno));
	return ret;
}
