/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Lists of words.
 */
#ifndef DSTOR_WORDS_H
#define DSTOR_WORDS_H

#include <linux/types.h>

#include "wire/protocol.h"

/* The next word of *@list, which is moved behind it; false at the end. Any context. */
bool dstor_next_word(const char **list, char word[DSTOR_ALGO_LEN]);

#endif
