// SPDX-License-Identifier: GPL-2.0
/*
 * Making, reusing and freeing what protects the frames of a connection: protection.h.
 *
 * No locks: the caller's.
 */
#include <linux/sched/mm.h>

#include "conn/connection.h"
#include "conn/protection.h"
#include "wire/protocol.h"

/* The names and the sizes of what @w says. */
static struct dstor_protection protection_of(const struct dstor_welcome *w, bool keyed, u32 max_io)
{
	struct dstor_protection p = { .keyed = keyed, .max_io = max_io };

	if (keyed && strcmp(w->cipher, "none"))
		strscpy(p.cipher_name, w->cipher, sizeof(p.cipher_name));
	else
		strscpy(p.checksum, w->checksum, sizeof(p.checksum));
	return p;
}

bool dstor_protection_fits(const struct dstor_protection *p, const struct dstor_welcome *w,
			   bool keyed, u32 max_io)
{
	struct dstor_protection other = protection_of(w, keyed, max_io);

	return p->keyed == keyed && p->max_io == max_io && !strcmp(p->checksum, other.checksum) &&
	       !strcmp(p->cipher_name, other.cipher_name);
}

static int protection_build(struct dstor_protection *p, struct dstor_conn *c,
			    struct dstor_threads *threads)
{
	static const u8 any_key[DSTOR_KEY_LEN] = { 1 };
	int ret;

	if (p->cipher_name[0]) {
		p->cipher = dstor_cipher_new(c, p->cipher_name, p->max_io, threads);
		ret = PTR_ERR_OR_ZERO(p->cipher);
		if (ret)
			p->cipher = NULL;
		return ret;
	}
	ret = dstor_digest_init(&p->digest, p->checksum, p->keyed ? any_key : NULL) ?:
	      dstor_digest_init(&p->rx_digest, p->checksum, p->keyed ? any_key : NULL);
	if (!ret && p->keyed && p->max_io && c->ops->memory_is_shared) {
		p->copies = dstor_bio_buffer_new(p->max_io);
		ret = p->copies ? 0 : -ENOMEM;
	}
	return ret;
}

int dstor_protection_make(struct dstor_protection *p, struct dstor_conn *c,
			  const struct dstor_welcome *w, bool keyed, u32 max_io,
			  struct dstor_threads *threads)
{
	unsigned int noio = memalloc_noio_save();
	int ret;

	dstor_protection_free(p);
	*p = protection_of(w, keyed, max_io);
	ret = protection_build(p, c, threads);
	if (ret)
		dstor_protection_free(p);
	memalloc_noio_restore(noio);
	return ret;
}

static int protection_give_keys(struct dstor_protection *p, const struct dstor_stream *tx,
				const struct dstor_stream *rx)
{
	unsigned int noio = memalloc_noio_save();
	int ret;

	if (p->cipher)
		ret = dstor_cipher_set_keys(p->cipher, tx, rx);
	else
		ret = dstor_digest_set_key(&p->digest, tx->key) ?:
		      dstor_digest_set_key(&p->rx_digest, rx->key);
	memalloc_noio_restore(noio);
	return ret;
}

int dstor_protection_set_keys(struct dstor_protection *p, const struct dstor_channel *channel)
{
	struct dstor_stream tx = { }, rx = { };
	int ret;

	if (!p->keyed)
		return 0;
	dstor_channel_frames(channel, p->cipher_name[0] ? p->cipher_name : p->checksum, &tx, &rx);
	ret = protection_give_keys(p, &tx, &rx);
	memzero_explicit(&tx, sizeof(tx));
	memzero_explicit(&rx, sizeof(rx));
	return ret;
}

void dstor_protection_install(struct dstor_protection *p, struct dstor_conn *c)
{
	c->protection = *p;
	c->digest = p->digest;
	c->rx_digest = p->rx_digest;
	c->cipher = p->cipher;
	c->tx.copies = p->copies;
	memset(p, 0, sizeof(*p));
}

void dstor_protection_remove(struct dstor_protection *p, struct dstor_conn *c)
{
	static const struct dstor_stream none;

	*p = c->protection;
	memset(&c->protection, 0, sizeof(c->protection));
	memset(&c->digest, 0, sizeof(c->digest));
	memset(&c->rx_digest, 0, sizeof(c->rx_digest));
	c->cipher = NULL;
	c->tx.copies = NULL;
	/* Those of the connection that has ended are nobody's any more. */
	if (p->keyed)
		protection_give_keys(p, &none, &none);
}

void dstor_protection_free(struct dstor_protection *p)
{
	dstor_digest_destroy(&p->digest);
	dstor_digest_destroy(&p->rx_digest);
	dstor_cipher_free(p->cipher);
	dstor_bio_buffer_free(p->copies);
	memset(p, 0, sizeof(*p));
}
