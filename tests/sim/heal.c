// SPDX-License-Identifier: GPL-2.0
/*
 * The end of a run: all heals, and then everything must work again.
 */
#include "sim.h"

#define SETTLE_MS 200000	/* for all to be well again; what is frozen thaws by itself */

#define HALF_OPEN_MS 5000	/* until silence has found the last of them */
#define REPORTS_MAX 3

static u64 settle_from;
static u64 settle_until;

void weather_heal(void)
{
	u64 longest = 0;

	say("all heals");
	w.healing = true;
	w.hold_percent = 0;
	w.slow_percent = 0;
	w.disk_errors = false;
	w.room = RECORDS;
	w.room_of_client = RECORDS;
	for (u32 n = 0; n < EXPORTERS; n++) {
		struct exporter *x = &w.exporters[n];

		if (x->state == X_UP && (x->disk != x->own || x->disk->hidden))
			exporter_stop(x, false);
	}
	for (u32 n = 0; n < MACHINES; n++) {
		struct machine *m = &w.machines[n];
		u64 bound = txn_bound_ms(m);

		m->target = m->home;
		if (m->home->only_reads[n] && m->home->state == X_UP && chance(50))
			lease_rule(m->home, m, false);
		m->cut_until[0] = w.now;
		m->cut_until[1] = w.now;
		if (bound != NEVER && bound > longest)
			longest = bound;
	}
	for (u32 n = 0; n < CONNS; n++)
		for (u32 way = 0; w.conns[n].used && way < 2; way++)
			conn_heal(&w.conns[n], way);
	settle_from = w.now + HALF_OPEN_MS;
	settle_until = w.now + SETTLE_MS + longest;
}

static bool all_live(const struct machine *m)
{
	for (u32 n = 0; n < m->queues; n++)
		if (m->queue[n].state != Q_LIVE)
			return false;
	return keep_is_live(m);
}

static bool may_write(const struct machine *m)
{
	return !m->only_reads && !m->home->only_reads[m->index];
}

/* A flush may have a loss to report; what comes after it must be good. */
void settle_step(struct machine *m)
{
	if (m->device == D_ATTACHING && w.now > m->attach_gives_up)
		device_force(m);
	/* it was attached while another disk was offered: that one is gone for good */
	if ((m->device == D_UP || m->device == D_DETACHING) && &w.disks[m->disk] != m->home->own)
		device_force(m);
	/* of a writer that is gone for ever */
	if (m->home->gate.waits &&
	    (w.now < m->home->gate.until_ms || disk_running(m->home)))
		return;
	if (w.now < settle_from || m->device != D_UP || txns_in_flight(m) || !all_live(m) ||
	    w.n_txns - w.n_internal + 8 > TXNS_OF_APPS)
		return;
	if (!m->settled) {
		m->checks = w.n_txns;
		/* the flush of a device without a cache asks nobody */
		m->settled = !!txn_submit(m, 0, m->is_volatile ? DSTOR_OP_FLUSH : DSTOR_OP_READ,
					  false, 0, !m->is_volatile);
	} else if (m->settled == 1) {
		/* its first one may have begun before all had healed */
		if (w.txns[m->checks].state != T_OK && m->reported++ < REPORTS_MAX) {
			m->settled = 0;
			return;
		}
		m->checks = w.n_txns;
		device_reopened(m);
		for (u8 q = 0; q < m->queues && may_write(m); q++)
			txn_submit(m, q, DSTOR_OP_WRITE, true, below(3), 1);
		if (m->slots > 1)
			txn_submit(m, 0, DSTOR_OP_FLUSH, false, 0, 0);
		for (u32 b = 0; b + 2 < m->identity.size / BLOCK; b += 2)
			txn_submit(m, below(m->queues), DSTOR_OP_READ, false, b, 2);
		m->settled = 2;
	} else if (m->settled == 2) {
		for (u32 n = m->checks; n < w.n_txns; n++)
			if (w.txns[n].session == m->session && w.txns[n].state != T_OK &&
			    !w.txns[n].of && !w.txns[n].background)
				violated("P8", "t%u fails although all has healed", n);
		m->settled = 3;
	}
}

bool run_is_over(void)
{
	if (!w.healing)
		return false;
	if (w.now > settle_until) {
		violated("P8", "all has healed long ago, and something still waits");
		return true;
	}
	for (u32 n = 0; n < MACHINES; n++) {
		const struct machine *m = &w.machines[n];

		if (!m->exists || m->device == D_NONE || m->device == D_FAILED)
			continue;
		if (m->device != D_UP || m->settled < 3)
			return false;
	}
	for (u32 n = 0; n < EXPORTERS; n++)
		if (disk_running(&w.exporters[n]) || w.exporters[n].state != X_UP ||
		    w.exporters[n].disk != w.exporters[n].own)
			return false;
	oracle_end();
	return true;
}
