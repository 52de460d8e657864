// SPDX-License-Identifier: GPL-2.0
/*
 * What a stranger can send in mode NOISE: a greeting that names our key and one
 * that does not, an answer to ours, a hello that claims to be sealed. The first
 * byte says which. Only what the vectors hold may open; whatever does not leaves
 * no key behind.
 */
#include <stdlib.h>

#include "channel.h"
#include "hello.h"
#include "id.h"
#include "primitives.h"

#define MUST(x) do { if (!(x)) abort(); } while (0)
#define P (&primitives)

static u8 psk[DSTOR_KEY_LEN], client_secret[DSTOR_KEY_LEN], exporter_secret[DSTOR_KEY_LEN];

static void range(u8 *to, u8 first)
{
	for (int i = 0; i < DSTOR_KEY_LEN; i++)
		to[i] = first + i;
}

/* Key and secrets of docs/vectors/channel.txt */
static void ask(struct dstor_channel *c, struct dstor_greeting *g)
{
	range(psk, 0x80);
	range(client_secret, 0x20);
	range(exporter_secret, 0x60);
	dstor_greeting_init(g, DSTOR_MODE_NOISE, DSTOR_FEATURES_KNOWN);
	MUST(dstor_channel_ask(c, P, psk, client_secret, g));
}

static void asked(const struct dstor_greeting *g)
{
	struct dstor_greeting mine, answer;
	struct dstor_channel client, c;
	bool named, ok;

	ask(&client, &mine);
	named = dstor_channel_names(P, psk, g);
	dstor_greeting_init(&answer, DSTOR_MODE_NOISE, DSTOR_FEATURES_KNOWN);
	ok = dstor_channel_accept(&c, P, psk, exporter_secret, g, &answer);
	/* All but the padding in front of the checksum is authenticated. */
	MUST(ok == !memcmp(g, &mine, offsetof(struct dstor_greeting, reserved1)));
	MUST(named || !ok);
	if (!ok)
		MUST(dstor_id_is_zero(c.send.key) && dstor_id_is_zero(c.receive.key));
}

static void answered(const struct dstor_greeting *g)
{
	struct dstor_greeting mine, answer;
	struct dstor_channel c, exporter;
	bool ok;

	ask(&c, &mine);
	dstor_greeting_init(&answer, DSTOR_MODE_NOISE, DSTOR_FEATURES_KNOWN);
	MUST(dstor_channel_accept(&exporter, P, psk, exporter_secret, &mine, &answer));
	ok = dstor_channel_confirm(&c, g);
	MUST(ok == !memcmp(g, &answer, offsetof(struct dstor_greeting, reserved1)));
	if (!ok)
		MUST(dstor_id_is_zero(c.send.key) && dstor_id_is_zero(c.receive.key));
}

static void said(u8 *message)
{
	struct dstor_greeting mine, answer;
	struct dstor_channel client, c;
	u8 copy[DSTOR_HELLO_LEN + DSTOR_TAG_LEN];

	ask(&client, &mine);
	dstor_greeting_init(&answer, DSTOR_MODE_NOISE, DSTOR_FEATURES_KNOWN);
	MUST(dstor_channel_accept(&c, P, psk, exporter_secret, &mine, &answer));
	MUST(dstor_channel_confirm(&client, &answer));
	memcpy(copy, message, sizeof(copy));
	if (!dstor_channel_decrypt(&c, message, DSTOR_HELLO_LEN))
		return;
	/* Then it is what the client seals. */
	dstor_channel_encrypt(&client, message, DSTOR_HELLO_LEN);
	MUST(!memcmp(copy, message, sizeof(copy)));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	union {
		struct dstor_greeting greeting;
		u8 raw[DSTOR_HELLO_LEN + DSTOR_TAG_LEN];
	} m = { 0 };

	if (!size)
		return 0;
	memcpy(m.raw, data + 1, size - 1 < sizeof(m) ? size - 1 : sizeof(m));
	if (data[0] == 0)
		asked(&m.greeting);
	else if (data[0] == 1)
		answered(&m.greeting);
	else if (data[0] == 2)
		said(m.raw);
	return 0;
}
