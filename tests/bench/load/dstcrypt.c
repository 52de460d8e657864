// SPDX-License-Identifier: GPL-2.0
/*
 * The bound that the benchmarks hold DST's checksums and ciphers against: what the
 * kernel's own do on buffers of one size, called as DST calls them, with nothing
 * else around. Each buffer is processed twice, as by the two ends on one machine:
 * sealed from its pages into others and opened there, or its checksum taken twice.
 * One run per insmod, which fails with -EAGAIN when it is done; the result is one
 * line of JSON in the kernel log.
 *
 *   insmod dstcrypt.ko alg=crc32c|aes-256-gcm|chacha20-poly1305 bs=4096 threads=1 ms=1000
 */
#include <crypto/aead.h>
#include <crypto/hash.h>
#include <linux/crc32c.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#define BYTES_MAX (1 << 20)
#define PAGES (BYTES_MAX / PAGE_SIZE + 1)
#define THREADS_MAX 16
#define AD_LEN 48		/* the header of a frame */
#define TAG_LEN 16
#define AT (AD_LEN + TAG_LEN)	/* where the data begins in the page: behind a sealed header */

static char *alg = "crc32c";
static uint bs = 4096;
static uint threads = 1;
static uint ms = 1000;
module_param(alg, charp, 0);
module_param(bs, uint, 0);
module_param(threads, uint, 0);
module_param(ms, uint, 0);

struct worker {
	struct task_struct *task;
	struct aead_request *req;
	struct page *from[PAGES], *to[PAGES];
	struct scatterlist src[PAGES + 2], dst[PAGES + 2];
	u8 ad[AD_LEN];
	u8 iv[12];
	u64 n, ns;
	u32 wrong;
};

static struct crypto_aead *tfm;
static struct worker *workers[THREADS_MAX];

/* @len bytes of @pages from @at on; the entries they take. */
static int sg_of_pages(struct scatterlist *sg, struct page **pages, u32 at, u32 len)
{
	int n = 0;

	while (len) {
		u32 piece = min_t(u32, len, PAGE_SIZE - offset_in_page(at));

		sg_set_page(&sg[n++], pages[at >> PAGE_SHIFT], piece, offset_in_page(at));
		at += piece;
		len -= piece;
	}
	return n;
}

static int crypt(struct worker *w, struct scatterlist *src, struct scatterlist *dst, u32 len,
		 bool seal)
{
	__le64 le = cpu_to_le64(w->n);
	DECLARE_CRYPTO_WAIT(wait);

	memset(w->iv, 0, sizeof(w->iv));
	memcpy(w->iv + sizeof(w->iv) - sizeof(le), &le, sizeof(le));
	aead_request_set_tfm(w->req, tfm);
	aead_request_set_callback(w->req, CRYPTO_TFM_REQ_MAY_BACKLOG | CRYPTO_TFM_REQ_MAY_SLEEP,
				  crypto_req_done, &wait);
	aead_request_set_ad(w->req, AD_LEN);
	aead_request_set_crypt(w->req, src, dst, len, w->iv);
	return crypto_wait_req(seal ? crypto_aead_encrypt(w->req) : crypto_aead_decrypt(w->req),
			       &wait);
}

static bool seal_and_open(struct worker *w)
{
	sg_init_table(w->src, ARRAY_SIZE(w->src));
	sg_init_table(w->dst, ARRAY_SIZE(w->dst));
	sg_set_buf(&w->src[0], w->ad, AD_LEN);
	sg_set_buf(&w->dst[0], w->ad, AD_LEN);
	sg_mark_end(&w->src[sg_of_pages(w->src + 1, w->from, 0, bs)]);
	sg_mark_end(&w->dst[sg_of_pages(w->dst + 1, w->to, AT, bs + TAG_LEN)]);
	if (crypt(w, w->src, w->dst, bs, true))
		return false;
	sg_init_table(w->src, ARRAY_SIZE(w->src));
	sg_set_buf(&w->src[0], w->ad, AD_LEN);
	sg_mark_end(&w->src[sg_of_pages(w->src + 1, w->to, AT, bs + TAG_LEN)]);
	return !crypt(w, w->src, w->src, bs + TAG_LEN, false);
}

static u32 checksum(struct worker *w)
{
	u32 crc = crc32c(~0, w->ad, AD_LEN), left = bs, i;

	for (i = 0; left; i++) {
		u32 piece = min_t(u32, left, PAGE_SIZE);

		crc = crc32c(crc, page_address(w->from[i]), piece);
		left -= piece;
	}
	return crc;
}

static int work(void *data)
{
	struct worker *w = data;
	u64 began = ktime_get_ns(), until = began + (u64)ms * NSEC_PER_MSEC, now;

	do {
		if (tfm ? !seal_and_open(w) : checksum(w) != checksum(w))
			w->wrong++;
		w->n++;
		cond_resched();
		now = ktime_get_ns();
	} while (now < until);
	w->ns = now - began;
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

/* What was opened last is what was sealed. */
static bool same(struct worker *w)
{
	u32 i;

	for (i = 0; i < bs; i++) {
		u8 *a = page_address(w->from[i >> PAGE_SHIFT]);
		u8 *b = page_address(w->to[(i + AT) >> PAGE_SHIFT]);

		if (a[offset_in_page(i)] != b[offset_in_page(i + AT)])
			return false;
	}
	return true;
}

static void free_worker(struct worker *w)
{
	u32 i;

	if (!w)
		return;
	for (i = 0; i < PAGES; i++) {
		if (w->from[i])
			__free_page(w->from[i]);
		if (w->to[i])
			__free_page(w->to[i]);
	}
	kfree(w->req);
	kfree(w);
}

static struct worker *new_worker(void)
{
	struct worker *w = kzalloc(sizeof(*w), GFP_KERNEL);
	u32 i;

	if (!w)
		return NULL;
	if (tfm) {
		w->req = kzalloc(sizeof(*w->req) + crypto_aead_reqsize(tfm), GFP_KERNEL);
		if (!w->req)
			goto fail;
	}
	for (i = 0; i < PAGES; i++) {
		w->from[i] = alloc_page(GFP_KERNEL);
		w->to[i] = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!w->from[i] || !w->to[i])
			goto fail;
		get_random_bytes(page_address(w->from[i]), PAGE_SIZE);
	}
	return w;
fail:
	free_worker(w);
	return NULL;
}

static int open_cipher(void)
{
	bool aes = !strcmp(alg, "aes-256-gcm");
	static const u8 key[32] = { 1 };

	if (!strcmp(alg, "crc32c"))
		return 0;
	if (!aes && strcmp(alg, "chacha20-poly1305"))
		return -EINVAL;
	tfm = crypto_alloc_aead(aes ? "gcm(aes)" : "rfc7539(chacha20,poly1305)", 0, 0);
	if (IS_ERR(tfm))
		return PTR_ERR(tfm);
	return crypto_aead_setkey(tfm, key, sizeof(key)) ?: crypto_aead_setauthsize(tfm, TAG_LEN);
}

/* Whose code it is; the library's crc32c is the crypto API's first choice. */
static void driver(char *name, size_t len)
{
	struct crypto_shash *hash;

	if (tfm) {
		strscpy(name, crypto_tfm_alg_driver_name(crypto_aead_tfm(tfm)), len);
		return;
	}
	hash = crypto_alloc_shash("crc32c", 0, 0);
	strscpy(name, IS_ERR(hash) ? "" : crypto_tfm_alg_driver_name(crypto_shash_tfm(hash)), len);
	if (!IS_ERR(hash))
		crypto_free_shash(hash);
}

static int run(void)
{
	char name[CRYPTO_MAX_ALG_NAME];
	u64 n = 0, each = 0;
	u32 wrong = 0, i;
	int ret = 0;

	for (i = 0; i < threads; i++) {
		struct task_struct *task = kthread_create(work, workers[i], "dstcrypt/%u", i);

		if (IS_ERR(task)) {
			ret = PTR_ERR(task);
			break;
		}
		kthread_bind(task, cpumask_local_spread(i, NUMA_NO_NODE));
		workers[i]->task = task;
	}
	for (i = 0; i < threads && workers[i]->task; i++)
		wake_up_process(workers[i]->task);
	for (i = 0; i < threads && workers[i]->task; i++) {
		struct worker *w = workers[i];

		/* A thread that is told to stop before it ran never runs. */
		while (!READ_ONCE(w->ns))
			schedule_timeout_interruptible(1);
		kthread_stop(w->task);
		n += w->n;
		each += w->n * NSEC_PER_SEC / w->ns;
		wrong += w->wrong + (tfm && !same(w));
	}
	if (ret)
		return ret;
	driver(name, sizeof(name));
	pr_info("{\"dev\":\"crypt\",\"alg\":\"%s\",\"driver\":\"%s\",\"bs\":%u,\"threads\":%u,\"ios\":%llu,\"iops\":%llu,\"errors\":%u}\n",
		alg, name, bs, threads, n, each, wrong);
	return -EAGAIN;
}

static int __init dstcrypt_init(void)
{
	u32 i;
	int ret;

	if (!bs || bs > BYTES_MAX || !threads || threads > THREADS_MAX)
		return -EINVAL;
	ret = open_cipher();
	for (i = 0; i < threads && !ret; i++) {
		workers[i] = new_worker();
		if (!workers[i])
			ret = -ENOMEM;
	}
	if (!ret)
		ret = run();
	for (i = 0; i < threads; i++)
		free_worker(workers[i]);
	if (!IS_ERR_OR_NULL(tfm))
		crypto_free_aead(tfm);
	return ret;
}

module_init(dstcrypt_init);
MODULE_DESCRIPTION("The kernel's checksums and ciphers alone, for DST's benchmarks");
MODULE_LICENSE("GPL");
