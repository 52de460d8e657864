/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every unit test of the utility starts with: cmocka, and a folder of its
 * own to write in.
 */
#ifndef DST_TESTS_DST_UNIT_H
#define DST_TESTS_DST_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dst.h"

#include <cmocka.h>

static inline void write_file(const char *path, const char *text, unsigned int mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

/* setup and teardown: *state is the path of an empty folder, which is the current one */
static inline int enter_folder(void **state)
{
	char *path = strdup("/tmp/dst-unit-XXXXXX");

	*state = path;
	return !mkdtemp(path) || chdir(path);
}

static inline int leave_folder(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf '%.40s'", (char *)*state);
	free(*state);
	return chdir("/") || system(command);
}

#endif
