/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The handshake (docs/protocol.md, sections 3 to 5): greeting, hello, welcome and
 * the entries of a list. Their sizes are fixed: DSTOR_GREETING_LEN, DSTOR_HELLO_LEN,
 * DSTOR_WELCOME_LEN and DSTOR_ENTRY_LEN bytes. A check function takes a message as it
 * arrived, in the byte order of the wire, and trusts none of its bytes.
 *
 * Pure functions on the caller's memory: any context, no locks, no allocation.
 * Texts that they return are constants, never NULL unless said so.
 */
#ifndef DSTOR_WIRE_HELLO_H
#define DSTOR_WIRE_HELLO_H

#include "protocol.h"

/*
 * Magic, version, @mode, and @features as optional ones: bits that the sender knows,
 * DSTOR_FEATURES_KNOWN outside of tests. All else is zero. The CRC is not set yet.
 */
void dstor_greeting_init(struct dstor_greeting *g, enum dstor_mode mode, u64 features);

/*
 * Write the CRC-32C of all bytes before it, as the last step before sending. A
 * field that changes later needs another call.
 */
void dstor_greeting_set_crc(struct dstor_greeting *g);
void dstor_hello_set_crc(struct dstor_hello *h);
void dstor_welcome_set_crc(struct dstor_welcome *w);
void dstor_entry_set_crc(struct dstor_entry *e);

/*
 * Magic and CRC are those of a greeting. If false, the caller closes the
 * connection without an answer.
 */
bool dstor_greeting_is_ours(const struct dstor_greeting *g);

/*
 * Called after dstor_greeting_is_ours(). Returns DSTOR_GREETING_OK, _VERSION (none in
 * common) or _FEATURE (a reserved bit, a mode or a required feature is unknown).
 * @known: features of the receiver. @unknown gets the required features that are
 * not among them, 0 if there are none.
 */
enum dstor_greeting_status dstor_greeting_check(const struct dstor_greeting *g, u64 known,
						u64 *unknown);

/* The features in use on a connection: those of @ours that the other end names in @g. */
u64 dstor_features_agreed(const struct dstor_greeting *g, u64 ours);

/*
 * Exporter: is the hello well-formed? Returns DSTOR_WELCOME_OK with @why NULL, or
 * DSTOR_WELCOME_MALFORMED with a text in @why. Access is not decided here.
 */
enum dstor_welcome_status dstor_hello_check(const struct dstor_hello *h, const char **why);

/*
 * Client: may it act on @w, the answer to its own hello @h? If so, @why is NULL;
 * if not, @why gets a text. A well-formed refusal passes, so the caller looks at
 * w->status next. A grant of more than @h asked for does not pass.
 */
bool dstor_welcome_check(const struct dstor_welcome *w, const struct dstor_hello *h,
			 const char **why);

/* Client: is an entry of a list well-formed? If false, the list is damaged. */
bool dstor_entry_check(const struct dstor_entry *e);

/*
 * 1 to 63 bytes of A-Z a-z 0-9 . _ - that do not start with - or . and end with
 * a NUL. @size: bytes that may be read at @name, at least 1.
 */
bool dstor_name_ok(const char *name, size_t size);

/*
 * Writes a '?' over all that is not printable ASCII, in the terminated text @s of
 * another machine: it goes to logs, terminals and JSON.
 */
void dstor_text_clean(char *s);

/*
 * Bytes of the first word of the list @s, which a comma or the closing NUL ends. A
 * comma between parentheses belongs to the word, as in
 * authenc(hmac(sha256),cbc(aes)). 0: the word is empty.
 */
size_t dstor_word_len(const char *s);

/*
 * The first word of @wanted that @offered has too; both are terminated lists. It
 * is copied to @chosen, padded with NULs. Returns 0, or -1 if there is none; then
 * @chosen is untouched. A word of DSTOR_ALGO_LEN bytes or more is passed over.
 */
int dstor_algorithm_choose(const char *wanted, const char *offered, char chosen[DSTOR_ALGO_LEN]);

/* @status as it arrived, any value: a text for people. */
const char *dstor_welcome_text(u8 status);
const char *dstor_greeting_text(u8 status);

/* Why @w, which passed its check, refuses: its own reason, cleaned in place, or a text. */
const char *dstor_welcome_reason(struct dstor_welcome *w);

#endif
