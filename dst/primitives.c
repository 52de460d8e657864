// SPDX-License-Identifier: GPL-2.0
/*
 * The primitives of wire/'s Noise handshake, from libsodium. No state: of the
 * library only what works without sodium_init() is used. Random numbers come
 * from the kernel (machine.c).
 */
#include <endian.h>
#include <sodium.h>
#include <string.h>

#include "noise.h"
#include "primitives.h"

static bool primitive_x25519(u8 out[DSTOR_KEY_LEN], const u8 secret[DSTOR_KEY_LEN],
			     const u8 point[DSTOR_KEY_LEN])
{
	return !crypto_scalarmult_curve25519(out, secret, point);
}

static bool primitive_x25519_base(u8 out[DSTOR_KEY_LEN], const u8 secret[DSTOR_KEY_LEN])
{
	return !crypto_scalarmult_curve25519_base(out, secret);
}

struct iv {
	u8 bytes[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
};

static struct iv iv_of(u64 nonce)
{
	u64 le = htole64(nonce);
	struct iv iv = { };

	memcpy(iv.bytes + sizeof(iv) - sizeof(le), &le, sizeof(le));
	return iv;
}

static void primitive_encrypt(u8 *out, const u8 *in, size_t len, const void *ad, size_t ad_len,
			      u64 nonce, const u8 key[DSTOR_KEY_LEN])
{
	struct iv iv = iv_of(nonce);

	crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, in, len, ad, ad_len, NULL, iv.bytes,
						  key);
}

static bool primitive_decrypt(u8 *out, const u8 *in, size_t len, const void *ad, size_t ad_len,
			      u64 nonce, const u8 key[DSTOR_KEY_LEN])
{
	struct iv iv = iv_of(nonce);

	return !crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, in, len, ad, ad_len,
							  iv.bytes, key);
}

static void hash_parts(u8 out[DSTOR_HASH_LEN], const struct dstor_part *parts, unsigned int n)
{
	crypto_hash_sha256_state state;
	unsigned int i;

	crypto_hash_sha256_init(&state);
	for (i = 0; i < n; i++)
		crypto_hash_sha256_update(&state, parts[i].data, parts[i].len);
	crypto_hash_sha256_final(&state, out);
	sodium_memzero(&state, sizeof(state));
}

static bool primitive_equal(const void *a, const void *b, size_t len)
{
	return !sodium_memcmp(a, b, len);
}

const struct dstor_primitives primitives = {
	.x25519 = primitive_x25519,
	.x25519_base = primitive_x25519_base,
	.encrypt = primitive_encrypt,
	.decrypt = primitive_decrypt,
	.sha256 = hash_parts,
	.same = primitive_equal,
	.wipe = sodium_memzero,
};

void sha256(const void *data, size_t len, u8 digest[DSTOR_HASH_LEN])
{
	crypto_hash_sha256(digest, data, len);
}
