/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Noise_NNpsk0_25519_ChaChaPoly_SHA256 (The Noise Protocol Framework, revision 34,
 * noiseprotocol.org), from primitives of the host.
 *
 * Functions on the caller's memory: no locks, no allocation, no random numbers. The
 * caller serialises access to each structure. Contexts: those in which the host's
 * primitives may be called; both hosts do it in a thread or a process.
 */
#ifndef DSTOR_WIRE_NOISE_H
#define DSTOR_WIRE_NOISE_H

#include "protocol.h"

/* One of several pieces that are hashed as if they stood in one buffer. */
struct dstor_part {
	const void *data;
	size_t len;	/* bytes */
};

struct dstor_primitives {
	/* RFC 7748. False: the result is all zero, as of a point of low order. */
	bool (*x25519)(u8 out[DSTOR_KEY_LEN], const u8 secret[DSTOR_KEY_LEN],
		       const u8 point[DSTOR_KEY_LEN]);
	bool (*x25519_base)(u8 out[DSTOR_KEY_LEN], const u8 secret[DSTOR_KEY_LEN]);
	/*
	 * ChaCha20-Poly1305 (RFC 8439), named as in RFC 5116. The nonce is 4 zero bytes
	 * and @nonce in little-endian. encrypt() writes @len + 16 bytes, decrypt() takes @len
	 * with the tag. open() returns false if the tag is wrong. @out may be @in.
	 */
	void (*encrypt)(u8 *out, const u8 *in, size_t len, const void *ad, size_t ad_len, u64 nonce,
			const u8 key[DSTOR_KEY_LEN]);
	bool (*decrypt)(u8 *out, const u8 *in, size_t len, const void *ad, size_t ad_len, u64 nonce,
			const u8 key[DSTOR_KEY_LEN]);
	/* FIPS 180-4, of @n parts. */
	void (*sha256)(u8 out[DSTOR_HASH_LEN], const struct dstor_part *parts, unsigned int n);
	/* In a time that does not depend on the bytes. */
	bool (*same)(const void *a, const void *b, size_t len);
	/* Sets to zero, and no compiler may leave it out. */
	void (*wipe)(void *data, size_t len);
};

/*
 * HMAC-SHA256 (RFC 2104) of @n parts, at most 4. @key has at most 64 bytes. The
 * caller checks both; there is no error.
 */
void dstor_hmac(const struct dstor_primitives *p, const u8 *key, size_t key_len,
		const struct dstor_part *parts, unsigned int n, u8 out[DSTOR_HASH_LEN]);

/*
 * HKDF-SHA256 (RFC 5869): @n blocks of 32 bytes, at most 255, to @out. @salt has at
 * most 64 bytes. There is no error.
 */
void dstor_hkdf(const struct dstor_primitives *p, struct dstor_part salt, struct dstor_part ikm,
		struct dstor_part info, u8 *out, unsigned int n);

/* A handshake; the names of its parts are those of Noise, section 5. */
struct dstor_noise {
	const struct dstor_primitives *p;
	u8 ck[DSTOR_HASH_LEN];
	u8 h[DSTOR_HASH_LEN];
	u8 k[DSTOR_KEY_LEN];
	u64 n;
	u8 secret[DSTOR_KEY_LEN];	/* our ephemeral key */
	u8 peer[DSTOR_KEY_LEN];	/* the peer's, public */
	u8 step;		/* messages so far */
	bool initiator;
};

/*
 * Start a handshake. @prologue of @len bytes must be the same on both ends.
 * @ephemeral: 32 random bytes that are never used twice. It has no error. @s holds
 * secrets until dstor_noise_split() or dstor_noise_wipe().
 */
void dstor_noise_begin(struct dstor_noise *s, const struct dstor_primitives *p, bool initiator,
		       const void *prologue, size_t len, const u8 psk[DSTOR_KEY_LEN],
		       const u8 ephemeral[DSTOR_KEY_LEN]);

/*
 * Write the next message to @out: 32 + @len + 16 bytes for @len bytes of @payload.
 * False: the handshake has failed, @s is wiped, @out may not be sent.
 */
bool dstor_noise_write(struct dstor_noise *s, const void *payload, size_t len, u8 *out);

/*
 * Read the peer's message @in of @len bytes; @payload gets @len - 48. False: the
 * handshake has failed, @s is wiped, @payload means nothing.
 */
bool dstor_noise_read(struct dstor_noise *s, const u8 *in, size_t len, u8 *payload);

/*
 * After both messages: the keys of both directions and the hash of the handshake,
 * which names this channel. Wipes @s. False: a message is missing or has failed.
 */
bool dstor_noise_split(struct dstor_noise *s, u8 send[DSTOR_KEY_LEN], u8 receive[DSTOR_KEY_LEN],
		       u8 hash[DSTOR_HASH_LEN]);

/* Called after dstor_noise_begin(). Later calls on @s fail. */
void dstor_noise_wipe(struct dstor_noise *s);

#endif
