// SPDX-License-Identifier: GPL-2.0
/* The simulator's command line, and the loop that takes event by event. */
#include <time.h>

#include "sim.h"

#define STEPS_MAX 400000
#define LAST_LINES 60

enum mutant mutant;
enum demand demand;
u64 happened[HAPPENINGS];

static u64 frozen_until(const struct event *e)
{
	switch (e->type) {
	case EV_STREAM:
		return conn_frozen_until(&w.conns[e->index], e->sub);
	case EV_EXPORTER_CLOSED:
	case EV_CONN_TIMER:
	case EV_WAIT:
		return w.conns[e->index].x->frozen_until;
	case EV_COPIED:
	case EV_SUBMIT:
		return w.requests[e->index].x->frozen_until;
	case EV_BIO:
		return w.bios[e->index].x->frozen_until;
	case EV_DORMANT:
	case EV_STOP:
		return w.exporters[e->index].frozen_until;
	case EV_QUEUE_TIMER:
	case EV_QUEUE_ABORT:
	case EV_CONNECT:
	case EV_RENEW:
	case EV_SCAN:
	case EV_APP:
	case EV_ATTACH:
		return w.machines[e->index].frozen_until;
	}
	return 0;
}

/* Its object is gone, or another one by now. */
static bool is_stale(const struct event *e)
{
	const struct queue *q;

	switch (e->type) {
	case EV_STREAM:
	case EV_EXPORTER_CLOSED:
	case EV_CONN_TIMER:
	case EV_WAIT:
		return !w.conns[e->index].used || w.conns[e->index].stamp != e->stamp;
	case EV_COPIED:
	case EV_SUBMIT:
		return !w.requests[e->index].used || w.requests[e->index].stamp != e->stamp;
	case EV_BIO:
		return !w.bios[e->index].used || w.bios[e->index].stamp != e->stamp;
	case EV_DORMANT:
		return !w.exporters[e->index].records[e->sub].used ||
		       w.exporters[e->index].records[e->sub].stamp != e->stamp;
	case EV_STOP:
		return w.exporters[e->index].state != X_STOPPING ||
		       w.exporters[e->index].life != e->stamp;
	case EV_CRASH:
		return w.healing || w.exporters[e->index].life != e->stamp;
	case EV_STARTED:
		return w.exporters[e->index].state != X_DOWN;
	case EV_QUEUE_TIMER:
	case EV_QUEUE_ABORT:
		q = &w.machines[e->index].queue[e->sub];
		return !q->conn || q->conn->stamp != e->stamp;
	case EV_RENEW:
		if (e->sub < QUEUES) {
			q = &w.machines[e->index].queue[e->sub];
			return !q->next || q->next->stamp != e->stamp;
		}
		return w.machines[e->index].session != e->stamp;
	case EV_RESTORE:
	case EV_CONNECT:
		return w.machines[e->index].session != e->stamp;
	}
	return false;
}

static void handle_exporter(const struct event *e)
{
	switch (e->type) {
	case EV_STREAM:
		conn_stream(&w.conns[e->index], e->sub);
		break;
	case EV_EXPORTER_CLOSED:
		exporter_closed(&w.conns[e->index]);
		break;
	case EV_CONN_TIMER:
		exporter_timer(&w.conns[e->index]);
		break;
	case EV_WAIT:
		attach_wait(&w.conns[e->index]);
		break;
	case EV_COPIED:
		request_copied(&w.requests[e->index]);
		break;
	case EV_SUBMIT:
		request_submit(&w.requests[e->index]);
		break;
	case EV_BIO:
		disk_done(&w.bios[e->index]);
		break;
	case EV_DORMANT:
		session_dormant(&w.exporters[e->index], &w.exporters[e->index].records[e->sub]);
		break;
	case EV_STOP:
		exporter_stop_step(&w.exporters[e->index]);
		after(STOP_POLL_MS, EV_STOP, e->index, 0, e->stamp);
		break;
	case EV_CRASH:
		if (w.exporters[e->index].state != X_DOWN)
			exporter_crash(&w.exporters[e->index], chance(80));
		break;
	case EV_STARTED:
		weather_disk(&w.exporters[e->index]);
		exporter_start(&w.exporters[e->index]);
		break;
	}
}

static void handle_client(const struct event *e)
{
	struct machine *m = &w.machines[e->index];

	switch (e->type) {
	case EV_QUEUE_TIMER:
		client_timer(m, e->sub);
		break;
	case EV_QUEUE_ABORT:
		client_lost(m, e->sub);
		break;
	case EV_CONNECT:
		client_connect(m, e->sub);
		break;
	case EV_RENEW:
		if (e->sub < QUEUES)
			renewal_step(m, e->sub);
		else
			renewal_next(m);
		break;
	case EV_SCAN:
		txn_scan(m);
		break;
	case EV_APP:
		app_step(m);
		break;
	case EV_REBOOTED:
		m->down = false;
		device_attach(m);
		break;
	case EV_RESTORE:
		machine_restore(m);
		break;
	case EV_ATTACH:
		device_attach(m);
		break;
	case EV_WEATHER:
		weather_next();
		break;
	case EV_HEAL:
		weather_heal();
		break;
	case EV_AUDIT:
		oracle_audit();
		after(2000, EV_AUDIT, 0, 0, 0);
		break;
	}
}

/* One seed. True when every promise was kept. */
static bool run(u64 seed)
{
	struct event e;

	seed_world(seed);
	weather_begin();
	while (!w.failed && !run_is_over() && next_event(&e)) {
		w.now = e.when;
		if (is_stale(&e))
			continue;
		if (frozen_until(&e) > w.now) {
			at(frozen_until(&e) + below(5), e.type, e.index, e.sub, e.stamp);
			continue;
		}
		if (e.type <= EV_STARTED)
			handle_exporter(&e);
		else
			handle_client(&e);
		if (++w.steps > STEPS_MAX)
			violated("P8", "the run does not end");
	}
	return !w.failed;
}

static int report(u64 seed)
{
	if (!w.failed)
		printf("seed %llu: all promises kept\n", (unsigned long long)seed);
	else
		printf("seed %llu: promise %s is broken: %s\n", (unsigned long long)seed,
		       w.promise, w.what);
	return w.failed;
}

static void replay(u64 seed, u32 lines)
{
	history_on = true;
	run(seed);
	history_print(lines);
	history_on = false;
}

static int run_many(u64 first, u64 last)
{
	struct timespec begin, end;
	double seconds;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (u64 seed = first; seed <= last; seed++)
		if (!run(seed)) {
			report(seed);
			replay(seed, LAST_LINES);
			return report(seed);
		}
	clock_gettime(CLOCK_MONOTONIC, &end);
	seconds = end.tv_sec - begin.tv_sec + (end.tv_nsec - begin.tv_nsec) / 1e9;
	for (u32 n = 0; n < HAPPENINGS; n++)
		printf("%-20s %llu\n", happenings[n], ULL(happened[n]));
	printf("seeds %llu to %llu: all promises kept, %.0f seeds per second\n",
	       (unsigned long long)first, (unsigned long long)last,
	       (last - first + 1) / (seconds > 0 ? seconds : 1));
	return 0;
}

static int find(const char * const *names, int n, const char *name)
{
	for (int i = 1; i < n; i++)
		if (!strcmp(names[i], name))
			return i;
	fprintf(stderr, "sim: no such name: %s\n", name);
	exit(2);
}

static int explain(void)
{
	fprintf(stderr, "usage: sim [--mutate NAME] [--demand NAME] [--history]\n"
			"           --seed N | --seeds A-B | --mutants | --demands\n");
	return 2;
}

static int list(const char * const *names, int n)
{
	for (int i = 1; i < n; i++)
		puts(names[i]);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long long first = 0, last = 0;
	bool all = false, given = false;

	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		if (!strcmp(argv[i], "--history")) {
			all = true;
			continue;
		}
		if (!strcmp(argv[i], "--mutants"))
			return list(mutants, MUTANTS);
		if (!strcmp(argv[i], "--demands"))
			return list(demands, DEMANDS);
		if (!strcmp(argv[i], "--mutate"))
			mutant = find(mutants, MUTANTS, value);
		else if (!strcmp(argv[i], "--demand"))
			demand = find(demands, DEMANDS, value);
		else if (!strcmp(argv[i], "--seeds"))
			given = sscanf(value, "%llu-%llu", &first, &last) == 2;
		else if (!strcmp(argv[i], "--seed"))
			given = sscanf(value, "%llu", &first) == 1 && (last = first);
		else
			return explain();
		i++;
	}
	if (!given || last < first)
		return explain();
	if (!all || first != last)
		return run_many(first, last);
	replay(first, ~0U);
	return report(first);
}
