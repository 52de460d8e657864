/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What protects the frames of a connection: digests, or a cipher. It is made, and
 * freed, where no lock is held: the crypto API takes locks of its own, and whoever has
 * those may wait for memory. A client makes it once, and gives it fresh keys for its
 * next connection: so a reconnect needs no lock of others for it, and at most the little
 * memory that an algorithm takes to set a key.
 */
#ifndef DSTOR_PROTECTION_H
#define DSTOR_PROTECTION_H

#include "conn/cipher.h"
#include "conn/digest.h"

struct dstor_conn;
struct dstor_welcome;

struct dstor_protection {
	/* what it was made for; so is max_io */
	char checksum[DSTOR_ALGO_LEN];
	char cipher_name[DSTOR_ALGO_LEN];	/* empty: digests protect */
	bool keyed;
	u32 max_io;

	struct dstor_digest digest;		/* of what is sent */
	struct dstor_digest rx_digest;
	struct dstor_cipher *cipher;
	struct dstor_bio_buffer *copies;	/* of data, for the socket; or NULL */
};

/* Was @p made for what @w says? @keyed: with a key, where there is a choice. */
bool dstor_protection_fits(const struct dstor_protection *p, const struct dstor_welcome *w,
			   bool keyed, u32 max_io);
/*
 * Makes @p, which may have been another, anew for @c. It has no keys. On error it is
 * zero. Sleeps.
 */
int dstor_protection_make(struct dstor_protection *p, struct dstor_conn *c,
			  const struct dstor_welcome *w, bool keyed, u32 max_io,
			  struct dstor_threads *threads);
/*
 * Fresh keys, of @channel. Where @p has none that is NULL, and nothing is done. Takes no
 * locks of the crypto API; sleeps.
 */
int dstor_protection_set_keys(struct dstor_protection *p, const struct dstor_channel *channel);
/* @c has no connection: its next one has @p, which is zero then. */
void dstor_protection_install(struct dstor_protection *p, struct dstor_conn *c);
/* The connection of @c has ended. @p gets what it had, without its keys. Sleeps. */
void dstor_protection_remove(struct dstor_protection *p, struct dstor_conn *c);
/* Zero is allowed, and is what stays. Sleeps. */
void dstor_protection_free(struct dstor_protection *p);

#endif
