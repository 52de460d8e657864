// SPDX-License-Identifier: GPL-2.0
/*
 * Rules, as text. Whatever is taken says whom it admits, compares only what is
 * in a socket address, and means the same when it is read again.
 */
#include <netinet/in.h>
#include <stdlib.h>

#include "hello.h"
#include "rule.h"

#define MUST(x) do { if (!(x)) abort(); } while (0)

static void check_match(const struct match *m)
{
	u32 i;

	MUST(m->bits <= 8 * sizeof(m->bytes));
	MUST(m->family || !m->bits);
	MUST(!m->family || m->family == AF_INET || m->family == AF_INET6);
	MUST(m->offset + sizeof(m->bytes) <= 128);
	/* bits of the host are not compared, and are not there */
	for (i = m->bits; i < 8 * sizeof(m->bytes); i++)
		MUST(!(m->bytes[i / 8] >> (7 - i % 8) & 1));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct match m[RULE_MATCHES_MAX];
	struct rule r, again;
	struct reason why;
	unsigned int i, n;
	char *text = malloc(size + 1);

	MUST(text);
	memcpy(text, data, size);
	text[size] = '\0';
	memset(why.text, 'x', sizeof(why.text));
	if (rule_parse(text, &r, &why)) {
		MUST(strnlen(why.text, sizeof(why.text)) < sizeof(why.text) && why.text[0]);
		free(text);
		return 0;
	}
	MUST(!strcmp(text, r.text));
	MUST(strstr(text, "any") || r.family || r.key_file[0]);
	/* nobody is named without a proof */
	MUST(!r.client[0] || (r.key_file[0] && dstor_name_ok(r.client, sizeof(r.client))));
	n = rule_matches(&r, m);
	MUST(n >= 1 && n <= RULE_MATCHES_MAX);
	for (i = 0; i < n; i++)
		check_match(&m[i]);
	/* admitting anybody is never an accident */
	MUST(m[0].family || strstr(text, "any") || r.key_file[0]);
	MUST(!rule_parse(r.text, &again, NULL) && !memcmp(&r, &again, sizeof(r)));
	free(text);
	return 0;
}
