/* SPDX-License-Identifier: GPL-2.0 */
/*
 * arguments.c - the options of export and attach on the command line, and the
 * help on them, from the table in options.c.
 */
#ifndef DST_ARGUMENTS_H
#define DST_ARGUMENTS_H

#include "options.h"

/* 0 or the exit status, after having said why; the operands are at optind. */
int arguments_take(int argc, char **argv, enum object_kind kind, struct option_values *v);
/* The arguments that export or attach needs for an object with these values. */
void arguments_make(enum object_kind kind, const char *name, const struct option_values *v,
		    struct text_list *args);
/* The options of export or attach. */
void arguments_help(enum object_kind kind);
/* The options that set changes. */
void arguments_help_live(void);

#endif
