/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Mode NOISE from the greetings to the keys of the frames (P9; docs/protocol.md,
 * section 13).
 *
 * Functions on the caller's memory: no locks, no allocation. The caller serialises
 * access to each structure. dstor_stream_next() may be called in any context; all
 * others call the host's primitives and have their contexts (noise.h).
 */
#ifndef DSTOR_WIRE_CHANNEL_H
#define DSTOR_WIRE_CHANNEL_H

#include "noise.h"
#include "protocol.h"

/* Keys and nonces of one direction. */
struct dstor_stream {
	u8 key[DSTOR_KEY_LEN];
	u64 nonce;		/* of the next use of this key */
	u64 bytes;		/* encrypted under this key */
	u64 most;		/* uses of one key */
};

struct dstor_channel {
	const struct dstor_primitives *p;
	struct dstor_noise noise;
	struct dstor_stream send;
	struct dstor_stream receive;
	u8 hash[DSTOR_HASH_LEN];
};

/*
 * Client: complete its greeting @g, which has mode NOISE and all else in place, and
 * set its CRC. @psk: the key; @ephemeral: 32 random bytes, never used twice. False:
 * @g may not be sent. The caller wipes @c in the end, in both cases.
 */
bool dstor_channel_ask(struct dstor_channel *c, const struct dstor_primitives *p,
		       const u8 psk[DSTOR_KEY_LEN], const u8 ephemeral[DSTOR_KEY_LEN],
		       struct dstor_greeting *g);

/*
 * Exporter: is @psk the key that @g names? It does not prove that the client has the
 * key; dstor_channel_accept() does.
 */
bool dstor_channel_names(const struct dstor_primitives *p, const u8 psk[DSTOR_KEY_LEN],
			 const struct dstor_greeting *g);

/*
 * Exporter: authenticate the client's @g, complete @answer and set its CRC. The
 * other fields of @answer are in place before. False: authentication failed, @c is
 * wiped.
 */
bool dstor_channel_accept(struct dstor_channel *c, const struct dstor_primitives *p,
			  const u8 psk[DSTOR_KEY_LEN], const u8 ephemeral[DSTOR_KEY_LEN],
			  const struct dstor_greeting *g, struct dstor_greeting *answer);

/*
 * Client: does @answer come from an exporter with the key, exactly as it was sent?
 * False: authentication failed, @c is wiped.
 */
bool dstor_channel_confirm(struct dstor_channel *c, const struct dstor_greeting *answer);

/*
 * A hello, welcome or entry of @len bytes, in place, with the handshake's
 * ChaCha20-Poly1305 (RFC 8439). The tag of DSTOR_TAG_LEN (16) bytes stands behind
 * @message and is not counted in @len. Messages go through in the order of the
 * stream. dstor_channel_decrypt() returns false if the tag is wrong; then the caller
 * closes the connection.
 */
void dstor_channel_encrypt(struct dstor_channel *c, void *message, size_t len);
bool dstor_channel_decrypt(struct dstor_channel *c, void *message, size_t len);

/*
 * The first keys of the frames, under @cipher, a terminated name of less than
 * DSTOR_ALGO_LEN bytes. They come from the handshake's keys by HKDF (RFC 5869).
 */
void dstor_channel_frames(const struct dstor_channel *c, const char *cipher,
			  struct dstor_stream *send, struct dstor_stream *receive);

/* Forget all keys. Also allowed on a structure that is all zero. */
void dstor_channel_wipe(struct dstor_channel *c);

/*
 * A name of @psk that may be shown: DSTOR_ID_LEN (16) bytes of an HMAC (RFC 2104),
 * equal for equal keys.
 */
void dstor_key_fingerprint(const struct dstor_primitives *p, const u8 psk[DSTOR_KEY_LEN],
			   u8 fingerprint[DSTOR_ID_LEN]);

/*
 * A frame begins. True: @s has its next key (HKDF), and the nonces begin anew. A
 * key ends after s->most uses or DSTOR_REKEY_BYTES bytes, at the next frame.
 */
bool dstor_stream_begin(struct dstor_stream *s, const struct dstor_primitives *p);

/*
 * The nonce to encrypt or decrypt the next @len bytes. Each call is one use of the
 * key.
 */
u64 dstor_stream_next(struct dstor_stream *s, u32 len);

#endif
