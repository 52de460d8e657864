// SPDX-License-Identifier: GPL-2.0
/*
 * Writes the sentence that goes with an error number to whoever asked.
 *
 * No locks, no allocation: any context.
 */
#include <linux/kernel.h>

#include "core/error.h"

int dstor_fail(struct dstor_error *err, int code, const char *fmt, ...)
{
	va_list args;

	if (err) {
		va_start(args, fmt);
		vsnprintf(err->text, sizeof(err->text), fmt, args);
		va_end(args);
	}
	return code;
}
