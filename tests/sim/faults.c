// SPDX-License-Identifier: GPL-2.0
/*
 * What happens to the world: applications that submit transactions, and faults
 * of a kind and frequency that each seed draws for itself. In the end all
 * heals, and everything must work again.
 */
#include "sim.h"
#include "frame.h"

#define SETTLE_MS 200000	/* for all to be well again; what is frozen thaws by itself */

#define HALF_OPEN_MS 5000	/* until silence has found the last of them */
#define REPORTS_MAX 3

static u64 settle_from;
static u64 settle_until;

/* --- the seed's character --- */

static u32 pick(const u32 *list, u32 n)
{
	return list[below(n)];
}

static void draw_policy(struct machine *m)
{
	static const u32 timeouts[] = { 200, 300, 500, 1000, 2000, 5000 };
	static const u32 retries[] = { 0, 1, 2, 3, 6, 8, 12, DSTOR_RETRIES_FOREVER };
	static const u32 pings[] = { 200, 500, 1000, 2000 };

	m->policy.timeout_ms = w.late_news ? 5000 : pick(timeouts, w.all_loopback ? 3 : 6);
	m->policy.retries = pick(retries, w.all_loopback ? 2 : chance(20) ? 8 : 6);
	if (w.all_shared && chance(50))
		m->policy.retries = DSTOR_RETRIES_FOREVER;
	m->ping_ms = w.late_news ? 2000 : pick(pings, 4);
	m->queues = between(w.late_news ? 2 : 1, QUEUES);
	m->slots = between(1, SLOTS);
	m->read_only = m->index && chance(10);
}

static void draw_exporters(void)
{
	for (u32 n = 0; n < DISKS; n++) {
		struct disk *d = &w.disks[n];

		make_id(d->uuid);
		d->blocks = between(5, 9);
		d->is_volatile = w.late_news || chance(70);
		d->knows_fua = chance(50);
		for (u32 b = 0; b < BLOCKS; b++) {
			d->n_seen[b] = 1;
			d->n_kept[b] = 1;
		}
	}
	if (chance(20))	/* a clone that was set up by itself, with a UUID that somebody pinned */
		memcpy(w.disks[1].uuid, w.disks[0].uuid, DSTOR_ID_LEN);
	for (u32 n = 0; n < EXPORTERS; n++) {
		struct exporter *x = &w.exporters[n];

		x->index = n;
		x->own = &w.disks[n];
		x->disk = x->own;
		x->shared = w.all_shared || chance(20);
		x->write_through = !w.late_news && chance(10);
		make_id(x->identity);
		make_id(x->instance);
		exporter_start(x);
	}
}

static void draw_machines(void)
{
	for (u32 n = 0; n < MACHINES; n++) {
		struct machine *m = &w.machines[n];

		m->index = n;
		make_id(m->client);
		m->home = &w.exporters[n == 2];
		m->target = m->home;
		m->forced_ms = NEVER;
		m->exists = !n || (n == 1 && w.faults & 1 << W_RIVAL) ||
			    (n == 2 && w.faults & 1 << W_MOVED);
		m->loopback = !n && (w.all_loopback || chance(10));
		draw_policy(m);
		if (m->exists) {
			after(below(n ? 5000 : 100), EV_ATTACH, n, 0, 0);
			after(between(1, 300), EV_APP, n, 0, 0);
		}
	}
}

/* Some coincidences are too rare to wait for: a third of the seeds is about one. */
static void draw_theme(void)
{
	u32 theme = below(16);

	if (!theme) {		/* a writer that is silent for its lease, and then comes back */
		w.faults = 1 << W_LONG | 1 << W_RIVAL | 1 << W_CUT | 1 << W_FREEZE_CLIENT;
		w.hold_percent = 8;
		w.hold_ms = 90000;
		w.ends_ms = between(50000, 150000);
		w.pause_ms = between(5000, 20000);
		w.txn_limit = 60;
	} else if (theme <= 2) {	/* acks of before a crash that arrive after it */
		w.faults = 1 << W_CRASH | 1 << W_RESET;
		w.late_news = true;
		w.slow_percent = 10;
		w.flush_percent = theme == 1 ? 30 : 0;
		w.fua_percent = theme == 1 ? 20 : 60;
		w.reset_percent = theme == 1 ? 20 : 70;
		w.pause_ms = between(400, 1000);
	} else if (theme <= 4) {	/* an exporter on the client's machine that reads late */
		w.faults = 1 << W_HOLD;
		w.ends_ms = between(3000, 8000);
		w.all_loopback = true;
		w.pause_ms = 300;
	} else if (theme == 5) {	/* crowds at the door */
		w.faults |= 1 << W_RIVAL | 1 << W_CLIENT_CRASH | 1 << W_FORCE | 1 << W_EVICT;
		w.hold_percent = 8;
	} else if (theme == 7 || theme == 8) {	/* machines restored with their memory */
		w.faults = 1 << W_ROLLBACK | 1 << W_RESET |
			   (theme == 8 ? 1 << W_CRASH | 1 << W_STOP : 0);
		w.pause_ms = between(200, 1500);
		w.txn_limit = 120;
	} else if (theme == 9) {	/* rules change, and change back */
		w.faults = 1 << W_DOWNGRADE | 1 << W_RIVAL | 1 << W_RESET | 1 << W_STOP;
		w.pause_ms = between(200, 1500);
	} else if (theme == 6) {	/* who is away for long is forgotten */
		w.faults = 1 << W_LONG | 1 << W_RIVAL | 1 << W_CUT | 1 << W_FREEZE_CLIENT;
		w.ends_ms = between(60000, 150000);
		w.pause_ms = between(4000, 12000);
		w.txn_limit = 80;
		w.room = 1;
		w.all_shared = true;
	}
}

void weather_begin(void)
{
	for (u32 n = 0; n < WEATHERS; n++)
		if (chance(30))
			w.faults |= 1 << n;
	if (w.faults & 1 << W_OTHER_DISK || w.faults & 1 << W_SMALLER)
		w.faults |= 1 << W_STOP;
	if (chance(75))
		w.faults &= ~(1 << W_LONG);
	w.hold_ms = 45000;
	w.fua_percent = 20;
	w.hold_percent = chance(50) ? between(1, 8) : 0;
	w.slow_percent = chance(50) ? between(1, 15) : 0;
	w.disk_errors = chance(10);
	w.room = chance(40) ? between(1, 3) : RECORDS;
	w.room_of_client = chance(30) ? between(2, 3) : RECORDS;
	w.txn_limit = between(20, 120);
	w.ends_ms = between(3000, 20000);
	w.pause_ms = between(300, 3000);
	if (w.faults & 1 << W_LONG) {
		w.ends_ms = between(50000, 120000);
		w.pause_ms = between(3000, 20000);
	}
	draw_theme();
	draw_exporters();
	draw_machines();
	after(w.pause_ms, EV_WEATHER, 0, 0, 0);
	after(2000, EV_AUDIT, 0, 0, 0);
	at(w.ends_ms, EV_HEAL, 0, 0, 0);
}

/* --- the application --- */

static bool overlaps(const struct machine *m, u8 first, u8 count)
{
	for (u32 q = 0; q < m->queues; q++)
		for (u32 s = 0; s < SLOTS; s++) {
			const struct txn *t = m->queue[q].slot[s];

			if (t && dstor_op_writes(t->op) && t->first < first + count &&
			    first < t->first + t->count)
				return true;
		}
	return false;
}

static void submit_something(struct machine *m)
{
	static const u8 ops[] = { DSTOR_OP_WRITE, DSTOR_OP_WRITE, DSTOR_OP_WRITE, DSTOR_OP_WRITE,
				  DSTOR_OP_WRITE, DSTOR_OP_READ, DSTOR_OP_READ, DSTOR_OP_FLUSH,
				  DSTOR_OP_DISCARD, DSTOR_OP_WRITE_ZEROES };
	u8 op = ops[m->read_only ? between(5, 7) : below(sizeof(ops))];
	u32 blocks = m->identity.size / BLOCK;
	u8 count = chance(60) ? 1 : between(1, SPAN);
	u8 first = below(chance(70) ? blocks / 2 : blocks - count + 1);
	bool fua;
	u8 queue;

	if (!txns_in_flight(m) && chance(5))
		device_reopened(m);
	if (chance(w.flush_percent))
		op = DSTOR_OP_FLUSH;
	if (op == DSTOR_OP_FLUSH) {
		first = 0;
		count = 0;
	} else if (dstor_op_writes(op) && overlaps(m, first, count) && chance(75)) {
		return;
	}
	fua = dstor_op_writes(op) && chance(w.fua_percent);
	queue = below(m->queues);
	if (!m->queue[queue].quiet)
		txn_submit(m, queue, op, fua, first, count);
}

static void settle_step(struct machine *m);

void app_step(struct machine *m)
{
	u32 think = chance(85) ? between(1, 60) : between(100, 1500);

	if (w.faults & 1 << W_LONG && m->device != D_NONE)
		think *= 6;
	if (w.healing) {
		settle_step(m);
		after(200, EV_APP, m->index, 0, 0);
		return;
	}
	if (m->device == D_ATTACHING && w.now > m->attach_gives_up) {
		device_force(m);
	} else if (m->device == D_FAILED && chance(5)) {
		device_force(m);
	} else if (m->device == D_NONE && !m->down && chance(3)) {
		draw_policy(m);
		device_attach(m);
	} else if (m->device == D_UP && w.n_txns < w.txn_limit) {
		for (u32 n = between(1, 3); n && m->device == D_UP; n--)
			submit_something(m);
	}
	if (w.n_txns >= w.txn_limit)
		think += 500;
	after(think, EV_APP, m->index, 0, 0);
}

/* --- faults --- */

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
		struct record *r = &x->records[below(4)];

		if (r->used && !r->evicted && belongs_to(r->session, x))
			session_evict(x, r);
	} else if (what == W_DOWNGRADE && x->state == X_UP && x->disk == x->own) {
		struct record *r = &x->records[below(4)];

		if (r->used && r->may_only_read && !r->downgrading) {
			r->may_only_read = false;
			happened[H_UPGRADED]++;
			say("X%u: s%u may write again", x->index, r->session);
		} else if (r->used && r->established && !r->read_only && !r->evicted && !r->bye &&
			   belongs_to(r->session, x)) {
			session_downgrade(x, r);
		}
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

/* --- the end --- */

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
	return true;
}

/* Writes are refused from then on, and the client is told when the disk has flushed. */
static bool is_downgrading(const struct machine *m)
{
	for (u32 n = 0; n < EXPORTERS; n++)
		for (u32 i = 0; i < RECORDS; i++) {
			const struct record *r = &w.exporters[n].records[i];

			if (r->used && r->session == m->session && r->downgrading)
				return true;
		}
	return false;
}

/* A flush may have a loss to report; what comes after it must be good. */
static void settle_step(struct machine *m)
{
	if (m->device == D_ATTACHING && w.now > m->attach_gives_up)
		device_force(m);
	/* it was attached while another disk was offered: that one is gone for good */
	if ((m->device == D_UP || m->device == D_DETACHING) && &w.disks[m->disk] != m->home->own)
		device_force(m);
	if (w.now < settle_from || m->device != D_UP || txns_in_flight(m) || !all_live(m) ||
	    is_downgrading(m) || w.n_txns + 8 > TXNS)
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
		if (!m->read_only && m->access == DSTOR_ACCESS_WRITE)
			txn_submit(m, 0, DSTOR_OP_WRITE, true, below(3), 1);
		if (m->slots > 1)
			txn_submit(m, 0, DSTOR_OP_FLUSH, false, 0, 0);
		for (u32 b = 0; b + 2 < m->identity.size / BLOCK; b += 2)
			txn_submit(m, below(m->queues), DSTOR_OP_READ, false, b, 2);
		m->settled = 2;
	} else if (m->settled == 2) {
		for (u32 n = m->checks; n < w.n_txns; n++)
			if (w.txns[n].session == m->session && w.txns[n].state != T_OK)
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
