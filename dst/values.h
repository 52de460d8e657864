/* SPDX-License-Identifier: GPL-2.0 */
/*
 * values.c - sizes, times, numbers and names as people write them, and back.
 * Pure: the unit tests and fuzzers compile it alone.
 */
#ifndef DST_VALUES_H
#define DST_VALUES_H

#include "dst.h"

/* Bytes: 4096, 64K, 1M, 2G, 1T */
int parse_size(const char *text, u64 *bytes, struct reason *why);
/* Milliseconds, at least 1: 500us, 250ms, 5s, 0.5, 2m, 1h; a plain number is seconds */
int parse_time(const char *text, u32 *ms, struct reason *why);
int parse_number(const char *text, u32 min, u32 max, u32 *value, struct reason *why);
/* crc32c,none: words of an algorithm list */
int parse_algorithms(const char *text, char list[DSTOR_ALGO_LIST_LEN], struct reason *why);

int export_name(const char *text, char name[DSTOR_NAME_LEN], struct reason *why);
/* NAME, dst-NAME or /dev/dst-NAME. How long it may be is the module's to say. */
int device_name(const char *text, char name[DSTOR_NAME_LEN], struct reason *why);

#define LETTERS_AND_DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

struct text {
	char s[40];
};

struct text size_text(u64 bytes);	/* 256M, 1.5G, 1000 */
struct text time_text(u64 ms);		/* 14s, 1.5s, 20ms */
struct text uuid_text(const u8 id[DSTOR_ID_LEN]);
struct text hex_text(const u8 id[DSTOR_ID_LEN]);
bool parse_hex(const char *text, u8 *to, size_t len);
/* 32 hexadecimal digits, or a UUID; not zero */
int parse_id(const char *text, u8 id[DSTOR_ID_LEN], struct reason *why);

void copy_text(char *to, size_t size, const char *from);	/* cuts what is too long */

#endif
