// SPDX-License-Identifier: GPL-2.0
/*
 * Load generator for figures: submits bios to a block device from inside the
 * kernel, where no system call stands between. One run per insmod, which fails
 * with -EAGAIN when it is done, so that nothing needs to be unloaded; the result
 * is one line of JSON in the kernel log.
 *
 *   insmod dstload.ko dev=/dev/x op=read|write|mix|fsync bs=4096 qd=32 ms=1000 [seq=1] [devs=8]
 *                     [submitters=2]
 *
 * qd bios are in flight; a bio that completes is submitted again by the one thread. With devs=N
 * there are as many on each of /dev/x0 ... /dev/xN-1, and the result has the I/Os of the device
 * that got the least. With submitters=N there are N threads, each bound to a CPU by turns, each
 * with qd bios of its own; otherwise the thread is insmod's, and the scheduler chooses its CPU.
 * busy_ns is the time that the machine's CPUs were not idle, all together.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/kernel_stat.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/sort.h>
#include <linux/tick.h>

#define QD_MAX 1024
#define DEVS_MAX 64
#define SUBMITTERS_MAX 16
#define SAMPLES (1 << 20)	/* of all submitters */

static char *dev = "";
static char *op = "read";
static uint bs = 4096;
static uint qd = 1;
static uint ms = 1000;
static uint seq;
static uint devs;
static uint submitters = 1;
module_param(dev, charp, 0);
module_param(op, charp, 0);
module_param(bs, uint, 0);
module_param(qd, uint, 0);
module_param(ms, uint, 0);
module_param(seq, uint, 0);
module_param(devs, uint, 0);
module_param(submitters, uint, 0);

#include "open.h"

struct submitter {
	struct task_struct *thread;	/* NULL for insmod's */
	struct completion ended;
	struct llist_head finished;
	wait_queue_head_t wait;
	struct rnd_state rnd;
	u64 next_block;
	struct slot *slots;
	u32 *samples;
	u32 n_samples;
	u64 ios;
};

struct slot {
	struct submitter *submitter;
	struct target *target;
	struct bio *bio;
	struct llist_node done;
	struct page *pages;
	u64 begun;		/* ns */
	bool flush;		/* fsync: the flush after the write */
};

static struct target targets[DEVS_MAX];
static struct submitter submitter[SUBMITTERS_MAX];
static struct slot slots[QD_MAX];
static u32 n_slots, slots_each, samples_each;
static u64 blocks, began, until;
static u32 *samples;
static atomic_t errors;

static void end_io(struct bio *bio)
{
	struct slot *s = bio->bi_private;

	if (bio->bi_status)
		atomic_inc(&errors);
	if (llist_add(&s->done, &s->submitter->finished))
		wake_up(&s->submitter->wait);
}

static blk_opf_t opf_of(struct slot *s)
{
	if (s->flush)
		return REQ_OP_WRITE | REQ_PREFLUSH;
	if (!strcmp(op, "read"))
		return REQ_OP_READ;
	if (!strcmp(op, "mix"))
		return prandom_u32_state(&s->submitter->rnd) % 10 < 7 ? REQ_OP_READ : REQ_OP_WRITE | REQ_SYNC;
	return REQ_OP_WRITE | REQ_SYNC;
}

static void submit(struct slot *s)
{
	struct submitter *my = s->submitter;
	u64 block = seq ? my->next_block++ % blocks : prandom_u32_state(&my->rnd) % blocks;
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

/* How long the machine's CPUs have been idle, in ns. */
static u64 idle_time(void)
{
	unsigned int cpu;
	u64 us = 0;

	for_each_online_cpu(cpu)
		us += get_cpu_idle_time_us(cpu, NULL);
	return us * NSEC_PER_USEC;
}

static void report(u64 ns, u64 busy_ns)
{
	u32 p50 = 0, p99 = 0, n_samples = 0, i;
	u64 least = targets[0].ios, n = 0;

	for (i = 1; i < devs; i++)
		least = min(least, targets[i].ios);
	for (i = 0; i < submitters; i++) {
		memmove(samples + n_samples, submitter[i].samples,
			submitter[i].n_samples * sizeof(*samples));
		n_samples += submitter[i].n_samples;
		n += submitter[i].ios;
	}
	if (n_samples) {
		sort(samples, n_samples, sizeof(*samples), by_value, NULL);
		p50 = samples[n_samples / 2];
		p99 = samples[(u64)n_samples * 99 / 100];
	}
	pr_info("{\"dev\":\"%s\",\"op\":\"%s\",\"bs\":%u,\"qd\":%u,\"ios\":%llu,\"ns\":%llu,\"iops\":%llu,\"p50_ns\":%u,\"p99_ns\":%u,\"errors\":%u,\"devs\":%u,\"least\":%llu,\"submitters\":%u,\"busy_ns\":%llu}\n",
		dev, op, bs, qd, n, ns, n * NSEC_PER_SEC / ns, p50, p99, atomic_read(&errors),
		devs, least, submitters, busy_ns);
}

/* The submitter of one thread counts what each device got; several share one device. */
static void submit_all(struct submitter *my)
{
	bool sync = !strcmp(op, "fsync");
	unsigned int i, flying = slots_each;

	for (i = 0; i < slots_each; i++)
		submit(&my->slots[i]);
	while (flying) {
		struct llist_node *all;
		struct slot *s, *t;
		u64 now;

		wait_event(my->wait, !llist_empty(&my->finished));
		all = llist_del_all(&my->finished);
		now = ktime_get_ns();
		llist_for_each_entry_safe(s, t, all, done) {
			if (sync && !s->flush) {
				s->flush = true;
				submit(s);
				continue;
			}
			s->flush = false;
			my->ios++;
			if (devs)
				s->target->ios++;
			if (my->n_samples < samples_each)
				my->samples[my->n_samples++] = min_t(u64, now - s->begun, U32_MAX);
			if (now < until)
				submit(s);
			else
				flying--;
		}
	}
}

static int submitter_thread(void *arg)
{
	struct submitter *my = arg;

	submit_all(my);
	/* Nothing of this module's text may run once insmod has returned. */
	kthread_complete_and_exit(&my->ended, 0);
}

static int start_threads(void)
{
	unsigned int i, cpu = cpumask_first(cpu_online_mask);

	for (i = 0; i < submitters && submitters > 1; i++) {
		struct task_struct *t = kthread_create(submitter_thread, &submitter[i], "dstload/%u", i);

		if (IS_ERR(t)) {
			while (i--)
				kthread_stop(submitter[i].thread);
			return PTR_ERR(t);
		}
		kthread_bind(t, cpu);
		submitter[i].thread = t;
		cpu = cpumask_next(cpu, cpu_online_mask);
		if (cpu >= nr_cpu_ids)
			cpu = cpumask_first(cpu_online_mask);
	}
	return 0;
}

static int run(void)
{
	unsigned int i;
	u64 ns, idle;
	int ret = start_threads();

	if (ret)
		return ret;
	idle = idle_time();
	began = ktime_get_ns();
	until = began + (u64)ms * NSEC_PER_MSEC;
	for (i = 0; i < submitters; i++)
		if (submitter[i].thread)
			wake_up_process(submitter[i].thread);
	if (!submitter[0].thread)
		submit_all(&submitter[0]);
	for (i = 0; i < submitters; i++)
		if (submitter[i].thread)
			wait_for_completion(&submitter[i].ended);
	ns = ktime_get_ns() - began;
	idle = idle_time() - idle;
	report(ns, ns * num_online_cpus() - min(idle, ns * num_online_cpus()));
	return 0;
}

static void prepare_submitters(void)
{
	unsigned int i;

	for (i = 0; i < submitters; i++) {
		struct submitter *my = &submitter[i];

		init_completion(&my->ended);
		init_llist_head(&my->finished);
		init_waitqueue_head(&my->wait);
		prandom_seed_state(&my->rnd, get_random_u64());
		my->slots = slots + i * slots_each;
		my->samples = samples + i * samples_each;
	}
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

	if (!qd || qd > QD_MAX || devs > DEVS_MAX || !bs || bs > BIO_MAX_VECS * PAGE_SIZE ||
	    !submitters || submitters > SUBMITTERS_MAX || (devs && submitters > 1))
		return -EINVAL;
	slots_each = qd * max(devs, 1U);
	samples_each = SAMPLES / submitters;
	n_slots = slots_each * submitters;
	if (n_slots > QD_MAX)
		return -EINVAL;
	ret = open_targets();
	if (ret)
		goto out;
	blocks = bdev_nr_bytes(targets[0].bdev) / bs;
	samples = kvmalloc_array(SAMPLES, sizeof(*samples), GFP_KERNEL);
	ret = samples && blocks ? 0 : -ENOMEM;
	prepare_submitters();
	for (i = 0; i < n_slots && !ret; i++) {
		slots[i].submitter = &submitter[i / slots_each];
		slots[i].target = &targets[i % max(devs, 1U)];
		slots[i].bio = bio_kmalloc(BIO_MAX_VECS, GFP_KERNEL);
		slots[i].pages = alloc_pages(GFP_KERNEL | __GFP_COMP | __GFP_ZERO, get_order(bs));
		if (!slots[i].bio || !slots[i].pages)
			ret = -ENOMEM;
		else
			bio_init(slots[i].bio, targets[0].bdev, (void *)(slots[i].bio + 1), BIO_MAX_VECS, 0);
	}
	if (!ret)
		ret = run();
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
