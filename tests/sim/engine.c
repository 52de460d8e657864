// SPDX-License-Identifier: GPL-2.0
/*
 * Chance, time and history. One random sequence decides everything, so a seed
 * is a run. The history is written only in the second run of a seed that
 * failed, or when asked for: a run that nobody reads costs nothing.
 */
#include "sim.h"

#define HISTORY 4096
#define LINE 200

struct world w;
bool history_on;
char line[160];
static char history[HISTORY][LINE];
static u32 history_lines;

/* SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). */
static u64 random64(void)
{
	u64 z = w.random += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

u32 below(u32 n)
{
	return (u32)(((random64() >> 32) * n) >> 32);
}

u32 between(u32 low, u32 high)
{
	return low + below(high - low + 1);
}

bool chance(u32 percent)
{
	return below(100) < percent;
}

void make_id(u8 id[DSTOR_ID_LEN])
{
	u32 n = ++w.ids;

	memset(id, 0x5a, DSTOR_ID_LEN);
	memcpy(id, &n, sizeof(n));
}

/* --- events: a binary heap by time; what happens in one millisecond has a random order --- */

static bool earlier(const struct event *a, const struct event *b)
{
	return a->when != b->when ? a->when < b->when : a->order < b->order;
}

void at(u64 when, enum event_type type, u16 index, u8 sub, u32 stamp)
{
	struct event e = { .when = when, .order = (u32)random64(), .stamp = stamp,
			   .index = index, .type = type, .sub = sub };
	u32 i = w.n_events++;

	if (w.n_events >= EVENTS) {
		fprintf(stderr, "sim: too many events\n");
		abort();
	}
	while (i && earlier(&e, &w.events[(i - 1) / 2])) {
		w.events[i] = w.events[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	w.events[i] = e;
}

bool next_event(struct event *e)
{
	struct event last;
	u32 i = 0;

	if (!w.n_events)
		return false;
	*e = w.events[0];
	last = w.events[--w.n_events];
	while (2 * i + 1 < w.n_events) {
		u32 child = 2 * i + 1;

		if (child + 1 < w.n_events && earlier(&w.events[child + 1], &w.events[child]))
			child++;
		if (!earlier(&w.events[child], &last))
			break;
		w.events[i] = w.events[child];
		i = child;
	}
	w.events[i] = last;
	return true;
}

void seed_world(u64 seed)
{
	/* the large arrays at the end are valid only where a count or a flag says so */
	memset(&w, 0, offsetof(struct world, txns));
	memset(w.sessions, 0, sizeof(w.sessions));
	for (u32 i = 0; i < CONNS; i++)
		w.conns[i].used = false;
	for (u32 i = 0; i < REQUESTS; i++)
		w.requests[i].used = false;
	for (u32 i = 0; i < BIOS; i++)
		w.bios[i].used = false;
	for (u32 i = 0; i < MESSAGES; i++)
		w.messages[i].used = false;
	for (u32 i = 0; i < ITEMS; i++)
		w.items[i].next = i + 1 < ITEMS ? &w.items[i + 1] : NULL;
	w.free_items = w.items;
	w.random = seed * 0xd1342543de82ef95ULL + 1;
	w.n_txns = 1;		/* 0 is what was on the disk before */
	memset(&w.txns[0], 0, sizeof(w.txns[0]));
	w.txns[0].ended = 1;
	w.order = 1;
	w.n_sessions = 1;
	history_lines = 0;
}

/* --- history --- */

void history_add(void)
{
	snprintf(history[history_lines++ % HISTORY], LINE, "%9.3f %s", (double)w.now / 1000, line);
}

void history_print(u32 lines)
{
	u32 kept = history_lines < HISTORY ? history_lines : HISTORY;

	if (lines > kept)
		lines = kept;
	for (u32 i = history_lines - lines; i < history_lines; i++)
		printf("%s\n", history[i % HISTORY]);
}

/* The first one counts; the run ends there. */
void promise_broken(const char *promise)
{
	if (w.failed)
		return;
	w.failed = true;
	snprintf(w.promise, sizeof(w.promise), "%s", promise);
	memcpy(w.what, line, sizeof(w.what));
	if (history_on)
		history_add();
}

const char *op_name(u8 op)
{
	static const char * const names[] = {
		[DSTOR_OP_READ] = "read",		[DSTOR_OP_WRITE] = "write",
		[DSTOR_OP_FLUSH] = "flush",	[DSTOR_OP_DISCARD] = "discard",
		[DSTOR_OP_WRITE_ZEROES] = "zeroes",
	};

	return op <= DSTOR_OP_MAX ? names[op] : "?";
}
