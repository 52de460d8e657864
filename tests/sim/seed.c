// SPDX-License-Identifier: GPL-2.0
/*
 * The character of a seed: exporters, machines, and what can happen in this run.
 */
#include "sim.h"

static u32 pick(const u32 *list, u32 n)
{
	return list[below(n)];
}

void draw_policy(struct machine *m)
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
	m->slots = between(1, w.keeping ? SLOTS - 1 : SLOTS);
	m->read_only = m->index && chance(w.keeping && !w.all_shared ? 60 : 10);
}

static void draw_exporters(void)
{
	for (u32 n = 0; n < DISKS; n++) {
		struct disk *d = &w.disks[n];

		make_id(d->uuid);
		d->blocks = between(5, 9);
		d->is_volatile = w.late_news || w.keeping || chance(70);
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
		x->write_through = !w.late_news && !w.keeping && chance(10);
		x->forgets = w.keeping && chance(15);
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
#define KEEPING_FAULTS								\
	(1 << W_CRASH | 1 << W_RESET | 1 << W_CUT | 1 << W_HOLD | 1 << W_STALL |	\
	 1 << W_STOP | 1 << W_FREEZE_EXPORTER | 1 << W_CLIENT_CRASH | 1 << W_FORCE |	\
	 1 << W_DETACH | 1 << W_EVICT | 1 << W_RIVAL | 1 << W_GROW | 1 << W_DOWNGRADE |	\
	 1 << W_DAMAGE | 1 << W_ROTATE)

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
	} else if (theme == 10) {	/* keys are changed, again and again */
		w.faults = 1 << W_ROTATE | 1 << W_HOLD | (chance(50) ? 1 << W_RESET : 0);
		w.keyed = true;
		w.hold_percent = chance(50) ? 8 : 0;
		w.pause_ms = between(200, 1500);
	} else if (theme == 11) {	/* damage, and questions that take long */
		w.faults = 1 << W_DAMAGE | 1 << W_HOLD | 1 << W_STALL;
		w.damage_percent = 25;
		w.slow_percent = 15;
		w.pause_ms = between(200, 1500);
	} else if (theme == 13 || theme == 14) {	/* kept writes, and exporters that crash */
		w.faults = (w.faults & KEEPING_FAULTS) | 1 << W_CRASH |
			   (chance(50) ? 1 << W_RIVAL : 0);
		w.keeping = true;
		w.all_shared = theme == 14 && chance(40);
		w.disk_errors = chance(25);
		w.flush_percent = chance(50) ? 0 : 10;
		w.pause_ms = between(200, 2500);
		w.txn_limit = between(60, 200);
		if (chance(30)) {	/* long enough for readers to be served */
			w.faults = 1 << W_CRASH | 1 << W_RIVAL | 1 << W_CUT | 1 << W_FREEZE_CLIENT |
				   1 << W_LONG;
			w.ends_ms = between(40000, 90000);
			w.pause_ms = between(2000, 10000);
		}
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
	w.damage_percent = 4;
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
	w.keyed = chance(50);
	draw_theme();
	draw_exporters();
	draw_machines();
	after(w.pause_ms, EV_WEATHER, 0, 0, 0);
	after(2000, EV_AUDIT, 0, 0, 0);
	at(w.ends_ms, EV_HEAL, 0, 0, 0);
}
