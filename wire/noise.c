// SPDX-License-Identifier: GPL-2.0
/*
 * Noise_NNpsk0_25519_ChaChaPoly_SHA256 (The Noise Protocol Framework, revision
 * 34), and the HMAC (RFC 2104) and HKDF (RFC 5869) it stands on. Primitives come
 * from the host. Two messages: the initiator's "psk, e" and the responder's
 * "e, ee"; whatever fails ends the handshake for good.
 */
#include "noise.h"

#define BLOCK 64 /* of SHA-256 */
#define PARTS_MAX 4
#define MESSAGES 2
#define FAILED 0xff

void dstor_hmac(const struct dstor_primitives *p, const u8 *key, size_t key_len,
		const struct dstor_part *parts, unsigned int n, u8 out[DSTOR_HASH_LEN])
{
	struct dstor_part all[PARTS_MAX + 1];
	u8 pad[BLOCK] = { 0 }, inner[DSTOR_HASH_LEN];
	unsigned int i;

	memcpy(pad, key, key_len);
	for (i = 0; i < BLOCK; i++)
		pad[i] ^= 0x36;
	all[0] = (struct dstor_part){ pad, BLOCK };
	for (i = 0; i < n && i < PARTS_MAX; i++)
		all[i + 1] = parts[i];
	p->sha256(inner, all, i + 1);
	for (i = 0; i < BLOCK; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	all[1] = (struct dstor_part){ inner, sizeof(inner) };
	p->sha256(out, all, 2);
	p->wipe(pad, sizeof(pad));
	p->wipe(inner, sizeof(inner));
}

void dstor_hkdf(const struct dstor_primitives *p, struct dstor_part salt, struct dstor_part ikm,
		struct dstor_part info, u8 *out, unsigned int n)
{
	u8 prk[DSTOR_HASH_LEN];
	unsigned int i;

	dstor_hmac(p, salt.data, salt.len, &ikm, 1, prk);
	for (i = 0; i < n; i++, out += DSTOR_HASH_LEN) {
		u8 count = i + 1;
		struct dstor_part parts[] = {
			{ i ? out - DSTOR_HASH_LEN : prk, i ? DSTOR_HASH_LEN : 0 },
			info,
			{ &count, 1 },
		};

		dstor_hmac(p, prk, sizeof(prk), parts, 3, out);
	}
	p->wipe(prk, sizeof(prk));
}

static void mix_hash(struct dstor_noise *s, const void *data, size_t len)
{
	struct dstor_part parts[] = { { s->h, sizeof(s->h) }, { data, len } };
	u8 h[DSTOR_HASH_LEN];

	s->p->sha256(h, parts, 2);
	memcpy(s->h, h, sizeof(h));
}

/* @n keys of the chaining key and @ikm: first the new chaining key, last the cipher's */
static void noise_mix_key(struct dstor_noise *s, const u8 *ikm, unsigned int n)
{
	const struct dstor_part none = { ikm, 0 };
	u8 keys[3][DSTOR_HASH_LEN];

	dstor_hkdf(s->p, (struct dstor_part){ s->ck, sizeof(s->ck) },
		   (struct dstor_part){ ikm, DSTOR_KEY_LEN }, none, keys[0], n);
	memcpy(s->ck, keys[0], sizeof(s->ck));
	if (n == 3)
		mix_hash(s, keys[1], sizeof(keys[1]));
	memcpy(s->k, keys[n - 1], sizeof(s->k));
	s->n = 0;
	s->p->wipe(keys, sizeof(keys));
}

void dstor_noise_begin(struct dstor_noise *s, const struct dstor_primitives *p, bool initiator,
		       const void *prologue, size_t len, const u8 psk[DSTOR_KEY_LEN],
		       const u8 ephemeral[DSTOR_KEY_LEN])
{
	static const char name[] = "Noise_NNpsk0_25519_ChaChaPoly_SHA256";
	struct dstor_part part = { name, sizeof(name) - 1 };

	memset(s, 0, sizeof(*s));
	s->p = p;
	s->initiator = initiator;
	memcpy(s->secret, ephemeral, sizeof(s->secret));
	p->sha256(s->h, &part, 1);
	memcpy(s->ck, s->h, sizeof(s->ck));
	mix_hash(s, prologue, len);
	noise_mix_key(s, psk, 3);
}

/* e: with a pre-shared key the public key is mixed into the cipher's key, too */
static void mix_public(struct dstor_noise *s, const u8 *public)
{
	mix_hash(s, public, DSTOR_KEY_LEN);
	noise_mix_key(s, public, 2);
}

/* ee, in the second message */
static bool mix_secret(struct dstor_noise *s)
{
	u8 shared[DSTOR_KEY_LEN];
	bool ok = s->p->x25519(shared, s->secret, s->peer);

	if (ok)
		noise_mix_key(s, shared, 2);
	s->p->wipe(shared, sizeof(shared));
	return ok;
}

static bool my_turn(const struct dstor_noise *s, bool writing)
{
	return s->step < MESSAGES && (s->step == 0) == (s->initiator == writing);
}

static bool noise_ended(struct dstor_noise *s, bool ok)
{
	if (ok)
		s->step++;
	else
		dstor_noise_wipe(s);
	return ok;
}

bool dstor_noise_write(struct dstor_noise *s, const void *payload, size_t len, u8 *out)
{
	if (!my_turn(s, true) || !s->p->x25519_base(out, s->secret))
		return noise_ended(s, false);
	mix_public(s, out);
	if (s->step && !mix_secret(s))
		return noise_ended(s, false);
	s->p->encrypt(out + DSTOR_KEY_LEN, payload, len, s->h, sizeof(s->h), s->n++, s->k);
	mix_hash(s, out + DSTOR_KEY_LEN, len + DSTOR_TAG_LEN);
	return noise_ended(s, true);
}

bool dstor_noise_read(struct dstor_noise *s, const u8 *in, size_t len, u8 *payload)
{
	if (!my_turn(s, false) || len < DSTOR_KEY_LEN + DSTOR_TAG_LEN)
		return noise_ended(s, false);
	memcpy(s->peer, in, sizeof(s->peer));
	mix_public(s, in);
	if (s->step && !mix_secret(s))
		return noise_ended(s, false);
	if (!s->p->decrypt(payload, in + DSTOR_KEY_LEN, len - DSTOR_KEY_LEN, s->h, sizeof(s->h),
			   s->n++, s->k))
		return noise_ended(s, false);
	mix_hash(s, in + DSTOR_KEY_LEN, len - DSTOR_KEY_LEN);
	return noise_ended(s, true);
}

bool dstor_noise_split(struct dstor_noise *s, u8 send[DSTOR_KEY_LEN], u8 receive[DSTOR_KEY_LEN],
		       u8 hash[DSTOR_HASH_LEN])
{
	const struct dstor_part none = { s->ck, 0 };
	u8 keys[2][DSTOR_HASH_LEN];

	if (s->step != MESSAGES) {
		dstor_noise_wipe(s);
		return false;
	}
	dstor_hkdf(s->p, (struct dstor_part){ s->ck, sizeof(s->ck) }, none, none, keys[0], 2);
	memcpy(send, keys[!s->initiator], DSTOR_KEY_LEN);
	memcpy(receive, keys[s->initiator], DSTOR_KEY_LEN);
	memcpy(hash, s->h, DSTOR_HASH_LEN);
	s->p->wipe(keys, sizeof(keys));
	dstor_noise_wipe(s);
	return true;
}

void dstor_noise_wipe(struct dstor_noise *s)
{
	const struct dstor_primitives *p = s->p;

	p->wipe(s, sizeof(*s));
	s->p = p;
	s->step = FAILED;
}
