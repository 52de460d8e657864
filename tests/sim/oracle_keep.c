// SPDX-License-Identifier: GPL-2.0
/*
 * The oracle: a crash of the exporter is a pause, too. As long as a session keeps, no
 * acked write of it is ever missing after a replay, no block shows what it did not
 * show before, and until then nobody reads what is there for now. A client that gives
 * up needs a reason, which the oracle has seen itself.
 */
#include "sim.h"
#include "oracle.h"
#include "id.h"

/* Will its client send it again after a loss of the cache? */
bool oracle_promised(const struct txn *t)
{
	const struct session *s = &w.sessions[t->session];

	return is_write(t) && s->keeps && !t->lost && !t->let_go &&
	       w.machines[s->machine].session == t->session &&
	       (t->state == T_OK || t->state == T_FAILED);
}

/* Called before the cache forgets. */
void oracle_replay_owed(struct disk *d)
{
	const struct session *s = &w.sessions[d->holder];

	for (u32 n = 1; n < w.n_txns; n++) {
		struct txn *t = &w.txns[n];

		if (&w.disks[t->disk] != d || !oracle_promised(t))
			continue;
		for (u32 b = t->first; b < t->first + t->count; b++)
			t->pending |= ended_before(&w.txns[d->durable[b]], t) ||
				      t->state == T_FAILED;
	}
	/*
	 * Also if nothing is missing: of two that were under way together either may be
	 * there, but it was one of them. Not again until that is restored.
	 */
	if (!s->keeps || w.machines[s->machine].session != d->holder || d->before_order)
		return;
	d->before_order = w.order;
	d->before_of = d->holder;
	for (u32 b = 0; b < BLOCKS; b++)
		d->before[b] = d->cache[b];
}

/* Is a piece of @n on its way, whose client is not there any more? */
static bool may_still_land(u32 n)
{
	for (u32 i = n + 1; i < w.n_txns; i++)
		if (w.txns[i].of == n && w.txns[i].state != T_OK && !oracle_is_fenced(&w.txns[i]))
			return true;
	return false;
}

/* It is not sent again: the disk is as it is now. */
static void lose(u16 session, struct disk *d)
{
	bool any = false;

	if (d->before_of == session)
		d->before_order = 0;
	for (u32 n = 1; n < w.n_txns; n++) {
		struct txn *t = &w.txns[n];

		if (!t->pending || t->session != session || &w.disks[t->disk] != d)
			continue;
		any = true;
		t->pending = false;
		for (u32 b = t->first; b < t->first + t->count; b++) {
			if (d->cache[b] == n)
				continue;
			t->lost |= t->state == T_OK && ended_before(&w.txns[d->cache[b]], t);
			if (may_still_land(n))
				continue;
			list_remove(d->seen[b], &d->n_seen[b], n);
			list_remove(d->kept[b], &d->n_kept[b], n);
			*dead_at(d, b, n) = ++w.order;
		}
	}
	for (u32 b = 0; any && b < BLOCKS; b++) {
		if (!list_has(d->seen[b], d->n_seen[b], d->cache[b])) {
			list_add(d->seen[b], &d->n_seen[b], d->cache[b]);
			*dead_at(d, b, d->cache[b]) = 0;
		}
		if (!list_has(d->kept[b], d->n_kept[b], d->cache[b]))
			list_add(d->kept[b], &d->n_kept[b], d->cache[b]);
		if (!list_has(d->kept[b], d->n_kept[b], d->durable[b]))
			list_add(d->kept[b], &d->n_kept[b], d->durable[b]);
	}
}

static bool is_owed(u16 session)
{
	for (u32 n = 1; n < w.n_txns; n++)
		if (w.txns[n].pending && w.txns[n].session == session &&
		    w.txns[n].state == T_OK)
			return true;
	return false;
}

void oracle_excused(u16 session, struct disk *d)
{
	if (!session)
		return;
	w.sessions[session].excused = true;
	lose(session, d);
}

/* The writer is refused from now on, also while a write of it still holds the readers. */
void oracle_gate_closed(struct exporter *x)
{
	struct session *s = &w.sessions[x->disk->holder];
	u64 least = s->lease_ms < DSTOR_REPLAY_WAIT_MS ? s->lease_ms : DSTOR_REPLAY_WAIT_MS;

	if (is_owed(x->disk->holder) && w.now - x->up_ms < least)
		violated("P2", "a reader does not wait for the replay of s%u", x->disk->holder);
	s->excused = true;
}

/* Others than the writer read the disk as it is from now on. */
void oracle_reader_served(struct exporter *x)
{
	oracle_excused(x->disk->holder, x->disk);
}

/* Nothing may come back that had been replaced when it was last seen. */
static void time_goes_on(struct machine *m, const struct disk *d)
{
	if (!d->before_order || d->before_of != m->session)
		return;
	for (u32 b = 0; b < BLOCKS; b++) {
		const struct txn *now = &w.txns[d->cache[b]], *then = &w.txns[d->before[b]];

		if (now == then || then->session != m->session || then->lost || w.disk_errors)
			continue;
		if (now->state == T_OK && now->ended < d->before_order)
			violated("P2", "block %u is t%u after the replay, and had been t%u", b,
				 number(now), number(then));
	}
}

/* Has its exporter not crashed since? */
static bool is_of_today(const struct disk *d, const u8 instance[DSTOR_ID_LEN])
{
	for (u32 n = 0; n < EXPORTERS; n++)
		if (w.exporters[n].disk == d && dstor_id_equal(w.exporters[n].instance, instance))
			return true;
	return false;
}

void oracle_restored(struct machine *m, const u8 instance[DSTOR_ID_LEN])
{
	struct disk *d = &w.disks[m->disk];

	/* its last ack came late, and the next instance is sent all of it again */
	if (!is_of_today(d, instance))
		return;
	time_goes_on(m, d);
	if (d->before_of == m->session)
		d->before_order = 0;
	for (u32 n = 1; n < w.n_txns; n++) {
		struct txn *t = &w.txns[n];
		bool optional = t->op == DSTOR_OP_DISCARD && w.disk_errors;

		if (!t->pending || t->session != m->session)
			continue;
		for (u32 b = t->first; b < t->first + t->count; b++)
			if (t->state == T_OK && !optional &&
			    ended_before(&w.txns[d->cache[b]], t))
				violated("P1", "t%u was acked and kept, and block %u is t%u", n, b,
					 d->cache[b]);
	}
	if (w.disk_errors) {
		lose(m->session, d);
		for (u32 n = 1; n < w.n_txns; n++)	/* a discard that failed is none */
			if (w.txns[n].session == m->session && w.txns[n].lost &&
			    w.txns[n].op == DSTOR_OP_DISCARD) {
				w.txns[n].told_flush = true;
				w.txns[n].told_fua = true;
			}
	}
	for (u32 n = 1; n < w.n_txns; n++)
		w.txns[n].pending &= w.txns[n].session != m->session;
}

void oracle_gave_up(struct machine *m, const char *why)
{
	struct session *s = &w.sessions[m->session];
	bool reads = false;

	for (u32 n = 0; n < EXPORTERS; n++)
		reads |= w.exporters[n].only_reads[m->index] || w.exporters[n].forgets;
	if (why && is_owed(m->session) && !s->excused && !reads && !w.disk_errors)
		violated("P7", "s%u gives up what it kept (%s), and nothing was in the way",
			 m->session, why);
	s->gave_up = true;
	s->excused = false;
	if (m->established)
		lose(m->session, &w.disks[m->disk]);
	/* also what is still there: the next crash may take it, and it is reported by now */
	for (u32 n = 1; n < w.n_txns; n++)
		w.txns[n].let_go |= w.txns[n].session == m->session &&
				    (w.txns[n].state == T_OK || w.txns[n].state == T_FAILED);
}
