/* SPDX-License-Identifier: GPL-2.0 */
/*
 * choice.c - the arguments that up and down share, and the sections of the
 * configuration file that they choose.
 */
#ifndef DST_CHOICE_H
#define DST_CHOICE_H

#include "plan.h"

struct choice {
	const char *file;
	bool dry_run, force, wait;
	u32 wait_ms;		/* UINT32_MAX: for ever */
	const char *name;	/* of the one section, or NULL */
	enum object_kind kind;
};

/* 0 or the exit status, after having said why. @allowed: letters of --Dry-run, --Force, --Wait */
int choice_take(struct choice *c, int argc, char **argv, const char *allowed);
/* Reads the file, and finds the section, if one was named. 0 or -1 */
int choice_load(const struct choice *c, struct config *config,
		const struct config_section **only, struct reason *why);
/*
 * Loads what runs; nothing without the module, which is no failure. 0 or -1;
 * free @info in both cases.
 */
int choice_running(struct info *info, struct reason *why);

#endif
