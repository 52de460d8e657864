// SPDX-License-Identifier: GPL-2.0
/*
 * A peer: one accepted connection, from its greeting to its end. Everything
 * happens in its work, one run at a time; callbacks, timers and completions
 * only kick it. Until it is granted that is an item of a workqueue, so that
 * strangers cost no threads. From then on a thread of its own runs it, which
 * works beside the CPU that receives. While the client waits for each answer
 * before it asks again, an item of a workqueue on that CPU does, so that no
 * other CPU is woken: peer_place(). It is freed when its socket is closed and
 * its last command is done.
 *
 * Locks: run.lock is held through a run of either, conn.tx.lock through most of
 * one; export->lock comes after them (session.c); peers_lock is a leaf.
 */
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <net/sock.h>

#include "conn/liveness.h"
#include "conn/transport.h"
#include "core/feature.h"
#include "core/netns.h"
#include "core/point.h"
#include "core/work.h"
#include "exporter/account.h"
#include "exporter/command.h"
#include "exporter/command_memory.h"
#include "exporter/export.h"
#include "exporter/hello.h"
#include "exporter/limiter.h"
#include "exporter/listener.h"
#include "exporter/peer.h"
#include "exporter/peer_list.h"
#include "exporter/progress.h"
#include "exporter/session.h"
#include "wire/retry.h"

#define HANDSHAKE_MS 10000	/* patience with a silent or slow client */
#define PING_MAX_MS 600000	/* life of a connection for PING alone, */
#define PING_IDLE_MS 60000	/* and without a frame */
#define ENDING_MS 1000		/* for the last answer to leave and the client to close */
#define TICK_MS 500
#define PASS_FRAMES 64
#define PASSES 8
#define LONE_MAX 64		/* runs with one small request, before it is alone */
#define LONE_LOSS 12		/* what a run with more takes from that */
#define LONE_BYTES 16384	/* of a request and its answer */

static void free_peer(struct kref *kref)
{
	struct dstor_peer *p = container_of(kref, struct dstor_peer, kref);

	dstor_command_drop_spares(p);
	kfree(p->memory.scratch);
	if (p->export)
		dstor_export_put(p->export);
	dstor_listener_drop(p->listener);
	kfree_sensitive(p->channel);
	kfree(p);
	dstor_peers_uncount();
}

void dstor_peer_put(struct dstor_peer *p)
{
	kref_put(&p->kref, free_peer);
}

/* Frames ------------------------------------------------------------------- */

static enum dstor_rx_verdict peer_frame(struct dstor_peer *p)
{
	const struct dstor_frame *f = dstor_conn_frame(&p->conn);

	if (!dstor_request_sane(f, &p->bounds))
		return DSTOR_RX_CLOSE;
	if (dstor_peer_must_wait(p, f))
		return DSTOR_RX_PAUSE;
	if (p->state == DSTOR_PEER_LIVE)
		dstor_rejoin_frame(&p->queue->past,
				   f->type == DSTOR_FRAME_REQUEST ? le64_to_cpu(f->seq) : 0);
	switch (f->type) {
	case DSTOR_FRAME_REQUEST:
		dstor_feature_count(le16_to_cpu(f->flags));
		return dstor_command_receive(p, dstor_request_check(f, &p->bounds));
	case DSTOR_FRAME_PING:
		dstor_peer_send_frame(p, DSTOR_FRAME_PONG, 0, 0, 0, le64_to_cpu(f->seq), 0);
		return DSTOR_RX_NEXT;
	case DSTOR_FRAME_ASK:
		dstor_peer_answer_ask(p, f);
		return DSTOR_RX_NEXT;
	case DSTOR_FRAME_BYE:
		p->bye = p->state == DSTOR_PEER_LIVE;
		return DSTOR_RX_CLOSE;
	}
	return DSTOR_RX_NEXT;
}

static enum dstor_rx_verdict peer_head(struct dstor_conn *c)
{
	struct dstor_peer *p = container_of(c, struct dstor_peer, conn);

	switch (p->state) {
	case DSTOR_PEER_GREETING:
		return dstor_peer_greeting(p);
	case DSTOR_PEER_HELLO:
		return dstor_peer_hello(p);
	case DSTOR_PEER_LIVE:
	case DSTOR_PEER_PING:
		return peer_frame(p);
	case DSTOR_PEER_ENDING:
		/*
		 * The client sent this before it read our last message. A reset
		 * could overtake that message.
		 */
		dstor_conn_pause(c, DSTOR_PAUSE_ENDING);
		return DSTOR_RX_PAUSE;
	default:
		/* Before the welcome: not asked for. */
		return DSTOR_RX_CLOSE;
	}
}

static void peer_corrupt(struct dstor_conn *c)
{
	struct dstor_peer *p = container_of(c, struct dstor_peer, conn);

	if (!p->export)
		return;
	if (!dstor_conn_has_key(c)) {
		this_cpu_inc(p->export->stats->checksum_errors);
		return;
	}
	this_cpu_inc(p->export->stats->auth_failures);
	pr_warn_ratelimited("dstor: export %s: client %s: authentication failed: a frame was altered\n",
			    p->export->name, p->address);
}

/* A wrong digest of data. Only data of a command (p->receiving) is compared. */
static enum dstor_rx_verdict peer_damaged(struct dstor_conn *c)
{
	struct dstor_peer *p = container_of(c, struct dstor_peer, conn);
	const struct dstor_frame *f = dstor_conn_frame(c);

	peer_corrupt(c);
	/* Wrong data may leave the connection open only on its way to the disk. */
	if (!p->commands.receiving)
		return DSTOR_RX_CLOSE;
	dstor_command_damaged(p);
	dstor_peer_send_frame(p, DSTOR_FRAME_STATE, 0, le16_to_cpu(f->slot),
			      DSTOR_STATE_DAMAGED, le64_to_cpu(f->seq), 0);
	return DSTOR_RX_NEXT;
}

static const struct dstor_conn_ops peer_ops = {
	.head = peer_head,
	.data = dstor_command_data,
	.damaged = peer_damaged,
	.corrupt = peer_corrupt,
	.decrypt_begin = dstor_command_decrypt_begin,
	.decrypt_end = dstor_command_decrypt_end,
};

/* The work ----------------------------------------------------------------- */

static void free_unsent(struct dstor_peer *p)
{
	struct dstor_message *m, *n;
	LIST_HEAD(unsent);

	dstor_tx_take_unsent(&p->conn, &unsent);
	list_for_each_entry_safe(m, n, &unsent, entry) {
		list_del(&m->entry);
		m->sent(&p->conn, m);
	}
}

/* The end of an export waits for it: nothing that is received from now on reaches the disk. */
static void stop_admitting(struct dstor_peer *p)
{
	if (!p->admitting)
		return;
	p->admitting = false;
	/* fully ordered: pairs with export_is_drained() in stop.c */
	if (atomic_dec_and_test(&p->export->admitting))
		wake_up_all(&p->export->wait);
}

static void close_peer(struct dstor_peer *p)
{
	dstor_cipher_drain(&p->conn);
	free_unsent(p);
	/* The connection ends: drop commands that were not submitted (P2). */
	dstor_tx_unlock(&p->conn);
	dstor_point(PEER_CLOSING);
	dstor_conn_close(&p->conn, false);
	dstor_protection_free(&p->conn.former);
	dstor_tx_lock(&p->conn);
	if (p->queue)
		dstor_command_drop_ready(p);
	stop_admitting(p);
	if (p->session)
		dstor_account_leave(p);
	dstor_peer_set_state(p, DSTOR_PEER_CLOSED);
}

static void peer_retire(struct dstor_peer *p)
{
	if (p->session)
		dstor_session_leave(p);
	dstor_peer_delist(p);
	queue_rcu_work(dstor_disk_wq, &p->run.free_work);
}

/* After the grace period only a tick or a run that was queued before can kick the peer. */
static void peer_free_work(struct work_struct *work)
{
	struct dstor_peer *p = container_of(to_rcu_work(work), struct dstor_peer, run.free_work);

	cancel_delayed_work_sync(&p->run.tick);
	cancel_work_sync(&p->run.work);
	if (p->conn.thread)
		kthread_destroy_worker(p->conn.thread);
	dstor_point(PEER_FREE);
	dstor_peer_put(p);
}

/*
 * By what it sends alone. That its transport takes our answers does not count: its
 * pages may be others' once it has given up (P4), and its lease would last longer.
 */
static bool peer_is_silent(const struct dstor_peer *p)
{
	u32 ms = jiffies_to_msecs(jiffies - dstor_conn_heard(&p->conn));

	return ms > dstor_silence_ms(p->ping_ms, p->timeout_ms);
}

/* Judges timeouts, sends pings. False: the connection ends. */
static bool keep_time(struct dstor_peer *p)
{
	u32 age = jiffies_to_msecs(jiffies - p->since);
	u32 idle = jiffies_to_msecs(jiffies - dstor_conn_heard(&p->conn));

	switch (p->state) {
	case DSTOR_PEER_GREETING:
	case DSTOR_PEER_HELLO:
		return age < HANDSHAKE_MS;
	case DSTOR_PEER_PING:
		return age < PING_MAX_MS && idle < PING_IDLE_MS;
	case DSTOR_PEER_ENDING:
		return age < ENDING_MS;
	case DSTOR_PEER_LIVE:
		if (p->final_sent)
			return age < ENDING_MS;
		if (idle >= TICK_MS)
			dstor_command_drop_spares(p);
		/*
		 * Receiving was paused, so not hearing from the client proves nothing. It
		 * hears from us all the same: what it says meanwhile is not read.
		 */
		if (dstor_conn_is_paused(&p->conn))
			dstor_conn_forgive(&p->conn);
		dstor_peer_tell_full(p);
		if (!test_bit(DSTOR_NOTICE_STOP, &p->notices))
			dstor_conn_resume(&p->conn, DSTOR_PAUSE_MEMORY);
		if (dstor_conn_wants_ping(&p->conn, p->ping_ms) &&
		    jiffies_to_msecs(jiffies - p->notified) >= p->ping_ms) {
			p->notified = jiffies;
			dstor_peer_send_frame(p, DSTOR_FRAME_PING, 0, 0, 0, jiffies, 0);
		}
		/*
		 * Judge silence before reading more: late data may be of pages
		 * that were given back (P4).
		 */
		return dstor_conn_is_paused(&p->conn) || !peer_is_silent(p);
	default:
		return true;
	}
}

/* A disk that shrank, and grew to less than it was, is no news (R12.7). */
static void tell_size(struct dstor_peer *p, u64 size)
{
	if (size <= p->bounds.size)
		return;
	p->bounds.size = size;
	dstor_peer_send_frame(p, DSTOR_FRAME_CHANGE, DSTOR_CHANGE_SIZE, 0, 0, 0, size);
}

static void take_notices(struct dstor_peer *p)
{
	if (test_and_clear_bit(DSTOR_NOTICE_SIZE, &p->notices))
		tell_size(p, atomic64_read(&p->export->disk.grown));
	if (test_bit(DSTOR_NOTICE_STOP, &p->notices)) {
		/* All that was received in whole is submitted. */
		dstor_conn_pause(&p->conn, DSTOR_PAUSE_STOPPING);
		stop_admitting(p);
	}
	if (test_bit(DSTOR_NOTICE_UNFLUSHED, &p->notices))
		dstor_conn_lose(&p->conn);
	if (test_bit(DSTOR_NOTICE_FLUSHED, &p->notices) && !p->final_sent) {
		p->final_sent = true;
		p->since = jiffies;
		dstor_peer_send_frame(p, DSTOR_FRAME_CHANGE,
				      DSTOR_CHANGE_STOPPING | DSTOR_CHANGE_FLUSHED, 0, 0, 0, 0);
		/* The client closes; what it sends meanwhile is for the next exporter. */
	}
}

/* One round: receive, submit, answer. False: nothing was left to do. */
static bool peer_run_once(struct dstor_peer *p)
{
	int frames = dstor_rx_pass(&p->conn, PASS_FRAMES);

	if (p->state == DSTOR_PEER_DRAINING && !dstor_conn_lost(&p->conn)) {
		if (!p->session) {
			dstor_conn_resume(&p->conn, DSTOR_PAUSE_HELLO);
			dstor_conn_drop_message(&p->conn);
			dstor_peer_attach(p);
		} else {
			dstor_peer_try_grant(p);
		}
	}
	if (p->queue) {
		dstor_command_submit_ready(p);
		dstor_command_reap(p);
	}
	if (p->state == DSTOR_PEER_LIVE)
		take_notices(p);
	dstor_tx_flush_locked(&p->conn);
	return frames > 0 && !dstor_conn_is_paused(&p->conn) && dstor_rx_pending(&p->conn);
}

/*
 * Where is it served from now on? A client that waits for each answer is served on the
 * CPU that received its request: no other is woken. Many in flight, and large ones, are
 * served by the thread, beside that CPU. With one CPU nothing is gained, and the work's
 * priority would keep the submitter from filling a batch. One run in 13 may find two
 * requests all the same: the second came while the answer to the first left. @requests
 * and @bytes: of one run.
 */
static void peer_place(struct dstor_peer *p, u32 requests, u64 bytes)
{
	bool many = requests > 1 || atomic_read(&p->commands.in_flight) > 1;

	if (bytes > LONE_BYTES * max(requests, 1U))
		p->run.alone = 0;
	else if (many)
		p->run.alone -= min_t(unsigned int, p->run.alone, LONE_LOSS);
	else if (requests && p->run.alone < LONE_MAX)
		p->run.alone++;
	if (!p->run.alone || p->run.alone == LONE_MAX)
		dstor_conn_set_lone(&p->conn, p->run.alone && num_online_cpus() > 1);
}

/*
 * A run of the work or of the thread. Both may be on their way: the place changed between
 * two kicks. What ends the peer waits for both (peer_free_work()), so it outlives the run.
 */
static void peer_serve(struct dstor_peer *p)
{
	unsigned int noio = memalloc_noio_save();
	unsigned int passes = 0;
	bool again = false, gone = false;

	mutex_lock(&p->run.lock);
	if (p->accepted) {
		struct socket *sock = p->accepted;

		p->accepted = NULL;
		dstor_conn_start(&p->conn, sock, sizeof(struct dstor_greeting));
		queue_delayed_work(dstor_serve_wq, &p->run.tick, msecs_to_jiffies(TICK_MS));
	}
	dstor_tx_lock(&p->conn);
	WRITE_ONCE(p->run.worker, current);
	if (p->state != DSTOR_PEER_CLOSED) {
		u32 received = p->commands.received;
		u64 bytes = dstor_conn_bytes(&p->conn);

		if (!keep_time(p))
			dstor_conn_lose(&p->conn);
		do {
			again = peer_run_once(p);
		} while (again && ++passes < PASSES);
		peer_place(p, p->commands.received - received, dstor_conn_bytes(&p->conn) - bytes);
		/* An answer that ends the connection is out, and the other side may go. */
		if (p->state == DSTOR_PEER_ENDING && dstor_tx_idle(&p->conn) &&
		    !p->final_sent && !dstor_conn_lost(&p->conn)) {
			/* Shut down once: it calls back, and that leads here again. */
			p->final_sent = true;
			dstor_conn_end_sending(&p->conn);
		}
		if (p->state == DSTOR_PEER_LIVE && dstor_peer_stands_still(p))
			dstor_conn_lose(&p->conn);
		if (dstor_conn_lost(&p->conn))
			close_peer(p);
	}
	WRITE_ONCE(p->run.worker, NULL);
	smp_mb(); /* disk_done() looks at worker after it has added to done */
	if (p->state == DSTOR_PEER_CLOSED) {
		if (p->queue)
			dstor_command_reap(p);
		gone = !atomic_read(&p->commands.in_flight) && !list_empty(&p->entry);
		again = false;
	} else if (p->queue && !llist_empty(&p->commands.done)) {
		again = true;
	}
	dstor_tx_unlock(&p->conn);
	if (gone) {
		dstor_point(PEER_CLOSED);
		peer_retire(p);
	} else if (again) {
		dstor_conn_kick(&p->conn);
	}
	mutex_unlock(&p->run.lock);
	memalloc_noio_restore(noio);
}

static void thread_work(struct kthread_work *work)
{
	peer_serve(container_of(work, struct dstor_peer, run.thread_work));
}

/* Gives the peer a thread; without memory for one the peer stays in its workqueue. */
static void give_thread(struct dstor_peer *p)
{
	struct kthread_worker *thread = kthread_create_worker(0, "dst-%s", p->export->name);

	if (IS_ERR(thread)) {
		dstor_conn_move(&p->conn, dstor_serve_wq);
		return;
	}
	kthread_init_work(&p->run.thread_work, thread_work);
	dstor_conn_give_thread(&p->conn, thread, &p->run.thread_work, dstor_lone_wq);
	/* The work item may have been kicked meanwhile: pass that on to the thread. */
	dstor_conn_kick(&p->conn);
}

static void peer_work(struct work_struct *work)
{
	struct dstor_peer *p = container_of(work, struct dstor_peer, run.work);

	peer_serve(p);
	if (!p->run.settled && p->state == DSTOR_PEER_LIVE) {
		p->run.settled = true;
		give_thread(p);
	}
}

static void tick_work(struct work_struct *work)
{
	struct dstor_peer *p = container_of(work, struct dstor_peer, run.tick.work);
	u32 least;

	dstor_conn_kick(&p->conn);
	/* Both are 0 before the hello. */
	least = min(p->ping_ms, p->timeout_ms);
	queue_delayed_work(dstor_serve_wq, &p->run.tick,
			   msecs_to_jiffies(least ? clamp_t(u32, least / 4, 10, TICK_MS) :
					    TICK_MS));
}

/* Making and ending -------------------------------------------------------- */

void dstor_peer_new(struct dstor_listener *l, struct socket *sock)
{
	static struct lock_class_key tx_key;
	struct dstor_peer *p = kzalloc(sizeof(*p), GFP_KERNEL);
	int len;

	if (!p) {
		dstor_socket_abort(sock);
		return;
	}
	dstor_peers_count();
	kref_init(&p->kref);
	dstor_listener_hold(l);
	p->listener = l;
	p->since = jiffies;
	INIT_LIST_HEAD(&p->entry);
	INIT_LIST_HEAD(&p->commands.ready);
	INIT_LIST_HEAD(&p->memory.waiting);
	init_llist_head(&p->commands.done);
	init_llist_head(&p->commands.decrypted);
	mutex_init(&p->run.lock);
	INIT_WORK(&p->run.work, peer_work);
	INIT_RCU_WORK(&p->run.free_work, peer_free_work);
	INIT_DELAYED_WORK(&p->run.tick, tick_work);
	len = kernel_getpeername(sock, (struct sockaddr *)&p->peer_id.addr);
	p->peer_id.addr_len = len > 0 ? len : 0;
	dstor_sockaddr_text(&p->peer_id.addr, p->address);
	p->place.host = dstor_limiter_host(&p->peer_id.addr, dstor_socket_uid(sock));
	dstor_socket_for_exporter(sock);
	dstor_conn_init(&p->conn, &peer_ops, dstor_greet_wq, &p->run.work, &tx_key);
	dstor_conn_begin(&p->conn);
	p->accepted = sock;
	dstor_peer_enlist(p);
}
