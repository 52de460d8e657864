/* SPDX-License-Identifier: GPL-2.0 */
/*
 * names.c - the names of several exports or devices as operands of one command,
 * and one line of complaint for all of them.
 */
#ifndef DST_NAMES_H
#define DST_NAMES_H

#include "netlink.h"

struct names {
	const char *noun;	/* what they name; set by the caller, as is: */
	int (*check)(const char *text, char name[DSTOR_NAME_LEN], struct reason *why);
	char **operands;
	int n, next;
	char name[DSTOR_NAME_LEN];	/* the current one */
	int failed;
	struct reason first;	/* why the first that failed did */
};

/* The operands at optind. 0 or the exit status, after having said why. */
int names_take(struct names *names, int argc, char **argv);
/* Opens netlink; without the module no such name exists. 0 or the exit status, likewise. */
int names_open(const struct names *names, struct netlink *nl);
/* Sets @name to the next one; false at the end. */
bool names_next(struct names *names);
/* @ret: not 0 when the current one failed, because of @why */
void names_result(struct names *names, int ret, const struct reason *why);
/* The exit status, after having said what failed. */
int names_end(const struct names *names);

#endif
