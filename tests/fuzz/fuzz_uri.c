// SPDX-License-Identifier: GPL-2.0
/*
 * URIs, as text. Whatever is taken must be fit for what address.c, the module
 * and a terminal do with it.
 */
#include <stdlib.h>

#include "hello.h"
#include "uri.h"

#define MUST(x) do { if (!(x)) abort(); } while (0)

static bool ends(const char *s, size_t size)
{
	return strnlen(s, size) < size;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct reason why;
	struct uri u;
	char *text = malloc(size + 1);

	MUST(text);
	memcpy(text, data, size);
	text[size] = '\0';
	memset(why.text, 'x', sizeof(why.text));
	if (uri_parse(text, &u, &why)) {
		MUST(ends(why.text, sizeof(why.text)) && why.text[0]);
		free(text);
		return 0;
	}
	MUST(strlen(text) < DSTOR_URI_LEN);
	MUST(ends(u.host, sizeof(u.host)) && ends(u.socket, sizeof(u.socket)));
	MUST(!u.export[0] || dstor_name_ok(u.export, sizeof(u.export)));
	switch (u.transport) {
	case TRANSPORT_TCP:
	case TRANSPORT_MPTCP:
	case TRANSPORT_SCTP:
	case TRANSPORT_SMC:
		MUST(u.host[0] && u.port >= 1 && u.port <= 65535);
		MUST(!strpbrk(u.host, " /?]"));
		break;
	case TRANSPORT_UNIX:
		MUST(u.socket[0] == '/');
		break;
	case TRANSPORT_VSOCK:
		MUST(u.port >= 1 && u.port < UINT32_MAX);
		break;
	case TRANSPORT_TIPC:
		MUST(u.type >= 64);
		break;
	default:
		abort();
	}
	free(text);
	return 0;
}
