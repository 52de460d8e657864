// SPDX-License-Identifier: GPL-2.0
/*
 * The receiving half of a connection with a cipher: headers are decrypted at once
 * and in their order, data where it was received to, large data by threads. Where
 * the owner's memory may change meanwhile that is memory of the connection's own, and
 * what was authentic is copied from there. A request whose data a thread has is
 * nobody's until ops->decrypt_end() is called.
 *
 * Runs where the connection receives (process context, receive.c), but the
 * threads; dstor_cipher_drain() waits for those.
 */
#include <linux/sched/mm.h>

#include "conn/connection.h"

bool dstor_decrypt_header(struct dstor_conn *c)
{
	struct dstor_cipher *x = c->cipher;
	struct dstor_half *h = &x->rx;
	struct dstor_crypt *op = h->op;

	if (dstor_half_begin(x, h))
		return false;
	memcpy(op->head, c->rx.buf, sizeof(op->head));
	sg_set_buf(op->src, op->head, sizeof(op->head));
	op->n_src = 1;
	if (dstor_cipher_run(op, h->tfm[h->now], dstor_stream_next(&h->stream, DSTOR_FRAME_LEN), 0,
			     sizeof(op->head), false))
		return false;
	memcpy(&c->rx.frame, op->head, sizeof(c->rx.frame));
	return true;
}

/* In place, with op->ad and op->tag. */
static int decrypt_bio(struct dstor_crypt *op, struct crypto_aead *tfm, u64 nonce, struct bio *bio,
		       struct bvec_iter iter, u32 length)
{
	int n;

	sg_set_buf(&op->src[0], op->ad, sizeof(op->ad));
	n = dstor_sg_of_bio(op->src + 1, DSTOR_SEGMENTS_MAX, bio, iter, length);
	if (WARN_ON_ONCE(n < 0))
		return n;
	sg_set_buf(&op->src[n + 1], op->tag, sizeof(op->tag));
	op->n_src = n + 2;
	return dstor_cipher_run(op, tfm, nonce, sizeof(op->ad), length + DSTOR_TAG_LEN, false);
}

void dstor_decrypt_work(struct work_struct *work)
{
	struct dstor_job *job = container_of(work, struct dstor_job, work);
	struct dstor_conn *c = job->c;
	struct dstor_cipher *x = c->cipher;
	atomic_t *users = job->users;	/* the job may be another's once it is not busy */
	bool client = x->threads->client;
	unsigned int flags = client ? memalloc_noreclaim_save() : memalloc_noio_save();
	bool ok = !decrypt_bio(job->op, job->tfm, job->nonce, job->bio, job->iter, job->length);

	if (ok && job->landing)
		dstor_bio_copy(job->sink, (struct dstor_bio_span){ job->bio, job->iter },
			       job->length);
	if (!ok)
		c->ops->corrupt(c);
	c->ops->decrypt_end(c, job->owner, ok);
	if (!ok)
		dstor_conn_lose(c);
	/* pairs with free_job() */
	smp_store_release(&job->busy, false);
	dstor_job_end(x, users);
	if (client)
		memalloc_noreclaim_restore(flags);
	else
		memalloc_noio_restore(flags);
}

static struct dstor_job *free_job(struct dstor_cipher *x)
{
	unsigned int i;

	for (i = 0; i < DSTOR_JOBS; i++) {
		/* The connection needs a landing to receive the next data meanwhile. */
		if (x->landing && !x->decrypt[i].landing)
			return NULL;
		/* pairs with dstor_decrypt_work() */
		if (!smp_load_acquire(&x->decrypt[i].busy))
			return dstor_job_prepare(x, &x->decrypt[i], false) ? &x->decrypt[i] : NULL;
	}
	return NULL;
}

enum dstor_decrypt_result dstor_decrypt_data(struct dstor_conn *c)
{
	struct dstor_cipher *x = c->cipher;
	struct dstor_half *h = &x->rx;
	u32 length = le32_to_cpu(c->rx.frame.length);
	u64 nonce = dstor_stream_next(&h->stream, length);
	struct dstor_bio_span *sink = &c->rx.sink;
	struct dstor_job *job = length < DSTOR_THREAD_MIN ? NULL : free_job(x);
	struct dstor_crypt *op = job ? job->op : h->op;
	struct dstor_bio_span from = dstor_decrypt_source(x, *sink, length);

	/* The data of a refused request has no sink: it was dropped. */
	if (!sink->bio)
		return DSTOR_DECRYPTED;
	memcpy(op->ad, &c->rx.frame, sizeof(op->ad));
	memcpy(op->tag, c->rx.buf, sizeof(op->tag));
	if (!job) {
		if (decrypt_bio(op, h->tfm[h->now], nonce, from.bio, from.iter, length))
			return DSTOR_NOT_DECRYPTED;
		if (x->landing)
			dstor_bio_copy(*sink, from, length);
		return DSTOR_DECRYPTED;
	}
	job->owner = c->ops->decrypt_begin(c);
	job->busy = true;
	job->nonce = nonce;
	job->length = length;
	job->bio = from.bio;
	job->iter = from.iter;
	job->sink = *sink;
	swap(job->landing, x->landing);
	dstor_job_start(job, h, x->threads->decrypt);
	return DSTOR_DECRYPTING;
}
