// SPDX-License-Identifier: GPL-2.0
/*
 * Lists of words with commas between them, as names of algorithms come. Pure.
 */
#include <linux/string.h>

#include "core/words.h"
#include "wire/hello.h"

bool dstor_next_word(const char **list, char word[DSTOR_ALGO_LEN])
{
	size_t n;

	do {
		n = dstor_word_len(*list);
		memset(word, 0, DSTOR_ALGO_LEN);
		/* A word that is too long for a name counts as empty. */
		if (n < DSTOR_ALGO_LEN)
			memcpy(word, *list, n);
		*list += n + ((*list)[n] == ',');
	} while (!word[0] && **list);
	return word[0];
}
