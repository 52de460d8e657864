// SPDX-License-Identifier: GPL-2.0
/*
 * The command line: getopt_long(), which lets options stand before and after the
 * operands, but with our one line of complaint. Options of an export or a device
 * are those of the table in options.c, as is the help on them. Called by the
 * commands.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "arguments.h"

#define FIRST_VALUE 256		/* of getopt_long(): no letter */
#define HELP_COLUMN 24

int next_option(int argc, char **argv, const struct option *longopts)
{
	char shorts[64] = ":";
	size_t n = 1;
	int c;

	/* Options whose value is a letter may be given as that letter, too. */
	for (const struct option *o = longopts; o->name && n < sizeof(shorts) - 2; o++) {
		if (o->val >= 'A' && o->val <= 'z') {
			shorts[n++] = o->val;
			if (o->has_arg == required_argument)
				shorts[n++] = ':';
		}
	}
	shorts[n] = '\0';
	opterr = 0;
	c = getopt_long(argc, argv, shorts, longopts, NULL);
	if (c == ':') {
		bad_usage("option \"%s\" needs a value (dst %s --help)", argv[optind - 1],
			  reporting_as());
		return '?';
	}
	if (c == '?' && optopt > ' ' && optopt <= 'z')
		bad_usage("unknown option \"-%c\" (dst %s --help lists them)", optopt,
			  reporting_as());
	else if (c == '?')
		bad_usage("unknown option \"%s\" (dst %s --help lists them)", argv[optind - 1],
			  reporting_as());
	return c;
}

static bool arguments_has(const struct option_spec *o)
{
	return !(o->flags & (OPTION_OPERAND | OPTION_ACTION));
}

static struct option *arguments_longopts(enum object_kind kind)
{
	const struct option_spec *o = NULL;
	struct option *l = grow(NULL, 0, sizeof(*l));
	size_t n = 0;

	while ((o = option_next(o, kind))) {
		if (!arguments_has(o))
			continue;
		l[n].name = o->name;
		l[n].has_arg = o->type->value ? required_argument : no_argument;
		l[n].val = FIRST_VALUE + (int)n;
		l = grow(l, ++n, sizeof(*l));
	}
	return l;
}

int arguments_take(int argc, char **argv, enum object_kind kind, struct option_values *v)
{
	struct option *longopts = arguments_longopts(kind);
	const struct option_spec *o;
	struct reason why;
	int c, ret = 0;

	while (!ret && (c = next_option(argc, argv, longopts)) != -1) {
		if (c == '?') {
			ret = DST_EXIT_USAGE;
			break;
		}
		o = option_find(longopts[c - FIRST_VALUE].name, kind);
		if (options_add_typed(v, o, o->type->value ? optarg : "yes", &why))
			ret = bad_usage("--%s: %s", o->name, why.text);
	}
	free(longopts);
	return ret;
}

void arguments_make(enum object_kind kind, const char *name, const struct option_values *v,
		    struct text_list *args)
{
	size_t i;

	if (kind == OBJECT_EXPORT)
		text_list_add(args, "%s", name);
	else
		text_list_add(args, "--name=%s", name);
	for (i = 0; i < v->n; i++) {
		const struct option_spec *o = v->value[i].option;

		if (o->flags & OPTION_OPERAND)
			text_list_add(args, "%s", v->value[i].text);
		else if (o->type->value)
			text_list_add(args, "--%s=%s", o->name, v->value[i].text);
		else if (!strcmp(v->value[i].text, "yes"))
			text_list_add(args, "--%s", o->name);
	}
}

/* "  HEAD   its help (its default)", with the lines of the help below one another */
static void arguments_print(const struct option_spec *o, const char *head)
{
	const char *standard = o->help_standard ? o->help_standard : o->standard;
	const char *line = o->help;
	int n = strcspn(line, "\n");

	printf("  %-*s %.*s", HELP_COLUMN, head, n, line);
	while (line[n]) {
		line += n + 1;
		n = strcspn(line, "\n");
		printf("\n  %-*s %.*s", HELP_COLUMN, "", n, line);
	}
	if (standard && o->type->value)
		printf(" (%s)", standard);
	putchar('\n');
}

void arguments_help(enum object_kind kind)
{
	const struct option_spec *o = NULL;
	char head[64];

	while ((o = option_next(o, kind))) {
		if (!arguments_has(o))
			continue;
		snprintf(head, sizeof(head), "--%s%s%s%s%s", o->name, o->type->value ? " " : "",
			 o->type->value ? o->type->value : "", o->word ? "|" : "",
			 o->word ? o->word : "");
		arguments_print(o, head);
	}
}

void arguments_help_live(void)
{
	const struct option_spec *o;
	char head[64];
	int kind;

	for (kind = OBJECT_DEVICE; kind; kind >>= 1) {
		printf("Of %s %s:\n", kind == OBJECT_EXPORT ? "an" : "a", object_name(kind));
		for (o = NULL; (o = option_next(o, kind));) {
			if (!(o->flags & (OPTION_LIVE | OPTION_ORDERED)))
				continue;
			snprintf(head, sizeof(head), "%s=%s%s%s", o->name, o->type->value,
				 o->word ? "|" : "", o->word ? o->word : "");
			arguments_print(o, head);
		}
	}
}
