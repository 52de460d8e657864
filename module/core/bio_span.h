/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A place in the data of a chain of bios: where data is received to or sent from.
 * Inline, because the I/O path walks one for each frame with data.
 *
 * Contexts: any. No locks: the caller owns the span and keeps the bios.
 */
#ifndef DSTOR_BIO_SPAN_H
#define DSTOR_BIO_SPAN_H

#include <linux/bio.h>

struct dstor_bio_span {
	struct bio *bio;		/* NULL: no data, or its end */
	struct bvec_iter iter;		/* in @bio; bios behind it count from their bi_iter */
};

/* Moves @s out of bios that are used up; false at the end of the chain. */
static inline bool dstor_bio_span_seek(struct dstor_bio_span *s)
{
	while (s->bio && !s->iter.bi_size) {
		s->bio = s->bio->bi_next;
		if (s->bio)
			s->iter = s->bio->bi_iter;
	}
	return s->bio;
}

/*
 * Takes the next piece of @s into @bv and its length from *@left bytes. False: nothing
 * is left, or, with *@left not zero, the chain is too short. A piece may have several
 * pages in a row; with @in_page it lies in one, as kmap needs it.
 */
static __always_inline bool dstor_bio_span_next(struct dstor_bio_span *s, u32 *left,
						struct bio_vec *bv, bool in_page)
{
	if (!*left || !dstor_bio_span_seek(s))
		return false;
	*bv = in_page ? bvec_iter_bvec(s->bio->bi_io_vec, s->iter) :
			mp_bvec_iter_bvec(s->bio->bi_io_vec, s->iter);
	bv->bv_len = min_t(u32, bv->bv_len, *left);
	bvec_iter_advance_single(s->bio->bi_io_vec, &s->iter, bv->bv_len);
	*left -= bv->bv_len;
	return true;
}

#endif
