// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of a cipher: tables of its operations, its ring, and where it receives to. A
 * client works for reclaim and has all of it from the start. An exporter has many
 * connections, most of them idle: it makes most of it when it is first used, and gives it
 * back when the connection is idle.
 *
 * Locks: conn.tx.lock, once the connection is open.
 */
#include <crypto/aead.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "conn/cipher.h"
#include "conn/connection.h"

void dstor_crypt_free(struct dstor_crypt *op)
{
	if (!op)
		return;
	kvfree(op->src);
	kvfree(op->dst);
	kfree_sensitive(op->req);
	kfree_sensitive(op);
}

struct dstor_crypt *dstor_crypt_new(struct crypto_aead *tfm, bool two)
{
	struct dstor_crypt *op = kzalloc(sizeof(*op), GFP_KERNEL);

	if (!op)
		return NULL;
	op->req = kzalloc(sizeof(*op->req) + crypto_aead_reqsize(tfm), GFP_KERNEL);
	op->src = kvmalloc_array(DSTOR_SG_MAX, sizeof(*op->src), GFP_KERNEL);
	if (two)
		op->dst = kvmalloc_array(DSTOR_SG_MAX, sizeof(*op->dst), GFP_KERNEL);
	if (op->req && op->src && (!two || op->dst)) {
		sg_init_table(op->src, DSTOR_SG_MAX);
		if (two)
			sg_init_table(op->dst, DSTOR_SG_MAX);
		return op;
	}
	dstor_crypt_free(op);
	return NULL;
}

bool dstor_job_prepare(struct dstor_cipher *x, struct dstor_job *job, bool encrypt)
{
	unsigned int noio;

	if (job->op)
		return true;
	noio = memalloc_noio_save();
	job->op = dstor_crypt_new(encrypt ? x->tx.tfm[0] : x->rx.tfm[0], encrypt);
	memalloc_noio_restore(noio);
	x->filled = true;
	return job->op;
}

/* A client works for reclaim and has all it needs from the start; an exporter has many. */
static bool is_lazy(const struct dstor_cipher *x)
{
	return x->threads && !x->threads->client;
}

int dstor_cipher_alloc_jobs(struct dstor_cipher *x)
{
	unsigned int i;

	for (i = 0; i < DSTOR_JOBS; i++) {
		INIT_WORK(&x->encrypt[i].work, dstor_encrypt_work);
		INIT_WORK(&x->decrypt[i].work, dstor_decrypt_work);
		x->encrypt[i].c = x->c;
		x->decrypt[i].c = x->c;
		if (is_lazy(x))
			continue;
		if (!dstor_job_prepare(x, &x->encrypt[i], true) ||
		    !dstor_job_prepare(x, &x->decrypt[i], false))
			return -ENOMEM;
	}
	return 0;
}

int dstor_cipher_alloc_landings(struct dstor_cipher *x, u32 max_io)
{
	unsigned int i;

	x->landing = dstor_bio_buffer_new(max_io);
	if (!x->landing)
		return -ENOMEM;
	for (i = 0; i < DSTOR_LANDINGS; i++) {
		x->decrypt[i].landing = dstor_bio_buffer_new(max_io);
		if (!x->decrypt[i].landing)
			return -ENOMEM;
	}
	return 0;
}

int dstor_cipher_alloc_ring(struct dstor_cipher *x, u32 size)
{
	unsigned int n = DIV_ROUND_UP(size, PAGE_SIZE);

	x->page = kvcalloc(n, sizeof(*x->page), GFP_KERNEL);
	if (!x->page)
		return -ENOMEM;
	if (is_lazy(x)) {
		x->n_pages = n;
		return 0;
	}
	while (x->n_pages < n) {
		x->page[x->n_pages] = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!x->page[x->n_pages])
			return -ENOMEM;
		x->n_pages++;
	}
	return 0;
}

static void free_ring_pages(struct dstor_cipher *x)
{
	unsigned int i;

	for (i = 0; i < x->n_pages; i++) {
		if (x->page[i])
			__free_page(x->page[i]);
		x->page[i] = NULL;
	}
}

void dstor_cipher_free_ring(struct dstor_cipher *x)
{
	free_ring_pages(x);
	kvfree(x->page);
}

void dstor_cipher_trim(struct dstor_conn *c)
{
	struct dstor_cipher *x = c->cipher;
	unsigned int i;

	dstor_tx_assert_locked(c);
	if (!x || !x->filled || !is_lazy(x) || !dstor_cipher_key_unused(x, &x->jobs))
		return;
	free_ring_pages(x);
	for (i = 0; i < DSTOR_JOBS; i++) {
		dstor_crypt_free(x->encrypt[i].op);
		dstor_crypt_free(x->decrypt[i].op);
		x->encrypt[i].op = NULL;
		x->decrypt[i].op = NULL;
	}
	x->filled = false;
}
