// SPDX-License-Identifier: GPL-2.0
/*
 * The ways in which an exporter stops, and how it starts.
 */
#include "sim.h"
#include "frame.h"

/* Tells every connection. */
void exporter_change(struct exporter *x, u16 flags, u64 size)
{
	struct dstor_frame f = { .type = DSTOR_FRAME_CHANGE, .flags = cpu_to_le16(flags),
			       .offset = cpu_to_le64(size) };

	for (u32 n = 0; n < CONNS; n++)
		if (w.conns[n].used && w.conns[n].x == x && w.conns[n].end == E_LIVE &&
		    w.conns[n].established)
			frame_send(&w.conns[n], TO_CLIENT, &f, NULL);
}

/* --- the ends of an exporter --- */

static void went_down(struct exporter *x)
{
	u32 ms = between(20, 3000);

	oracle_life_over(x);
	for (u32 n = 0; n < REQUESTS; n++)
		if (w.requests[n].used && w.requests[n].x == x)
			request_free(&w.requests[n]);
	for (u32 n = 0; n < RECORDS; n++) {
		x->records[n].used = false;
		x->records[n].stamp = 0;
	}
	x->state = X_DOWN;
	x->stop_flushing = false;
	x->stop_failed = false;
	if (w.late_news)
		ms = between(20, 400);
	else if (chance(30))
		ms = between(3000, w.faults & 1 << W_LONG ? 60000 : 9000);
	after(ms, EV_STARTED, x->index, 0, x->life);
}

void exporter_stop(struct exporter *x, bool powers_off)
{
	happened[H_STOPPED]++;
	say("X%u: stops in order%s", x->index, powers_off ? " and its machine goes off" : "");
	x->state = X_STOPPING;
	x->powers_off = powers_off;
	for (u32 n = 0; n < REQUESTS; n++) {
		struct request *r = &w.requests[n];

		/* not accepted: its data is not here */
		if (r->used && r->x == x && r->state == R_DATA) {
			r->conn->receiving = NULL;
			request_free(r);
		}
	}
	attach_step_all(x);
	exporter_stop_step(x);
	after(STOP_POLL_MS, EV_STOP, x->index, 0, x->life);
}

void exporter_stop_step(struct exporter *x)
{
	if (x->state != X_STOPPING)
		return;
	for (u32 n = 0; n < REQUESTS; n++)
		if (w.requests[n].used && w.requests[n].x == x)
			return;
	if (disk_running(x))
		return;
	if (!x->stop_flushing && x->disk->is_volatile && !mutated(STOP_WITHOUT_FLUSH)) {
		x->stop_flushing = true;
		disk_submit(x, NULL, BIO_FLUSH);
		return;
	}
	say("X%u: is stopped%s", x->index, x->stop_failed ? ", and not flushed" : "");
	if (x->stop_failed) {
		w.bad_ends++;
		happened[H_STOP_FAILED]++;
		if (!mutated(FAILED_STOP_AS_ANY))
			make_id(x->instance);	/* of the next export */
	} else {
		exporter_change(x, DSTOR_CHANGE_STOPPING | DSTOR_CHANGE_FLUSHED, 0);
	}
	for (u32 n = 0; n < CONNS; n++)
		if (w.conns[n].used && w.conns[n].x == x && w.conns[n].end == E_LIVE)
			conn_finish(&w.conns[n], TO_CLIENT);
	if (x->powers_off)
		disk_power_cut(x, true);
	net_exporter_died(x);
	went_down(x);
	if (x->powers_off && demand == DEMAND_FLUSHED_ALONE)
		make_id(x->instance);
}

void exporter_crash(struct exporter *x, bool cache_lost)
{
	w.bad_ends++;
	happened[H_CRASHED]++;
	say("X%u: crashes, %s", x->index, cache_lost ? "power lost" : "power kept");
	disk_power_cut(x, cache_lost);
	net_exporter_died(x);
	went_down(x);
	make_id(x->instance);	/* of the next boot */
	for (u32 n = 0; n < MACHINES; n++)
		if (w.machines[n].loopback && w.machines[n].home == x && !w.machines[n].down)
			device_crash(&w.machines[n]);
}

/* It comes back and knows nothing but the lease. */
void exporter_start(struct exporter *x)
{
	say("X%u: is up", x->index);
	if (x->life && !w.late_news && x->disk->is_volatile && chance(20)) {
		x->write_through = !x->write_through;
		happened[H_CACHE_CHANGED]++;
	}
	/* it knows of no writer, so nobody waits for one */
	if (x->forgets)
		oracle_excused(x->disk->holder, x->disk);
	if (x->life && w.keeping && chance(30))	/* again, about when it is sent what is kept */
		after(between(5, 2500), EV_CRASH, x->index, 0, w.lives + 1);
	x->life = ++w.lives;
	x->up_ms = w.now;
	make_id(x->life_id);
	x->state = X_UP;
	x->lease = x->disk->kept_lease;
	if (mutated(LEASE_NOT_KEPT) || mutated(LEASE_TOKEN_NOT_KEPT))
		dstor_lease_release(&x->lease);
	if (mutated(LEASE_TOKEN_NOT_KEPT)) {
		x->lease.token = 0;
		x->lease.former = 0;
	}
	dstor_lease_new_life(&x->lease, w.now);
	x->lease.renew &= !mutated(TOKEN_NOT_RENEWED);
	x->gate = x->disk->kept_gate;
	if (!x->lease.held)
		dstor_replay_gate_holder(&x->gate, false, false, x->instance);
	dstor_replay_gate_new_life(&x->gate, x->instance, x->lease.budget_ms, w.now);
}
