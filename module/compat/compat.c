// SPDX-License-Identifier: GPL-2.0
/*
 * Implementations of compat.h, one pair for each difference. No locks of its
 * own; see compat.h for the contexts.
 */
#ifdef DSTOR_HAVE_INIT_FS
#include <linux/fs_struct.h>
#endif
#include <net/sock.h>

#include "compat/compat.h"

#ifdef DSTOR_HAVE_ALLOC_DISK_LIMITS

static void fill_changeable(struct queue_limits *lim, const struct dstor_disk_limits *l)
{
	lim->physical_block_size = l->physical_block;
	lim->io_min = l->io_min;
	lim->io_opt = l->io_opt;
	lim->discard_granularity = l->discard_granularity;
	lim->discard_alignment = l->discard_alignment;
	lim->max_hw_discard_sectors = l->max_discard >> SECTOR_SHIFT;
	lim->max_write_zeroes_sectors = l->max_write_zeroes >> SECTOR_SHIFT;
	if (l->rotational)
		lim->features |= BLK_FEAT_ROTATIONAL;
	else
		lim->features &= ~BLK_FEAT_ROTATIONAL;
}

struct gendisk *dstor_compat_alloc_disk(struct blk_mq_tag_set *set,
					const struct dstor_disk_limits *l, void *data)
{
	struct queue_limits lim = {
		.logical_block_size = l->logical_block,
		.max_hw_sectors = l->max_io >> SECTOR_SHIFT,
		.max_segments = l->max_segments,
		.max_segment_size = UINT_MAX,
	};

	fill_changeable(&lim, l);
	if (l->write_cache)
		lim.features |= BLK_FEAT_WRITE_CACHE;
	if (l->fua)
		lim.features |= BLK_FEAT_FUA;
	if (l->stable_writes)
		lim.features |= BLK_FEAT_STABLE_WRITES;
	return blk_mq_alloc_disk(set, &lim, data);
}

int dstor_compat_change_limits(struct gendisk *disk, const struct dstor_disk_limits *l)
{
	struct queue_limits lim = queue_limits_start_update(disk->queue);

	fill_changeable(&lim, l);
	return queue_limits_commit_update_frozen(disk->queue, &lim);
}

#else

static void set_changeable(struct request_queue *q, const struct dstor_disk_limits *l)
{
	blk_queue_physical_block_size(q, l->physical_block);
	blk_queue_io_min(q, l->io_min);
	/* It sets the disk's read-ahead, too, which somebody may have chosen. */
	if (l->io_opt != queue_io_opt(q))
		blk_queue_io_opt(q, l->io_opt);
	q->limits.discard_granularity = l->discard_granularity;
	q->limits.discard_alignment = l->discard_alignment;
	blk_queue_max_discard_sectors(q, l->max_discard >> SECTOR_SHIFT);
	blk_queue_max_write_zeroes_sectors(q, l->max_write_zeroes >> SECTOR_SHIFT);
	if (l->rotational)
		blk_queue_flag_clear(QUEUE_FLAG_NONROT, q);
	else
		blk_queue_flag_set(QUEUE_FLAG_NONROT, q);
}

struct gendisk *dstor_compat_alloc_disk(struct blk_mq_tag_set *set,
					const struct dstor_disk_limits *l, void *data)
{
	struct gendisk *disk = blk_mq_alloc_disk(set, data);
	struct request_queue *q;

	if (IS_ERR(disk))
		return disk;
	q = disk->queue;
	blk_queue_logical_block_size(q, l->logical_block);
	blk_queue_max_hw_sectors(q, l->max_io >> SECTOR_SHIFT);
	blk_queue_max_segments(q, l->max_segments);
	blk_queue_max_segment_size(q, UINT_MAX);
	blk_queue_write_cache(q, l->write_cache, l->fua);
	if (l->stable_writes)
		blk_queue_flag_set(QUEUE_FLAG_STABLE_WRITES, q);
	set_changeable(q, l);
	return disk;
}

int dstor_compat_change_limits(struct gendisk *disk, const struct dstor_disk_limits *l)
{
	blk_mq_freeze_queue(disk->queue);
	set_changeable(disk->queue, l);
	blk_mq_unfreeze_queue(disk->queue);
	return 0;
}

#endif

#ifdef DSTOR_HAVE_BDEV_FILE

int dstor_compat_open_bdev(struct dstor_bdev *b, const char *path, bool write, void *holder)
{
	blk_mode_t mode = BLK_OPEN_READ | (write ? BLK_OPEN_WRITE : 0);

	struct file *file = bdev_file_open_by_path(path, mode, holder, NULL);

	if (IS_ERR(file))
		return PTR_ERR(file);
	b->file = file;
	b->bdev = file_bdev(file);
	return 0;
}

void dstor_compat_close_bdev(struct dstor_bdev *b)
{
	bdev_fput(b->file);
}

#else

int dstor_compat_open_bdev(struct dstor_bdev *b, const char *path, bool write, void *holder)
{
	struct block_device *bdev;

	b->mode = FMODE_READ | (write ? FMODE_WRITE : 0) | (holder ? FMODE_EXCL : 0);
	bdev = blkdev_get_by_path(path, b->mode, holder);
	if (IS_ERR(bdev))
		return PTR_ERR(bdev);
	b->bdev = bdev;
	return 0;
}

void dstor_compat_close_bdev(struct dstor_bdev *b)
{
	blkdev_put(b->bdev, b->mode);
}

#endif

#ifdef DSTOR_HAVE_ACCEPT_ARG

int dstor_compat_accept(struct socket *sock, struct socket *new)
{
	struct proto_accept_arg arg = { .flags = O_NONBLOCK, .kern = true };

	return sock->ops->accept(sock, new, &arg);
}

#else

int dstor_compat_accept(struct socket *sock, struct socket *new)
{
	return sock->ops->accept(sock, new, O_NONBLOCK, true);
}

#endif

#ifdef DSTOR_HAVE_SOCKADDR_UNSIZED

static int do_connect(struct socket *sock, struct sockaddr_storage *addr, int len)
{
	return kernel_connect(sock, (struct sockaddr_unsized *)addr, len, O_NONBLOCK);
}

int dstor_compat_bind(struct socket *sock, struct sockaddr_storage *addr, int len)
{
	return kernel_bind(sock, (struct sockaddr_unsized *)addr, len);
}

#else

static int do_connect(struct socket *sock, struct sockaddr_storage *addr, int len)
{
	return kernel_connect(sock, (struct sockaddr *)addr, len, O_NONBLOCK);
}

int dstor_compat_bind(struct socket *sock, struct sockaddr_storage *addr, int len)
{
	return kernel_bind(sock, (struct sockaddr *)addr, len);
}

#endif

int dstor_compat_connect(struct socket *sock, struct sockaddr_storage *addr, int len)
{
#ifdef DSTOR_HAVE_INIT_FS
	/* A reconnection runs in a workqueue; the path of a UNIX socket is init's. */
	if (current->flags & PF_KTHREAD) {
		scoped_with_init_fs()
			return do_connect(sock, addr, len);
	}
#endif
	return do_connect(sock, addr, len);
}

#ifdef DSTOR_HAVE_PAGE_FRAG_DRAIN

void dstor_compat_drain_heads(struct page_frag_cache *heads)
{
	page_frag_cache_drain(heads);
}

#else

void dstor_compat_drain_heads(struct page_frag_cache *heads)
{
	if (heads->va)
		__page_frag_cache_drain(virt_to_head_page(heads->va), heads->pagecnt_bias);
	heads->va = NULL;
}

#endif

/*
 * May the socket hold references to all of these pages? A bvec may span pages of which
 * only some can be referred to: those of an allocation of several pages that is no
 * compound page have no count of their own, but for the first (dm-bufio has such).
 */
static bool can_lend(const struct bio_vec *bv)
{
	struct page *page = bv->bv_page + (bv->bv_offset >> PAGE_SHIFT);
	size_t left = offset_in_page(bv->bv_offset) + bv->bv_len;

	for (;;) {
		if (!sendpage_ok(page))
			return false;
		if (left <= PAGE_SIZE)
			return true;
		left -= PAGE_SIZE;
		page++;
	}
}

static ssize_t send_copy(struct socket *sock, struct bio_vec *bv, unsigned int n, size_t bytes,
			 int flags)
{
	struct msghdr msg = { .msg_flags = flags };

	iov_iter_bvec(&msg.msg_iter, ITER_SOURCE, bv, n, bytes);
	return sock_sendmsg(sock, &msg);
}

#ifdef DSTOR_HAVE_SENDPAGE

/* One bvec, which may span several pages of one folio. */
static ssize_t send_pages(struct socket *sock, const struct bio_vec *bv, int flags, bool last)
{
	ssize_t done = 0;

	while (done < bv->bv_len) {
		unsigned int off = bv->bv_offset + done;
		struct page *page = bv->bv_page + (off >> PAGE_SHIFT);
		unsigned int len = min_t(unsigned int, bv->bv_len - done,
					 PAGE_SIZE - offset_in_page(off));
		int f = flags;
		int ret;

		if (!last || done + len < bv->bv_len)
			f |= MSG_MORE | MSG_SENDPAGE_NOTLAST;
		ret = kernel_sendpage(sock, page, offset_in_page(off), len, f);
		if (ret <= 0)
			return done ? done : ret;
		done += ret;
		if (ret < len)
			break;
	}
	return done;
}

ssize_t dstor_compat_send(struct socket *sock, struct bio_vec *bv, unsigned int n, size_t bytes,
			  bool splice, bool more)
{
	int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
	ssize_t done = 0;
	unsigned int i;

	if (!splice)
		return send_copy(sock, bv, n, bytes, flags | (more ? MSG_MORE : 0));
	for (i = 0; i < n; i++) {
		bool last = i == n - 1 && !more;
		ssize_t ret;

		/* Headers are small: a copy costs less than a reference. */
		if (bv[i].bv_len < 512 || !can_lend(&bv[i]))
			ret = send_copy(sock, bv + i, 1, bv[i].bv_len,
					flags | (last ? 0 : MSG_MORE));
		else
			ret = send_pages(sock, bv + i, flags, last);
		if (ret < 0)
			return done ? done : ret;
		done += ret;
		if (ret < bv[i].bv_len)
			break;
	}
	return done;
}

#else

ssize_t dstor_compat_send(struct socket *sock, struct bio_vec *bv, unsigned int n, size_t bytes,
			  bool splice, bool more)
{
	int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0);
	unsigned int i;

	for (i = 0; splice && i < n; i++)
		splice = can_lend(&bv[i]);
	return send_copy(sock, bv, n, bytes, flags | (splice ? MSG_SPLICE_PAGES : 0));
}

#endif
