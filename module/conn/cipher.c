// SPDX-License-Identifier: GPL-2.0
/*
 * Ciphers through the kernel's crypto API, their keys, and the threads that use
 * them. What is done at once with chacha20-poly1305 is done by the kernel's library,
 * whose calls cost less. Each direction of a connection has two transforms: that of
 * the key in use, and that of the key before it, which threads may still be busy with.
 *
 * Locks: the sending half is used under tx.lock, the receiving half by who
 * receives. A client allocates everything when the cipher is made: cipher_memory.c.
 */
#include <crypto/aead.h>
#include <crypto/chacha20poly1305.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>

#include "conn/connection.h"
#include "wire/hello.h"
#include "core/words.h"

#define AUTO "auto"
#define AES "aes-256-gcm"
#define CHACHA "chacha20-poly1305"
#define RING_SLACK 65536	/* for small frames between two large ones */

/* For tests: both ends must have the same. */
static unsigned int rekey_seals = DSTOR_REKEY_USES;
module_param(rekey_seals, uint, 0600);
MODULE_PARM_DESC(rekey_seals, "uses of one key; the same at both ends, for tests only");

/* DST's names of algorithms that the kernel calls otherwise. */
static const char *cipher_kernel_name(const char *name)
{
	if (!strcmp(name, AES))
		return "gcm(aes)";
	if (!strcmp(name, CHACHA))
		return "rfc7539(chacha20,poly1305)";
	return name;
}

static int set_key(struct crypto_aead *tfm, const u8 key[DSTOR_KEY_LEN], unsigned int *len)
{
	int ret;

	if (*len)
		return crypto_aead_setkey(tfm, key, *len);
	*len = DSTOR_KEY_LEN;
	ret = crypto_aead_setkey(tfm, key, *len);
	if (ret == -EINVAL) {
		*len = DSTOR_KEY_LEN / 2;
		ret = crypto_aead_setkey(tfm, key, *len);
	}
	return ret;
}

static struct crypto_aead *new_tfm(const char *name)
{
	struct crypto_aead *tfm = crypto_alloc_aead(cipher_kernel_name(name), 0, 0);
	int ret;

	if (IS_ERR(tfm))
		return tfm;
	ret = crypto_aead_ivsize(tfm) == sizeof_field(struct dstor_crypt, iv) ?
	      crypto_aead_setauthsize(tfm, DSTOR_TAG_LEN) : -EINVAL;
	if (!ret)
		return tfm;
	crypto_free_aead(tfm);
	return ERR_PTR(-EINVAL);
}

int dstor_cipher_check(const char *name)
{
	static const u8 key[DSTOR_KEY_LEN] = { 1 };
	struct crypto_aead *tfm;
	unsigned int len = 0;
	int ret;

	/* The user asked for no cipher by name; then there must be a checksum with a key. */
	if (!strcmp(name, "none"))
		return 0;
	tfm = new_tfm(name);
	if (IS_ERR(tfm))
		return PTR_ERR(tfm);
	ret = set_key(tfm, key, &len);
	crypto_free_aead(tfm);
	return ret;
}

/* Does AES have instructions of its own here? */
static bool aes_is_fast(void)
{
	struct crypto_aead *tfm = new_tfm(AES);
	bool fast;

	if (IS_ERR(tfm))
		return false;
	fast = !strstr(crypto_tfm_alg_driver_name(crypto_aead_tfm(tfm)), "aes-generic");
	crypto_free_aead(tfm);
	return fast;
}

static void cipher_append_name(char list[DSTOR_ALGO_LIST_LEN], const char *name)
{
	if (dstor_cipher_check(name))
		return;
	if (list[0])
		strlcat(list, ",", DSTOR_ALGO_LIST_LEN);
	strlcat(list, name, DSTOR_ALGO_LIST_LEN);
}

int dstor_cipher_list(const char *wanted, char list[DSTOR_ALGO_LIST_LEN])
{
	char word[DSTOR_ALGO_LEN];

	memset(list, 0, DSTOR_ALGO_LIST_LEN);
	if (!wanted[0])
		wanted = AUTO;
	while (dstor_next_word(&wanted, word)) {
		if (!strcmp(word, AUTO)) {
			bool fast = aes_is_fast();

			cipher_append_name(list, fast ? AES : CHACHA);
			cipher_append_name(list, fast ? CHACHA : AES);
		} else {
			cipher_append_name(list, word);
		}
	}
	return list[0] ? 0 : -ENOENT;
}

int dstor_cipher_choose(const char *wanted, const char *accepted, char chosen[DSTOR_ALGO_LEN])
{
	char word[DSTOR_ALGO_LEN];

	while (dstor_next_word(&wanted, word))
		if (!dstor_algorithm_choose(word, accepted, chosen) && !dstor_cipher_check(word))
			return 0;
	return -ENOENT;
}

/* Threads ------------------------------------------------------------------ */

int dstor_threads_start(struct dstor_threads *t, const char *name, u32 n, bool client)
{
	if (t->encrypt)
		return 0;
	t->client = client;
	/* Two, because one would be an ordered queue, whose number cannot be changed. */
	t->encrypt = alloc_workqueue("dstor-enc/%s", WQ_UNBOUND | WQ_MEM_RECLAIM, 2, name);
	t->decrypt = alloc_workqueue("dstor-dec/%s", WQ_UNBOUND | WQ_MEM_RECLAIM, 2, name);
	if (!t->encrypt || !t->decrypt) {
		dstor_threads_stop(t);
		return -ENOMEM;
	}
	dstor_threads_set(t, n);
	return 0;
}

void dstor_threads_set(struct dstor_threads *t, u32 n)
{
	if (!t->encrypt)
		return;
	if (!n)
		n = num_online_cpus();
	workqueue_set_max_active(t->encrypt, n);
	workqueue_set_max_active(t->decrypt, n);
}

void dstor_threads_keep(struct dstor_threads *t, const char *name)
{
	struct crypto_aead *tfm = t->kept ? NULL : new_tfm(name);

	if (!IS_ERR_OR_NULL(tfm))
		t->kept = tfm;
}

void dstor_threads_stop(struct dstor_threads *t)
{
	if (t->encrypt)
		destroy_workqueue(t->encrypt);
	if (t->decrypt)
		destroy_workqueue(t->decrypt);
	if (t->kept)
		crypto_free_aead(t->kept);
	memset(t, 0, sizeof(*t));
}

void dstor_job_start(struct dstor_job *job, struct dstor_half *h, struct workqueue_struct *wq)
{
	job->tfm = h->tfm[h->now];
	job->users = &h->users[h->now];
	atomic_inc(job->users);
	atomic_inc(&job->c->cipher->jobs);
	queue_work(wq, &job->work);
}

/* The last that is done with it: the connection may be gone afterwards. */
void dstor_job_end(struct dstor_cipher *x, atomic_t *users)
{
	spin_lock_bh(&x->idle.lock);
	atomic_dec(users);
	atomic_dec(&x->jobs);
	wake_up_all_locked(&x->idle);
	spin_unlock_bh(&x->idle.lock);
}

/* Using one ---------------------------------------------------------------- */

static bool run_library(struct dstor_crypt *op, u64 nonce, u32 ad_len, u32 len, bool encrypt)
{
	struct scatterlist *sg = op->src + !!ad_len;

	if (op->n_src == 1) {
		u8 *flat = sg_virt(sg);

		if (!encrypt)
			return chacha20poly1305_decrypt(flat, flat, len, NULL, 0, nonce, op->key);
		chacha20poly1305_encrypt(flat, flat, len, NULL, 0, nonce, op->key);
		return true;
	}
	if (encrypt)
		return chacha20poly1305_encrypt_sg_inplace(sg, len, op->ad, ad_len, nonce,
							   op->key);
	return chacha20poly1305_decrypt_sg_inplace(sg, len, op->ad, ad_len, nonce, op->key);
}

static int run_api(struct dstor_crypt *op, struct crypto_aead *tfm, u64 nonce, u32 ad_len,
		   u32 len, bool encrypt)
{
	__le64 le = cpu_to_le64(nonce);
	DECLARE_CRYPTO_WAIT(wait);

	memset(op->iv, 0, sizeof(op->iv));
	memcpy(op->iv + sizeof(op->iv) - sizeof(le), &le, sizeof(le));
	aead_request_set_tfm(op->req, tfm);
	aead_request_set_callback(op->req, CRYPTO_TFM_REQ_MAY_BACKLOG | CRYPTO_TFM_REQ_MAY_SLEEP,
				  crypto_req_done, &wait);
	aead_request_set_ad(op->req, ad_len);
	aead_request_set_crypt(op->req, op->src, op->dst ? op->dst : op->src, len, op->iv);
	return crypto_wait_req(encrypt ? crypto_aead_encrypt(op->req) :
			       crypto_aead_decrypt(op->req), &wait);
}

int dstor_cipher_run(struct dstor_crypt *op, struct crypto_aead *tfm, u64 nonce, u32 ad_len,
		     u32 len, bool encrypt)
{
	int ret;

	/* The marks of the ends last while the operation runs: the tables are reused. */
	sg_mark_end(&op->src[op->n_src - 1]);
	if (op->dst)
		sg_mark_end(&op->dst[op->n_dst - 1]);
	if (op->key)
		ret = run_library(op, nonce, ad_len, len, encrypt) ? 0 : -EBADMSG;
	else
		ret = run_api(op, tfm, nonce, ad_len, len, encrypt);
	sg_unmark_end(&op->src[op->n_src - 1]);
	if (op->dst)
		sg_unmark_end(&op->dst[op->n_dst - 1]);
	return ret;
}

bool dstor_cipher_key_unused(struct dstor_cipher *x, atomic_t *users)
{
	bool ret;

	/*
	 * Take the lock: the last job must have released it before the caller
	 * frees the cipher.
	 */
	spin_lock_bh(&x->idle.lock);
	ret = !atomic_read(users);
	spin_unlock_bh(&x->idle.lock);
	return ret;
}

int dstor_half_begin(struct dstor_cipher *x, struct dstor_half *h)
{
	unsigned int next = !h->now;
	int ret;

	if (!dstor_stream_begin(&h->stream, &dstor_primitives))
		return 0;
	/* That key was 2^22 uses ago: no job is busy with it, unless a test lowered the limit. */
	wait_event(x->idle, dstor_cipher_key_unused(x, &h->users[next]));
	ret = set_key(h->tfm[next], h->stream.key, &h->key_len);
	if (!ret)
		h->now = next;
	return ret;
}

int dstor_sg_of_bio(struct scatterlist *sg, int max, struct bio *bio, struct bvec_iter iter,
		    u32 length)
{
	struct dstor_bio_span s = { .bio = bio, .iter = iter };
	struct bio_vec bv;
	int n = 0;

	while (length) {
		if (n == max || !dstor_bio_span_next(&s, &length, &bv, false))
			return -EOVERFLOW;
		sg_set_page(&sg[n++], bv.bv_page, bv.bv_len, bv.bv_offset);
	}
	return n;
}

/* Making and ending -------------------------------------------------------- */

static void cipher_free_half(struct dstor_half *h)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(h->tfm); i++)
		if (!IS_ERR_OR_NULL(h->tfm[i]))
			crypto_free_aead(h->tfm[i]);
	dstor_crypt_free(h->op);
	memzero_explicit(h, sizeof(*h));
}

static int cipher_init_half(struct dstor_half *h, const char *name, bool two)
{
	bool library = !strcmp(name, CHACHA);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(h->tfm); i++) {
		h->tfm[i] = new_tfm(name);
		if (IS_ERR(h->tfm[i]))
			return PTR_ERR(h->tfm[i]);
	}
	h->op = dstor_crypt_new(h->tfm[0], two && !library);
	if (!h->op)
		return -ENOMEM;
	if (library)
		h->op->key = h->stream.key;
	return 0;
}

/* Both transforms: a former connection's key stays in neither. */
static int cipher_begin_half(struct dstor_half *h, const struct dstor_stream *stream)
{
	h->stream = *stream;
	h->stream.most = clamp_t(u64, READ_ONCE(rekey_seals), 2, DSTOR_REKEY_USES);
	h->now = 0;
	return set_key(h->tfm[0], h->stream.key, &h->key_len) ?:
	       set_key(h->tfm[1], h->stream.key, &h->key_len);
}

int dstor_cipher_set_keys(struct dstor_cipher *x, const struct dstor_stream *tx,
			  const struct dstor_stream *rx)
{
	unsigned int i;

	x->encrypt_first = 0;
	x->encrypt_count = 0;
	x->head = 0;
	x->started = false;
	for (i = 0; i < DSTOR_JOBS; i++) {
		x->encrypt[i].busy = false;
		x->encrypt[i].done = false;
		x->decrypt[i].busy = false;
	}
	return cipher_begin_half(&x->tx, tx) ?: cipher_begin_half(&x->rx, rx);
}

void dstor_cipher_free(struct dstor_cipher *x)
{
	unsigned int i;

	if (!x)
		return;
	for (i = 0; i < DSTOR_JOBS; i++) {
		dstor_crypt_free(x->encrypt[i].op);
		dstor_crypt_free(x->decrypt[i].op);
		dstor_bio_buffer_free(x->decrypt[i].landing);
	}
	dstor_bio_buffer_free(x->landing);
	dstor_cipher_free_ring(x);
	cipher_free_half(&x->tx);
	cipher_free_half(&x->rx);
	kfree_sensitive(x);
}

struct dstor_cipher *dstor_cipher_new(struct dstor_conn *c, const char *name, u32 max_io,
				      struct dstor_threads *threads)
{
	struct dstor_cipher *x = kzalloc(sizeof(*x), GFP_KERNEL);
	int ret;

	if (!x)
		return ERR_PTR(-ENOMEM);
	x->c = c;
	x->threads = threads;
	init_waitqueue_head(&x->idle);
	ret = cipher_init_half(&x->tx, name, true) ?: cipher_init_half(&x->rx, name, false);
	if (!ret && max_io)
		ret = dstor_cipher_alloc_jobs(x);
	if (!ret && max_io && c->ops->memory_is_shared)
		ret = dstor_cipher_alloc_landings(x, max_io);
	if (!ret)
		ret = dstor_cipher_alloc_ring(x, 2 * max_io + RING_SLACK);
	if (!ret)
		return x;
	dstor_cipher_free(x);
	return ERR_PTR(ret);
}

void dstor_cipher_drain(struct dstor_conn *c)
{
	struct dstor_cipher *x = c->cipher;

	/* They only compute: it takes no longer than that. */
	if (x)
		wait_event(x->idle, dstor_cipher_key_unused(x, &x->jobs));
}
