// SPDX-License-Identifier: GPL-2.0
/*
 * Checks sizes, times, numbers and names that people write, and formats them
 * for people to read. Pure functions, called by the commands.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "hello.h"
#include "id.h"
#include "values.h"

#define US_PER_MS 1000ULL

/* Digits at *@p; false when there are none or they do not fit. */
static bool parse_digits(const char **p, u64 *value)
{
	const char *s = *p;

	for (*value = 0; *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(*value, 10, value) ||
		    __builtin_add_overflow(*value, *s - '0', value))
			return false;
	if (s == *p)
		return false;
	*p = s;
	return true;
}

int parse_size(const char *text, u64 *bytes, struct reason *why)
{
	static const char units[] = "KMGT";
	const char *p = text, *unit;
	unsigned int shift = 0;
	u64 n;

	if (!parse_digits(&p, &n))
		return refuse(why, "\"%.80s\" is not a size (for example 64M)", text);
	if (*p) {
		unit = strchr(units, *p == 'k' ? 'K' : *p);
		if (!unit || p[1])
			return refuse(why, "\"%.80s\" is not a size: units are K M G T", text);
		shift = 10 * (unit - units + 1);
	}
	if (n > DSTOR_SIZE_MAX >> shift)
		return refuse(why, "\"%.80s\" is too large for a size", text);
	*bytes = n << shift;
	return 0;
}

/* The digits behind the point, in millionths of @unit. */
static u64 parse_fraction(const char **p, u64 unit)
{
	u64 part = 0, weight = unit / 10;

	for (++*p; **p >= '0' && **p <= '9'; ++*p, weight /= 10)
		part += weight * (**p - '0');
	return part;
}

int parse_time(const char *text, u32 *ms, struct reason *why)
{
	static const struct {
		const char *name;
		u64 us;
	} units[] = {
		{ "", 1000000 }, { "s", 1000000 }, { "ms", 1000 }, { "us", 1 },
		{ "m", 60000000 }, { "h", 3600000000ULL },
	};
	const char *p = text;
	u64 n, millionths = 0, us;
	size_t i;

	if (!parse_digits(&p, &n))
		return refuse(why, "\"%.80s\" is not a time (for example 5s)", text);
	if (*p == '.')
		millionths = parse_fraction(&p, 1000000);
	for (i = 0; i < ARRAY_SIZE(units) && strcmp(units[i].name, p); i++)
		;
	if (i == ARRAY_SIZE(units))
		return refuse(why, "\"%.80s\" is not a time: units are us ms s m h", text);
	if (__builtin_mul_overflow(n, units[i].us, &us) ||
	    __builtin_add_overflow(us, millionths * units[i].us / 1000000, &us) ||
	    us / US_PER_MS > INT32_MAX)
		return refuse(why, "\"%.80s\" is too long a time", text);
	if (!us)
		return refuse(why, "\"%.80s\": a time above 0 is needed", text);
	*ms = us < US_PER_MS ? 1 : us / US_PER_MS;
	return 0;
}

int parse_number(const char *text, u32 min, u32 max, u32 *value, struct reason *why)
{
	const char *p = text;
	u64 n;

	if (!parse_digits(&p, &n) || *p || n < min || n > max)
		return refuse(why, "\"%.80s\" is not a number from %u to %u", text, min, max);
	*value = n;
	return 0;
}

static bool word_ok(const char *s, size_t len)
{
	static const char set[] = LETTERS_AND_DIGITS "-_().,";

	return len && len < DSTOR_ALGO_LEN && strspn(s, set) >= len;
}

int parse_algorithms(const char *text, char list[DSTOR_ALGO_LIST_LEN], struct reason *why)
{
	const char *p = text;
	size_t len;

	if (strlen(text) >= DSTOR_ALGO_LIST_LEN)
		return refuse(why, "the list \"%.80s\" is too long", text);
	for (;; p += len + 1) {
		len = dstor_word_len(p);
		if (!word_ok(p, len))
			return refuse(why, "\"%.80s\" is not a list of names (crc32c,none)", text);
		if (!p[len])
			break;
	}
	copy_text(list, DSTOR_ALGO_LIST_LEN, text);
	return 0;
}

int export_name(const char *text, char name[DSTOR_NAME_LEN], struct reason *why)
{
	if (!dstor_name_ok(text, strlen(text) + 1))
		return refuse(why, "\"%.80s\" is no name: 1 to 63 of A-Za-z0-9._-, first no - or .",
			      text);
	copy_text(name, DSTOR_NAME_LEN, text);
	return 0;
}

int device_name(const char *text, char name[DSTOR_NAME_LEN], struct reason *why)
{
	const char *p = text;

	if (!strncmp(p, "/dev/", 5))
		p += 5;
	if (!strncmp(p, "dst-", 4))
		p += 4;
	return export_name(p, name, why);
}

struct text size_text(u64 bytes)
{
	static const char units[] = "KMGT";
	struct text t;
	int i = -1;
	u64 n = bytes;

	/* Whole numbers as long as they are exact, then one digit behind the point. */
	while (i < 3 && n >= 1024) {
		n >>= 10;
		i++;
	}
	if (i < 0)
		snprintf(t.s, sizeof(t.s), "%llu", (unsigned long long)bytes);
	else if (n << (10 * (i + 1)) == bytes)
		snprintf(t.s, sizeof(t.s), "%llu%c", (unsigned long long)n, units[i]);
	else
		snprintf(t.s, sizeof(t.s), "%.1f%c",
			 (double)bytes / (double)(1ULL << (10 * (i + 1))), units[i]);
	return t;
}

struct text time_text(u64 ms)
{
	struct text t;

	if (ms < 1000)
		snprintf(t.s, sizeof(t.s), "%llums", (unsigned long long)ms);
	else if (ms < 10000 && ms % 1000)
		snprintf(t.s, sizeof(t.s), "%llu.%llus", (unsigned long long)ms / 1000,
			 (unsigned long long)ms % 1000 / 100);
	else
		snprintf(t.s, sizeof(t.s), "%llus", (unsigned long long)ms / 1000);
	return t;
}

struct text hex_text(const u8 id[DSTOR_ID_LEN])
{
	struct text t;
	int i;

	for (i = 0; i < DSTOR_ID_LEN; i++)
		snprintf(t.s + 2 * i, 3, "%02x", id[i]);
	return t;
}

struct text uuid_text(const u8 id[DSTOR_ID_LEN])
{
	struct text hex = hex_text(id), t;

	snprintf(t.s, sizeof(t.s), "%.8s-%.4s-%.4s-%.4s-%.12s", hex.s, hex.s + 8, hex.s + 12,
		 hex.s + 16, hex.s + 20);
	return t;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool parse_hex(const char *text, u8 *to, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		int high = hex_digit(text[2 * i]);
		int low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);

		if (low < 0)
			return false;
		to[i] = high << 4 | low;
	}
	return !text[2 * len];
}

int parse_id(const char *text, u8 id[DSTOR_ID_LEN], struct reason *why)
{
	static const size_t dashes[] = { 8, 12, 16, 20 };
	char digits[2 * DSTOR_ID_LEN + 1];
	const char *p = text;
	size_t n = 0, dash = 0;

	while (n < sizeof(digits) - 1 && *p) {
		if (*p == '-' && dash < ARRAY_SIZE(dashes) && n == dashes[dash]) {
			dash++;
			p++;
			continue;
		}
		digits[n++] = *p >= 'A' && *p <= 'F' ? *p + 'a' - 'A' : *p;
		p++;
	}
	digits[n] = '\0';
	if (*p || (dash && dash < ARRAY_SIZE(dashes)) || n < sizeof(digits) - 1 ||
	    !parse_hex(digits, id, DSTOR_ID_LEN))
		return refuse(why, "\"%.80s\" is no identity: 32 hexadecimal digits, or a UUID",
			      text);
	if (dstor_id_is_zero(id))
		return refuse(why, "an identity is not zero");
	return 0;
}

void copy_text(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
}
