/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared by every part of the utility: how a failure is worded and reported,
 * and the commands. Parts that parse never print: they fill in a reason, and
 * the command reports it, in one line.
 */
#ifndef DST_DST_H
#define DST_DST_H

#include <stdarg.h>

#include "host.h"
#include "protocol.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define ATTRIBUTE(what) __attribute__((what))
#define __printf(fmt, args) ATTRIBUTE(format(printf, fmt, args))

enum dst_exit {
	DST_EXIT_OK = 0,
	DST_EXIT_FAILED = 1,
	DST_EXIT_USAGE = 2,
};

/* A sentence without a full stop: what failed, where, what to do. */
struct reason {
	char text[512];
};

/* report.c - returns -1, so that a parser can end with it. @why may be NULL. */
int refuse(struct reason *why, const char *fmt, ...) __printf(2, 3);
/* The same for a failed call on a file: adds the cause @error, and a remedy. */
int refuse_errno(struct reason *why, int error, const char *fmt, ...) __printf(3, 4);
/* One line on stderr, "dst: COMMAND: ..."; the exit status to return. */
int fail(const char *fmt, ...) __printf(1, 2);
/* The same line, and the command goes on. */
void warn(const char *fmt, ...) __printf(1, 2);
int bad_usage(const char *fmt, ...) __printf(1, 2);
/* The command that fail() names; set once by main(). */
void report_as(const char *command);
const char *reporting_as(void);
/* Room for n + 1. Ends the program without memory. */
void *grow(void *array, size_t n, size_t size);

/* arguments.c - getopt_long() that words errors as above */
struct option;
/* The next option's value, -1 at the end of them, '?' after it complained. */
int next_option(int argc, char **argv, const struct option *longopts);

/* One file each. They return the exit status. */
int cmd_export(int argc, char **argv);
int cmd_unexport(int argc, char **argv);
int cmd_attach(int argc, char **argv);
int cmd_detach(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_set(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_ping(int argc, char **argv);
int cmd_genkey(int argc, char **argv);
int cmd_up(int argc, char **argv);
int cmd_down(int argc, char **argv);
int cmd_save(int argc, char **argv);
int cmd_monitor(int argc, char **argv);

extern const char help_export[], help_unexport[], help_attach[], help_detach[], help_show[],
	help_set[], help_list[], help_ping[], help_genkey[], help_up[], help_down[], help_save[],
	help_monitor[];

#endif
