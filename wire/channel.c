// SPDX-License-Identifier: GPL-2.0
/*
 * Mode NOISE (docs/protocol.md, section 13): which key a greeting means, the two
 * handshake messages inside the greetings, the encrypted messages after them, and
 * the keys and nonces of the frames. A failed authentication has one result for
 * all reasons, so that a peer cannot tell them apart.
 */
#include "channel.h"
#include "hello.h"

#define ASK_LEN (DSTOR_KEY_LEN + DSTOR_TAG_LEN)	/* of the client's message in noise[] */
#define PROLOGUE_LEN offsetof(struct dstor_greeting, noise)
#define PROOF_LEN (DSTOR_NOISE_LEN - ASK_LEN)

#define TEXT(s) ((struct dstor_part){ s, sizeof(s) - 1 })

static_assert(PROLOGUE_LEN == 48 && PROOF_LEN == 16, "noise");

static void key_id(const struct dstor_primitives *p, const u8 psk[DSTOR_KEY_LEN], const u8 *public,
		   u8 id[DSTOR_ID_LEN])
{
	struct dstor_part parts[] = { TEXT("dst key id"), { public, DSTOR_KEY_LEN } };
	u8 hash[DSTOR_HASH_LEN];

	dstor_hmac(p, psk, DSTOR_KEY_LEN, parts, 2, hash);
	memcpy(id, hash, DSTOR_ID_LEN);
}

void dstor_key_fingerprint(const struct dstor_primitives *p, const u8 psk[DSTOR_KEY_LEN],
			   u8 fingerprint[DSTOR_ID_LEN])
{
	struct dstor_part part = TEXT("dst key print");
	u8 hash[DSTOR_HASH_LEN];

	dstor_hmac(p, psk, DSTOR_KEY_LEN, &part, 1, hash);
	memcpy(fingerprint, hash, DSTOR_ID_LEN);
}

/* A digest of the exporter's version, features and status, which it proves to have sent. */
static void proof_of(const struct dstor_primitives *p, const struct dstor_greeting *g,
		     u8 proof[PROOF_LEN])
{
	struct dstor_part part = { g, PROLOGUE_LEN };
	u8 hash[DSTOR_HASH_LEN];

	p->sha256(hash, &part, 1);
	memcpy(proof, hash, PROOF_LEN);
}

bool dstor_channel_ask(struct dstor_channel *c, const struct dstor_primitives *p,
		       const u8 psk[DSTOR_KEY_LEN], const u8 ephemeral[DSTOR_KEY_LEN],
		       struct dstor_greeting *g)
{
	u8 public[DSTOR_KEY_LEN];
	bool ok;

	memset(c, 0, sizeof(*c));
	c->p = p;
	if (!p->x25519_base(public, ephemeral))
		return false;
	key_id(p, psk, public, g->key_id);
	dstor_noise_begin(&c->noise, p, true, g, PROLOGUE_LEN, psk, ephemeral);
	ok = dstor_noise_write(&c->noise, public, 0, g->noise);
	dstor_greeting_set_crc(g);
	return ok;
}

bool dstor_channel_names(const struct dstor_primitives *p, const u8 psk[DSTOR_KEY_LEN],
			 const struct dstor_greeting *g)
{
	u8 id[DSTOR_ID_LEN];

	key_id(p, psk, g->noise, id);
	return p->same(id, g->key_id, sizeof(id));
}

static bool channel_split(struct dstor_channel *c)
{
	return dstor_noise_split(&c->noise, c->send.key, c->receive.key, c->hash);
}

bool dstor_channel_accept(struct dstor_channel *c, const struct dstor_primitives *p,
			  const u8 psk[DSTOR_KEY_LEN], const u8 ephemeral[DSTOR_KEY_LEN],
			  const struct dstor_greeting *g, struct dstor_greeting *answer)
{
	static const u8 zero[PROOF_LEN];
	u8 proof[PROOF_LEN];
	bool ok;

	memset(c, 0, sizeof(*c));
	c->p = p;
	proof_of(p, answer, proof);
	dstor_noise_begin(&c->noise, p, false, g, PROLOGUE_LEN, psk, ephemeral);
	ok = dstor_noise_read(&c->noise, g->noise, ASK_LEN, c->hash) &&
	     p->same(g->noise + ASK_LEN, zero, sizeof(zero)) &&
	     dstor_noise_write(&c->noise, proof, sizeof(proof), answer->noise) && channel_split(c);
	if (!ok)
		dstor_channel_wipe(c);
	dstor_greeting_set_crc(answer);
	return ok;
}

bool dstor_channel_confirm(struct dstor_channel *c, const struct dstor_greeting *answer)
{
	u8 proof[PROOF_LEN], said[PROOF_LEN];
	bool ok;

	proof_of(c->p, answer, proof);
	ok = dstor_noise_read(&c->noise, answer->noise, sizeof(answer->noise), said) &&
	     c->p->same(proof, said, sizeof(proof)) && channel_split(c);
	if (!ok)
		dstor_channel_wipe(c);
	return ok;
}

void dstor_channel_encrypt(struct dstor_channel *c, void *message, size_t len)
{
	c->p->encrypt(message, message, len, NULL, 0, c->send.nonce++, c->send.key);
}

bool dstor_channel_decrypt(struct dstor_channel *c, void *message, size_t len)
{
	return c->p->decrypt(message, message, len + DSTOR_TAG_LEN, NULL, 0, c->receive.nonce++,
			     c->receive.key);
}

static void first_key(const struct dstor_channel *c, const struct dstor_stream *from,
		      const char *cipher, struct dstor_stream *s)
{
	static const char purpose[] = "dst frames ";
	char info[sizeof(purpose) + DSTOR_ALGO_LEN];
	size_t len = sizeof(purpose) - 1;

	memcpy(info, purpose, len);
	while (*cipher && len < sizeof(info))
		info[len++] = *cipher++;
	memset(s, 0, sizeof(*s));
	s->most = DSTOR_REKEY_USES;
	dstor_hkdf(c->p, (struct dstor_part){ c->hash, sizeof(c->hash) },
		   (struct dstor_part){ from->key, sizeof(from->key) },
		   (struct dstor_part){ info, len }, s->key, 1);
}

void dstor_channel_frames(const struct dstor_channel *c, const char *cipher,
			  struct dstor_stream *send, struct dstor_stream *receive)
{
	first_key(c, &c->send, cipher, send);
	first_key(c, &c->receive, cipher, receive);
}

void dstor_channel_wipe(struct dstor_channel *c)
{
	if (c->p)
		c->p->wipe(c, sizeof(*c));
}

bool dstor_stream_begin(struct dstor_stream *s, const struct dstor_primitives *p)
{
	const struct dstor_part none = { s->key, 0 };
	u8 next[DSTOR_HASH_LEN];

	if (s->nonce < s->most && s->bytes < DSTOR_REKEY_BYTES)
		return false;
	dstor_hkdf(p, none, (struct dstor_part){ s->key, sizeof(s->key) }, TEXT("dst rekey"), next,
		   1);
	memcpy(s->key, next, sizeof(s->key));
	p->wipe(next, sizeof(next));
	s->nonce = 0;
	s->bytes = 0;
	return true;
}

u64 dstor_stream_next(struct dstor_stream *s, u32 len)
{
	s->bytes += len;
	return s->nonce++;
}
