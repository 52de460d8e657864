// SPDX-License-Identifier: GPL-2.0
/*
 * Checksums of frames (docs/protocol.md, section 7). crc32c goes through the
 * kernel's library, everything else through the crypto API by its name there.
 * No locks; a struct dstor_digest is only read once it is open.
 */
#include <crypto/hash.h>
#include <linux/crc32c.h>
#include <linux/highmem.h>
#include <linux/string.h>

#include "conn/digest.h"
#include "core/bio_span.h"
#include "wire/hello.h"
#include "core/words.h"

/* Names of ours for what the kernel calls otherwise. */
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
	if (ret) {
		crypto_free_shash(tfm);
		return ret;
	}
	d->tfm = tfm;
	d->keyed = key;
	d->len = crypto_shash_digestsize(tfm);
	return 0;
}

void dstor_digest_destroy(struct dstor_digest *d)
{
	if (d->tfm)
		crypto_free_shash(d->tfm);
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

/* With a key the place in the stream comes first: nothing can be repeated or left out. */
static void digest_begin(struct dstor_digest *d, struct shash_desc *desc)
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
		digest_begin(d, desc);
		crypto_shash_finup(desc, (const u8 *)f, sizeof(*f), out);
		shash_desc_zero(desc);
	}
}

void dstor_digest_data(struct dstor_digest *d, const struct dstor_frame *f,
		       struct bio *bio, struct bvec_iter iter, u32 length, u8 *out)
{
	struct dstor_bio_span s = { .bio = bio, .iter = iter };
	struct bio_vec bv;
	u8 *p;

	if (!d->tfm) {
		u32 crc = crc32c(~0, f, sizeof(*f));

		while (dstor_bio_span_next(&s, &length, &bv, true)) {
			p = bvec_kmap_local(&bv);
			crc = crc32c(crc, p, bv.bv_len);
			kunmap_local(p);
		}
		crc_out(crc, out);
	} else {
		SHASH_DESC_ON_STACK(desc, d->tfm);

		desc->tfm = d->tfm;
		digest_begin(d, desc);
		crypto_shash_update(desc, (const u8 *)f, sizeof(*f));
		while (dstor_bio_span_next(&s, &length, &bv, true)) {
			p = bvec_kmap_local(&bv);
			crypto_shash_update(desc, p, bv.bv_len);
			kunmap_local(p);
		}
		crypto_shash_final(desc, out);
		shash_desc_zero(desc);
	}
}
