// SPDX-License-Identifier: GPL-2.0
/*
 * Checksums of frames (docs/protocol.md, section 7). crc32c goes through the
 * kernel's library, everything else through the crypto API by its name there.
 * No locks: whoever has the half of the connection has its struct dstor_digest.
 */
#include <crypto/hash.h>
#include <linux/crc32c.h>
#include <linux/highmem.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "conn/digest.h"
#include "core/bio_span.h"
#include "wire/hello.h"
#include "core/words.h"

/* DST's names of algorithms that the kernel calls otherwise. */
static const char *digest_kernel_name(const char *name)
{
	return strcmp(name, "xxh64") ? name : "xxhash64";
}

int dstor_digest_init(struct dstor_digest *d, const char *name, const u8 *key)
{
	struct crypto_shash *tfm;
	int ret = 0;

	memset(d, 0, sizeof(*d));
	if (key && (!*name || !strcmp(name, "none") || !strcmp(name, "crc32c")))
		return -EINVAL;
	if (!*name || !strcmp(name, "none"))
		return 0;
	if (!strcmp(name, "crc32c")) {
		d->len = sizeof(__le32);
		return 0;
	}
	tfm = crypto_alloc_shash(digest_kernel_name(name), 0, 0);
	if (IS_ERR(tfm))
		return PTR_ERR(tfm);
	if (crypto_shash_digestsize(tfm) > DSTOR_DIGEST_MAX ||
	    !(crypto_shash_get_flags(tfm) & CRYPTO_TFM_NEED_KEY) != !key)
		ret = -EINVAL;
	else if (key)
		ret = crypto_shash_setkey(tfm, key, DSTOR_KEY_LEN);
	if (!ret)
		d->desc = kmalloc(sizeof(*d->desc) + crypto_shash_descsize(tfm), GFP_KERNEL);
	if (ret || !d->desc) {
		crypto_free_shash(tfm);
		return ret ?: -ENOMEM;
	}
	d->desc->tfm = tfm;
	d->tfm = tfm;
	d->keyed = key;
	d->len = crypto_shash_digestsize(tfm);
	return 0;
}

int dstor_digest_set_key(struct dstor_digest *d, const u8 *key)
{
	d->count = 0;
	return crypto_shash_setkey(d->tfm, key, DSTOR_KEY_LEN);
}

void dstor_digest_destroy(struct dstor_digest *d)
{
	if (d->tfm)
		crypto_free_shash(d->tfm);
	kfree_sensitive(d->desc);
	memset(d, 0, sizeof(*d));
}

int dstor_digest_choose(const char *wanted, const char *accepted, bool keyed,
			char chosen[DSTOR_ALGO_LEN])
{
	static const u8 any_key[DSTOR_KEY_LEN] = { 1 };
	char word[DSTOR_ALGO_LEN];
	struct dstor_digest d;

	while (dstor_next_word(&wanted, word)) {
		if (dstor_algorithm_choose(word, accepted, chosen) ||
		    dstor_digest_init(&d, word, keyed ? any_key : NULL))
			continue;
		dstor_digest_destroy(&d);
		return 0;
	}
	return -ENOENT;
}

static void crc_out(u32 crc, u8 *out)
{
	__le32 le = cpu_to_le32(~crc);

	memcpy(out, &le, sizeof(le));
}

/*
 * A keyed digest begins with the place in the stream, so a frame cannot be
 * repeated or left out.
 */
static void digest_begin_count(struct dstor_digest *d, struct shash_desc *desc)
{
	__le64 count = cpu_to_le64(d->count);

	crypto_shash_init(desc);
	if (!d->keyed)
		return;
	d->count++;
	crypto_shash_update(desc, (const u8 *)&count, sizeof(count));
}

void dstor_digest_head(struct dstor_digest *d, const struct dstor_frame *f, u8 *out)
{
	if (!d->tfm) {
		crc_out(crc32c(~0, f, sizeof(*f)), out);
	} else {
		SHASH_DESC_ON_STACK(desc, d->tfm);

		desc->tfm = d->tfm;
		digest_begin_count(d, desc);
		crypto_shash_finup(desc, (const u8 *)f, sizeof(*f), out);
		shash_desc_zero(desc);
	}
}

void dstor_digest_begin(struct dstor_digest *d, const struct dstor_frame *f)
{
	if (!d->tfm) {
		d->crc = crc32c(~0, f, sizeof(*f));
		return;
	}
	digest_begin_count(d, d->desc);
	crypto_shash_update(d->desc, (const u8 *)f, sizeof(*f));
}

void dstor_digest_add(struct dstor_digest *d, const void *data, u32 len)
{
	if (!d->tfm)
		d->crc = crc32c(d->crc, data, len);
	else
		crypto_shash_update(d->desc, data, len);
}

void dstor_digest_end(struct dstor_digest *d, u8 *out)
{
	if (!d->tfm) {
		crc_out(d->crc, out);
		return;
	}
	crypto_shash_final(d->desc, out);
}

void dstor_digest_data(struct dstor_digest *d, const struct dstor_frame *f,
		       struct bio *bio, struct bvec_iter iter, u32 length, u8 *out)
{
	struct dstor_bio_span s = { .bio = bio, .iter = iter };
	struct bio_vec bv;
	u8 *p;

	dstor_digest_begin(d, f);
	while (dstor_bio_span_next(&s, &length, &bv, true)) {
		p = bvec_kmap_local(&bv);
		dstor_digest_add(d, p, bv.bv_len);
		kunmap_local(p);
	}
	dstor_digest_end(d, out);
}
