// SPDX-License-Identifier: GPL-2.0
/*
 * Lists of texts that somebody allocated: arguments, rules, values to set.
 */
#include <stdio.h>
#include <stdlib.h>

#include "texts.h"

void text_list_add(struct text_list *l, const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		exit(fail("out of memory"));
	va_end(args);
	l->text = grow(l->text, l->n, sizeof(*l->text));
	l->text[l->n++] = text;
}

void text_list_free(struct text_list *l)
{
	while (l->n)
		free(l->text[--l->n]);
	free(l->text);
	l->text = NULL;
}
