// SPDX-License-Identifier: GPL-2.0
/*
 * Takes a URI apart. The text comes from the command line and from
 * configuration files; nothing is looked up here. Pure, and fuzzed.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <linux/vm_sockets.h>

#include "uri.h"
#include "values.h"

#define PORT_MAX 65535
#define TIPC_TYPE_MIN 64	/* those below are TIPC's own */

static const struct {
	const char *scheme;
	enum transport transport;
} schemes[] = {
	{ "dst://", TRANSPORT_TCP },
	{ "dst+mptcp://", TRANSPORT_MPTCP },
	{ "dst+sctp://", TRANSPORT_SCTP },
	{ "dst+smc://", TRANSPORT_SMC },
	{ "dst+unix://", TRANSPORT_UNIX },
	{ "dst+vsock://", TRANSPORT_VSOCK },
	{ "dst+tipc://", TRANSPORT_TIPC },
};

/* The parts of "AUTHORITY/PATH?QUERY", copied. */
struct parts {
	char authority[DSTOR_URI_LEN];
	char path[DSTOR_URI_LEN];
	char query[DSTOR_URI_LEN];
};

static void uri_cut(const char *text, struct parts *p)
{
	size_t n = strcspn(text, "/?");

	snprintf(p->authority, sizeof(p->authority), "%.*s", (int)n, text);
	text += n;
	n = strcspn(text, "?");
	snprintf(p->path, sizeof(p->path), "%.*s", (int)n, text);
	text += n;
	snprintf(p->query, sizeof(p->query), "%s", *text ? text + 1 : "");
}

/* %41 becomes A. False for a broken escape or an escaped NUL. */
static bool uri_unescape(char *s)
{
	char *to = s;
	u8 byte;

	for (; *s; s++) {
		char hex[3] = "";

		if (*s != '%') {
			*to++ = *s;
			continue;
		}
		if (!s[1] || !s[2])
			return false;
		hex[0] = s[1] | (s[1] >= 'A' && s[1] <= 'F' ? 0x20 : 0);
		hex[1] = s[2] | (s[2] >= 'A' && s[2] <= 'F' ? 0x20 : 0);
		if (!parse_hex(hex, &byte, 1) || !byte)
			return false;
		*to++ = byte;
		s += 2;
	}
	*to = '\0';
	return true;
}

static int parse_port(const char *text, u32 max, struct uri *u, struct reason *why)
{
	u->port = DSTOR_PORT;
	if (!text)
		return 0;
	if (parse_number(text, 1, max, &u->port, NULL))
		return refuse(why, "\"%.80s\" is not a port", text);
	return 0;
}

/* [ADDRESS] or [ADDRESS%SCOPE]; RFC 6874 writes the percent sign as %25 */
static int parse_ipv6(char *s, struct uri *u, struct reason *why)
{
	char *end = strchr(s, ']'), *scope;
	struct in6_addr addr;

	if (!end || (end[1] && end[1] != ':'))
		return refuse(why, "the brackets around the IPv6 address do not close");
	*end = '\0';
	scope = strchr(s + 1, '%');
	if (scope) {
		*scope++ = '\0';
		if (!strncmp(scope, "25", 2) && scope[2])
			scope += 2;
		if (!*scope || strlen(scope) > 15)
			return refuse(why, "\"%.80s\" is not the name of an interface", scope);
	}
	if (inet_pton(AF_INET6, s + 1, &addr) != 1)
		return refuse(why, "\"%.80s\" is not an IPv6 address", s + 1);
	snprintf(u->host, sizeof(u->host), "%.64s%s%.15s", s + 1, scope ? "%" : "",
		 scope ? scope : "");
	u->ipv6 = true;
	return parse_port(end[1] ? end + 2 : NULL, PORT_MAX, u, why);
}

static int parse_ip(char *s, struct uri *u, struct reason *why)
{
	static const char set[] = LETTERS_AND_DIGITS "-_.";
	char *colon;

	if (*s == '[')
		return parse_ipv6(s, u, why);
	colon = strchr(s, ':');
	if (colon && strchr(colon + 1, ':'))
		return refuse(why, "put the IPv6 address into brackets: [%s]", s);
	if (colon)
		*colon++ = '\0';
	if (!*s)
		return refuse(why, "the URI names no host");
	if (strspn(s, set) != strlen(s) || *s == '-' || strlen(s) >= sizeof(u->host))
		return refuse(why, "\"%.80s\" is not the name of a host", s);
	copy_text(u->host, sizeof(u->host), s);
	return parse_port(colon, PORT_MAX, u, why);
}

static int parse_vsock(char *s, struct uri *u, struct reason *why)
{
	char *colon = strchr(s, ':');

	if (colon)
		*colon++ = '\0';
	if (!strcmp(s, "any"))
		u->cid = VMADDR_CID_ANY;
	else if (!strcmp(s, "host"))
		u->cid = VMADDR_CID_HOST;
	else if (!strcmp(s, "local"))
		u->cid = 1;
	else if (parse_number(s, 0, VMADDR_CID_ANY - 1, &u->cid, NULL))
		return refuse(why, "\"%.80s\" is not a vsock CID: a number, host, local or any", s);
	return parse_port(colon, VMADDR_PORT_ANY - 1, u, why);
}

static int parse_tipc(char *s, struct uri *u, struct reason *why)
{
	char *colon = strchr(s, ':');

	if (colon)
		*colon++ = '\0';
	if (!colon || parse_number(s, TIPC_TYPE_MIN, UINT32_MAX, &u->type, NULL) ||
	    parse_number(colon, 0, UINT32_MAX, &u->instance, NULL))
		return refuse(why, "TIPC needs TYPE:INSTANCE, two numbers, the first at least %d",
			      TIPC_TYPE_MIN);
	return 0;
}

static int parse_unix(struct parts *p, struct uri *u, struct reason *why)
{
	if (p->authority[0])
		return refuse(why, "three slashes are needed: dst+unix:///EXPORT?socket=/path");
	if (strncmp(p->query, "socket=/", 8) || strchr(p->query, '&') || !uri_unescape(p->query))
		return refuse(why, "the path of the socket is missing: ?socket=/path");
	if (strlen(p->query + 7) >= sizeof(u->socket))
		return refuse(why, "the path of the socket is longer than %zu characters",
			      sizeof(u->socket) - 1);
	copy_text(u->socket, sizeof(u->socket), p->query + 7);
	return 0;
}

static int parse_parts(struct parts *p, struct uri *u, struct reason *why)
{
	int ret;

	if (p->path[0] && p->path[1]) {
		ret = export_name(p->path + 1, u->export, why);
		if (ret)
			return ret;
	}
	if (u->transport == TRANSPORT_UNIX)
		return parse_unix(p, u, why);
	if (p->query[0])
		return refuse(why, "unknown parameter \"%.80s\"", p->query);
	if (u->transport == TRANSPORT_VSOCK)
		return parse_vsock(p->authority, u, why);
	if (u->transport == TRANSPORT_TIPC)
		return parse_tipc(p->authority, u, why);
	return parse_ip(p->authority, u, why);
}

int uri_parse(const char *text, struct uri *u, struct reason *why)
{
	struct reason what;
	struct parts p;
	size_t i, n;
	const char *c;

	memset(u, 0, sizeof(*u));
	for (c = text; *c; c++)
		if ((u8)*c <= ' ' || *c == 0x7f)
			return refuse(why, "a URI has no blanks or control characters");
	if (c - text >= DSTOR_URI_LEN)
		return refuse(why, "the URI is too long");
	for (i = 0; i < ARRAY_SIZE(schemes); i++) {
		n = strlen(schemes[i].scheme);
		if (!strncmp(text, schemes[i].scheme, n))
			break;
	}
	if (i == ARRAY_SIZE(schemes))
		return refuse(why, "\"%.80s\" is not a URI of DST: dst://HOST[:PORT]/EXPORT", text);
	u->transport = schemes[i].transport;
	uri_cut(text + n, &p);
	if (parse_parts(&p, u, &what))
		return refuse(why, "\"%.200s\": %.300s", text, what.text);
	return 0;
}

bool uri_has_name(const struct uri *u)
{
	struct in_addr in;

	return u->transport <= TRANSPORT_SMC && !u->ipv6 &&
	       inet_pton(AF_INET, u->host, &in) != 1;
}
