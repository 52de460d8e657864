// SPDX-License-Identifier: GPL-2.0
/*
 * Reads and writes keys. A key never goes to argv, a log or a core dump, and
 * every copy of it is wiped by whoever holds it. Called by the commands that
 * take --key or a rule with key=.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "key.h"

#define FILE_MAX 128		/* room for a key and stray blanks */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void key_encode(const u8 key[DSTOR_KEY_LEN], char text[KEY_TEXT_LEN])
{
	int i;

	for (i = 0; i < DSTOR_KEY_LEN; i += 3) {
		u32 group = (u32)key[i] << 16 | (u32)key[i + 1] << 8 |
			    (i + 2 < DSTOR_KEY_LEN ? key[i + 2] : 0);

		*text++ = alphabet[group >> 18 & 63];
		*text++ = alphabet[group >> 12 & 63];
		*text++ = alphabet[group >> 6 & 63];
		*text++ = i + 2 < DSTOR_KEY_LEN ? alphabet[group & 63] : '=';
	}
	*text = '\0';
}

static int value_of(char c)
{
	const char *p = c ? strchr(alphabet, c) : NULL;

	return p ? (int)(p - alphabet) : -1;
}

/* Exactly what key_encode() writes: 43 characters, one "=", no bit unused but zero. */
bool key_decode(const char *text, u8 key[DSTOR_KEY_LEN])
{
	u32 group = 0, bits = 0;
	int i, n = 0;

	if (strlen(text) != KEY_TEXT_LEN - 1 || text[KEY_TEXT_LEN - 2] != '=')
		return false;
	for (i = 0; i < KEY_TEXT_LEN - 2; i++) {
		int v = value_of(text[i]);

		if (v < 0)
			return false;
		group = group << 6 | v;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			key[n++] = group >> bits;
			group &= (1U << bits) - 1;
		}
	}
	return !group;
}

static void no_core(void)
{
	struct rlimit none = { 0, 0 };

	prctl(PR_SET_DUMPABLE, 0);
	setrlimit(RLIMIT_CORE, &none);
}

static int read_all(int fd, char *text, size_t size)
{
	size_t n = 0;
	ssize_t ret;

	do {
		ret = read(fd, text + n, size - 1 - n);
		if (ret > 0)
			n += ret;
	} while ((ret > 0 && n < size - 1) || (ret < 0 && errno == EINTR));
	if (ret < 0)
		return -1;
	while (n && strchr(" \t\r\n", text[n - 1]))
		n--;
	text[n] = '\0';
	return 0;
}

int key_read(const char *path, u8 key[DSTOR_KEY_LEN], struct reason *why)
{
	char text[FILE_MAX];
	struct stat st;
	int ret = 0;
	int fd;

	no_core();
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return refuse_errno(why, errno, "cannot open the key file %s", path);
	if (fstat(fd, &st) || S_ISDIR(st.st_mode))
		ret = refuse_errno(why, EISDIR, "cannot read the key file %s", path);
	else if (st.st_mode & 077)
		ret = refuse(why, "others may read the key file %s: chmod 600 it, or make another",
			     path);
	else if (read_all(fd, text, sizeof(text)))
		ret = refuse_errno(why, errno, "cannot read the key file %s", path);
	else if (!key_decode(text, key))
		ret = refuse(why, "%s holds no key: %d bytes in base64, as of \"dst genkey\"", path,
			     DSTOR_KEY_LEN);
	explicit_bzero(text, sizeof(text));
	close(fd);
	return ret;
}
