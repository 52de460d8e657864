/* SPDX-License-Identifier: GPL-2.0 */
/*
 * config.c - the configuration file (/etc/dst/dst.conf), read and checked. Pure
 * but for reading the file; what to do about it is plan.c's.
 */
#ifndef DST_CONFIG_H
#define DST_CONFIG_H

#include <stdio.h>

#include "dst.h"

#define CONFIG_FILE "/etc/dst/dst.conf"

enum config_kind {
	CONFIG_EXPORT = 1 << 0,
	CONFIG_DEVICE = 1 << 1,
};

/* A key of the file is the option of export or attach that is called so. */
struct config_key {
	const char *name;
	int kinds;		/* of sections it may stand in */
	unsigned int flags;
	int (*check)(const char *value, struct reason *why);
};

enum config_key_flags {
	CONFIG_NEEDED = 1 << 0,
	CONFIG_REPEATS = 1 << 1,
	CONFIG_SWITCH = 1 << 2,		/* yes or no; an option without a value */
	CONFIG_OPERAND = 1 << 3,	/* not an option of the command, but what it is about */
};

struct config_setting {
	const struct config_key *key;
	char *value;
	int line;
};

struct config_section {
	enum config_kind kind;
	char name[DST_NAME_LEN];
	int line;
	struct config_setting *settings;
	size_t n;
};

struct config {
	const char *file;	/* for messages */
	struct config_section *sections;
	size_t n;
};

/* 0 or -1; @c is to be freed in either case. The reason names file, line and key. */
int config_load(const char *file, struct config *c, struct reason *why);
int config_read(FILE *f, const char *file, struct config *c, struct reason *why);
void config_free(struct config *c);

const struct config_section *config_find(const struct config *c, enum config_kind kind,
					 const char *name);
/* The first setting of @key, or NULL. */
const struct config_setting *config_setting(const struct config_section *s, const char *key);
/* Its value, or @otherwise. */
const char *config_value(const struct config_section *s, const char *key, const char *otherwise);
bool config_switch(const struct config_section *s, const char *key);
const char *config_kind_name(enum config_kind kind);

#endif
