// SPDX-License-Identifier: GPL-2.0
/*
 * Several names for one command. All are checked before the first is acted on; one
 * that fails does not stop the others. Called by detach and unexport.
 */
#include <getopt.h>

#include "names.h"

int names_take(struct names *names, int argc, char **argv)
{
	struct reason why;

	names->operands = argv + optind;
	names->n = argc - optind;
	if (names->n < 1)
		return bad_usage("the NAME of at least one %s is needed (dst %s --help)",
				 names->noun, reporting_as());
	while (names->next < names->n)
		if (names->check(names->operands[names->next++], names->name, &why))
			return bad_usage("%s", why.text);
	names->next = 0;
	return 0;
}

int names_open(const struct names *names, struct netlink *nl)
{
	char name[DSTOR_NAME_LEN];
	struct reason why;
	int ret = netlink_open_if_loaded(nl, &why);

	if (ret > 0) {
		names->check(names->operands[0], name, NULL);
		refuse(&why, "there is no %s \"%s\": the kernel module dstor is not loaded",
		       names->noun, name);
	}
	return ret ? fail("%s", why.text) : 0;
}

bool names_next(struct names *names)
{
	if (names->next == names->n)
		return false;
	names->check(names->operands[names->next++], names->name, NULL);
	return true;
}

void names_result(struct names *names, int ret, const struct reason *why)
{
	if (!ret)
		return;
	if (!names->failed++)
		names->first = *why;
}

int names_end(const struct names *names)
{
	if (names->failed > 1)
		return fail("%s; %d more failed, too", names->first.text, names->failed - 1);
	return names->failed ? fail("%s", names->first.text) : 0;
}
