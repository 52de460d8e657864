/* SPDX-License-Identifier: GPL-2.0 */
/*
 * options.c - the table of all that can be chosen of an export or a device. The
 * command line, help, dst.conf, set, the plan of up, save and JSON are made of it.
 */
#ifndef DST_OPTIONS_H
#define DST_OPTIONS_H

#include "texts.h"

struct nl_msg;
struct nlattr;
struct nlmsghdr;

enum object_kind {
	OBJECT_EXPORT = 1 << 0,
	OBJECT_DEVICE = 1 << 1,
};

enum option_flags {
	OPTION_NEEDED = 1 << 0,		/* a section without it is refused */
	OPTION_REPEATS = 1 << 1,
	OPTION_LIVE = 1 << 2,		/* set and up change it in place */
	OPTION_OPERAND = 1 << 3,	/* not --NAME: export and attach take it as an argument */
	OPTION_COMMAND = 1 << 4,	/* on the command line only */
	OPTION_ACTION = 1 << 5,		/* of set only: it is done, and leaves no state */
	OPTION_GRANTED = 1 << 6,	/* the exporter may grant less than was asked for */
	OPTION_FREE = 1 << 7,		/* a file without it accepts whatever runs */
	OPTION_UNSEEN = 1 << 8,		/* the module does not show it */
	OPTION_KEYED = 1 << 9,		/* nothing without a key */
	OPTION_UNENCRYPTED = 1 << 10,	/* has no effect where a cipher is in use */
	OPTION_ORDERED = 1 << 11,	/* set changes it in place, up never does */
};

struct option_spec {
	const char *name;		/* --NAME, NAME = VALUE, NAME=VALUE */
	enum object_kind kind;
	unsigned int flags;
	const struct option_type *type;
	const char *standard;		/* the default; NULL: none that holds on every machine */
	const char *(*of_machine)(void);	/* the default here; NULL: @standard */
	u64 min, max, unit;		/* of numbers and sizes; 0: no limit */
	const char *word;		/* for the number @word_means, or for no identity */
	u64 word_means;
	unsigned int times;		/* how often it may repeat */
	int attr;			/* of netlink, in requests */
	int shown;			/* in what the module shows; 0: @attr */
	u32 bit;			/* of @attr, where several switches share it */
	size_t offset, size;		/* of the member of struct export_info or device_info */
	const char *empty;		/* how an empty text is shown */
	const char *json;
	const char *help;		/* lines */
	const char *help_standard;	/* instead of @standard */
};

/* option_numbers.c, option_texts.c, option_ids.c - values: written, sent, shown, compared. */
struct option_type {
	const char *value;		/* in help; NULL: a switch, which has none */
	int (*check)(const struct option_spec *o, const char *text, struct reason *why);
	/* In a file more is demanded: paths are absolute. NULL: nothing more */
	int (*check_in_file)(const char *text, struct reason *why);
	/* The same value, allocated, with absolute paths; NULL: no file is there, or no need */
	char *(*absolute)(const char *text);
	/* A checked text as a number, and back; NULL: not a number */
	u64 (*number)(const struct option_spec *o, const char *text);
	struct text (*text)(const struct option_spec *o, u64 number);
	/* Adds a checked text to a request; NULL: the command does that. */
	int (*put)(struct nl_msg *msg, const struct option_spec *o, const char *text,
		   struct reason *why);
	/* Stores an attribute that the module shows; NULL: it shows none. */
	void (*take)(const struct option_spec *o, struct nlattr *a, void *member);
	/* Does @has satisfy @wanted? */
	bool (*same)(const struct option_spec *o, const struct text_list *wanted,
		     const struct text_list *has);
};

extern const struct option_type option_switch, option_number, option_time, option_size,
	option_list, option_key_file, option_rule, option_listen, option_uri, option_path,
	option_name, option_client, option_exporter, option_uuid, option_drop;

/* A value that was given. */
struct option_value {
	const struct option_spec *option;
	char *text;
	int line;			/* of the file; 0: on the command line */
};

struct option_values {
	struct option_value *value;
	size_t n;
};

/* All options: for (o = NULL; (o = option_next(o, kind));) */
const struct option_spec *option_next(const struct option_spec *o, int kinds);
const struct option_spec *option_find(const char *name, int kinds);
/* The default on this machine, or NULL. */
const char *option_standard(const struct option_spec *o);
const char *object_name(enum object_kind kind);

/* 0 or -1. A value that is not to repeat replaces the one before. */
int options_add(struct option_values *v, const struct option_spec *o, const char *text, int line,
		struct reason *why);
/* From the command line: relative paths become absolute, for save and up. */
int options_add_typed(struct option_values *v, const struct option_spec *o, const char *text,
		      struct reason *why);
void options_free(struct option_values *v);
/* The first value of the option of that name, or NULL. */
const struct option_value *options_get(const struct option_values *v, const char *name);
const char *options_text(const struct option_values *v, const char *name, const char *otherwise);
/* All values of @o, or its default. */
void options_texts(const struct option_values *v, const struct option_spec *o,
		   struct text_list *l);

/* A request's attributes for every option of @kind: the given value, or the default. */
int options_put(struct nl_msg *msg, enum object_kind kind, const struct option_values *v,
		struct reason *why);
/* @object: struct export_info or device_info, by @kind */
void options_take(enum object_kind kind, struct nlmsghdr *nlh, void *object);
/* The value that an object has, as texts that would ask for it. */
void option_shown(const struct option_spec *o, const void *object, struct text_list *l);
u64 option_shown_number(const struct option_spec *o, const void *object);
/* Does the option have an effect on this object? */
bool option_applies(const struct option_spec *o, const void *object);

#endif
