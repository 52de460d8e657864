// SPDX-License-Identifier: GPL-2.0
/*
 * The sending half of a connection with a cipher. Frames are encrypted, in their
 * order, from where they are into a ring of pages of the connection's own; the
 * socket copies from there. So pages of a request are read once, while they are
 * encrypted, and are never lent to a socket.
 *
 * Large data may be encrypted by threads, several frames at a time: each has its
 * nonces and its place in the ring before; what is encrypted up to the oldest that is
 * not yet goes out. All of it runs under tx.lock, but the threads.
 */
#include <linux/highmem.h>
#include <linux/math64.h>
#include <linux/sched/mm.h>

#include "conn/connection.h"

static u32 ring_size(const struct dstor_cipher *x)
{
	return x->n_pages << PAGE_SHIFT;
}

/* The piece of the ring at @pos that lies in one page: its page, offset, length. */
static struct bio_vec encrypt_ring_piece(const struct dstor_cipher *x, u64 pos, u64 len)
{
	struct bio_vec bv;
	u32 at;

	div_u64_rem(pos, ring_size(x), &at);
	bv.bv_page = x->page[at >> PAGE_SHIFT];
	bv.bv_offset = offset_in_page(at);
	bv.bv_len = min_t(u64, len, PAGE_SIZE - bv.bv_offset);
	return bv;
}

/* @len bytes of the ring from @pos on have pages; false: there is no memory. */
static bool encrypt_ring_has(struct dstor_cipher *x, u64 pos, u32 len)
{
	u32 at, i, n;

	div_u64_rem(pos, ring_size(x), &at);
	n = DIV_ROUND_UP(offset_in_page(at) + len, PAGE_SIZE);
	for (i = at >> PAGE_SHIFT; n; n--, i++) {
		struct page **page = &x->page[i % x->n_pages];

		if (*page)
			continue;
		*page = alloc_page(GFP_NOIO | __GFP_NOWARN | __GFP_ZERO);
		if (!*page)
			return false;
		x->filled = true;
	}
	return true;
}

static void put_bytes(struct dstor_cipher *x, u64 pos, const void *data, u32 len)
{
	while (len) {
		struct bio_vec bv = encrypt_ring_piece(x, pos, len);

		memcpy(page_address(bv.bv_page) + bv.bv_offset, data, bv.bv_len);
		data += bv.bv_len;
		pos += bv.bv_len;
		len -= bv.bv_len;
	}
}

static int sg_of_ring(struct dstor_cipher *x, struct scatterlist *sg, u64 pos, u32 len)
{
	int n = 0;

	while (len) {
		struct bio_vec bv = encrypt_ring_piece(x, pos, len);

		sg_set_page(&sg[n++], bv.bv_page, bv.bv_len, bv.bv_offset);
		pos += bv.bv_len;
		len -= bv.bv_len;
	}
	return n;
}

/*
 * Copies plain data; it is encrypted before the socket gets it. Returns the
 * bytes that @bio lacks.
 */
static u32 copy_data(struct dstor_cipher *x, u64 pos, struct bio *bio, struct bvec_iter iter,
		     u32 length)
{
	struct dstor_bio_span s = { .bio = bio, .iter = iter };
	struct bio_vec bv;
	void *data;

	while (dstor_bio_span_next(&s, &length, &bv, true)) {
		data = bvec_kmap_local(&bv);
		put_bytes(x, pos, data, bv.bv_len);
		kunmap_local(data);
		pos += bv.bv_len;
	}
	return length;
}

/* @length bytes of @bio into the ring at @pos, with op->ad; the tag follows them. */
static int encrypt_bio(struct dstor_cipher *x, struct dstor_crypt *op, struct crypto_aead *tfm,
		       u64 nonce, struct bio *bio, struct bvec_iter iter, u32 length, u64 pos)
{
	int from;

	sg_set_buf(&op->src[0], op->ad, sizeof(op->ad));
	if (op->key) {
		if (WARN_ON_ONCE(copy_data(x, pos, bio, iter, length)))
			return -EOVERFLOW;
		op->n_src = 1 + sg_of_ring(x, op->src + 1, pos, length + DSTOR_TAG_LEN);
		return dstor_cipher_run(op, tfm, nonce, sizeof(op->ad), length, true);
	}
	sg_set_buf(&op->dst[0], op->ad, sizeof(op->ad));
	from = dstor_sg_of_bio(op->src + 1, DSTOR_SEGMENTS_MAX, bio, iter, length);
	if (WARN_ON_ONCE(from < 0))
		return from;
	op->n_src = 1 + from;
	op->n_dst = 1 + sg_of_ring(x, op->dst + 1, pos, length + DSTOR_TAG_LEN);
	return dstor_cipher_run(op, tfm, nonce, sizeof(op->ad), length, true);
}

void dstor_encrypt_work(struct work_struct *work)
{
	struct dstor_job *job = container_of(work, struct dstor_job, work);
	struct dstor_conn *c = job->c;
	struct dstor_cipher *x = c->cipher;
	atomic_t *users = job->users;	/* the job may be another's once it is done */
	bool client = x->threads->client;
	unsigned int flags = client ? memalloc_noreclaim_save() : memalloc_noio_save();

	/* A job on a lost connection is never done: its plain bytes must not leave. */
	if (!dstor_conn_lost(c)) {
		if (encrypt_bio(x, job->op, job->tfm, job->nonce, job->bio, job->iter, job->length,
				job->start + DSTOR_FRAME_LEN + DSTOR_TAG_LEN))
			dstor_conn_lose(c);
		else
			smp_store_release(&job->done, true); /* pairs with encrypt_reap() */
	}
	dstor_conn_kick(c);
	dstor_job_end(x, users);
	if (client)
		memalloc_noreclaim_restore(flags);
	else
		memalloc_noio_restore(flags);
}

static int encrypt_header(struct dstor_cipher *x, const void *header)
{
	struct dstor_half *h = &x->tx;
	struct dstor_crypt *op = h->op;
	struct scatterlist *keep = op->dst;
	int ret;

	memcpy(op->head, header, DSTOR_FRAME_LEN);
	sg_set_buf(op->src, op->head, sizeof(op->head));
	op->n_src = 1;
	op->dst = NULL;
	ret = dstor_cipher_run(op, h->tfm[h->now], dstor_stream_next(&h->stream, DSTOR_FRAME_LEN),
			       0, DSTOR_FRAME_LEN, true);
	op->dst = keep;
	put_bytes(x, x->head, op->head, sizeof(op->head));
	return ret;
}

/* Threads are worth their hop when there is something to do beside them. */
static struct dstor_job *thread_for(struct dstor_conn *c, const struct dstor_message *m)
{
	struct dstor_cipher *x = c->cipher;
	struct dstor_job *job;

	if (m->length < DSTOR_THREAD_MIN || x->encrypt_count == DSTOR_JOBS)
		return NULL;
	if (!x->encrypt_count && list_is_singular(&c->tx.queue) && llist_empty(&c->submitted))
		return NULL;
	job = &x->encrypt[(x->encrypt_first + x->encrypt_count) % DSTOR_JOBS];
	if (!dstor_job_prepare(x, job, true))
		return NULL;
	x->encrypt_count++;
	return job;
}

static int encrypt_frame(struct dstor_conn *c, struct dstor_message *m)
{
	struct dstor_cipher *x = c->cipher;
	struct dstor_half *h = &x->tx;
	u64 start = x->head;
	struct dstor_job *job;
	u64 nonce;
	int ret;

	ret = dstor_half_begin(x, h) ?: encrypt_header(x, m->head);
	x->head += DSTOR_FRAME_LEN + DSTOR_TAG_LEN;
	if (ret || !m->bio)
		return ret;
	nonce = dstor_stream_next(&h->stream, m->length);
	job = thread_for(c, m);
	if (job) {
		memcpy(job->op->ad, m->head, DSTOR_FRAME_LEN);
		job->nonce = nonce;
		job->length = m->length;
		job->start = start;
		job->bio = m->bio;
		job->iter = m->iter;
		job->done = false;
		dstor_job_start(job, h, x->threads->encrypt);
	} else {
		memcpy(h->op->ad, m->head, DSTOR_FRAME_LEN);
		ret = encrypt_bio(x, h->op, h->tfm[h->now], nonce, m->bio, m->iter, m->length,
				  x->head);
	}
	x->head += m->length + DSTOR_TAG_LEN;
	return ret;
}

static u32 bytes_of(const struct dstor_message *m)
{
	if (m->raw)
		return m->head_len;
	return DSTOR_FRAME_LEN + DSTOR_TAG_LEN + (m->bio ? m->length + DSTOR_TAG_LEN : 0);
}

/* Takes finished jobs in their order, up to the first that still runs. */
static void encrypt_reap(struct dstor_cipher *x)
{
	/* pairs with dstor_encrypt_work() */
	while (x->encrypt_count && smp_load_acquire(&x->encrypt[x->encrypt_first].done)) {
		x->encrypt_first = (x->encrypt_first + 1) % DSTOR_JOBS;
		x->encrypt_count--;
	}
}

static void encrypt_offer(struct dstor_conn *c)
{
	struct dstor_cipher *x = c->cipher;
	u64 end = x->encrypt_count ? x->encrypt[x->encrypt_first].start : x->head;
	u64 pos = c->tx.taken;

	c->tx.splice = false;
	while (pos < end && c->tx.count < DSTOR_TX_BVECS) {
		struct bio_vec bv = encrypt_ring_piece(x, pos, end - pos);

		c->tx.bv[c->tx.count++] = bv;
		c->tx.bytes += bv.bv_len;
		pos += bv.bv_len;
	}
}

void dstor_encrypt_gather(struct dstor_conn *c)
{
	struct dstor_cipher *x = c->cipher;
	struct dstor_message *m;

	lockdep_assert_held(&c->tx.lock);
	if (c->tx.first == c->tx.count) {
		c->tx.first = 0;
		c->tx.count = 0;
	}
	if (!x->started) {
		x->head = c->tx.taken;
		x->started = true;
	}
	while ((m = list_first_entry_or_null(&c->tx.queue, struct dstor_message, entry))) {
		if (x->head - c->tx.taken + bytes_of(m) > ring_size(x) ||
		    !encrypt_ring_has(x, x->head, bytes_of(m)))
			break;
		if (m->raw) {
			put_bytes(x, x->head, m->head, m->head_len);
			x->head += m->head_len;
		} else if (encrypt_frame(c, m)) {
			dstor_conn_lose(c);
			return;
		}
		m->end = x->head;
		if (m->bio)
			WRITE_ONCE(c->tx.data_end, m->end);
		list_move_tail(&m->entry, &c->tx.batch);
	}
	encrypt_reap(x);
	if (!c->tx.count)
		encrypt_offer(c);
}
