/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ciphers of frames: by name, and as one connection uses one (docs/protocol.md,
 * section 13). Everything sleeps, unless it says otherwise.
 */
#ifndef DSTOR_CIPHER_H
#define DSTOR_CIPHER_H

#include <linux/bio.h>
#include <linux/scatterlist.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "core/bio_buffer.h"
#include "wire/channel.h"
#include "wire/noise.h"

struct aead_request;
struct crypto_aead;
struct dstor_conn;
struct dstor_message;

/* noise_primitives.c */
extern const struct dstor_primitives dstor_primitives;

/* Segments of the data of a request where a cipher is in use. */
#define DSTOR_SEGMENTS_MAX (DSTOR_IO_MAX >> 12)
/* ... and what comes with them: associated data, tag, two ends of the ring */
#define DSTOR_SG_MAX (DSTOR_SEGMENTS_MAX + 4)
/* Data from this size on is encrypted and decrypted by threads, when there is more to do. */
#define DSTOR_THREAD_MIN 16384
#define DSTOR_JOBS 8		/* of each direction of a connection at a time */
#define DSTOR_LANDINGS 2	/* jobs that decrypt for a shared sink at a time */

/* The threads of a device or of an export. */
struct dstor_threads {
	struct workqueue_struct *encrypt;
	struct workqueue_struct *decrypt;
	struct crypto_aead *kept;	/* so that reconnecting loads no module */
	bool client;			/* works for reclaim: may use the reserves */
};

/* One use of a cipher at a time. Never in vmalloc memory or on a stack. */
struct dstor_crypt {
	const u8 *key;			/* the library does it, in place; NULL: the crypto API */
	struct aead_request *req;
	struct scatterlist *src;
	struct scatterlist *dst;
	int n_src;			/* entries in use */
	int n_dst;
	u8 iv[12];
	u8 ad[DSTOR_FRAME_LEN];
	u8 head[DSTOR_FRAME_LEN + DSTOR_TAG_LEN];
	u8 tag[DSTOR_TAG_LEN];
};

/* One direction. */
struct dstor_half {
	struct dstor_stream stream;
	struct crypto_aead *tfm[2];	/* the key in use and the one before */
	atomic_t users[2];		/* jobs */
	unsigned int now;
	unsigned int key_len;
	struct dstor_crypt *op;		/* for what is done at once */
};

/* Data of one frame on its way through a thread. */
struct dstor_job {
	struct work_struct work;
	struct dstor_conn *c;
	struct dstor_crypt *op;
	struct crypto_aead *tfm;
	atomic_t *users;
	u64 nonce;
	u32 length;
	bool busy;			/* decrypt: taken; encrypt: in the row */
	bool done;			/* encrypt: the ring holds the encrypted data */
	u64 start;			/* encrypt: of the frame in the stream */
	struct bio *bio;
	struct bvec_iter iter;
	void *owner;			/* decrypt: whose data it is */
	struct dstor_bio_buffer *landing;	/* decrypt: where @bio is, if the sink is shared */
	struct dstor_bio_span sink;	/* ... and where the data goes then */
};

struct dstor_cipher {
	struct dstor_conn *c;
	struct dstor_threads *threads;
	struct dstor_half tx;
	struct dstor_half rx;
	atomic_t jobs;
	wait_queue_head_t idle;		/* users or jobs fall */
	struct dstor_job encrypt[DSTOR_JOBS];	/* a ring: in the order of the stream */
	unsigned int encrypt_first;
	unsigned int encrypt_count;
	struct dstor_job decrypt[DSTOR_JOBS];
	/*
	 * Encrypted data is received here where the sink is shared
	 * (ops->memory_is_shared). A job that gets it gives its own landing in
	 * exchange.
	 */
	struct dstor_bio_buffer *landing;

	/*
	 * The ring: encrypted data that the socket has not taken; positions are
	 * the stream's.
	 */
	struct page **page;		/* an exporter has them only while they are used */
	unsigned int n_pages;
	bool filled;			/* some were made, or tables, since dstor_cipher_trim() */
	u64 head;
	bool started;			/* what was to be sent in the clear is sent */
};

/* cipher.c */
int dstor_threads_start(struct dstor_threads *t, const char *name, u32 n, bool client);
void dstor_threads_set(struct dstor_threads *t, u32 n);
void dstor_threads_stop(struct dstor_threads *t);
/* Keeps the module of the cipher @name loaded as long as @t lives. */
void dstor_threads_keep(struct dstor_threads *t, const char *name);

/* 0; -ENOENT when the kernel has no such cipher, -EINVAL when it is none for us. */
int dstor_cipher_check(const char *name);
/* A list without "auto", and without ciphers that this kernel lacks. -ENOENT: empty */
int dstor_cipher_list(const char *wanted, char list[DSTOR_ALGO_LIST_LEN]);
/* First of @wanted that is in @accepted, and that this kernel has. -ENOENT */
int dstor_cipher_choose(const char *wanted, const char *accepted, char chosen[DSTOR_ALGO_LEN]);

/* For frames of @c with up to @max_io bytes of data; it has no keys yet. Or an ERR_PTR. */
struct dstor_cipher *dstor_cipher_new(struct dstor_conn *c, const char *name, u32 max_io,
				      struct dstor_threads *threads);
/* At the begin of both streams. Nobody uses it, and what a former connection left there goes. */
int dstor_cipher_set_keys(struct dstor_cipher *x, const struct dstor_stream *tx,
			  const struct dstor_stream *rx);
/* NULL is allowed. No thread works for it any more. */
void dstor_cipher_free(struct dstor_cipher *x);
/* cipher_memory.c - for cipher.c: an operation with @tfm, from one place to another if @two */
struct dstor_crypt *dstor_crypt_new(struct crypto_aead *tfm, bool two);
void dstor_crypt_free(struct dstor_crypt *op);
int dstor_cipher_alloc_jobs(struct dstor_cipher *x);
int dstor_cipher_alloc_landings(struct dstor_cipher *x, u32 max_io);
int dstor_cipher_alloc_ring(struct dstor_cipher *x, u32 size);
void dstor_cipher_free_ring(struct dstor_cipher *x);
/* Are there no jobs that count in @users? Takes idle.lock: they are done with all they had. */
bool dstor_cipher_key_unused(struct dstor_cipher *x, atomic_t *users);
/* A job's own tables, which an exporter makes when they are first used. False: no memory. */
bool dstor_job_prepare(struct dstor_cipher *x, struct dstor_job *job, bool encrypt);
/* Gives back what an exporter made for use; under tx.lock, dstor_tx_idle(). */
void dstor_cipher_trim(struct dstor_conn *c);
/* Under tx.lock, the connection lost: no thread works for it any more when it returns. */
void dstor_cipher_drain(struct dstor_conn *c);
/*
 * @len bytes from op->src to op->dst (NULL, or with op->key: in place), behind @ad_len
 * bytes op->ad; encrypting adds the tag, decrypting checks it.
 */
int dstor_cipher_run(struct dstor_crypt *op, struct crypto_aead *tfm, u64 nonce, u32 ad_len,
		     u32 len, bool encrypt);
/* A frame begins: the key, perhaps the next one. 0 or an error */
int dstor_half_begin(struct dstor_cipher *x, struct dstor_half *h);
/* Entries of @sg that @length bytes of a bio chain take, of at most @max; or -EOVERFLOW */
int dstor_sg_of_bio(struct scatterlist *sg, int max, struct bio *bio, struct bvec_iter iter,
		    u32 length);
void dstor_job_start(struct dstor_job *job, struct dstor_half *h, struct workqueue_struct *wq);
/* @users of the key that the job ran with, noted before it was done: then it may be reused. */
void dstor_job_end(struct dstor_cipher *x, atomic_t *users);

/* encrypt.c - under tx.lock: encrypts queued messages, offers encrypted bytes in c->tx.bv */
void dstor_encrypt_gather(struct dstor_conn *c);
void dstor_encrypt_work(struct work_struct *work);

/* decrypt.c - the header in rx.buf, into rx.frame. False: it cannot be decrypted. */
bool dstor_decrypt_header(struct dstor_conn *c);

enum dstor_decrypt_result {
	DSTOR_DECRYPTED,		/* rx.sink has the data */
	DSTOR_DECRYPTING,		/* a thread has it, and calls ops->decrypt_end() */
	DSTOR_NOT_DECRYPTED,
};

/* Where encrypted data for rx.sink is received to. */
static inline struct dstor_bio_span dstor_decrypt_source(const struct dstor_cipher *x,
							 struct dstor_bio_span sink, u32 length)
{
	if (!x->landing || !sink.bio)
		return sink;
	return (struct dstor_bio_span){ &x->landing->bio, dstor_bio_buffer_all(length) };
}

/* The data in dstor_decrypt_source(), its tag in rx.buf. */
enum dstor_decrypt_result dstor_decrypt_data(struct dstor_conn *c);
void dstor_decrypt_work(struct work_struct *work);

#endif
