// SPDX-License-Identifier: GPL-2.0
/*
 * The rate of each client of an export: --max-bandwidth and --max-iops. All
 * connections of a client share the two buckets of its account (wire/throttle.h).
 *
 * A command without tokens waits in p->commands.parked, with its memory charged and its
 * slot admitted, so ASK is answered with "in progress" and pings are answered. So that
 * a slow client does not hold the memory of the others, its connections read no further
 * request once a share of the export's memory waits. Flushes pass.
 *
 * account->rate_lock, a leaf, protects the buckets. Commands: the peer's work alone.
 */
#include <linux/math64.h>
#include <linux/timekeeping.h>

#include "core/work.h"
#include "exporter/account.h"
#include "exporter/command.h"
#include "exporter/peer.h"
#include "exporter/session.h"
#include "exporter/throttle.h"

#define SHARE 4			/* of max_inflight: what may be parked of a client */

static u64 throttle_cost(u64 amount, u64 rate)
{
	return rate ? div64_u64(amount * NSEC_PER_SEC, rate) : 0;
}

static u64 bytes_of(const struct dstor_command *cmd)
{
	return cmd->op == DSTOR_OP_READ || cmd->op == DSTOR_OP_WRITE ? cmd->bytes : 0;
}

static bool throttle_admit(struct dstor_peer *p, const struct dstor_command *cmd)
{
	u64 bandwidth = atomic64_read(&p->export->limits.bandwidth);
	u32 iops = atomic_read(&p->export->limits.iops);
	struct dstor_account *a = p->session->account;
	u64 now = ktime_get_ns(), wait = 0;
	unsigned long irq;

	spin_lock_irqsave(&a->rate_lock, irq);
	if (bandwidth)
		wait = dstor_throttle_wait(&a->bandwidth, now);
	if (iops)
		wait = max(wait, dstor_throttle_wait(&a->iops, now));
	if (!wait) {
		dstor_throttle_take(&a->bandwidth, now, throttle_cost(bytes_of(cmd), bandwidth));
		dstor_throttle_take(&a->iops, now, throttle_cost(1, iops));
	}
	spin_unlock_irqrestore(&a->rate_lock, irq);
	/* Others of the client may only make it longer; new limits kick the peer. */
	if (wait)
		queue_delayed_work(dstor_serve_wq, &p->run.rate,
				   min_t(u64, nsecs_to_jiffies64(wait) + 1, MAX_JIFFY_OFFSET));
	return !wait;
}

void dstor_throttle_work(struct work_struct *work)
{
	struct dstor_peer *p = container_of(work, struct dstor_peer, run.rate.work);

	dstor_conn_kick(&p->conn);
}

bool dstor_throttle_is_full(const struct dstor_peer *p)
{
	u64 share = atomic64_read(&p->export->memory.max) / SHARE;

	return p->commands.parked_bytes &&
	       p->commands.parked_bytes >= div_u64(share, p->session->n_queues);
}

/* @bytes: of its commands that wait. Pauses reading, or goes on. */
static void throttle_parked(struct dstor_peer *p, u64 bytes)
{
	bool was_full = dstor_throttle_is_full(p);

	p->commands.parked_bytes = bytes;
	if (!was_full || dstor_throttle_is_full(p))
		return;
	dstor_conn_resume(&p->conn, DSTOR_PAUSE_RATE);
	dstor_conn_kick(&p->conn);
}

/* In order, but for flushes, which are about acked writes only. */
void dstor_throttle_park(struct dstor_peer *p)
{
	struct dstor_command *cmd, *n;
	u64 bytes = 0;

	list_for_each_entry_safe(cmd, n, &p->commands.ready, entry) {
		if (cmd->begun || cmd->paid || cmd->op == DSTOR_OP_FLUSH)
			continue;
		cmd->paid = !bytes && throttle_admit(p, cmd);
		if (cmd->paid)
			continue;
		bytes += max_t(u64, cmd->charged, 1);
		list_move_tail(&cmd->entry, &p->commands.parked);
	}
	throttle_parked(p, bytes);
}

/* A debt at the former rate would delay the effect of a higher one. */
static void forget_debts(struct dstor_export *e)
{
	struct dstor_account *a;
	unsigned long irq;

	spin_lock_irqsave(&e->memory.lock, irq);
	list_for_each_entry(a, &e->memory.accounts, entry) {
		spin_lock(&a->rate_lock);
		memset(&a->bandwidth, 0, sizeof(a->bandwidth));
		memset(&a->iops, 0, sizeof(a->iops));
		spin_unlock(&a->rate_lock);
	}
	spin_unlock_irqrestore(&e->memory.lock, irq);
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
	forget_debts(e);
	list_for_each_entry(s, &e->sessions.list, entry)
		for (i = 0; i < s->n_queues; i++)
			if (s->queues[i].peer)
				dstor_conn_kick(&s->queues[i].peer->conn);
}
