/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What wire/ offers: checks of everything that comes from outside and the
 * decisions both ends take on it. Pure functions on the caller's memory: no
 * locks, no clock (times are milliseconds handed in), no allocation, any
 * context. The caller serialises access to each structure.
 */
#ifndef DST_WIRE_H
#define DST_WIRE_H

#include "protocol.h"

/* crc32c.c - CRC-32C (Castagnoli, RFC 3720 B.4) of the handshake messages */
u32 dstor_crc32c(const void *data, size_t len);
bool dstor_id_is_zero(const u8 id[DST_ID_LEN]);
bool dstor_id_equal(const u8 a[DST_ID_LEN], const u8 b[DST_ID_LEN]);

/* hello.c - handshake. The check functions return 0 or the code to refuse with. */
void dstor_greeting_init(struct dstor_greeting *g, enum dstor_mode mode);
void dstor_greeting_set_crc(struct dstor_greeting *g);
/* Is it a greeting at all? On false say nothing and close. */
bool dstor_greeting_is_ours(const struct dstor_greeting *g);
enum dstor_greeting_status dstor_greeting_check(const struct dstor_greeting *g, u64 *unknown);
void dstor_hello_set_crc(struct dstor_hello *h);
/* @why: a constant text for the reason, set when refused */
enum dstor_welcome_status dstor_hello_check(const struct dstor_hello *h, const char **why);
void dstor_welcome_set_crc(struct dstor_welcome *w);
/* May a client act on it? @why as above */
bool dstor_welcome_check(const struct dstor_welcome *w, const struct dstor_hello *h,
			 const char **why);
void dstor_entry_set_crc(struct dstor_entry *e);
bool dstor_entry_check(const struct dstor_entry *e);
/* 1 to 63 of A-Z a-z 0-9 . _ - not starting with - or . */
bool dstor_name_ok(const char *name, size_t size);
/* Bytes of the first word of a list: a comma between parentheses belongs to it. */
size_t dstor_word_len(const char *s);
/* First of the wanted that is also offered; both comma-separated. 0 or -1. */
int dstor_algorithm_choose(const char *wanted, const char *offered, char chosen[DST_ALGO_LEN]);
const char *dstor_welcome_text(u8 status);
const char *dstor_greeting_text(u8 status);

/* frame.c - frames after the handshake */
struct dstor_bounds {
	u64 size;	/* of the disk, bytes */
	u32 block;	/* logical block, bytes */
	u32 max_io;	/* bytes of data in a frame */
	u16 slots;
	bool read_only;
};

/* Is the header possible at all? On false the stream is lost: close. */
bool dstor_request_sane(const struct dstor_frame *f, const struct dstor_bounds *b);
/* May it be done? DST_STATUS_OK or the answer. Only after dstor_request_sane(). */
enum dstor_status dstor_request_check(const struct dstor_frame *f, const struct dstor_bounds *b);
/* Client: is the header of a frame from the exporter possible at all? */
bool dstor_response_sane(const struct dstor_frame *f, const struct dstor_bounds *b);
bool dstor_op_writes(u8 op);

/* slot.c - slots and generations, on the exporter (P2, P3) */
enum dstor_slot_state {
	DST_SLOT_FREE = 0,	/* nothing, or dropped before it was executed */
	DST_SLOT_BUSY,
	DST_SLOT_DONE,
};

struct dstor_slot {
	u64 seq;
	u8 state;	/* enum dstor_slot_state */
	u8 status;	/* DONE: enum dstor_status */
	u8 op;
};

enum dstor_admit {
	DST_ADMIT_EXECUTE,
	DST_ADMIT_REPLAY,	/* executed before: answer slot->status */
	DST_ADMIT_BUSY,		/* being executed: its response will come */
	DST_ADMIT_REFUSE,	/* older than what is known, or slot reused: close */
};

enum dstor_admit dstor_slot_admit(struct dstor_slot *s, u64 seq, u8 op);
void dstor_slot_done(struct dstor_slot *s, u64 seq, u8 status);
/* It was admitted but will not be executed (its connection ended). */
void dstor_slot_drop(struct dstor_slot *s, u64 seq);
enum dstor_state dstor_slot_ask(const struct dstor_slot *s, u64 seq);

/* retry.c - how long a transaction is tried, on the client (P7, P8) */
struct dstor_retry_policy {
	u32 timeout_ms;
	u32 retries;	/* DST_RETRIES_FOREVER: no limit */
};

struct dstor_attempt {
	u64 start_ms;	/* submission */
	u64 sent_ms;	/* begin of the current attempt: sent, or reconnected, or "in progress" */
	u32 resends;
};

enum dstor_verdict {
	DST_VERDICT_WAIT,
	DST_VERDICT_ASK,	/* live connection, attempt timed out: ask the exporter */
	DST_VERDICT_FAIL,	/* budget used up */
};

u64 dstor_budget_ms(const struct dstor_retry_policy *p);
/* @live: the connection it was sent on works as far as is known */
enum dstor_verdict dstor_attempt_check(const struct dstor_attempt *a,
				       const struct dstor_retry_policy *p, u64 now_ms, bool live);
/* The n-th try shown to people: 0 while the first attempt runs. */
u32 dstor_attempt_number(const struct dstor_attempt *a, const struct dstor_retry_policy *p,
			 u64 now_ms);
/* Pause before the n-th reconnection (0: at once), growing to a bound. */
u32 dstor_reconnect_delay_ms(u32 n);
/* Silence after which a peer that pings every ping_ms is taken for dead. */
u32 dstor_silence_ms(u32 ping_ms, u32 timeout_ms);
/* Silence of a writer after which another may take its place (P15). */
u64 dstor_lease_ms(u32 timeout_ms, u32 retries);
/*
 * Silence after which an exporter may forget a session: no transaction of it that has
 * been executed can still be resent (P3).
 */
u64 dstor_memory_ms(u32 timeout_ms, u32 retries);

/* flush_mark.c - does a flush still cover what was acked? On the client (P5) */
struct dstor_flush_marks {
	u64 flushes;	/* flushes submitted so far; the next one gets flushes + 1 */
	u64 flushed;	/* highest number of a flush that succeeded */
	u64 losses;	/* times acked, unflushed writes were lost */
	u64 flush_told;	/* losses told by a failed flush */
	u64 fua_told;	/* losses told by FUA writes for long enough */
	u64 fua_since_ms;	/* when the first of those failed, */
	bool fua_tells;	/* if any has */
};

#define DST_FLUSH_MARK_CLEAN 0ULL
#define DST_FUA_TELLS_MS 60000U	/* time for each journal to commit (ext4: every 5 s) */

/* A write was acked: its connection remembers the mark. */
u64 dstor_flush_mark_acked(const struct dstor_flush_marks *c);
bool dstor_flush_mark_uncovered(const struct dstor_flush_marks *c, u64 mark);
u64 dstor_flush_mark_begin(struct dstor_flush_marks *c, u64 *losses);
/* Flush @number, begun when @losses were known, came back good: is it true? */
bool dstor_flush_mark_end(struct dstor_flush_marks *c, u64 number, u64 losses);
/* May a FUA write begin? If not, it fails, and must not be sent. */
bool dstor_flush_mark_fua_begin(struct dstor_flush_marks *c, u64 now_ms, u64 *losses);
/* A FUA write, begun when @losses were known, came back good: is it true? */
bool dstor_flush_mark_fua_end(const struct dstor_flush_marks *c, u64 losses);
void dstor_flush_mark_lost(struct dstor_flush_marks *c);
/* Will the next flush or FUA write fail? */
bool dstor_flush_mark_tells(const struct dstor_flush_marks *c);
/* Nobody has the device open any more: if any of them was told, all were. */
void dstor_flush_mark_closed(struct dstor_flush_marks *c);

/* lease.c - who may write, on the exporter (P15) */
struct dstor_lease {
	u8 session[DST_ID_LEN];	/* the holder, or 0 */
	u8 client[DST_ID_LEN];
	u64 token;		/* of the last grant; 0: not known */
	u64 heard_ms;		/* last byte from the holder */
	u64 budget_ms;
	bool held;
	bool connected;		/* the holder has a connection */
};

struct dstor_lease_request {
	u8 session[DST_ID_LEN];
	u8 client[DST_ID_LEN];
	u8 takeover[DST_ID_LEN];
	u64 token;		/* 0: a new session */
	u64 budget_ms;
};

enum dstor_lease_answer {
	DST_LEASE_GRANTED,
	DST_LEASE_AFTER_FENCE,	/* granted once the holder's writes have drained */
	DST_LEASE_HELD,
	DST_LEASE_EXPIRED,	/* somebody else wrote since: never again without a new attach */
};

enum dstor_lease_answer dstor_lease_ask(const struct dstor_lease *l,
					const struct dstor_lease_request *r, u64 now_ms);
/* Act on GRANTED, or on AFTER_FENCE once it has drained. Returns the token. */
u64 dstor_lease_grant(struct dstor_lease *l, const struct dstor_lease_request *r, u64 new_token,
		      u64 now_ms);
void dstor_lease_release(struct dstor_lease *l);
/* The holder is evicted: its token is worth nothing from now on, after a restart either. */
void dstor_lease_revoke(struct dstor_lease *l, u64 new_token);

/* resume.c - is it the same disk? (P6) */
enum dstor_resume {
	DST_RESUME_OK,
	DST_RESUME_OTHER_DISK,
	DST_RESUME_SMALLER,
	DST_RESUME_OTHER_BLOCK,	/* logical block size grew */
	DST_RESUME_LESS,	/* fewer slots or smaller I/O than in use */
};

struct dstor_identity {
	u8 uuid[DST_ID_LEN];
	u64 size;
	u32 block;
	u32 max_io;
	u16 slots;
};

enum dstor_resume dstor_resume_check(const struct dstor_identity *mine,
				     const struct dstor_welcome *w);
const char *dstor_resume_text(enum dstor_resume r);
/*
 * On the exporter: does @h resume a session with another disk than @uuid? Then it is
 * welcomed for reading and gets no lease: the client must learn that the disk is
 * another one, not that it has expired on it.
 */
bool dstor_resume_elsewhere(const struct dstor_hello *h, const u8 uuid[DST_ID_LEN]);

/* noise.c - Noise_NNpsk0_25519_ChaChaPoly_SHA256, from primitives of the host */
struct dstor_part {
	const void *data;
	size_t len;
};

struct dstor_primitives {
	/* RFC 7748. False: the result is all zero, as of a point of low order. */
	bool (*x25519)(u8 out[DST_KEY_LEN], const u8 secret[DST_KEY_LEN],
		       const u8 point[DST_KEY_LEN]);
	bool (*x25519_base)(u8 out[DST_KEY_LEN], const u8 secret[DST_KEY_LEN]);
	/*
	 * ChaCha20-Poly1305 (RFC 8439), the nonce being 4 zero bytes and @nonce in
	 * little-endian. seal() writes @len + 16 bytes, open() takes @len with the tag.
	 * @out may be @in.
	 */
	void (*seal)(u8 *out, const u8 *in, size_t len, const void *ad, size_t ad_len, u64 nonce,
		     const u8 key[DST_KEY_LEN]);
	bool (*open)(u8 *out, const u8 *in, size_t len, const void *ad, size_t ad_len, u64 nonce,
		     const u8 key[DST_KEY_LEN]);
	void (*sha256)(u8 out[DST_HASH_LEN], const struct dstor_part *parts, unsigned int n);
	/* In a time that does not depend on the bytes. */
	bool (*same)(const void *a, const void *b, size_t len);
	/* Sets to zero, and no compiler knows better. */
	void (*wipe)(void *data, size_t len);
};

/* RFC 2104; @key has at most 64 bytes, and there are at most 4 parts. */
void dstor_hmac(const struct dstor_primitives *p, const u8 *key, size_t key_len,
		const struct dstor_part *parts, unsigned int n, u8 out[DST_HASH_LEN]);
/* RFC 5869; @salt has at most 64 bytes; @n blocks of 32 bytes */
void dstor_hkdf(const struct dstor_primitives *p, struct dstor_part salt, struct dstor_part ikm,
		struct dstor_part info, u8 *out, unsigned int n);

struct dstor_noise {
	const struct dstor_primitives *p;
	u8 ck[DST_HASH_LEN];
	u8 h[DST_HASH_LEN];
	u8 k[DST_KEY_LEN];
	u64 n;
	u8 secret[DST_KEY_LEN];	/* our ephemeral key */
	u8 peer[DST_KEY_LEN];	/* the peer's, public */
	u8 step;		/* messages so far */
	bool initiator;
};

/* @ephemeral: 32 random bytes, never used twice */
void dstor_noise_begin(struct dstor_noise *s, const struct dstor_primitives *p, bool initiator,
		       const void *prologue, size_t len, const u8 psk[DST_KEY_LEN],
		       const u8 ephemeral[DST_KEY_LEN]);
/* A message is 32 + @len of the payload + 16 bytes. False: the handshake has failed. */
bool dstor_noise_write(struct dstor_noise *s, const void *payload, size_t len, u8 *out);
/* @len: of the message */
bool dstor_noise_read(struct dstor_noise *s, const u8 *in, size_t len, u8 *payload);
/* After both messages: the keys of both directions. Wipes @s. */
bool dstor_noise_split(struct dstor_noise *s, u8 send[DST_KEY_LEN], u8 receive[DST_KEY_LEN],
		       u8 hash[DST_HASH_LEN]);
void dstor_noise_wipe(struct dstor_noise *s);

/* channel.c - mode NOISE: from the greetings to the keys of the frames (P9) */
struct dstor_stream {
	u8 key[DST_KEY_LEN];
	u64 nonce;		/* of the next seal under this key */
	u64 bytes;		/* sealed under this key */
	u64 most;		/* seals under one key */
};

struct dstor_channel {
	const struct dstor_primitives *p;
	struct dstor_noise noise;
	struct dstor_stream send;
	struct dstor_stream receive;
	u8 hash[DST_HASH_LEN];
};

/* Client: completes @g, sets its CRC; it has mode NOISE and all else in place. */
bool dstor_channel_ask(struct dstor_channel *c, const struct dstor_primitives *p,
		       const u8 psk[DST_KEY_LEN], const u8 ephemeral[DST_KEY_LEN],
		       struct dstor_greeting *g);
/* Exporter: is @psk the key that @g means? */
bool dstor_channel_names(const struct dstor_primitives *p, const u8 psk[DST_KEY_LEN],
			 const struct dstor_greeting *g);
/* Exporter: completes @answer, sets its CRC. False: authentication failed. */
bool dstor_channel_accept(struct dstor_channel *c, const struct dstor_primitives *p,
			  const u8 psk[DST_KEY_LEN], const u8 ephemeral[DST_KEY_LEN],
			  const struct dstor_greeting *g, struct dstor_greeting *answer);
/* Client: is the answer from somebody with the key, and as it was sent? */
bool dstor_channel_confirm(struct dstor_channel *c, const struct dstor_greeting *answer);
/* Hello, welcome, entry, in place; @len without the 16 bytes of the tag behind it. */
void dstor_channel_encrypt(struct dstor_channel *c, void *message, size_t len);
bool dstor_channel_decrypt(struct dstor_channel *c, void *message, size_t len);
/* The first keys of the frames, under @cipher. */
void dstor_channel_frames(const struct dstor_channel *c, const char *cipher,
			  struct dstor_stream *send, struct dstor_stream *receive);
void dstor_channel_wipe(struct dstor_channel *c);
/* What a key is called where it is not to be known: equal for equal keys. */
void dstor_key_print(const struct dstor_primitives *p, const u8 psk[DST_KEY_LEN],
		     u8 print[DST_ID_LEN]);
/* A frame begins. True: with another key, the nonces begin anew. */
bool dstor_stream_begin(struct dstor_stream *s, const struct dstor_primitives *p);
/* The nonce for sealing or opening the next @len bytes. */
u64 dstor_stream_next(struct dstor_stream *s, u32 len);

#endif
