/* SPDX-License-Identifier: GPL-2.0 */
/*
 * child.c - runs one command of the utility as if it were typed, in a process
 * of its own. Options from a file are so parsed in the same place as those of a
 * command line.
 */
#ifndef DST_CHILD_H
#define DST_CHILD_H

#include "texts.h"

/* 0 or its exit status, with what it complained about. @args: without its name. */
int child_run(int (*command)(int argc, char **argv), const char *name,
	      const struct text_list *args, struct reason *why);

#endif
