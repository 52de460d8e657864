/* SPDX-License-Identifier: GPL-2.0 */
/*
 * texts.c - a list of texts.
 */
#ifndef DST_TEXTS_H
#define DST_TEXTS_H

#include "dst.h"

struct text_list {
	char **text;
	size_t n;
};

void text_list_add(struct text_list *l, const char *fmt, ...) __printf(2, 3);
void text_list_free(struct text_list *l);

#endif
