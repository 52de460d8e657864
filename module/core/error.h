/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An error for people: a sentence beside the negative errno.
 */
#ifndef DSTOR_ERROR_H
#define DSTOR_ERROR_H

#include <linux/compiler_attributes.h>

#define DSTOR_ERROR_LEN 240

struct dstor_error {
	char text[DSTOR_ERROR_LEN];
};

/* Writes the sentence and returns @code. @err may be NULL. */
__printf(3, 4) int dstor_fail(struct dstor_error *err, int code, const char *fmt, ...);

#endif
