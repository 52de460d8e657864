/* SPDX-License-Identifier: GPL-2.0 */
/*
 * key.c - key files: 32 random bytes in base64, readable by their owner alone.
 */
#ifndef DST_KEY_H
#define DST_KEY_H

#include "dst.h"

#define KEY_TEXT_LEN 45		/* base64 of 32 bytes, with the closing NUL */

void key_encode(const u8 key[DSTOR_KEY_LEN], char text[KEY_TEXT_LEN]);
bool key_decode(const char *text, u8 key[DSTOR_KEY_LEN]);
/* Also sees to it that this process leaves no core behind. */
int key_read(const char *path, u8 key[DSTOR_KEY_LEN], struct reason *why);

#endif
