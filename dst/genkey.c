// SPDX-License-Identifier: GPL-2.0
/*
 * dst genkey: a new key on stdout, for a file that only its owner may read.
 */
#include <stdio.h>

#include "key.h"
#include "machine.h"

const char help_genkey[] =
"Prints a new key, 32 random bytes in base64. Only its owner may read a key:\n"
"\n"
"  (umask 077; dst genkey > /etc/dst/key)\n";

int cmd_genkey(int argc, char **argv)
{
	char text[KEY_TEXT_LEN];
	u8 key[DSTOR_KEY_LEN];

	if (argc > 1)
		return bad_usage("it takes no arguments, not even \"%s\"", argv[1]);
	random_bytes(key, sizeof(key));
	key_encode(key, text);
	puts(text);
	explicit_bzero(key, sizeof(key));
	explicit_bzero(text, sizeof(text));
	return 0;
}
