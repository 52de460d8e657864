// SPDX-License-Identifier: GPL-2.0
/*
 * Load generator for figures: submits bios to a block device from inside the
 * kernel, where no system call stands between. One run per insmod, which fails
 * with -EAGAIN when it is done, so that nothing needs to be unloaded; the result
 * is one line of JSON in the kernel log.
 *
 *   insmod dstload.ko dev=/dev/x op=read|write|mix|fsync bs=4096 qd=32 ms=1000 [seq=1] [devs=8]
 *
 * qd bios are in flight; a bio that completes is submitted again by the one thread. With devs=N
 * there are as many on each of /dev/x0 ... /dev/xN-1, and the result has the I/Os of the device
 * that got the least.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/sort.h>

#define QD_MAX 1024
#define DEVS_MAX 64
#define SAMPLES (1 << 20)

static char *dev = "";
static char *op = "read";
static uint bs = 4096;
static uint qd = 1;
static uint ms = 1000;
static uint seq;
static uint devs;
module_param(dev, charp, 0);
module_param(op, charp, 0);
module_param(bs, uint, 0);
module_param(qd, uint, 0);
module_param(ms, uint, 0);
module_param(seq, uint, 0);
module_param(devs, uint, 0);

#include "open.h"

struct slot {
	struct target *target;
	struct bio *bio;
	struct llist_node done;
	struct page *pages;
	u64 begun;		/* ns */
	bool flush;		/* fsync: the flush after the write */
};

static struct target targets[DEVS_MAX];
static uint n_slots;
static struct slot slots[QD_MAX];
static LLIST_HEAD(finished);
static DECLARE_WAIT_QUEUE_HEAD(wait);
static struct rnd_state rnd;
static u64 blocks, next_block;
static u32 *samples;
static u32 n_samples;
static u32 errors;

static void end_io(struct bio *bio)
{
	struct slot *s = bio->bi_private;

	if (bio->bi_status)
		errors++;
	if (llist_add(&s->done, &finished))
		wake_up(&wait);
}

static blk_opf_t opf_of(struct slot *s)
{
	if (s->flush)
		return REQ_OP_WRITE | REQ_PREFLUSH;
	if (!strcmp(op, "read"))
		return REQ_OP_READ;
	if (!strcmp(op, "mix"))
		return prandom_u32_state(&rnd) % 10 < 7 ? REQ_OP_READ : REQ_OP_WRITE | REQ_SYNC;
	return REQ_OP_WRITE | REQ_SYNC;
}

static void submit(struct slot *s)
{
	u64 block = seq ? next_block++ % blocks : prandom_u32_state(&rnd) % blocks;
	u32 left = bs, off = 0;

	bio_reset(s->bio, s->target->bdev, opf_of(s));
	s->bio->bi_private = s;
	s->bio->bi_end_io = end_io;
	if (!s->flush) {
		s->bio->bi_iter.bi_sector = block * (bs >> SECTOR_SHIFT);
		while (left) {
			u32 n = min_t(u32, left, PAGE_SIZE);

			__bio_add_page(s->bio, s->pages + (off >> PAGE_SHIFT), n, 0);
			off += n;
			left -= n;
		}
		s->begun = ktime_get_ns();
	}
	submit_bio(s->bio);
}

static int by_value(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return x < y ? -1 : x > y;
}

static void report(u64 n, u64 ns)
{
	u32 p50 = 0, p99 = 0, i;
	u64 least = targets[0].ios;

	for (i = 1; i < devs; i++)
		least = min(least, targets[i].ios);

	if (n_samples) {
		sort(samples, n_samples, sizeof(*samples), by_value, NULL);
		p50 = samples[n_samples / 2];
		p99 = samples[(u64)n_samples * 99 / 100];
	}
	pr_info("{\"dev\":\"%s\",\"op\":\"%s\",\"bs\":%u,\"qd\":%u,\"ios\":%llu,\"ns\":%llu,\"iops\":%llu,\"p50_ns\":%u,\"p99_ns\":%u,\"errors\":%u,\"devs\":%u,\"least\":%llu}\n",
		dev, op, bs, qd, n, ns, n * NSEC_PER_SEC / ns, p50, p99, errors, devs, least);
}

static void run(void)
{
	bool sync = !strcmp(op, "fsync");
	u64 began = ktime_get_ns(), until = began + (u64)ms * NSEC_PER_MSEC, now = began, n = 0;
	unsigned int i, flying = n_slots;

	for (i = 0; i < n_slots; i++)
		submit(&slots[i]);
	while (flying) {
		struct llist_node *all;
		struct slot *s, *t;

		wait_event(wait, !llist_empty(&finished));
		all = llist_del_all(&finished);
		now = ktime_get_ns();
		llist_for_each_entry_safe(s, t, all, done) {
			if (sync && !s->flush) {
				s->flush = true;
				submit(s);
				continue;
			}
			s->flush = false;
			n++;
			s->target->ios++;
			if (n_samples < SAMPLES)
				samples[n_samples++] = min_t(u64, now - s->begun, U32_MAX);
			if (now < until)
				submit(s);
			else
				flying--;
		}
	}
	report(n, now - began);
}

static int __init open_targets(void)
{
	bool write = strcmp(op, "read");
	char path[64];
	unsigned int i;
	int ret;

	if (!devs)
		return open_target(&targets[0], dev, write);
	for (i = 0; i < devs; i++) {
		snprintf(path, sizeof(path), "%s%u", dev, i);
		ret = open_target(&targets[i], path, write);
		if (ret)
			return ret;
	}
	return 0;
}

static int __init dstload_init(void)
{
	unsigned int i;
	int ret = -ENOMEM;

	n_slots = qd * max(devs, 1U);
	if (!qd || qd > QD_MAX || devs > DEVS_MAX || n_slots > QD_MAX || !bs || bs > BIO_MAX_VECS * PAGE_SIZE)
		return -EINVAL;
	ret = open_targets();
	if (ret)
		goto out;
	blocks = bdev_nr_bytes(targets[0].bdev) / bs;
	prandom_seed_state(&rnd, get_random_u64());
	samples = kvmalloc_array(SAMPLES, sizeof(*samples), GFP_KERNEL);
	ret = samples && blocks ? 0 : -ENOMEM;
	for (i = 0; i < n_slots && !ret; i++) {
		slots[i].target = &targets[i % max(devs, 1U)];
		slots[i].bio = bio_kmalloc(BIO_MAX_VECS, GFP_KERNEL);
		slots[i].pages = alloc_pages(GFP_KERNEL | __GFP_COMP | __GFP_ZERO, get_order(bs));
		if (!slots[i].bio || !slots[i].pages)
			ret = -ENOMEM;
		else
			bio_init(slots[i].bio, targets[0].bdev, (void *)(slots[i].bio + 1), BIO_MAX_VECS, 0);
	}
	if (!ret)
		run();
	for (i = 0; i < n_slots; i++) {
		if (slots[i].bio)
			bio_uninit(slots[i].bio);
		kfree(slots[i].bio);
		if (slots[i].pages)
			__free_pages(slots[i].pages, get_order(bs));
	}
	kvfree(samples);
out:
	for (i = 0; i < DEVS_MAX; i++)
		if (targets[i].bdev)
			close_target(&targets[i]);
	return ret ? ret : -EAGAIN;
}

module_init(dstload_init);
MODULE_DESCRIPTION("Load generator of DST's benchmarks");
MODULE_LICENSE("GPL");
