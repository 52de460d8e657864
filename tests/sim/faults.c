// SPDX-License-Identifier: GPL-2.0
/*
 * What happens to the world: faults of a kind and frequency that each seed draws
 * for itself.
 */
#include "sim.h"

static struct conn *some_conn(void)
{
	struct conn *found = NULL;
	u32 n = 0;

	for (u32 i = 0; i < CONNS; i++)
		if (w.conns[i].used && !below(++n))
			found = &w.conns[i];
	return found;
}

static u32 a_while(void)
{
	if (w.faults & 1 << W_LONG && chance(50))
		return between(10000, 70000);
	return chance(60) ? between(20, 2000) : between(2000, 15000);
}

static void cut_link(struct machine *m, struct exporter *x)
{
	u32 ms = a_while();
	bool held = chance(50);

	say("the link of M%u to X%u is cut for %u ms", m->index, x->index, ms);
	m->cut_until[x->index] = w.now + ms;
	for (u32 n = 0; held && n < CONNS; n++)
		if (w.conns[n].used && w.conns[n].m == m && w.conns[n].x == x)
			for (u32 way = 0; way < 2; way++)
				conn_hold(&w.conns[n], way, ms);
}

/* An exporter on the client's own machine can be busy elsewhere, and nothing else. */
static void reads_late(struct conn *c)
{
	u32 ms = between(5, 1500);

	say("X%u does not read for %u ms", c->x->index, ms);
	c->x->reads_late_until = w.now + ms;
	conn_delay(c, TO_EXPORTER, ms);
}

static void fault_of_conn(enum fault what)
{
	struct conn *c = some_conn();
	enum direction way = below(2);
	u32 ms = a_while();

	if (!c)
		return;
	if (c->loopback) {
		if (what == W_HOLD)
			reads_late(c);
		return;
	}
	say("%s of s%u queue %u gen %llu, to the %s", what == W_RESET ? "reset" :
	    what == W_HOLD ? "packets held" : "stall", c->session, c->queue, ULL(c->gen),
	    way ? "client" : "exporter");
	if (what == W_RESET)
		conn_reset(c, way || chance(30), !way || chance(30));
	else if (what == W_STALL)
		c->way[way].stalled_until = w.now + ms;
	else if (chance(40))
		conn_delay(c, way, ms);
	else
		conn_hold(c, way, ms);
}

static bool freezable(const struct exporter *x)
{
	for (u32 n = 0; n < MACHINES; n++)
		if (w.machines[n].exists && w.machines[n].loopback && w.machines[n].home == x)
			return false;
	return true;
}

/* Not one that was led here and does not know yet that this is another disk. */
static bool belongs_to(u16 session, const struct exporter *x)
{
	const struct machine *m = &w.machines[w.sessions[session].machine];

	return m->session != session || !m->established || &w.disks[m->disk] == x->disk;
}

static struct record *some_record(struct exporter *x)
{
	struct record *found = NULL;
	u32 n = 0;

	for (u32 i = 0; i < RECORDS; i++)
		if (x->records[i].used && !below(++n))
			found = &x->records[i];
	return found;
}

static void fault_of_exporter(enum fault what, struct exporter *x)
{
	u32 ms = a_while();

	if (what == W_CRASH && x->state != X_DOWN) {
		exporter_crash(x, chance(60));
	} else if (what == W_STOP && x->state == X_UP) {
		exporter_stop(x, chance(30));
	} else if (what == W_FREEZE_EXPORTER && freezable(x)) {
		say("X%u is frozen for %u ms", x->index, ms);
		x->frozen_until = w.now + ms;
	} else if (what == W_EVICT && x->state == X_UP && x->disk == x->own) {
		struct record *r = some_record(x);

		if (r && !r->evicted && belongs_to(r->session, x))
			session_evict(x, r);
	} else if (what == W_DOWNGRADE) {
		u32 n = below(MACHINES);

		if (w.machines[n].exists)
			lease_rule(x, &w.machines[n], !x->only_reads[n]);
	} else if (what == W_GROW && x->state == X_UP && !x->disk->hidden) {
		disk_grow(x->disk);
		exporter_change(x, DSTOR_CHANGE_SIZE, (u64)x->disk->blocks * BLOCK);
	}
}

static void fault_of_client(enum fault what, struct machine *m)
{
	u32 ms = a_while();

	if (!m->exists || m->down)
		return;
	if (what == W_FREEZE_CLIENT && !m->loopback && m->frozen_until <= w.now) {
		say("M%u is frozen for %u ms", m->index, ms);
		m->frozen_until = w.now + ms;
		m->frozen_ms += ms;
	} else if (what == W_CLIENT_CRASH && !m->loopback) {
		device_crash(m);
	} else if (what == W_ROLLBACK && (!w.snapshot.taken || w.snapshot.machine != m->index ||
					  w.snapshot.session != m->session || chance(25))) {
		machine_snapshot(m);
	} else if (what == W_ROTATE && m->device == D_UP && m->frozen_until <= w.now) {
		device_rotate(m);
	} else if (what == W_ROLLBACK) {
		machine_restore(m);
	} else if (what == W_FORCE && m->device == D_UP && m->frozen_until <= w.now) {
		m->forced_ms = w.now;
		device_force(m);
	} else if (what == W_DETACH && m->device == D_UP && m->frozen_until <= w.now) {
		device_detach(m);
	}
}

/* What it says from now on takes long, and before it arrives the exporter crashes. */
static bool last_words(struct exporter *x)
{
	if (x->state != X_UP || chance(20))
		return false;
	x->speaks_late_until = w.now + 200;
	for (u32 n = 0; n < CONNS; n++)
		if (w.conns[n].used && w.conns[n].x == x && chance(w.reset_percent))
			conn_reset(&w.conns[n], true, true);
	for (u32 n = 0; n < CONNS; n++)
		if (w.conns[n].used && w.conns[n].x == x && chance(50))
			conn_delay(&w.conns[n], TO_CLIENT, between(500, 4000));
	after(between(5, 200), EV_CRASH, x->index, 0, x->life);
	after(w.pause_ms * 2, EV_WEATHER, 0, 0, 0);
	return true;
}

void weather_next(void)
{
	u32 what = below(WEATHERS);
	struct exporter *x = &w.exporters[chance(20)];
	struct machine *m = &w.machines[below(MACHINES)];

	if (w.healing)
		return;
	if (w.late_news && last_words(&w.exporters[0]))
		return;
	while (w.faults && !(w.faults & 1 << what))
		what = below(WEATHERS);
	after(between(w.pause_ms / 4, w.pause_ms * 2), EV_WEATHER, 0, 0, 0);
	if (!(w.faults & 1 << what))
		return;
	switch (what) {
	case W_RESET:
	case W_HOLD:
	case W_STALL:
		fault_of_conn(what);
		break;
	case W_CUT:
		cut_link(m, x);
		break;
	case W_MOVED:
		say("the address of X%u leads to X%u", m->home->index, x->index);
		m->target = x;
		break;
	case W_CRASH:
	case W_STOP:
	case W_FREEZE_EXPORTER:
	case W_EVICT:
	case W_DOWNGRADE:
	case W_GROW:
		fault_of_exporter(what, x);
		break;
	default:
		fault_of_client(what, m);
	}
}

/* It is about to start: with which disk? */
void weather_disk(struct exporter *x)
{
	struct disk *d = x->own;

	d->blocks += d->hidden;
	d->hidden = 0;
	x->disk = d;
	if (w.healing)
		return;
	if (w.faults & 1 << W_OTHER_DISK && chance(35) && !x->index) {
		x->disk = &w.disks[DISKS - 1];
		say("X%u has another disk", x->index);
	} else if (w.faults & 1 << W_SMALLER && chance(35)) {
		d->hidden = between(1, 3);
		d->blocks -= d->hidden;
		say("X%u has lost %u blocks", x->index, d->hidden);
	}
}
