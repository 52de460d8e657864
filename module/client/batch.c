// SPDX-License-Identifier: GPL-2.0
/*
 * Decides when a queue sends, and on which CPU. A lone request is sent at once, in
 * the submitter's context. A busy queue may leave sending to its work, which runs
 * on another CPU, or when the submitter waits. The work sends in one call all
 * messages that have gathered (the batches of i10, NSDI '20, without its timer).
 * Deferred sends that find little switch back to sending at once for a while.
 *
 * No locks: the fields of the queue are guesses, and races only blur them.
 */
#include <linux/sched/isolation.h>
#include <linux/sched/mm.h>

#include "client/device.h"

#define BUSY_IN_FLIGHT 5	/* as many make a queue busy */
#define IDLE_SUBMITS 64		/* as many submits in a row that find fewer end that */
#define DEFER_WORTH 3		/* messages that make a deferred send worth its hop */
#define SMALL_BATCHES 8		/* deferred sends in a row that were not */
#define DEFER_PAUSE 1024	/* sends at once before the next try */

/* Another CPU of the same node that is neither offline nor isolated; @cpu when there is none. */
static int cpu_beside(int cpu)
{
	const struct cpumask *allowed = housekeeping_cpumask(HK_TYPE_DOMAIN);
	int n;

	for_each_cpu_wrap(n, cpumask_of_node(cpu_to_node(cpu)), cpu + 1)
		if (n != cpu && cpu_online(n) && cpumask_test_cpu(n, allowed))
			return n;
	return cpu;
}

/*
 * The work of a busy queue has a CPU of its own. On the submitter's CPU it
 * would preempt the submitter after each request, and no two would ever go
 * together. Large reads are received where they arrive, because copying is most
 * of their work. The work moves at most once a tick.
 */
static void place_work(struct dstor_queue *q, bool large_read)
{
	int here = raw_smp_processor_id(), cpu = READ_ONCE(q->conn.cpu);
	bool unbound = cpu == WORK_CPU_UNBOUND;

	if ((large_read ? !unbound : unbound || cpu == here) &&
	    time_after(jiffies, q->batch.moved)) {
		q->batch.moved = jiffies;
		WRITE_ONCE(q->conn.cpu, large_read ? WORK_CPU_UNBOUND : cpu_beside(here));
	}
}

/*
 * A lone answer is received where it arrives. When many are in flight, the work
 * takes all that have gathered, ends them together, and sends together the
 * requests that are submitted then: one segment for several, on both sides.
 */
static void set_busy(struct dstor_queue *q, bool busy)
{
	q->batch.busy = busy;
	dstor_conn_allow_inline(&q->conn, !busy);
}

/* Batches end together and leave few in flight for a moment: the queue is still busy. */
static bool is_busy(struct dstor_queue *q, bool large_read)
{
	if (atomic_read(&q->in_flight) >= BUSY_IN_FLIGHT) {
		if (q->batch.idle_submits)
			q->batch.idle_submits = 0;
		if (!q->batch.busy)
			set_busy(q, true);
		place_work(q, large_read);
	} else if (q->batch.busy && ++q->batch.idle_submits >= IDLE_SUBMITS) {
		set_busy(q, false);
		WRITE_ONCE(q->conn.cpu, WORK_CPU_UNBOUND);
	}
	return q->batch.busy;
}

void dstor_batch_submit(struct dstor_queue *q, bool large_read)
{
	unsigned int noreclaim;

	if (is_busy(q, large_read)) {
		if (!q->batch.inline_left) {
			dstor_conn_kick(&q->conn);
			return;
		}
		q->batch.inline_left--;
	}
	noreclaim = memalloc_noreclaim_save();
	dstor_tx_flush(&q->conn);
	memalloc_noreclaim_restore(noreclaim);
}

void dstor_batch_judge(struct dstor_queue *q, u32 n)
{
	if (n >= DEFER_WORTH) {
		q->batch.small_batches = 0;
	} else if (n && !q->batch.inline_left && ++q->batch.small_batches >= SMALL_BATCHES) {
		q->batch.small_batches = 0;
		q->batch.inline_left = DEFER_PAUSE;
	}
}
