// SPDX-License-Identifier: GPL-2.0
/*
 * Where a peer is served: by its work, on the CPU that received, or by its thread. Each
 * run decides for the next one, under run.lock and conn.tx.lock. A tick, which takes no
 * lock, finds that a run does not come and turns to the other one.
 */
#include "core/work.h"
#include "exporter/export.h"
#include "exporter/peer.h"

#define LONE_MAX 64		/* runs with one small request, before it is alone */
#define LONE_LOSS 12		/* what a run with more takes from that */
#define LONE_BYTES 16384	/* of a request and its answer */

/*
 * Where is it served from now on? A client that waits for each answer is served on the
 * CPU that received its request: no other is woken. Many in flight, and large ones, are
 * served by the thread, beside that CPU. With one CPU nothing is gained, and the work's
 * priority would keep the submitter from filling a batch. One run in 13 may find two
 * requests all the same: the second came while the answer to the first left. @requests
 * and @bytes: of one run.
 */
void dstor_peer_place(struct dstor_peer *p, u32 requests, u64 bytes)
{
	bool many = requests > 1 || atomic_read(&p->commands.in_flight) > 1;
	bool late = READ_ONCE(p->run.late);

	/* The one that submits may be kept by the disk: the other goes on meanwhile. */
	if (p->run.submitting)
		return;
	if (late)
		WRITE_ONCE(p->run.late, false);
	if (late || bytes > LONE_BYTES * max(requests, 1U))
		p->run.alone = 0;
	else if (many)
		p->run.alone -= min_t(unsigned int, p->run.alone, LONE_LOSS);
	else if (requests && p->run.alone < LONE_MAX)
		p->run.alone++;
	if (!p->run.alone || p->run.alone == LONE_MAX)
		dstor_conn_set_lone(&p->conn, p->run.alone && num_online_cpus() > 1);
}

/* Gives the peer a thread; without memory for one the peer stays in its workqueue. */
void dstor_peer_give_thread(struct dstor_peer *p, kthread_work_func_t run)
{
	struct kthread_worker *thread = kthread_create_worker(0, "dst-%s", p->export->name);

	if (IS_ERR(thread)) {
		dstor_conn_move(&p->conn, dstor_serve_wq);
	} else {
		kthread_init_work(&p->run.thread_work, run);
		dstor_conn_give_thread(&p->conn, thread, &p->run.thread_work, dstor_lone_wq);
	}
	/* The work item may have been kicked meanwhile, or have received what waits for this. */
	dstor_conn_kick(&p->conn);
}

/*
 * The last tick's kick has led to no run: whoever was kicked is kept, by a disk as a rule.
 * From now on the other one is kicked, which answers, sends pings and closes.
 */
static void peer_tick(struct dstor_peer *p)
{
	unsigned int runs = READ_ONCE(p->run.runs);

	if (runs == p->run.runs_seen) {
		WRITE_ONCE(p->run.late, true);
		dstor_conn_turn(&p->conn);
	}
	p->run.runs_seen = runs;
	dstor_conn_kick(&p->conn);
}

void dstor_peer_tick_work(struct work_struct *work)
{
	struct dstor_peer *p = container_of(work, struct dstor_peer, run.tick.work);
	u32 ms = DSTOR_PEER_TICK_MS;
	/* Both are 0 before the hello. */
	u32 least = min(p->ping_ms, p->timeout_ms);

	if (least)
		ms = clamp_t(u32, least / 4, 10, ms);
	peer_tick(p);
	queue_delayed_work(dstor_serve_wq, &p->run.tick, msecs_to_jiffies(ms));
}
