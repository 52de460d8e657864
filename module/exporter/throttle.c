// SPDX-License-Identifier: GPL-2.0
/*
 * The rate of each client of an export: --max-bandwidth and --max-iops. All
 * connections of a session share its two buckets (wire/throttle.h).
 *
 * A command without tokens waits in p->commands.ready, with its memory charged and its
 * slot admitted, so ASK is answered with "in progress" and pings are answered. So that
 * a slow client does not hold the memory of the others, its connections read no further
 * request once a share of the export's memory waits. Flushes pass.
 *
 * session->rate_lock, a leaf, protects the buckets.
 */
#include <linux/math64.h>
#include <linux/timekeeping.h>

#include "core/work.h"
#include "exporter/command.h"
#include "exporter/peer.h"
#include "exporter/session.h"
#include "exporter/throttle.h"

#define LOOK_MS 10		/* a wait is looked at so often, at least */
#define SHARE 4			/* of max_inflight: what may be parked of a client */

static u64 throttle_cost(u64 amount, u64 rate)
{
	return rate ? div64_u64(amount * NSEC_PER_SEC, rate) : 0;
}

static u64 bytes_of(const struct dstor_command *cmd)
{
	return cmd->op == DSTOR_OP_READ || cmd->op == DSTOR_OP_WRITE ? cmd->bytes : 0;
}

bool dstor_throttle_admit(struct dstor_peer *p, const struct dstor_command *cmd)
{
	u64 bandwidth = atomic64_read(&p->export->limits.bandwidth);
	u32 iops = atomic_read(&p->export->limits.iops);
	struct dstor_session *s = p->session;
	u64 now = ktime_get_ns(), wait = 0;

	if ((!bandwidth && !iops) || cmd->op == DSTOR_OP_FLUSH)
		return true;
	spin_lock(&s->rate_lock);
	if (bandwidth)
		wait = dstor_throttle_wait(&s->bandwidth, now);
	if (iops)
		wait = max(wait, dstor_throttle_wait(&s->iops, now));
	if (!wait) {
		dstor_throttle_take(&s->bandwidth, now, throttle_cost(bytes_of(cmd), bandwidth));
		dstor_throttle_take(&s->iops, now, throttle_cost(1, iops));
	}
	spin_unlock(&s->rate_lock);
	if (!wait)
		return true;
	/* The tick kicks the peer. It is not shorter, so it only comes earlier. */
	mod_delayed_work(dstor_serve_wq, &p->run.tick,
			 min(nsecs_to_jiffies(wait) + 1, msecs_to_jiffies(LOOK_MS)));
	return false;
}

bool dstor_throttle_is_full(const struct dstor_peer *p)
{
	u64 share = atomic64_read(&p->export->memory.max) / SHARE;

	return p->commands.parked && p->commands.parked >= share / p->session->n_queues;
}

void dstor_throttle_parked(struct dstor_peer *p, u64 bytes)
{
	bool was_full = dstor_throttle_is_full(p);

	p->commands.parked = bytes;
	if (!was_full || dstor_throttle_is_full(p))
		return;
	dstor_conn_resume(&p->conn, DSTOR_PAUSE_RATE);
	dstor_conn_kick(&p->conn);
}

void dstor_throttle_set(struct dstor_export *e, const u64 *bandwidth, const u32 *iops)
{
	struct dstor_session *s;
	unsigned int i;

	lockdep_assert_held(&e->lock);
	if (bandwidth)
		atomic64_set(&e->limits.bandwidth, *bandwidth);
	if (iops)
		atomic_set(&e->limits.iops, *iops);
	if (!bandwidth && !iops)
		return;
	list_for_each_entry(s, &e->sessions.list, entry) {
		spin_lock(&s->rate_lock);
		/* A debt at the former rate would delay the effect of a higher one. */
		memset(&s->bandwidth, 0, sizeof(s->bandwidth));
		memset(&s->iops, 0, sizeof(s->iops));
		spin_unlock(&s->rate_lock);
		for (i = 0; i < s->n_queues; i++)
			if (s->queues[i].peer)
				dstor_conn_kick(&s->queues[i].peer->conn);
	}
}
