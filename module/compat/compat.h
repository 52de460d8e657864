/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The only place that knows differences between kernels. Each has a name,
 * DSTOR_HAVE_..., found by compiling a probe (compat/probes/) against the
 * kernel's headers, never by a version number.
 */
#ifndef DSTOR_COMPAT_H
#define DSTOR_COMPAT_H

#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/net.h>
#include <net/sock.h>

/* The limits of a disk, in bytes; 0: not supported or not known. */
struct dstor_disk_limits {
	u32 logical_block;
	u32 physical_block;
	u32 io_min;
	u32 io_opt;
	u32 max_io;
	u32 discard_granularity;
	u32 discard_alignment;
	u32 max_discard;
	u32 max_write_zeroes;
	u16 max_segments;
	bool write_cache;
	bool fua;
	bool rotational;
	bool stable_writes;
};

/* Sleeps; returns the disk or an ERR_PTR() */
struct gendisk *dstor_compat_alloc_disk(struct blk_mq_tag_set *set,
					const struct dstor_disk_limits *l, void *data);

/*
 * Changes the limits that may change while requests are made for a disk: sizes that are
 * hints, discard, write-zeroes, rotational. The queue is frozen for it: sleeps until no request is
 * under way. 0 or a negative errno.
 */
int dstor_compat_change_limits(struct gendisk *disk, const struct dstor_disk_limits *l);

/* The parameters of block_device_operations.release. */
#ifdef DSTOR_HAVE_RELEASE_ARG
#define DSTOR_RELEASE_ARGS	struct gendisk *disk
#else
#define DSTOR_RELEASE_ARGS	struct gendisk *disk, fmode_t mode
#endif

/*
 * Open a block device exclusively (when @holder) or not. Sleeps. 0 or a negative
 * errno, and then *@b is as before; release with dstor_compat_close_bdev().
 */
struct dstor_bdev {
	struct block_device *bdev;
#ifdef DSTOR_HAVE_BDEV_FILE
	struct file *file;
#else
	fmode_t mode;
#endif
};

int dstor_compat_open_bdev(struct dstor_bdev *b, const char *path, bool write, void *holder);
void dstor_compat_close_bdev(struct dstor_bdev *b);

/* BLK_MQ_F_... of a tag set whose requests may be merged. */
#ifdef DSTOR_HAVE_SHOULD_MERGE
#define DSTOR_SHOULD_MERGE	BLK_MQ_F_SHOULD_MERGE
#else
#define DSTOR_SHOULD_MERGE	0
#endif

/* The NUMA node that blk_mq_ops.init_request is told. */
#ifdef DSTOR_HAVE_NUMA_NODE_INT
#define DSTOR_NUMA_NODE		int
#else
#define DSTOR_NUMA_NODE		unsigned int
#endif

static inline bool dstor_compat_rotational(struct block_device *bdev)
{
#ifdef DSTOR_HAVE_BDEV_ROT
	return bdev_rot(bdev);
#else
	return !bdev_nonrot(bdev);
#endif
}

/* Bytes of its current segment that an iterator has passed. */
static inline unsigned int dstor_compat_segment_done(const struct bvec_iter *iter)
{
#ifdef DSTOR_HAVE_BI_OFFSET
	return iter->bi_offset;
#else
	return iter->bi_bvec_done;
#endif
}

#ifdef DSTOR_HAVE_SHA256_CTX
#define DSTOR_SHA256		struct sha256_ctx
#else
#define DSTOR_SHA256		struct sha256_state
#endif

/* For alloc_workqueue(): its work runs on the CPU that queued it. */
#ifdef DSTOR_HAVE_WQ_PERCPU
#define DSTOR_WQ_PERCPU		WQ_PERCPU
#define DSTOR_UNBOUND_WQ	system_dfl_wq
#else
#define DSTOR_WQ_PERCPU		0
#define DSTOR_UNBOUND_WQ	system_unbound_wq
#endif

/*
 * A socket of reclaim must not take the page_frag of the task that sends, which
 * may be in the middle of using it. Without the field, GFP_NOIO says the same.
 */
static inline void dstor_compat_own_page_frag(struct sock *sk)
{
#ifdef DSTOR_HAVE_TASK_FRAG
	sk->sk_use_task_frag = false;
#endif
}

/*
 * The same as kernel_connect(), without waiting for the other side, and kernel_bind(). May
 * sleep; 0 or a negative errno.
 */
int dstor_compat_connect(struct socket *sock, struct sockaddr_storage *addr, int len);
int dstor_compat_bind(struct socket *sock, struct sockaddr_storage *addr, int len);

/* The next connection of a listener becomes @new's; does not wait (-EAGAIN). */
int dstor_compat_accept(struct socket *sock, struct socket *new);

/* The memory of message heads: page_frag_alloc() from it; all fragments must be free. */
void dstor_compat_drain_heads(struct page_frag_cache *heads);

/*
 * Send @bytes from @bv. @splice: without a copy where the socket can, the pages
 * must then stay unchanged until the peer has them. Returns bytes taken, or
 * -EAGAIN when the socket is full, or another error. Does not sleep for space.
 */
ssize_t dstor_compat_send(struct socket *sock, struct bio_vec *bv, unsigned int n, size_t bytes,
			  bool splice, bool more);

#endif
