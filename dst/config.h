/* SPDX-License-Identifier: GPL-2.0 */
/*
 * config.c - the configuration file (/etc/dst/dst.conf), read and checked. Pure
 * but for reading the file; plan.c decides on the steps.
 */
#ifndef DST_CONFIG_H
#define DST_CONFIG_H

#include <stdio.h>

#include "options.h"

#define CONFIG_FILE "/etc/dst/dst.conf"

struct config_section {
	enum object_kind kind;
	char name[DSTOR_NAME_LEN];
	int line;
	struct option_values values;
};

struct config {
	const char *file;	/* for messages */
	struct config_section *sections;
	size_t n;
};

/* 0 or -1; @c is to be freed in either case. The reason names file, line and option. */
int config_load(const char *file, struct config *c, struct reason *why);
int config_read(FILE *f, const char *file, struct config *c, struct reason *why);
void config_free(struct config *c);

const struct config_section *config_find(const struct config *c, enum object_kind kind,
					 const char *name);

#endif
