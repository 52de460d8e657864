/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files of docs/vectors whose lines are "key: value" in hexadecimal: blocks of
 * them, separated by an empty line. Lines of one key are joined.
 */
#ifndef DST_TESTS_BLOCKS_H
#define DST_TESTS_BLOCKS_H

#include "unit.h"

#define ROOM 1536

struct values {
	struct {
		char name[24];
		u8 data[ROOM];
		size_t len;
	} v[24];
	size_t n;
};

/* Keys whose values are text or decimal, not bytes. */
static inline bool is_text_key(const char *name)
{
	static const char * const keys[] = {
		"vector", "message", "cipher", "nonce", "most", "sender", "bytes", "replaced", "at",
		"remove", "opened", "expect",
	};

	for (size_t i = 0; i < COUNT(keys); i++)
		if (!strcmp(name, keys[i]))
			return true;
	return false;
}

static inline const u8 *get(struct values *all, const char *name, size_t len)
{
	for (size_t i = 0; i < all->n; i++) {
		if (strcmp(all->v[i].name, name))
			continue;
		if (len)
			assert_int_equal(all->v[i].len, len);
		return all->v[i].data;
	}
	fail_msg("no %s", name);
	return NULL;
}

/* The lines of one block, up to an empty line; false at the end of the file. */
static inline bool read_block(FILE *file, struct values *all, bool join)
{
	char line[512], *value;

	memset(all, 0, sizeof(*all));
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = 0;
		if (!line[0] && all->n)
			return true;
		value = strstr(line, ": ");
		if (line[0] == '#' || !value)
			continue;
		*value = 0;
		value += 2;
		if (!join || !all->n || strcmp(all->v[all->n - 1].name, line)) {
			assert_true(all->n < COUNT(all->v));
			snprintf(all->v[all->n++].name, sizeof(all->v[0].name), "%.23s", line);
		}
		if (is_text_key(line))
			all->v[all->n - 1].len = snprintf((char *)all->v[all->n - 1].data, ROOM,
							  "%s", value);
		else
			all->v[all->n - 1].len += unhex(value, all->v[all->n - 1].data +
							all->v[all->n - 1].len,
							ROOM - all->v[all->n - 1].len);
	}
	return all->n > 0;
}

static inline const char *get_text(struct values *all, const char *name)
{
	return (const char *)get(all, name, 0);
}

static inline u64 get_number(struct values *all, const char *name)
{
	return strtoull(get_text(all, name), NULL, 10);
}

/* Bytes of the value, 0 if there is none. */
static inline size_t length_of(struct values *all, const char *name)
{
	for (size_t i = 0; i < all->n; i++)
		if (!strcmp(all->v[i].name, name))
			return all->v[i].len;
	return 0;
}

#endif
