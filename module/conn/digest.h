/* SPDX-License-Identifier: GPL-2.0 */
/* Checksums of frames, by name: crc32c, none, or any shash of the kernel. */
#ifndef DSTOR_DIGEST_H
#define DSTOR_DIGEST_H

#include <linux/bio.h>

#include "wire/protocol.h"

struct crypto_shash;
struct shash_desc;

struct dstor_digest {
	struct crypto_shash *tfm;	/* NULL: crc32c or none */
	struct shash_desc *desc;	/* of the data whose digest is being computed */
	u32 crc;			/* the same for crc32c */
	u64 count;			/* with a key: of digests so far, in this direction */
	u8 len;				/* bytes; 0: none */
	bool keyed;
};

/*
 * -ENOENT when the kernel has no such algorithm, -EINVAL for one that needs a key when
 * @key (of 32 bytes) is NULL, or needs none when it is not. Sleeps.
 */
int dstor_digest_init(struct dstor_digest *d, const char *name, const u8 *key);
/* Another one, of 32 bytes; @d has been made with a key. It counts from the beginning. */
int dstor_digest_set_key(struct dstor_digest *d, const u8 *key);
void dstor_digest_destroy(struct dstor_digest *d);
/* First of the comma-separated @wanted that this kernel has too. -ENOENT. Sleeps. */
int dstor_digest_choose(const char *wanted, const char *accepted, bool keyed,
			char chosen[DSTOR_ALGO_LEN]);

/* Any context but hard interrupt. @out has d->len bytes. */
void dstor_digest_head(struct dstor_digest *d, const struct dstor_frame *f, u8 *out);
void dstor_digest_data(struct dstor_digest *d, const struct dstor_frame *f,
		       struct bio *bio, struct bvec_iter iter, u32 length, u8 *out);

/* The same in pieces, one digest of @d at a time: begin, add, end. */
void dstor_digest_begin(struct dstor_digest *d, const struct dstor_frame *f);
void dstor_digest_add(struct dstor_digest *d, const void *data, u32 len);
void dstor_digest_end(struct dstor_digest *d, u8 *out);

/* A digest that is not computed, because its data has no sink. */
static inline void dstor_digest_skip(struct dstor_digest *d)
{
	d->count++;
}

#endif
