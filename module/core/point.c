// SPDX-License-Identifier: GPL-2.0
/*
 * The points of point.h and the file that orders them about, in builds with
 * CONFIG_DST_DEBUG: /sys/kernel/debug/dst/points. Reading it lists the points:
 *
 *	name  sleeps|spins[,fails]  hits  waiting  order
 *
 * "hits" counts since the module was loaded, "waiting" those inside right now.
 * A line that is written gives one point its order, instead of the one before:
 *
 *	NAME [wait=MS | hold] [fail=ERRNO] [nth=N] [times=N]
 *	NAME off
 *	* off
 *
 * wait: for that long; hold: until the next order. Both end early at any new
 * order, and at the latest after hold_max_ms, a file beside this one. A point
 * that spins takes wait= alone, up to SPIN_MAX_MS. fail: where "fails" stands.
 * nth: the first N-1 hits from now on pass (1). times: for that many hits
 * after them (1); 0: for all.
 *
 * Locks: orders_lock, raw, a leaf, any context. Waiting is done without it.
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/wait.h>

#include "core/feature.h"
#include "core/fresh.h"
#include "core/point.h"

#define HOLD_MAX_MS 60000	/* a test that died does not stop its machine for longer */
#define SPIN_MAX_MS 1000	/* interrupts may be off all the time */
#define SPIN_US 50		/* how soon a spinning context sees that it may go */
#define LINE_MAX 128

u64 dstor_features_client = DSTOR_FEATURES_KNOWN;
u64 dstor_features_exporter = DSTOR_FEATURES_KNOWN;
atomic_t dstor_features_seen = ATOMIC_INIT(0);
u32 dstor_fresh_ms = DSTOR_FRESH_MS;
u64 dstor_fresh_bytes = DSTOR_FRESH_BYTES;

struct point {
	const char *name;
	bool sleeps;
	bool fails;
	atomic_t hits;

	/* orders_lock */
	u32 left;		/* hits that the order is for; 0: there is none */
	u32 skip;		/* hits that pass before them */
	u32 wait_ms;
	int error;		/* 0 or a negative errno */
	u32 number;		/* of the order: a new one ends the waiting for the one before */
	u32 waiting;
};

#define SPINS(n) \
	[DSTOR_POINT_##n] = { .name = #n }
#define SLEEPS(n) \
	[DSTOR_POINT_##n] = { .name = #n, .sleeps = true }
#define FAILS(n) \
	[DSTOR_POINT_##n] = { .name = #n, .sleeps = true, .fails = true }

static struct point points[DSTOR_POINTS] = {
	SLEEPS(SUBMIT),			/* counted, not yet given to the disk; no lock is held */
	FAILS(FILE_IO),			/* a blocking operation on the disk begins */
	SPINS(DONE_BEFORE_KICK),	/* the peer can see the completion, and was not woken */
	SLEEPS(RESULT_BEFORE_ANSWER),	/* the slot has the result, no answer is queued */
	SLEEPS(PEER_JOINED),		/* the session queue is taken, the fence not yet asked */
	SLEEPS(FENCE_BEFORE_GRANT),	/* older peers have retired, export->lock is held */
	SLEEPS(PEER_CLOSING),		/* the connection is lost, its socket not yet closed */
	SLEEPS(PEER_CLOSED),		/* the socket is closed, the session queue not left */
	SLEEPS(PEER_FREE),		/* its works are cancelled, it is not freed */
	FAILS(LEASE_SAVE),		/* instead of the write; export->lock is held */
	SLEEPS(STOP_BEFORE_FLUSH),	/* an export that ends has drained its disk */
	FAILS(DISK_FLUSH),		/* a flush that waits begins */
	SLEEPS(DISK_FLUSHED),		/* and has ended */
	SLEEPS(ATTACH_CONNECTED),	/* granted, there is no disk yet */
	SLEEPS(ATTACH_ADDED),		/* others may use, show and detach it */
	SLEEPS(DETACH_STOPPED),		/* works are cancelled, the name is still taken */
	SLEEPS(SHOW_PICKED),		/* a reader has the device, not its lock */
	SLEEPS(LINK_ARM),		/* not stopping, it seems; the work is not armed */
	SLEEPS(LINK_CONNECTED),		/* a new connection that is not the queue's yet */
	SLEEPS(REQUEST_IN_SLOT),	/* the link sees it, the sender does not */
	SLEEPS(MESSAGE_SENT),		/* the socket has it all, its state is QUEUED */
	SPINS(CACHE_MARK),		/* an answer is about to move the mark (P5) */
	SLEEPS(REPLAY_OVER),		/* each piece of a replay was answered (P7) */
	SLEEPS(NETNS_LEAVE),		/* devices have left, exports not */
};

static DEFINE_RAW_SPINLOCK(orders_lock);
static DECLARE_WAIT_QUEUE_HEAD(ordered);
static struct dentry *folder;
static u32 hold_max_ms = HOLD_MAX_MS;

/* A copy of the order in @o when this hit is one that it is for. */
static bool take_order(struct point *p, struct point *o)
{
	unsigned long irq;
	bool mine = false;

	raw_spin_lock_irqsave(&orders_lock, irq);
	if (p->left && p->skip) {
		p->skip--;
	} else if (p->left) {
		mine = true;
		p->waiting++;
		*o = *p;
		if (p->left != U32_MAX)
			p->left--;
	}
	raw_spin_unlock_irqrestore(&orders_lock, irq);
	return mine;
}

static bool is_over(const struct point *p, const struct point *o)
{
	return READ_ONCE(p->number) != o->number;
}

static void point_spin(const struct point *p, const struct point *o)
{
	u32 us;

	for (us = 0; us < o->wait_ms * USEC_PER_MSEC && !is_over(p, o); us += SPIN_US)
		udelay(SPIN_US);
}

int dstor_point_reached(enum dstor_point which)
{
	struct point *p = &points[which];
	struct point o;
	unsigned long irq;

	if (p->sleeps)
		might_sleep();
	atomic_inc(&p->hits);
	if (!READ_ONCE(p->left) || !take_order(p, &o))
		return 0;
	if (o.wait_ms && p->sleeps)
		wait_event_idle_timeout(ordered, is_over(p, &o), msecs_to_jiffies(o.wait_ms));
	else if (o.wait_ms)
		point_spin(p, &o);
	raw_spin_lock_irqsave(&orders_lock, irq);
	p->waiting--;
	raw_spin_unlock_irqrestore(&orders_lock, irq);
	return o.error;
}

static void give_order(struct point *p, const struct point *o)
{
	unsigned long irq;

	raw_spin_lock_irqsave(&orders_lock, irq);
	p->left = o->left;
	p->skip = o->skip;
	p->wait_ms = o->wait_ms;
	p->error = o->error;
	WRITE_ONCE(p->number, p->number + 1);
	raw_spin_unlock_irqrestore(&orders_lock, irq);
}

static void all_off(void)
{
	static const struct point off;
	unsigned int i;

	for (i = 0; i < DSTOR_POINTS; i++)
		give_order(&points[i], &off);
	wake_up_all(&ordered);
}

/* The file ----------------------------------------------------------------- */

static struct point *point_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < DSTOR_POINTS; i++)
		if (!strcmp(points[i].name, name))
			return &points[i];
	return NULL;
}

static int parse_word(const struct point *p, const char *word, struct point *o)
{
	u32 max_ms = p->sleeps ? READ_ONCE(hold_max_ms) : SPIN_MAX_MS;
	char *value = strchr(word, '=');
	u32 n;

	if (!strcmp(word, "hold")) {
		o->wait_ms = max_ms;
		return p->sleeps ? 0 : -EINVAL;
	}
	if (!value || kstrtou32(value + 1, 10, &n))
		return -EINVAL;
	*value = 0;
	if (!strcmp(word, "wait") && n <= max_ms)
		o->wait_ms = n;
	else if (!strcmp(word, "fail") && p->fails && n && n <= MAX_ERRNO)
		o->error = -(int)n;
	else if (!strcmp(word, "nth") && n)
		o->skip = n - 1;
	else if (!strcmp(word, "times"))
		o->left = n ?: U32_MAX;
	else
		return -EINVAL;
	return 0;
}

static int point_obey(char *line)
{
	struct point o = { .left = 1 };
	char *name = strsep(&line, " "), *word;
	struct point *p = point_find(name);
	int ret;

	if (!line)
		return -EINVAL;
	if (!strcmp(name, "*") && !strcmp(line, "off")) {
		all_off();
		return 0;
	}
	if (!p)
		return -ENOENT;
	if (!strcmp(line, "off")) {
		o.left = 0;
		line = NULL;
	}
	while ((word = strsep(&line, " "))) {
		ret = parse_word(p, word, &o);
		if (ret)
			return ret;
	}
	give_order(p, &o);
	wake_up_all(&ordered);
	return 0;
}

static ssize_t points_write(struct file *file, const char __user *from, size_t len, loff_t *pos)
{
	char *line;
	int ret;

	if (len > LINE_MAX)
		return -EINVAL;
	line = memdup_user_nul(from, len);
	if (IS_ERR(line))
		return PTR_ERR(line);
	ret = point_obey(strim(line));
	kfree(line);
	return ret ?: len;
}

static int points_show(struct seq_file *m, void *v)
{
	unsigned int i;

	for (i = 0; i < DSTOR_POINTS; i++) {
		struct point *p = &points[i], o;
		unsigned long irq;

		raw_spin_lock_irqsave(&orders_lock, irq);
		o = *p;
		raw_spin_unlock_irqrestore(&orders_lock, irq);
		seq_printf(m, "%-20s %-12s %10u %4u ", p->name,
			   p->fails ? "sleeps,fails" : p->sleeps ? "sleeps" : "spins",
			   atomic_read(&p->hits), o.waiting);
		if (o.left)
			seq_printf(m, "wait=%u fail=%d nth=%u times=%u\n", o.wait_ms, -o.error,
				   o.skip + 1, o.left == U32_MAX ? 0 : o.left);
		else
			seq_puts(m, "off\n");
	}
	return 0;
}

static int points_open(struct inode *inode, struct file *file)
{
	return single_open(file, points_show, NULL);
}

static const struct file_operations points_fops = {
	.owner = THIS_MODULE,
	.open = points_open,
	.read = seq_read,
	.write = points_write,
	.llseek = seq_lseek,
	.release = single_release,
};

void dstor_points_init(void)
{
	folder = debugfs_create_dir("dst", NULL);
	debugfs_create_file("points", 0600, folder, NULL, &points_fops);
	debugfs_create_u32("hold_max_ms", 0600, folder, &hold_max_ms);
	debugfs_create_x64("features_client", 0600, folder, &dstor_features_client);
	debugfs_create_x64("features_exporter", 0600, folder, &dstor_features_exporter);
	debugfs_create_atomic_t("features_seen", 0600, folder, &dstor_features_seen);
	debugfs_create_u32("fresh_ms", 0600, folder, &dstor_fresh_ms);
	debugfs_create_u64("fresh_bytes", 0600, folder, &dstor_fresh_bytes);
}

void dstor_points_exit(void)
{
	debugfs_remove(folder);
	all_off();
}
