/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory of our own for the data of one request, as a bio that is never submitted.
 */
#ifndef DSTOR_BIO_BUFFER_H
#define DSTOR_BIO_BUFFER_H

#include "core/bio_span.h"

struct dstor_bio_buffer {
	unsigned int n_pages;
	struct bio_vec *pages;		/* one page each */
	struct bio bio;			/* of these pages. Last */
};

/* For @bytes of data. Sleeps. NULL: no memory. */
struct dstor_bio_buffer *dstor_bio_buffer_new(u32 bytes);
/* NULL is allowed. Sleeps. Pages that others refer to stay with them. */
void dstor_bio_buffer_free(struct dstor_bio_buffer *b);

/* The first @bytes of every buffer. */
static inline struct bvec_iter dstor_bio_buffer_all(u32 bytes)
{
	return (struct bvec_iter){ .bi_size = bytes };
}

/* Both have @bytes of data at least, and they do not overlap. Any context but hard interrupt. */
void dstor_bio_copy(struct dstor_bio_span to, struct dstor_bio_span from, u32 bytes);

#endif
