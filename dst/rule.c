// SPDX-License-Identifier: GPL-2.0
/*
 * Rules of --allow: any, from=CIDR, key=FILE, ro; comma-separated, all must
 * hold. client=NAME names who has the key. The module knows no address families,
 * so a rule becomes a comparison of bits of the peer's socket address. Pure, and
 * fuzzed.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>

#include "hello.h"
#include "rule.h"
#include "values.h"

#define V4_MAPPED_BITS 96

static const u8 v4_mapped[12] = { [10] = 0xff, [11] = 0xff };

/* Bits of a host behind the prefix say nothing; a rule of them would never match. */
static void rule_mask(u8 *bytes, size_t size, unsigned int bits)
{
	size_t i;

	for (i = 0; i < size; i++) {
		unsigned int keep = bits > 8 * i ? bits - 8 * i : 0;

		if (keep < 8)
			bytes[i] &= 0xff00 >> keep;
	}
}

static int parse_net(const char *cidr, struct rule *r, struct reason *why)
{
	char text[INET6_ADDRSTRLEN + 8];
	u32 bits, all = 32;
	char *slash;

	if (strlen(cidr) >= sizeof(text))
		return refuse(why, "\"%.80s\" is not a network", cidr);
	copy_text(text, sizeof(text), cidr);
	slash = strchr(text, '/');
	if (slash)
		*slash++ = '\0';
	if (inet_pton(AF_INET, text, r->net) == 1) {
		r->family = AF_INET;
	} else if (inet_pton(AF_INET6, text, r->net) == 1) {
		r->family = AF_INET6;
		all = 128;
	} else {
		return refuse(why, "\"%.80s\" is not a network (10.0.0.0/24, fd00::/8)", cidr);
	}
	bits = all;
	if (slash && parse_number(slash, 0, all, &bits, NULL))
		return refuse(why, "\"%.80s\": the prefix must be 0 to %u", cidr, all);
	if (all == 128 && bits >= V4_MAPPED_BITS && !memcmp(r->net, v4_mapped, sizeof(v4_mapped))) {
		/* ::ffff:10.0.0.0/104 is IPv4 */
		memmove(r->net, r->net + sizeof(v4_mapped), 4);
		r->family = AF_INET;
		bits -= V4_MAPPED_BITS;
	}
	r->bits = bits;
	rule_mask(r->net, sizeof(r->net), bits);
	return 0;
}

static int parse_part(const char *part, struct rule *r, bool *whom, struct reason *why)
{
	if (!strcmp(part, "any")) {
		*whom = true;
	} else if (!strcmp(part, "ro")) {
		r->read_only = true;
	} else if (!strncmp(part, "from=", 5)) {
		if (r->family)
			return refuse(why, "one from= per rule; write another --allow");
		*whom = true;
		return parse_net(part + 5, r, why);
	} else if (!strncmp(part, "key=", 4)) {
		if (r->key_file[0] || !part[4])
			return refuse(why, "key= takes the name of one file");
		*whom = true;
		copy_text(r->key_file, sizeof(r->key_file), part + 4);
	} else if (!strncmp(part, "client=", 7)) {
		if (r->client[0])
			return refuse(why, "one client= per rule; write another --allow");
		if (!dstor_name_ok(part + 7, strlen(part + 7) + 1))
			return refuse(why, "client= takes 1 to %d of A-Z a-z 0-9 . _ -, %s",
				      DSTOR_NAME_LEN - 1, "and neither - nor . first");
		copy_text(r->client, sizeof(r->client), part + 7);
	} else {
		return refuse(why, "\"%.80s\" is none of any, from=CIDR, key=FILE, client=NAME, ro",
			      part);
	}
	return 0;
}

int rule_parse(const char *text, struct rule *r, struct reason *why)
{
	struct reason what;
	char part[DSTOR_TEXT_LEN];
	bool whom = false;
	const char *p = text;
	size_t n;

	memset(r, 0, sizeof(*r));
	for (n = 0; text[n]; n++)
		if ((u8)text[n] < ' ' || text[n] == 0x7f)
			return refuse(why, "a rule has no control characters");
	if (n >= DSTOR_TEXT_LEN)
		return refuse(why, "a rule has at most %d characters: \"%.40s...\"",
			      DSTOR_TEXT_LEN - 1, text);
	for (;; p += n + 1) {
		n = strcspn(p, ",");
		memcpy(part, p, n);
		part[n] = '\0';
		if (parse_part(part, r, &whom, &what))
			return refuse(why, "rule \"%.80s\": %.300s", text, what.text);
		if (!p[n])
			break;
	}
	if (!whom)
		return refuse(why, "rule \"%.80s\" admits whom: any, from=CIDR or key=FILE?", text);
	if (r->client[0] && !r->key_file[0])
		return refuse(why,
			      "rule \"%.80s\": client= names who has a key; add key=FILE to it",
			      text);
	copy_text(r->text, sizeof(r->text), text);
	return 0;
}

unsigned int rule_matches(const struct rule *r, struct match m[RULE_MATCHES_MAX])
{
	memset(m, 0, RULE_MATCHES_MAX * sizeof(*m));
	if (!r->family)
		return 1;
	m[0].family = r->family;
	m[0].bits = r->bits;
	m[0].offset = r->family == AF_INET ? offsetof(struct sockaddr_in, sin_addr) :
					     offsetof(struct sockaddr_in6, sin6_addr);
	memcpy(m[0].bytes, r->net, sizeof(m[0].bytes));
	if (r->family == AF_INET6)
		return 1;
	/* The same peer as a listener on [::] sees it: ::ffff:a.b.c.d */
	m[1].family = AF_INET6;
	m[1].bits = V4_MAPPED_BITS + r->bits;
	m[1].offset = offsetof(struct sockaddr_in6, sin6_addr);
	memcpy(m[1].bytes, v4_mapped, sizeof(v4_mapped));
	memcpy(m[1].bytes + sizeof(v4_mapped), r->net, 4);
	return 2;
}
