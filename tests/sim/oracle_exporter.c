// SPDX-License-Identifier: GPL-2.0
/*
 * The oracle: what exporters do, to whom they give the lease, and what a power
 * cut takes (P2, P3, P5, P6, P15).
 */
#include "sim.h"
#include "oracle.h"
#include "id.h"

/* --- what exporters do --- */

/*
 * A client that was rolled back knows less than the exporter has seen of it: what
 * it writes rests on what is no longer so.
 */
static void not_of_another_history(const struct exporter *x, const struct txn *t)
{
	const struct session *s = &w.sessions[t->session];
	bool stale = s->stale[t->queue] == x->life;

	if (!is_write(t) || !s->rolled_back || t->began < s->rolled_back)
		return;
	for (u32 q = 0; q < QUEUES; q++)
		stale |= (demand == DEMAND_ROLLBACK_RESTART && s->stale_ever[q]) ||
			 (demand == DEMAND_ROLLBACK_OTHER_QUEUE && s->stale[q] == x->life);
	if (stale || (s->stale_token && !x->shared))
		violated("P2", "%s t%u lands, of a client whose memory is older than what it did",
			 op_name(t->op), number(t));
}

/* The header of a request, or another frame. */
void oracle_arrived(struct conn *c, struct txn *t)
{
	struct session *s = &w.sessions[c->session];
	bool all = true;

	s->framed[c->queue] = c->x->life;
	for (u32 q = 0; q < w.machines[s->machine].queues; q++)
		all &= s->framed[q] == c->x->life;
	/* who only reads changes nothing that its memory must know of, and gets no token */
	if (all && s->writer == c->x->life)
		s->settled = c->x->life;
	if (!t)
		return;
	t->arrived = c->x->life;
	if (s->snapped < t->began && t->began < s->rolled_back) {
		s->stale[c->queue] = c->x->life;
		s->stale_ever[c->queue] = true;
	}
}

/* Its memory knows nothing of what began or was acked since the snapshot. */
void oracle_rolled_back(const struct machine *m, const struct snapshot *snap)
{
	struct session *s = &w.sessions[m->session];

	s->snapped = snap->order;
	s->rolled_back = ++w.order;
	s->bye = false;
	s->stale_token = m->token && s->settled > m->token_life;
	for (u32 n = 1; n < w.n_txns; n++) {
		struct txn *t = &w.txns[n];

		if (t->session != m->session)
			continue;
		if (t->began > s->snapped && t->arrived) {
			s->stale[t->queue] = t->arrived;
			s->stale_ever[t->queue] = true;
		}
		if (t->state == T_OK && t->ended > s->snapped) {
			t->told_flush = true;
			t->told_fua = true;
		}
	}
}

void oracle_executed(struct exporter *x, struct request *r)
{
	struct txn *t = r->txn;
	const struct machine *m = &w.machines[t->machine];

	if (x->disk != &w.disks[t->disk])
		violated("P6", "%s t%u is executed on another disk", op_name(t->op), number(t));
	if (m->session == t->session && m->identity.size > (u64)x->disk->blocks * BLOCK)
		violated("P6", "%s t%u is executed on a disk that is smaller than before",
			 op_name(t->op), number(t));
	if (is_write(t) && root_of(t)->ran == x->life)
		violated("P3", "%s t%u is executed a second time by the same exporter",
			 op_name(t->op), number(t));
	not_of_another_history(x, t);
	t->executed = true;
	root_of(t)->ran = x->life;
	t->life = x->life;
	t->epoch = x->disk->epoch;
	t->durable = is_write(t) && (t->fua || t->kept_durable || x->write_through);
}

void oracle_applied(struct bio *b, u8 i)
{
	struct disk *d = b->disk;
	u32 block = b->first + i, id = b->data[i];
	struct txn *t = &w.txns[id & ~GARBAGE];
	const struct session *s = &w.sessions[t->session];
	u8 queue = b->request->txn->queue;	/* a piece may go by another than @t did */
	u64 answered = s->answered[b->x->index][queue].gen;

	if (id & GARBAGE) {
		violated("P4", "the pages of t%u were somebody else's when they reached block %u",
			 number(t), block);
		return;
	}
	if (answered > b->request->gen &&
	    s->answered[b->x->index][queue].life == b->x->life)
		violated("P2", "t%u of generation %llu lands after %llu was answered", id,
			 ULL(b->request->gen), ULL(answered));
	if (!b->x->shared && s->expelled[d - w.disks] && !b->x->forgets)
		violated("P15", "t%u of s%u lands after it was expelled", id, t->session);
	else if (!b->x->shared && d->holder != t->session && !b->x->forgets)
		violated("P15", "t%u of s%u lands, but s%u is the writer", id, t->session,
			 d->holder);
	if (!list_has(d->seen[block], d->n_seen[block], id))
		violated("P2", "t%u lands on block %u after newer data was acked", id, block);
}

void oracle_heard(struct conn *c)
{
	w.sessions[c->session].heard_ms[c->x->index] = w.now;
}

void oracle_answered(struct conn *c)
{
	struct session *s = &w.sessions[c->session];
	u8 q = c->queue;
	u64 *gen = &s->answered[c->x->index][q].gen;
	u32 *life = &s->answered[c->x->index][q].life;

	/* a reader that is restored to before its BYE begins anew, with any generation */
	for (u32 n = 0; s->over && n < QUEUES; n++)
		s->answered[c->x->index][n].gen = 0;
	/* a late hello may revive a session that ended or was forgotten: nobody is behind it */
	if (*gen >= c->gen && *life == c->x->life && w.machines[s->machine].session == c->session &&
	    !s->bye && !s->forgotten)
		violated("P2", "generation %llu is answered after %llu", ULL(c->gen), ULL(*gen));
	/* a client that was rolled back may come to another life with a lower one */
	if (*gen < c->gen || *life != c->x->life)
		*gen = c->gen;
	*life = c->x->life;
	s->over = false;
	for (u32 n = 1; n < w.n_txns; n++) {
		struct txn *t = &w.txns[n];

		if (t->session == c->session && t->queue == q && t->sent_gen < c->gen &&
		    t->sent_to == c->x->index)
			oracle_fence(t);
		/* what a rebooted client expects of its former session */
		if (demand == DEMAND_SHARED_REBOOT && t->state == T_GONE &&
		    t->machine == s->machine && t->session != c->session &&
		    w.machines[s->machine].session == c->session)
			oracle_fence(t);
	}
}

void oracle_session_over(struct exporter *x, u16 session)
{
	w.sessions[session].over = true;
	for (u32 n = 1; n < w.n_txns; n++)
		if (w.txns[n].session == session && w.txns[n].sent_to == x->index)
			oracle_fence(&w.txns[n]);
}

void oracle_life_over(struct exporter *x)
{
	for (u32 n = 1; n < w.n_txns; n++)
		if (w.txns[n].sent_to == x->index)
			oracle_fence(&w.txns[n]);
}

/* --- one writer --- */

void oracle_granted(struct exporter *x, u16 session, const struct dstor_lease_request *q)
{
	bool takeover = !dstor_id_is_zero(q->takeover);
	struct disk *d = x->disk;
	struct session *s = &w.sessions[session], *old = &w.sessions[d->holder];
	const struct machine *m = &w.machines[s->machine];
	u32 n = d - w.disks;

	/* unless it never heard of its first grant: then it is still about to attach */
	if (m->session == session && !m->established)
		s->expelled[n] = false;
	/* a late hello of a session that is no more has nobody behind it, and lands nothing */
	if (s->expelled[n] && m->session == session && !x->forgets)
		violated("P15", "s%u is the writer again", session);
	if (d->holder && d->holder != session) {
		/* it has not shown in this life that it is the holder, so it was not heard */
		u64 since = d->holder_life == x->life ? old->heard_ms[x->index] : x->up_ms;
		u64 silent = w.now - since;

		if (!old->bye && !old->evicted && !old->gave_back && !d->holder_expired &&
		    silent < old->lease_ms && !x->forgets &&
		    !(takeover && old->machine == s->machine && silent >= old->silence_ms))
			violated("P15", "s%u is the writer, but s%u was silent for only %llu ms",
				 session, d->holder, ULL(silent));
		old->expelled[n] = true;
		oracle_excused(d->holder, d);
	}
	/* who gave it back may have it again, unless another wrote since */
	for (u32 i = 1; i < w.n_sessions; i++)
		w.sessions[i].expelled[n] |= i != session && w.sessions[i].gave_back == n + 1;
	s->gave_back = 0;
	s->writer = x->life;
	s->lease_ms = q->budget_ms;
	s->silence_ms = q->silence_ms;
	d->holder = session;
	d->holder_expired = false;
	d->holder_life = x->life;
}

void oracle_released(struct exporter *x, u16 session)
{
	oracle_excused(session, x->disk);
	/* what it sends from now on is refused, and is no sign of a writer */
	if (x->disk->holder == session &&
	    w.now - w.sessions[session].heard_ms[x->index] >= w.sessions[session].lease_ms)
		x->disk->holder_expired = true;
	if (x->disk->holder == session && (w.sessions[session].bye ||
					   w.sessions[session].gave_back ||
					   w.sessions[session].evicted))
		x->disk->holder = 0;
	if (w.sessions[session].evicted)
		w.sessions[session].expelled[x->disk - w.disks] = true;
}

void oracle_device_failed(struct machine *m)
{
	const struct session *s = &w.sessions[m->session];

	if (!s->expelled[m->disk] && !s->evicted && !s->forgotten && !s->rolled_back)
		violated("P6", "s%u has failed, and nobody took or ended it on its own disk",
			 m->session);
}

/* --- power --- */

static void block_lost(struct disk *d, u32 block)
{
	u16 *list = d->seen[block];
	u32 there = d->durable[block];
	bool restored = false;
	u8 n = 0;

	if (!list_has(d->kept[block], d->n_kept[block], there))
		violated("P5", "block %u is t%u again, but newer data was durable", block, there);
	for (u32 i = 0; i < d->n_seen[block]; i++) {
		struct txn *t = &w.txns[list[i]];

		if (list[i] == there || in_flight(t) || oracle_promised(t)) {
			list[n++] = list[i];	/* it may be resent */
			continue;
		}
		*dead_at(d, block, list[i]) = w.order;
	}
	d->n_seen[block] = n;
	/* what is there for now nobody may see, if the newer is sent again */
	for (u32 i = 0; i < n; i++)
		restored |= w.txns[list[i]].state == T_OK && oracle_promised(&w.txns[list[i]]);
	if (!restored && !list_has(list, n, there)) {
		list_add(list, &d->n_seen[block], there);
		*dead_at(d, block, there) = 0;
	}
	memcpy(d->kept[block], list, sizeof(d->kept[block]));
	d->n_kept[block] = d->n_seen[block];
	if (!list_has(d->kept[block], d->n_kept[block], there))
		list_add(d->kept[block], &d->n_kept[block], there);
}

/* Called before the cache forgets. */
void oracle_cache_lost(struct disk *d)
{
	w.order++;
	oracle_replay_owed(d);
	for (u32 n = 1; n < w.n_txns; n++) {
		struct txn *t = &w.txns[n];

		if (t->state != T_OK || !is_write(t) || &w.disks[t->disk] != d ||
		    oracle_promised(t))
			continue;
		for (u32 b = t->first; b < t->first + t->count; b++)
			t->lost |= ended_before(&w.txns[d->durable[b]], t);
	}
	for (u32 b = 0; b < BLOCKS; b++)
		block_lost(d, b);
	d->epoch++;
}
