// SPDX-License-Identifier: GPL-2.0
/*
 * A request on the exporter, from its header to its response: memory, admission
 * (P3), execution on the disk, answer. All of it runs in the peer's work except
 * the completion by the disk (any context) and what may block (dstor_disk_wq).
 */
#include <linux/blkdev.h>
#include <linux/ioprio.h>
#include <linux/uio.h>

#include "core/point.h"
#include "core/work.h"
#include "exporter/command.h"
#include "exporter/disk.h"
#include "exporter/export.h"
#include "exporter/peer.h"
#include "exporter/session.h"

#define CHUNK_ORDER 4	/* data of a command comes in pieces of up to 64 KiB */

static u8 status_of_errno(int err)
{
	switch (err) {
	case 0:
		return DST_STATUS_OK;
	case -ENOSPC:
	case -EDQUOT:
		return DST_STATUS_NO_SPACE;
	case -EOPNOTSUPP:
		return DST_STATUS_NOT_SUPPORTED;
	case -EROFS:
	case -EPERM:
		return DST_STATUS_READ_ONLY;
	case -ETIMEDOUT:
		return DST_STATUS_TIMEOUT;
	case -ENODATA:
		return DST_STATUS_MEDIUM;
	case -EREMOTEIO:
		return DST_STATUS_TARGET;
	case -EBADE:
		return DST_STATUS_RESERVED;
	case -EILSEQ:
		return DST_STATUS_PROTECTION;
	case -ENOMEM:
		return DST_STATUS_NO_MEMORY;
	case -ENOLINK:
		return DST_STATUS_TRANSPORT;
	case -ENODEV:
	case -ENXIO:
		return DST_STATUS_OFFLINE;
	default:
		return DST_STATUS_IO;
	}
}

/* Memory ------------------------------------------------------------------- */

static bool charge(struct dstor_export *e, u32 bytes)
{
	u64 before = atomic64_fetch_add(bytes, &e->memory.used);

	/* One command always goes, however low the ceiling is. */
	if (before && before + bytes > (u64)atomic64_read(&e->memory.max)) {
		atomic64_sub(bytes, &e->memory.used);
		return false;
	}
	return true;
}

/* Memory came back: whoever waits for it tries again. */
static void wake_waiting(struct dstor_export *e)
{
	struct dstor_peer *p, *n;
	unsigned long irq;

	if (list_empty_careful(&e->memory.waiting))
		return;
	spin_lock_irqsave(&e->memory.lock, irq);
	list_for_each_entry_safe(p, n, &e->memory.waiting, waiting) {
		list_del_init(&p->waiting);
		dstor_conn_resume(&p->conn);
	}
	spin_unlock_irqrestore(&e->memory.lock, irq);
}

static void uncharge(struct dstor_command *cmd)
{
	struct dstor_export *e = cmd->peer->export;

	if (!cmd->charged)
		return;
	atomic64_sub(cmd->charged, &e->memory.used);
	cmd->charged = 0;
	smp_mb__after_atomic(); /* pairs with wait_for_memory() */
	wake_waiting(e);
}

static enum dstor_rx_verdict wait_for_memory(struct dstor_peer *p)
{
	struct dstor_export *e = p->export;
	unsigned long irq;

	spin_lock_irqsave(&e->memory.lock, irq);
	p->conn.rx.paused = true;
	if (list_empty(&p->waiting))
		list_add_tail(&p->waiting, &e->memory.waiting);
	spin_unlock_irqrestore(&e->memory.lock, irq);
	smp_mb(); /* pairs with uncharge() */
	/* Nothing is out that would come back: the peer's tick tries again. */
	return DSTOR_RX_PAUSE;
}

static void free_pages_of(struct page **pages, unsigned int n)
{
	while (n)
		put_page(pages[--n]);
}

/*
 * A page that is still in the processor's cache is worth more than one of the
 * allocator's. The newest is free when it was a write's, the oldest when it was a
 * read's: by then the socket has let go of it.
 */
static struct page *take_spare(struct dstor_peer *p)
{
	unsigned int newest = (p->first_spare + p->n_spares - 1) % DSTOR_SPARES;
	struct page *page;

	if (!p->n_spares)
		return NULL;
	page = p->spares[newest];
	if (page_count(page) == 1) {
		p->n_spares--;
		return page;
	}
	page = p->spares[p->first_spare];
	if (page_count(page) != 1)
		return NULL;
	p->first_spare = (p->first_spare + 1) % DSTOR_SPARES;
	p->n_spares--;
	return page;
}

/* Somebody else may still look at it, nobody writes to it: it comes back when it is ours alone. */
static void keep_spare(struct dstor_peer *p, struct page *page)
{
	if (p->n_spares == DSTOR_SPARES)
		put_page(page);
	else
		p->spares[(p->first_spare + p->n_spares++) % DSTOR_SPARES] = page;
}

void dstor_command_drop_spares(struct dstor_peer *p)
{
	while (p->n_spares)
		put_page(p->spares[(p->first_spare + --p->n_spares) % DSTOR_SPARES]);
}

/* Fills p->scratch; the number of pieces, or 0. */
static unsigned int get_pages(struct dstor_peer *p, u32 bytes)
{
	unsigned int n = 0, order = CHUNK_ORDER;

	if (bytes <= PAGE_SIZE) {
		p->scratch[0] = take_spare(p);
		if (p->scratch[0])
			return 1;
	}
	while (bytes) {
		struct page *page = NULL;

		order = min_t(unsigned int, order, ilog2(max_t(u32, bytes >> PAGE_SHIFT, 1)));
		if (order)
			page = alloc_pages(GFP_NOWAIT | __GFP_NOWARN | __GFP_NORETRY | __GFP_COMP,
					   order);
		if (!page) {
			order = 0;
			page = alloc_page(GFP_NOIO | __GFP_NOWARN);
		}
		if (!page) {
			free_pages_of(p->scratch, n);
			return 0;
		}
		p->scratch[n++] = page;
		bytes -= min_t(u32, bytes, PAGE_SIZE << order);
	}
	return n;
}

static struct dstor_command *new_command(struct dstor_peer *p, const struct dstor_frame *f,
					 u32 data)
{
	struct dstor_export *e = p->export;
	unsigned int n = 0, i;
	struct dstor_command *cmd;
	struct bio *bio;

	if (data) {
		n = get_pages(p, data);
		if (!n)
			return NULL;
	}
	bio = bio_alloc_bioset(e->disk.bdev.bdev, n, 0, GFP_NOWAIT | __GFP_NOWARN,
			       &e->disk.commands);
	if (!bio) {
		free_pages_of(p->scratch, n);
		return NULL;
	}
	cmd = container_of(bio, struct dstor_command, bio);
	memset(cmd, 0, offsetof(struct dstor_command, bio));
	cmd->peer = p;
	cmd->seq = le64_to_cpu(f->seq);
	cmd->offset = le64_to_cpu(f->offset);
	cmd->bytes = le32_to_cpu(f->bytes);
	cmd->slot = le16_to_cpu(f->slot);
	cmd->flags = le16_to_cpu(f->flags);
	cmd->op = f->op;
	cmd->charged = data;
	bio->bi_ioprio = le16_to_cpu(f->status);
	if (IOPRIO_PRIO_CLASS(bio->bi_ioprio) > IOPRIO_CLASS_IDLE)
		bio->bi_ioprio = 0;
	for (i = 0; i < n; i++) {
		u32 len = min_t(u32, data, page_size(p->scratch[i]));

		/* Pieces stay apart: each is freed by its own reference. */
		__bio_add_page(bio, p->scratch[i], len, 0);
		data -= len;
	}
	return cmd;
}

static void free_data(struct dstor_command *cmd)
{
	unsigned int i;

	if (cmd->bio.bi_vcnt == 1 && cmd->bytes <= PAGE_SIZE) {
		keep_spare(cmd->peer, cmd->bio.bi_io_vec[0].bv_page);
		cmd->bio.bi_vcnt = 0;
	}
	for (i = 0; i < cmd->bio.bi_vcnt; i++)
		put_page(cmd->bio.bi_io_vec[i].bv_page);
	cmd->bio.bi_vcnt = 0;
	uncharge(cmd);
}

void dstor_command_free(struct dstor_command *cmd)
{
	free_data(cmd);
	if (cmd->message.head)
		page_frag_free(cmd->message.head);
	bio_put(&cmd->bio);
}

/* The whole data of a command, whatever its bio has gone through. */
static struct bvec_iter all_of(u32 bytes)
{
	return (struct bvec_iter){ .bi_size = bytes };
}

/* Answering ---------------------------------------------------------------- */

void dstor_command_answer(struct dstor_peer *p, struct dstor_command *cmd)
{
	struct dstor_frame *f = page_frag_alloc(&p->heads, DSTOR_HEAD_LEN, GFP_NOIO);

	lockdep_assert_held(&p->conn.tx.lock);
	if (!f) {
		dstor_command_free(cmd);
		dstor_conn_lose(&p->conn);
		return;
	}
	dstor_frame_init(f, DST_FRAME_RESPONSE, cmd->seq);
	f->op = cmd->op;
	f->slot = cpu_to_le16(cmd->slot);
	f->status = cpu_to_le16(cmd->status);
	cmd->message.head = f;
	cmd->message.in_hand = true;
	if (cmd->op == DST_OP_READ && cmd->status == DST_STATUS_OK) {
		f->length = cpu_to_le32(cmd->bytes);
		cmd->message.bio = &cmd->bio;
		cmd->message.iter = all_of(cmd->bytes);
		cmd->message.length = cmd->bytes;
		cmd->bio.bi_next = NULL;
	} else {
		free_data(cmd);
	}
	list_add_tail(&cmd->message.entry, &p->conn.tx.queue);
}

static void tally(struct dstor_export *e, const struct dstor_command *cmd)
{
	if (cmd->status != DST_STATUS_OK) {
		this_cpu_inc(e->stats->errors);
		return;
	}
	switch (cmd->op) {
	case DST_OP_READ:
		this_cpu_inc(e->stats->reads);
		this_cpu_add(e->stats->read_bytes, cmd->bytes);
		break;
	case DST_OP_WRITE:
		this_cpu_inc(e->stats->writes);
		this_cpu_add(e->stats->write_bytes, cmd->bytes);
		break;
	case DST_OP_FLUSH:
		this_cpu_inc(e->stats->flushes);
		break;
	default:
		this_cpu_inc(e->stats->discards);
	}
}

/* Execution ---------------------------------------------------------------- */

/* The disk is done with it. Any context. */
static void disk_done(struct dstor_command *cmd)
{
	struct dstor_peer *p = cmd->peer;

	/* The peer's work may take the last command at once; its burial waits for us. */
	rcu_read_lock();
	if (llist_add(&cmd->done, &p->done)) {
		dstor_point(DONE_BEFORE_KICK);
		/* When the work itself is submitting, it looks afterwards. */
		if (READ_ONCE(p->worker) != current)
			dstor_conn_kick(&p->conn);
	}
	rcu_read_unlock();
}

static void bio_done(struct bio *bio)
{
	struct dstor_command *cmd = container_of(bio, struct dstor_command, bio);

	cmd->status = status_of_errno(blk_status_to_errno(bio->bi_status));
	disk_done(cmd);
}

static void blocking_work(struct work_struct *work)
{
	struct dstor_command *cmd = container_of(work, struct dstor_command, work);
	struct dstor_export *e = cmd->peer->export;
	int ret = dstor_point_fails(FILE_IO);

	if (ret)
		goto out;
	if (cmd->then_flush || cmd->op == DST_OP_FLUSH)
		ret = dstor_disk_flush(e);
	else if (cmd->op == DST_OP_READ || cmd->op == DST_OP_WRITE)
		ret = dstor_file_rw(e, cmd);
	else
		ret = dstor_file_allocate(e, cmd);
out:
	cmd->then_flush = false;
	cmd->status = status_of_errno(ret);
	disk_done(cmd);
}

static void execute(struct dstor_command *cmd)
{
	struct dstor_export *e = cmd->peer->export;

	dstor_point(SUBMIT);
	atomic_inc(&cmd->peer->in_flight);
	atomic_inc(&e->in_flight);
	if (e->disk.file) {
		INIT_WORK(&cmd->work, blocking_work);
		queue_work(dstor_disk_wq, &cmd->work);
	} else {
		cmd->bio.bi_end_io = bio_done;
		dstor_bdev_submit(cmd);
	}
}

void dstor_command_submit_ready(struct dstor_peer *p)
{
	struct dstor_command *cmd, *n;
	struct blk_plug plug;

	if (list_empty(&p->ready))
		return;
	/*
	 * Zero-copy without regret (P4): on one machine the received segments may
	 * be the client's own pages. If the client has given up and may reuse them,
	 * it has aborted the connection before; the socket says so now, after the
	 * data was copied and the socket's lock released.
	 *
	 * Once the export stops, its flush may have begun (P5): a write whose data a
	 * thread opens only now is for the next exporter.
	 */
	if (dstor_conn_lost(&p->conn) || !dstor_conn_alive(&p->conn) || !p->admitting) {
		dstor_command_drop_ready(p);
		return;
	}
	blk_start_plug(&plug);
	list_for_each_entry_safe(cmd, n, &p->ready, entry) {
		list_del(&cmd->entry);
		execute(cmd);
	}
	blk_finish_plug(&plug);
}

static void drop(struct dstor_peer *p, struct dstor_command *cmd)
{
	dstor_slot_drop(&p->lane->slots[cmd->slot], cmd->seq);
	dstor_command_free(cmd);
}

void dstor_command_take_opened(struct dstor_peer *p)
{
	struct llist_node *all = llist_reverse_order(llist_del_all(&p->opened));
	struct dstor_command *cmd, *n;

	llist_for_each_entry_safe(cmd, n, all, done) {
		if (cmd->broken)
			drop(p, cmd);
		else
			list_add_tail(&cmd->entry, &p->ready);
	}
}

void dstor_command_drop_ready(struct dstor_peer *p)
{
	struct dstor_command *cmd, *n;

	dstor_command_take_opened(p);
	list_for_each_entry_safe(cmd, n, &p->ready, entry) {
		list_del(&cmd->entry);
		drop(p, cmd);
	}
	if (dstor_conn_lost(&p->conn) && p->receiving) {
		drop(p, p->receiving);
		p->receiving = NULL;
	}
	if (dstor_conn_lost(&p->conn) && p->refused) {
		dstor_command_free(p->refused);
		p->refused = NULL;
	}
}

void dstor_command_reap(struct dstor_peer *p)
{
	struct llist_node *all = llist_reverse_order(llist_del_all(&p->done));
	struct dstor_export *e = p->export;
	struct dstor_command *cmd, *n;

	llist_for_each_entry_safe(cmd, n, all, done) {
		if (cmd->then_flush && cmd->status == DST_STATUS_OK) {
			INIT_WORK(&cmd->work, blocking_work);
			queue_work(dstor_disk_wq, &cmd->work);
			continue;
		}
		dstor_slot_done(&p->lane->slots[cmd->slot], cmd->seq, cmd->status);
		dstor_point(RESULT_BEFORE_ANSWER);
		tally(e, cmd);
		if (p->conn.sock && !dstor_conn_lost(&p->conn))
			dstor_command_answer(p, cmd);
		else
			dstor_command_free(cmd);
		atomic_dec(&p->in_flight);
		if (atomic_dec_and_test(&e->in_flight))
			wake_up_all(&e->wait);
	}
}

/* Admission ---------------------------------------------------------------- */

static u32 memory_of(const struct dstor_frame *f)
{
	switch (f->op) {
	case DST_OP_READ:
	case DST_OP_WRITE:
		return le32_to_cpu(f->bytes);
	default:
		return 0;
	}
}

/* Refused, or executed before. Data that follows is thrown away. */
static enum dstor_rx_verdict answer_now(struct dstor_peer *p, struct dstor_command *cmd,
					u8 status)
{
	cmd->status = status;
	/*
	 * An answer proves that all of the request was received: its pages are the
	 * client's again then (P4).
	 */
	if (p->conn.rx.frame.length)
		p->refused = cmd;
	else
		dstor_command_answer(p, cmd);
	return DSTOR_RX_NEXT;
}

static enum dstor_rx_verdict admit(struct dstor_peer *p, const struct dstor_frame *f,
				   struct dstor_command *cmd, enum dstor_status verdict)
{
	struct dstor_slot *slot = &p->lane->slots[cmd->slot];

	if (le16_to_cpu(f->flags) & DST_REQ_RESEND)
		this_cpu_inc(p->export->stats->resends);
	switch (dstor_slot_admit(slot, cmd->seq, cmd->op)) {
	case DST_ADMIT_EXECUTE:
		break;
	case DST_ADMIT_REPLAY:
		this_cpu_inc(p->export->stats->replayed);
		return answer_now(p, cmd, slot->status);
	case DST_ADMIT_BUSY:
		dstor_command_free(cmd);
		return DSTOR_RX_NEXT;
	default:
		dstor_command_free(cmd);
		return DSTOR_RX_CLOSE;
	}
	if (verdict != DST_STATUS_OK) {
		dstor_slot_done(slot, cmd->seq, verdict);
		this_cpu_inc(p->export->stats->errors);
		return answer_now(p, cmd, verdict);
	}
	if (cmd->op == DST_OP_WRITE) {
		p->receiving = cmd;
		p->conn.rx.sink.bio = &cmd->bio;
		p->conn.rx.sink.iter = all_of(cmd->bytes);
	} else {
		list_add_tail(&cmd->entry, &p->ready);
	}
	return DSTOR_RX_NEXT;
}

enum dstor_rx_verdict dstor_command_receive(struct dstor_peer *p)
{
	const struct dstor_frame *f = &p->conn.rx.frame;
	enum dstor_status verdict = dstor_request_check(f, &p->bounds);
	u32 data = verdict == DST_STATUS_OK ? memory_of(f) : 0;
	struct dstor_command *cmd;

	if (test_bit(DSTOR_NOTICE_STOP, &p->notices)) {
		p->conn.rx.paused = true;
		return DSTOR_RX_PAUSE;
	}
	if (data && !charge(p->export, data))
		return wait_for_memory(p);
	cmd = new_command(p, f, data);
	if (!cmd) {
		atomic64_sub(data, &p->export->memory.used);
		return wait_for_memory(p);
	}
	return admit(p, f, cmd, verdict);
}
