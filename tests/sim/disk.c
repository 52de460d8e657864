// SPDX-License-Identifier: GPL-2.0
/*
 * Disks of the exporters. A block holds the id of the write that is on it. A
 * write takes a random time, some are held for very long while others pass,
 * and it lands anywhere between its submission and its completion. With a
 * volatile cache, what is neither flushed nor FUA may be gone after a power cut.
 */
#include "sim.h"

static u32 latency_ms(void)
{
	if (chance(w.hold_percent))
		return between(200, chance(30) ? w.hold_ms : 4000);
	return below(chance(80) ? 3 : 30);
}

static void make_durable(struct disk *d, u32 block, u32 id, u32 version)
{
	if (version <= d->durable_version[block])
		return;
	d->durable[block] = id;
	d->durable_version[block] = version;
}

static void apply_block(struct bio *b, u8 i)
{
	struct disk *d = b->disk;
	u32 block = b->first + i;
	u32 any = below(d->blocks);

	d->cache[block] = b->data[i];
	d->cache_version[block] = ++d->versions;
	if (b->fua || !d->is_volatile)
		make_durable(d, block, b->data[i], d->versions);
	else if (chance(15))	/* the drive writes back what it likes */
		make_durable(d, any, d->cache[any], d->cache_version[any]);
	oracle_applied(b, i);
}

static void apply(struct bio *b)
{
	b->applied = true;
	if (b->kind == BIO_FLUSH)
		for (u32 i = 0; i < b->disk->blocks; i++)
			make_durable(b->disk, i, b->cache[i], b->version[i]);
	if (b->kind == BIO_WRITE)
		for (u8 i = 0; i < b->count; i++)
			if (b->status == DSTOR_STATUS_OK || chance(50))
				apply_block(b, i);
}

struct bio *disk_submit(struct exporter *x, struct request *r, enum bio_kind kind)
{
	struct bio *b = NULL;
	u32 ms = latency_ms();

	for (u32 n = 0; n < BIOS && !b; n++)
		if (!w.bios[n].used)
			b = &w.bios[n];
	if (!b) {
		fprintf(stderr, "sim: too many bios\n");
		abort();
	}
	memset(b, 0, offsetof(struct bio, version));
	b->used = true;
	b->stamp = ++w.stamps;
	b->kind = kind;
	b->x = x;
	b->disk = x->disk;
	b->request = r;
	if (kind == BIO_FLUSH) {
		memcpy(b->cache, b->disk->cache, sizeof(b->cache));
		memcpy(b->version, b->disk->cache_version, sizeof(b->version));
	} else {
		b->first = le64_to_cpu(r->frame.offset) / BLOCK;
		b->count = le32_to_cpu(r->frame.bytes) / BLOCK;
		b->fua = kind == BIO_WRITE && b->disk->knows_fua && !mutated(FUA_AS_PLAIN_WRITE) &&
			 (x->write_through || le16_to_cpu(r->frame.flags) & DSTOR_REQ_FUA);
		memcpy(b->data, r->data, sizeof(b->data));
	}
	if (w.disk_errors && chance(r ? 3 : 50)) {
		b->status = DSTOR_STATUS_MEDIUM;
		happened[H_DISK_ERROR]++;
	}
	if (kind == BIO_WRITE && chance(20))
		apply(b);
	after(ms, EV_BIO, b - w.bios, 0, b->stamp);
	return b;
}

static void bio_free(struct bio *b)
{
	b->used = false;
	b->stamp = 0;
}

static void forget_cache(struct exporter *x)
{
	struct disk *d = x->disk;

	happened[H_CACHE_LOST]++;
	say("X%u: the cache of its disk is lost", x->index);
	oracle_cache_lost(d);
	memcpy(d->cache, d->durable, sizeof(d->cache));
	memcpy(d->cache_version, d->durable_version, sizeof(d->cache_version));
}

void disk_done(struct bio *b)
{
	struct request *r = b->request;
	struct exporter *x = b->x;

	if (!b->applied && (b->kind != BIO_FLUSH || b->status == DSTOR_STATUS_OK))
		apply(b);
	if (b->kind == BIO_READ)
		memcpy(r->data, &b->disk->cache[b->first], b->count * sizeof(r->data[0]));
	bio_free(b);
	if (r) {
		request_done(r, b);
		return;
	}
	x->stop_failed = b->status != DSTOR_STATUS_OK;
	if (x->stop_failed)
		forget_cache(x);
	exporter_stop_step(x);
}

u32 disk_running(const struct exporter *x)
{
	u32 n = 0;

	for (u32 i = 0; i < BIOS; i++)
		n += w.bios[i].used && w.bios[i].x == x;
	return n;
}

/* What was under way lands or does not, block by block. */
void disk_power_cut(struct exporter *x, bool cache_lost)
{
	struct disk *d = x->disk;

	for (u32 n = 0; n < BIOS; n++) {
		struct bio *b = &w.bios[n];

		if (!b->used || b->x != x)
			continue;
		if (b->kind == BIO_WRITE && !b->applied)
			for (u8 i = 0; i < b->count; i++)
				if (chance(50))
					apply_block(b, i);
		bio_free(b);
	}
	if (cache_lost && d->is_volatile)
		forget_cache(x);
}

void disk_grow(struct disk *d)
{
	if (d->blocks < BLOCKS)
		d->blocks++;
}
