// SPDX-License-Identifier: GPL-2.0
/*
 * Everything of a handshake that comes from outside: greeting, hello, welcome,
 * entry, as they are and with a right checksum (or the checks behind it would
 * never be reached). The first byte says which; what is accepted must hold.
 */
#include <stdlib.h>

#include "hello.h"
#include "resume.h"

#define MUST(x) do { if (!(x)) abort(); } while (0)

static void greeting(struct dstor_greeting *g)
{
	u64 unknown;

	if (dstor_greeting_is_ours(g))
		MUST(!memcmp(g->magic, DSTOR_MAGIC, sizeof(g->magic)));
	if (dstor_greeting_check(g, DSTOR_FEATURES_KNOWN, &unknown) == DSTOR_GREETING_OK)
		MUST(!unknown && g->mode <= DSTOR_MODE_NOISE);
	MUST(dstor_greeting_text(g->status));
}

static void hello(struct dstor_hello *h)
{
	char chosen[DSTOR_ALGO_LEN];
	const char *why;

	if (dstor_hello_check(h, &why) != DSTOR_WELCOME_OK) {
		MUST(why);
		return;
	}
	MUST(strnlen(h->export, sizeof(h->export)) < sizeof(h->export));
	if (h->kind == DSTOR_HELLO_ATTACH)
		MUST(le16_to_cpu(h->queue) < le16_to_cpu(h->queues) &&
		     le16_to_cpu(h->slots) <= DSTOR_SLOTS_MAX &&
		     le32_to_cpu(h->max_io) <= DSTOR_IO_MAX && h->generation);
	if (!dstor_algorithm_choose(h->checksums, "crc32c,sha256,none", chosen))
		MUST(!strcmp(chosen, "crc32c") || !strcmp(chosen, "sha256") ||
		     !strcmp(chosen, "none"));
	if (!dstor_algorithm_choose(h->checksums, h->ciphers, chosen))
		MUST(strnlen(chosen, sizeof(chosen)) < sizeof(chosen));
}

static void welcome(struct dstor_welcome *w)
{
	struct dstor_hello h = {
		.kind = DSTOR_HELLO_ATTACH,
		.slots = cpu_to_le16(128),
		.max_io = cpu_to_le32(DSTOR_IO_MAX),
		.checksums = "crc32c,none",
		.ciphers = "aes-256-gcm",
	};
	struct dstor_identity mine = { .size = 4096, .block = 512, .slots = 1 };
	const char *why;

	MUST(dstor_welcome_text(w->status));
	MUST(dstor_resume_text(dstor_resume_check(&mine, w)));
	if (!dstor_welcome_check(w, &h, &why)) {
		MUST(why);
		return;
	}
	MUST(strnlen(w->reason, sizeof(w->reason)) < sizeof(w->reason));
	if (w->status == DSTOR_WELCOME_OK)
		MUST(le16_to_cpu(w->slots) <= 128 && le32_to_cpu(w->max_io) <= DSTOR_IO_MAX &&
		     le64_to_cpu(w->size) && le64_to_cpu(w->size) <= DSTOR_SIZE_MAX &&
		     le32_to_cpu(w->logical_block) >= DSTOR_BLOCK_MIN);
}

static void entry(struct dstor_entry *e)
{
	if (dstor_entry_check(e))
		MUST(dstor_name_ok(e->name, sizeof(e->name)) && e->access <= DSTOR_ACCESS_WRITE);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	union {
		struct dstor_greeting greeting;
		struct dstor_hello hello;
		struct dstor_welcome welcome;
		struct dstor_entry entry;
	} m = {0};

	if (!size)
		return 0;
	memcpy(&m, data + 1, size - 1 < sizeof(m) ? size - 1 : sizeof(m));
	switch (data[0]) {
	case 0:
		greeting(&m.greeting);
		dstor_greeting_set_crc(&m.greeting);
		greeting(&m.greeting);
		break;
	case 1:
		hello(&m.hello);
		dstor_hello_set_crc(&m.hello);
		hello(&m.hello);
		break;
	case 2:
		welcome(&m.welcome);
		dstor_welcome_set_crc(&m.welcome);
		welcome(&m.welcome);
		break;
	case 3:
		entry(&m.entry);
		dstor_entry_set_crc(&m.entry);
		entry(&m.entry);
		break;
	}
	return 0;
}
