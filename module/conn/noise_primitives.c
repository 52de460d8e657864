// SPDX-License-Identifier: GPL-2.0
/*
 * The primitives of wire/'s Noise handshake, from the kernel's libraries. No
 * state, no locks; called in process context (handshakes only: frames are
 * cipher.c's).
 */
#include <crypto/algapi.h>
#include <crypto/chacha20poly1305.h>
#include <crypto/curve25519.h>
#include <crypto/sha2.h>

#include "compat/compat.h"
#include "conn/cipher.h"

static_assert((int)CURVE25519_KEY_SIZE == (int)DSTOR_KEY_LEN);
static_assert((int)CHACHA20POLY1305_AUTHTAG_SIZE == (int)DSTOR_TAG_LEN);

/* RFC 7748 ignores the bits that clamping sets; not every implementation does it itself. */
static bool noise_x25519(u8 out[DSTOR_KEY_LEN], const u8 secret[DSTOR_KEY_LEN],
			 const u8 point[DSTOR_KEY_LEN])
{
	u8 clamped[DSTOR_KEY_LEN];
	bool ok;

	memcpy(clamped, secret, sizeof(clamped));
	curve25519_clamp_secret(clamped);
	ok = curve25519(out, clamped, point);
	memzero_explicit(clamped, sizeof(clamped));
	return ok;
}

static bool noise_x25519_base(u8 out[DSTOR_KEY_LEN], const u8 secret[DSTOR_KEY_LEN])
{
	u8 clamped[DSTOR_KEY_LEN];
	bool ok;

	memcpy(clamped, secret, sizeof(clamped));
	curve25519_clamp_secret(clamped);
	ok = curve25519_generate_public(out, clamped);
	memzero_explicit(clamped, sizeof(clamped));
	return ok;
}

static void noise_encrypt(u8 *out, const u8 *in, size_t len, const void *ad, size_t ad_len,
			  u64 nonce, const u8 key[DSTOR_KEY_LEN])
{
	chacha20poly1305_encrypt(out, in, len, ad, ad_len, nonce, key);
}

static bool noise_decrypt(u8 *out, const u8 *in, size_t len, const void *ad, size_t ad_len,
			  u64 nonce, const u8 key[DSTOR_KEY_LEN])
{
	return chacha20poly1305_decrypt(out, in, len, ad, ad_len, nonce, key);
}

static void hash_parts(u8 out[DSTOR_HASH_LEN], const struct dstor_part *parts, unsigned int n)
{
	DSTOR_SHA256 state;
	unsigned int i;

	sha256_init(&state);
	for (i = 0; i < n; i++)
		sha256_update(&state, parts[i].data, parts[i].len);
	sha256_final(&state, out);
	memzero_explicit(&state, sizeof(state));
}

static bool noise_equal(const void *a, const void *b, size_t len)
{
	return !crypto_memneq(a, b, len);
}

static void noise_wipe(void *data, size_t len)
{
	memzero_explicit(data, len);
}

const struct dstor_primitives dstor_primitives = {
	.x25519 = noise_x25519,
	.x25519_base = noise_x25519_base,
	.encrypt = noise_encrypt,
	.decrypt = noise_decrypt,
	.sha256 = hash_parts,
	.same = noise_equal,
	.wipe = noise_wipe,
};
