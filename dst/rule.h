/* SPDX-License-Identifier: GPL-2.0 */
/*
 * rule.c - a rule of --allow, parsed, and the bytes that the module compares
 * for it. Pure: the key file is only named here.
 */
#ifndef DST_RULE_H
#define DST_RULE_H

#include <linux/dstor.h>

#include "dst.h"

#define RULE_MATCHES_MAX 2

struct rule {
	char text[DSTOR_TEXT_LEN];
	char key_file[DSTOR_TEXT_LEN];	/* empty: in the clear */
	char client[DSTOR_NAME_LEN];	/* who has the key, and may have others; or empty */
	bool read_only;
	int family;		/* 0: any peer; AF_INET or AF_INET6 */
	unsigned int bits;
	u8 net[16];		/* of the family's size, host bits are zero */
};

/* bits of the peer's socket address at offset are compared with bytes */
struct match {
	u32 family;		/* 0: any peer */
	u32 offset;
	u32 bits;
	u8 bytes[16];
};

int rule_parse(const char *text, struct rule *r, struct reason *why);
/* Any of them suffices. Returns how many. */
unsigned int rule_matches(const struct rule *r, struct match m[RULE_MATCHES_MAX]);

#endif
