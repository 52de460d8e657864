// SPDX-License-Identifier: GPL-2.0
/*
 * A request on the exporter, from its header to its response: admission (P3),
 * execution on the disk, answer. All of it runs in the peer's work except
 * the completion by the disk (any context), operations on a file (in a workqueue of
 * its export), and threads that decrypt data.
 *
 *   header -> dstor_command_receive() -> command_admit()
 *     write      p->commands.receiving, until its data is there: dstor_command_data()
 *                or, decrypted by a thread, p->commands.decrypted: take_decrypted()
 *     refused    p->commands.refused, until its data is thrown away; then the answer
 *     other      at once:
 *   p->commands.ready, or parked as long as the client's rate says
 *                -> dstor_command_take_ready() -> dstor_command_submit(), without
 *                lock -> the disk
 *   p->commands.done      <- disk_done(), any context
 *                -> dstor_command_reap() -> send_answer(), or ready again: the next step
 *   sent         -> command_sent() of command_memory.c frees it
 *
 * Only this file moves a command from one to the next, under conn.tx.lock but
 * for p->commands.decrypted and p->commands.done, which are lock-free lists.
 */
#include <linux/blkdev.h>
#include <linux/sched/mm.h>
#include <linux/uio.h>

#include "core/point.h"
#include "core/work.h"
#include "exporter/command.h"
#include "exporter/command_memory.h"
#include "exporter/disk.h"
#include "exporter/export.h"
#include "exporter/gate.h"
#include "exporter/peer.h"
#include "exporter/session.h"
#include "exporter/throttle.h"

#define SUBMIT_MS 10	/* then answers leave, before the rest is submitted */

static u8 status_of_errno(int err)
{
	switch (err) {
	case 0:
		return DSTOR_STATUS_OK;
	case -ENOSPC:
	case -EDQUOT:
		return DSTOR_STATUS_NO_SPACE;
	case -EOPNOTSUPP:
		return DSTOR_STATUS_NOT_SUPPORTED;
	case -EROFS:
	case -EPERM:
		return DSTOR_STATUS_READ_ONLY;
	case -ETIMEDOUT:
		return DSTOR_STATUS_TIMEOUT;
	case -ENODATA:
		return DSTOR_STATUS_MEDIUM;
	case -EREMOTEIO:
		return DSTOR_STATUS_TARGET;
	case -EBADE:
		return DSTOR_STATUS_RESERVED;
	case -EILSEQ:
		return DSTOR_STATUS_PROTECTION;
	case -ENOMEM:
		return DSTOR_STATUS_NO_MEMORY;
	case -ENOLINK:
		return DSTOR_STATUS_TRANSPORT;
	case -ENODEV:
	case -ENXIO:
		return DSTOR_STATUS_OFFLINE;
	default:
		return DSTOR_STATUS_IO;
	}
}

/* The whole data of a command, whatever its bio has gone through. */
static struct bvec_iter all_of(u32 bytes)
{
	return (struct bvec_iter){ .bi_size = bytes };
}

/* Answering ---------------------------------------------------------------- */

static void send_answer(struct dstor_peer *p, struct dstor_command *cmd)
{
	bool has_data = cmd->op == DSTOR_OP_READ && cmd->status == DSTOR_STATUS_OK;
	struct dstor_frame *f;

	dstor_tx_assert_locked(&p->conn);
	if (!has_data)
		dstor_command_free_data(cmd);
	f = page_frag_alloc(&p->memory.heads, DSTOR_HEAD_LEN, GFP_NOIO);
	if (!f) {
		dstor_command_free(cmd);
		dstor_conn_lose(&p->conn);
		return;
	}
	dstor_frame_init(f, DSTOR_FRAME_RESPONSE, cmd->seq);
	f->op = cmd->op;
	f->slot = cpu_to_le16(cmd->slot);
	f->status = cpu_to_le16(cmd->status);
	cmd->message.head = f;
	if (has_data) {
		f->length = cpu_to_le32(cmd->bytes);
		cmd->message.bio = &cmd->bio;
		cmd->message.iter = all_of(cmd->bytes);
		cmd->message.length = cmd->bytes;
		cmd->bio.bi_next = NULL;
	}
	dstor_tx_queue_locked(&p->conn, &cmd->message);
}

/* Receiving ---------------------------------------------------------------- */

static u32 memory_of(const struct dstor_frame *f)
{
	switch (f->op) {
	case DSTOR_OP_READ:
	case DSTOR_OP_WRITE:
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
	if (dstor_conn_frame(&p->conn)->length)
		p->commands.refused = cmd;
	else
		send_answer(p, cmd);
	return DSTOR_RX_NEXT;
}

static enum dstor_rx_verdict command_admit(struct dstor_peer *p, const struct dstor_frame *f,
					   struct dstor_command *cmd, enum dstor_status verdict)
{
	struct dstor_slot *slot = &p->queue->slots[cmd->slot];

	if (le16_to_cpu(f->flags) & DSTOR_REQ_RESEND)
		this_cpu_inc(p->export->stats->resends);
	switch (dstor_slot_admit(slot, f)) {
	case DSTOR_ADMIT_EXECUTE:
		break;
	case DSTOR_ADMIT_REPEAT:
		this_cpu_inc(p->export->stats->replayed);
		return answer_now(p, cmd, slot->status);
	case DSTOR_ADMIT_BUSY:
		dstor_command_free(cmd);
		return DSTOR_RX_NEXT;
	default:
		dstor_command_free(cmd);
		return DSTOR_RX_CLOSE;
	}
	if (verdict != DSTOR_STATUS_OK) {
		dstor_slot_done(slot, cmd->seq, verdict);
		this_cpu_inc(p->export->stats->errors);
		return answer_now(p, cmd, verdict);
	}
	if (cmd->op == DSTOR_OP_WRITE) {
		p->commands.receiving = cmd;
		dstor_conn_receive_into(&p->conn, &cmd->bio, all_of(cmd->bytes));
	} else {
		list_add_tail(&cmd->entry, &p->commands.ready);
	}
	return DSTOR_RX_NEXT;
}

enum dstor_rx_verdict dstor_command_receive(struct dstor_peer *p, enum dstor_status verdict)
{
	const struct dstor_frame *f = dstor_conn_frame(&p->conn);
	u32 data = verdict == DSTOR_STATUS_OK ? memory_of(f) : 0;
	struct dstor_command *cmd;

	if (test_bit(DSTOR_NOTICE_STOP, &p->notices)) {
		dstor_conn_pause(&p->conn, DSTOR_PAUSE_STOPPING);
		return DSTOR_RX_PAUSE;
	}
	if (dstor_throttle_is_full(p)) {
		dstor_conn_pause(&p->conn, DSTOR_PAUSE_RATE);
		return DSTOR_RX_PAUSE;
	}
	if (f->op == DSTOR_OP_READ && dstor_gate_holds(p)) {
		dstor_gate_wait(p);
		return DSTOR_RX_PAUSE;
	}
	cmd = dstor_command_new(p, f, data);
	if (!cmd)
		return DSTOR_RX_PAUSE;
	p->commands.received++;
	return command_admit(p, f, cmd, verdict);
}

enum dstor_rx_verdict dstor_command_data(struct dstor_conn *c)
{
	struct dstor_peer *p = container_of(c, struct dstor_peer, conn);

	if (p->commands.receiving) {
		list_add_tail(&p->commands.receiving->entry, &p->commands.ready);
		p->commands.receiving = NULL;
	}
	if (p->commands.refused) {
		send_answer(p, p->commands.refused);
		p->commands.refused = NULL;
	}
	return DSTOR_RX_NEXT;
}

void *dstor_command_decrypt_begin(struct dstor_conn *c)
{
	struct dstor_peer *p = container_of(c, struct dstor_peer, conn);
	struct dstor_command *cmd = p->commands.receiving;

	p->commands.receiving = NULL;
	return cmd;
}

void dstor_command_decrypt_end(struct dstor_conn *c, void *owner, bool ok)
{
	struct dstor_peer *p = container_of(c, struct dstor_peer, conn);
	struct dstor_command *cmd = owner;

	cmd->broken = !ok;
	if (llist_add(&cmd->done, &p->commands.decrypted))
		dstor_conn_kick(c);
}

static void command_drop(struct dstor_peer *p, struct dstor_command *cmd)
{
	dstor_slot_drop(&p->queue->slots[cmd->slot], cmd->seq);
	dstor_command_free(cmd);
}

void dstor_command_damaged(struct dstor_peer *p)
{
	command_drop(p, p->commands.receiving);
	p->commands.receiving = NULL;
}

/* The writes that threads have decrypted, or not. */
static void take_decrypted(struct dstor_peer *p)
{
	struct llist_node *all = llist_reverse_order(llist_del_all(&p->commands.decrypted));
	struct dstor_command *cmd, *n;

	llist_for_each_entry_safe(cmd, n, all, done) {
		if (cmd->broken)
			command_drop(p, cmd);
		else
			list_add_tail(&cmd->entry, &p->commands.ready);
	}
}

void dstor_command_drop_ready(struct dstor_peer *p)
{
	struct dstor_command *cmd, *n;

	take_decrypted(p);
	list_splice_init(&p->commands.parked, &p->commands.ready);
	p->commands.parked_bytes = 0;
	list_for_each_entry_safe(cmd, n, &p->commands.ready, entry) {
		if (cmd->begun)
			continue;
		list_del(&cmd->entry);
		command_drop(p, cmd);
	}
	if (dstor_conn_lost(&p->conn) && p->commands.receiving) {
		command_drop(p, p->commands.receiving);
		p->commands.receiving = NULL;
	}
	if (dstor_conn_lost(&p->conn) && p->commands.refused) {
		dstor_command_free(p->commands.refused);
		p->commands.refused = NULL;
	}
}

/* Execution ---------------------------------------------------------------- */

/* The disk is done with it. Any context. */
static void disk_done(struct dstor_command *cmd)
{
	struct dstor_peer *p = cmd->peer;

	/* The peer's work may take the last command at once; free_work waits for us. */
	rcu_read_lock();
	if (llist_add(&cmd->done, &p->commands.done)) {
		dstor_point(DONE_BEFORE_KICK);
		/* When the work itself is submitting, it looks afterwards. */
		if (READ_ONCE(p->run.worker) != current)
			dstor_conn_kick(&p->conn);
	}
	rcu_read_unlock();
}

/* The block layer calls it an I/O error when a disk was taken away. */
static u8 status_of_bdev(const struct block_device *bdev, blk_status_t status)
{
	if (status == BLK_STS_IOERR && test_bit(GD_DEAD, &bdev->bd_disk->state))
		return DSTOR_STATUS_OFFLINE;
	return status_of_errno(blk_status_to_errno(status));
}

static void bio_done(struct bio *bio)
{
	struct dstor_command *cmd = container_of(bio, struct dstor_command, bio);

	cmd->status = status_of_bdev(cmd->peer->export->disk.bdev.bdev, bio->bi_status);
	disk_done(cmd);
}

static int file_operation(struct dstor_export *e, struct dstor_command *cmd)
{
	int ret = dstor_point_fails(FILE_IO);

	if (!ret && (cmd->op == DSTOR_OP_FLUSH || cmd->flags & DSTOR_REQ_PREFLUSH))
		ret = dstor_disk_flush(e);
	if (ret || cmd->op == DSTOR_OP_FLUSH)
		return ret;
	if (cmd->op == DSTOR_OP_READ || cmd->op == DSTOR_OP_WRITE)
		return dstor_file_rw(e, cmd);
	return dstor_file_allocate(e, cmd);
}

/*
 * The client may be this machine, and wait for us to free memory: allocations do not wait
 * for I/O, and writes through the page cache are throttled by their own disk alone.
 */
static void file_work(struct work_struct *work)
{
	struct dstor_command *cmd = container_of(work, struct dstor_command, work);
	unsigned int throttle = current->flags & PF_LOCAL_THROTTLE;
	unsigned int noio = memalloc_noio_save();

	current->flags |= PF_LOCAL_THROTTLE;
	cmd->status = status_of_errno(file_operation(cmd->peer->export, cmd));
	if (!throttle)
		current->flags &= ~PF_LOCAL_THROTTLE;
	memalloc_noio_restore(noio);
	disk_done(cmd);
}

static void command_execute(struct dstor_command *cmd)
{
	struct dstor_export *e = cmd->peer->export;

	dstor_point(SUBMIT);
	if (e->disk.file) {
		cmd->begun = true;
		INIT_WORK(&cmd->work, file_work);
		queue_work(e->disk.wq, &cmd->work);
		return;
	}
	if (!cmd->begun)
		cmd->steps = dstor_bdev_steps(cmd);
	else
		/* The disk has used it up. */
		bio_reset(&cmd->bio, e->disk.bdev.bdev, 0);
	cmd->begun = true;
	cmd->bio.bi_end_io = bio_done;
	dstor_bdev_submit(cmd);
}

static void command_count(struct dstor_export *e, const struct dstor_command *cmd)
{
	if (cmd->status != DSTOR_STATUS_OK) {
		this_cpu_inc(e->stats->errors);
		return;
	}
	switch (cmd->op) {
	case DSTOR_OP_READ:
		this_cpu_inc(e->stats->reads);
		this_cpu_add(e->stats->read_bytes, cmd->bytes);
		break;
	case DSTOR_OP_WRITE:
		this_cpu_inc(e->stats->writes);
		this_cpu_add(e->stats->write_bytes, cmd->bytes);
		break;
	case DSTOR_OP_FLUSH:
		this_cpu_inc(e->stats->flushes);
		break;
	default:
		this_cpu_inc(e->stats->discards);
	}
}

/* Those that begin are not in flight yet; the others have been all the time. */
static int count_new(const struct list_head *list)
{
	const struct dstor_command *cmd;
	int n = 0;

	list_for_each_entry(cmd, list, entry)
		n += !cmd->begun;
	return n;
}

static void count_in_flight(struct dstor_peer *p, int n)
{
	atomic_add(n, &p->commands.in_flight);
	if (!atomic_add_return(n, &p->export->in_flight))
		wake_up_all(&p->export->wait);
}

bool dstor_command_take_ready(struct dstor_peer *p, struct list_head *batch)
{
	take_decrypted(p);
	list_splice_init(&p->commands.parked, &p->commands.ready);
	if (list_empty(&p->commands.ready))
		return false;
	/*
	 * Zero-copy without regret (P4): on one machine the received segments may
	 * be the client's own pages. If the client has given up and may reuse them,
	 * it has aborted the connection before; the socket says so now, after the
	 * data was copied and the socket's lock released.
	 *
	 * Once the export stops, its flush may have begun (P5): a write whose data a
	 * thread decrypts only now is for the next exporter.
	 */
	if (dstor_conn_lost(&p->conn) || !dstor_conn_alive(&p->conn) || !p->admitting)
		dstor_command_drop_ready(p);
	else if (dstor_throttle_is_on(p->export) || p->commands.parked_bytes)
		dstor_throttle_park(p);
	/* Only what has begun is left then, and goes on to its end. */
	list_splice_init(&p->commands.ready, batch);
	if (list_empty(batch))
		return false;
	count_in_flight(p, count_new(batch));
	return true;
}

void dstor_command_submit(struct dstor_peer *p, struct list_head *batch)
{
	unsigned long until = jiffies + msecs_to_jiffies(SUBMIT_MS);
	struct dstor_command *cmd, *n;
	struct blk_plug plug;

	blk_start_plug(&plug);
	list_for_each_entry_safe(cmd, n, batch, entry) {
		if ((dstor_conn_lost(&p->conn) && !cmd->begun) || time_after(jiffies, until))
			break;
		list_del(&cmd->entry);
		command_execute(cmd);
	}
	blk_finish_plug(&plug);
}

void dstor_command_give_back(struct dstor_peer *p, struct list_head *batch)
{
	int n = count_new(batch);

	if (list_empty(batch))
		return;
	list_splice(batch, &p->commands.ready);
	if (dstor_conn_lost(&p->conn))
		dstor_command_drop_ready(p);
	/* The slots are this peer's until then. */
	count_in_flight(p, -n);
}

void dstor_command_reap(struct dstor_peer *p)
{
	struct llist_node *all = llist_reverse_order(llist_del_all(&p->commands.done));
	struct dstor_export *e = p->export;
	struct dstor_command *cmd, *n;

	llist_for_each_entry_safe(cmd, n, all, done) {
		if (cmd->steps && cmd->status == DSTOR_STATUS_OK) {
			list_add_tail(&cmd->entry, &p->commands.ready);
			continue;
		}
		dstor_slot_done(&p->queue->slots[cmd->slot], cmd->seq, cmd->status);
		dstor_point(RESULT_BEFORE_ANSWER);
		command_count(e, cmd);
		if (dstor_op_writes(cmd->op))
			dstor_gate_moved(p);
		if (dstor_conn_is_open(&p->conn) && !dstor_conn_lost(&p->conn))
			send_answer(p, cmd);
		else
			dstor_command_free(cmd);
		count_in_flight(p, -1);
	}
}
