// SPDX-License-Identifier: GPL-2.0
/*
 * How the utility says that something failed: one line on stderr, whatever the
 * text that came from elsewhere (a path, an exporter's reason) holds.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "dst.h"

static const char *as = "";

void report_as(const char *command)
{
	as = command;
}

const char *reporting_as(void)
{
	return as;
}

int refuse(struct reason *why, const char *fmt, ...)
{
	va_list args;

	if (why) {
		va_start(args, fmt);
		vsnprintf(why->text, sizeof(why->text), fmt, args);
		va_end(args);
	}
	return -1;
}

/* What somebody who called dst can do about it; empty if that depends. */
static const char *report_remedy(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
		return "; check the path";
	case EACCES:
	case EPERM:
		return "; run it as root";
	case EISDIR:
		return "; name a file";
	case EROFS:
		return "; remount that file system writable";
	case ENOSPC:
	case EDQUOT:
		return "; make room there";
	}
	return "";
}

int refuse_errno(struct reason *why, int error, const char *fmt, ...)
{
	char what[sizeof(why->text)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	return refuse(why, "%.400s (%s)%s", what, strerror(error), report_remedy(error));
}

static void report_line(const char *fmt, va_list args)
{
	char text[1024];
	char *p;

	vsnprintf(text, sizeof(text), fmt, args);
	for (p = text; *p; p++)
		if ((u8)*p < ' ' || *p == 0x7f)
			*p = '?';
	fflush(stdout);
	fprintf(stderr, "dst: %s%s%s\n", as, *as ? ": " : "", text);
}

int fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	report_line(fmt, args);
	va_end(args);
	return DST_EXIT_FAILED;
}

void warn(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	report_line(fmt, args);
	va_end(args);
}

int bad_usage(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	report_line(fmt, args);
	va_end(args);
	return DST_EXIT_USAGE;
}

void *grow(void *array, size_t n, size_t size)
{
	void *p = reallocarray(array, n + 1, size);

	if (!p)
		exit(fail("out of memory"));
	memset((char *)p + n * size, 0, size);
	return p;
}
