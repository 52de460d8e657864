// SPDX-License-Identifier: GPL-2.0
/*
 * Options of the commands: getopt_long(), which lets them stand before and
 * after the operands, but with our one line of complaint.
 */
#include <getopt.h>

#include "dst.h"

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
