// SPDX-License-Identifier: GPL-2.0
/*
 * The promises, checked as things happen, with knowledge no end has. For each
 * block it keeps the writes that may be on it: a write goes when another that
 * was submitted after it had ended is acked (`seen`, P1 and P2) or is durable
 * (`kept`, P5). A write ends with its answer; one that failed ends when the
 * exporter has fenced it, and is undecided until then.
 */
#include "sim.h"
#include "frame.h"
#include "id.h"

#define P8_SLACK_MS 2000	/* a pass of the scan, and the way of an answer */
#define FORCED_MS 5000

static bool ended_before(const struct txn *a, const struct txn *b)
{
	return a->ended && a->ended < b->began;
}

static bool is_write(const struct txn *t)
{
	return dstor_op_writes(t->op);
}

static bool in_flight(const struct txn *t)
{
	return t->state == T_WAITING || t->state == T_SENT;
}

static u32 number(const struct txn *t)
{
	return t - w.txns;
}

u16 oracle_session(struct machine *m)
{
	struct session *s = &w.sessions[w.n_sessions];

	if (w.n_sessions + 1 >= SESSIONS) {
		fprintf(stderr, "sim: too many sessions\n");
		abort();
	}
	s->machine = m->index;
	s->read_only = m->read_only;
	return w.n_sessions++;
}

static struct txn *root_of(struct txn *t)
{
	return t->root ? &w.txns[t->root] : t;
}

/* --- the lists --- */

static u64 *dead_at(struct disk *d, u32 block, u16 id)
{
	struct txn *t = &w.txns[id];

	return id ? &t->dead[block - t->first] : &d->dead[block];
}

static bool list_has(const u16 *list, u32 n, u32 id)
{
	for (u32 i = 0; i < n; i++)
		if (list[i] == id)
			return true;
	return false;
}

static void list_add(u16 *list, u8 *n, u16 id)
{
	if (*n == CANDIDATES) {
		fprintf(stderr, "sim: too many writes of one block\n");
		abort();
	}
	list[(*n)++] = id;
}

static void list_remove(u16 *list, u8 *n, u16 id)
{
	for (u32 i = 0; i < *n; i++)
		if (list[i] == id) {
			list[i] = list[--*n];
			return;
		}
}

/* Whatever ended before @t began is not seen on this block any more. */
static void prune_seen(struct disk *d, u32 block, const struct txn *t)
{
	u16 *list = d->seen[block];

	for (u32 i = 0; i < d->n_seen[block];)
		if (ended_before(&w.txns[list[i]], t)) {
			*dead_at(d, block, list[i]) = w.order;
			list[i] = list[--d->n_seen[block]];
		} else {
			i++;
		}
}

static void prune_kept(struct disk *d, u32 block, const struct txn *t)
{
	u16 *list = d->kept[block];

	for (u32 i = 0; i < d->n_kept[block];)
		if (ended_before(&w.txns[list[i]], t))
			list[i] = list[--d->n_kept[block]];
		else
			i++;
}

static void forget_write(struct txn *t)
{
	struct disk *d = &w.disks[t->disk];

	for (u32 b = t->first; b < t->first + t->count; b++) {
		list_remove(d->seen[b], &d->n_seen[b], number(t));
		list_remove(d->kept[b], &d->n_kept[b], number(t));
	}
}

/* --- transactions --- */

void oracle_submitted(struct txn *t)
{
	struct disk *d = &w.disks[t->disk];

	t->began = ++w.order;
	if (!is_write(t))
		return;
	for (u32 b = t->first; b < t->first + t->count; b++) {
		list_add(d->seen[b], &d->n_seen[b], number(t));
		list_add(d->kept[b], &d->n_kept[b], number(t));
	}
}

/* Durable by what the client was told: check the platter. */
static void now_durable(struct txn *t, const char *said)
{
	struct disk *d = &w.disks[t->disk];

	for (u32 b = t->first; b < t->first + t->count; b++) {
		struct txn *there = &w.txns[d->durable[b]];

		if (there != t && ended_before(there, t))
			violated("P5", "%s, but block %u of t%u is still t%u on the medium", said,
				 b, number(t), number(there));
		prune_kept(d, b, t);
	}
}

static void no_loss_is_hidden(struct txn *t)
{
	for (u32 n = 1; n < w.n_txns; n++) {
		const struct txn *v = &w.txns[n];

		if (v->session != t->session || !v->lost || v->ended > t->began ||
		    (t->op == DSTOR_OP_FLUSH ? v->told_flush : v->told_fua))
			continue;
		/* a FUA write of before the power cut could not know */
		if (t->op == DSTOR_OP_FLUSH || t->epoch != v->epoch)
			violated("P5", "%s t%u succeeds, but t%u was acked, lost and not reported",
				 op_name(t->op), number(t), n);
	}
}

static void acked_write(struct txn *t)
{
	struct disk *d = &w.disks[t->disk];

	if (!t->executed && root_of(t) != t && root_of(t)->ran == t->sent_life) {
		/* it was executed as what it is a twin of */
		happened[H_TWIN_REPLAYED]++;
		forget_write(t);
		t->count = 0;
		return;
	}
	if (!t->executed) {
		violated("P1", "t%u is acked and was never executed", number(t));
		return;
	}
	for (u32 b = t->first; b < t->first + t->count; b++) {
		struct txn *there = &w.txns[d->cache[b]];

		if (there == t || !ended_before(there, t)) {
			prune_seen(d, b, t);
			continue;
		}
		if (t->durable || t->epoch == d->epoch)
			violated("P1", "t%u is acked, but block %u is still t%u", number(t), b,
				 number(there));
		/* executed, then the cache was lost, and only now the ack arrives */
		t->lost = true;
		list_remove(d->seen[b], &d->n_seen[b], number(t));
		list_remove(d->kept[b], &d->n_kept[b], number(t));
	}
	if (t->durable)
		now_durable(t, "acked");
	if (t->fua)
		no_loss_is_hidden(t);
}

static void acked_read(struct txn *t, const u32 *data)
{
	struct disk *d = &w.disks[t->disk];

	for (u32 i = 0; i < t->count; i++) {
		u64 dead = *dead_at(d, t->first + i, data[i]);

		if (dead && dead < t->began)
			violated("P2", "t%u reads t%u in block %u, which was overwritten before",
				 number(t), data[i], t->first + i);
	}
}

static void acked_flush(struct txn *t)
{
	no_loss_is_hidden(t);
	for (u32 n = 1; n < w.n_txns; n++) {
		struct txn *v = &w.txns[n];

		if (v->session == t->session && v->state == T_OK && is_write(v) && !v->lost &&
		    !v->durable && v->ended < t->began) {
			v->durable = true;
			now_durable(v, "flushed");
		}
	}
}

void oracle_acked(struct txn *t, const u32 *data)
{
	t->ended = ++w.order;
	if (is_write(t))
		acked_write(t);
	else if (t->op == DSTOR_OP_READ)
		acked_read(t, data);
	else
		acked_flush(t);
}

/* Can no copy of it land any more? */
static bool is_fenced(const struct txn *t)
{
	const struct exporter *x = &w.exporters[t->sent_to];
	const struct session *s = &w.sessions[t->session];

	return !t->ever_sent || x->life != t->sent_life || x->state == X_DOWN || s->over ||
	       s->answered[t->sent_to][t->queue].gen > t->sent_gen;
}

static void undecided(struct txn *t)
{
	if (is_write(t) && !t->ever_sent)
		forget_write(t);
	if (is_fenced(t) || demand == DEMAND_OTHER_QUEUE)
		t->ended = ++w.order;
}

static void fence(struct txn *t)
{
	if (!t->ended && (t->state == T_FAILED || t->state == T_GONE))
		t->ended = ++w.order;
}

void oracle_failed(struct txn *t, bool excused)
{
	const struct machine *m = &w.machines[t->machine];
	u64 least = (u64)m->policy.timeout_ms * m->policy.retries;

	if (!excused && (m->policy.retries == DSTOR_RETRIES_FOREVER ||
			 w.now - t->attempt.start_ms < least))
		violated("P7", "t%u fails after %llu ms, within its budget of %llu", number(t),
			 ULL(w.now - t->attempt.start_ms), ULL(least));
	if (t->status == DSTOR_STATUS_IO && !w.bad_ends)
		violated("P7", "t%u reports a loss, and nothing was lost", number(t));
	for (u32 n = 1; n < w.n_txns; n++) {
		struct txn *v = &w.txns[n];

		if (v->session == t->session && v->lost && v->ended < t->began) {
			v->told_flush |= t->op == DSTOR_OP_FLUSH;
			v->told_fua |= t->fua;
		}
	}
	if (!t->status) {
		undecided(t);
		return;
	}
	/* it was answered, or refused before it was sent */
	if (is_write(t) && !t->ever_sent)
		forget_write(t);
	t->ended = ++w.order;
}

/* Who was told of a loss in any way has closed the device since. */
void oracle_reopened(const struct machine *m)
{
	for (u32 n = 1; n < w.n_txns; n++) {
		struct txn *v = &w.txns[n];

		if (v->session != m->session || v->machine != m->index)
			continue;
		v->told_flush |= v->told_fua;
		v->told_fua |= v->told_flush;
	}
}

void oracle_client_crashed(struct machine *m)
{
	for (u32 n = 1; n < w.n_txns; n++) {
		struct txn *t = &w.txns[n];

		if (t->machine != m->index || t->session != m->session || !in_flight(t))
			continue;
		t->state = T_GONE;
		for (u32 i = 0; i < SPAN; i++)
			t->page[i] = GARBAGE | n;
		undecided(t);
	}
}

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
	if (all)
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
	s->stale_token = m->token && s->settled > m->life_number;
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
	u64 answered = s->answered[b->x->index][t->queue].gen;

	if (id & GARBAGE) {
		violated("P4", "the pages of t%u were somebody else's when they reached block %u",
			 number(t), block);
		return;
	}
	if (answered > b->request->gen &&
	    s->answered[b->x->index][t->queue].life == b->x->life)
		violated("P2", "t%u of generation %llu lands after %llu was answered", id,
			 ULL(b->request->gen), ULL(answered));
	if (!b->x->shared && s->expelled[d - w.disks])
		violated("P15", "t%u of s%u lands after it was expelled", id, t->session);
	else if (!b->x->shared && d->holder != t->session)
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
			fence(t);
		/* what a rebooted client expects of its former session */
		if (demand == DEMAND_SHARED_REBOOT && t->state == T_GONE &&
		    t->machine == s->machine && t->session != c->session &&
		    w.machines[s->machine].session == c->session)
			fence(t);
	}
}

void oracle_session_over(struct exporter *x, u16 session)
{
	w.sessions[session].over = true;
	for (u32 n = 1; n < w.n_txns; n++)
		if (w.txns[n].session == session && w.txns[n].sent_to == x->index)
			fence(&w.txns[n]);
}

void oracle_life_over(struct exporter *x)
{
	for (u32 n = 1; n < w.n_txns; n++)
		if (w.txns[n].sent_to == x->index)
			fence(&w.txns[n]);
}

/* A flush of the exporter's own came before this word, on the connection of @queue. */
void oracle_told_durable(const struct machine *m, u8 queue)
{
	for (u32 n = 1; n < w.n_txns; n++) {
		struct txn *v = &w.txns[n];

		if (v->session == m->session && v->queue == queue && v->state == T_OK &&
		    is_write(v) && !v->lost && !v->durable) {
			v->durable = true;
			now_durable(v, "told");
		}
	}
}

/* --- one writer --- */

void oracle_granted(struct exporter *x, u16 session, const struct dstor_lease_request *q)
{
	bool takeover = !dstor_id_is_zero(q->takeover);
	struct disk *d = x->disk;
	struct session *s = &w.sessions[session], *old = &w.sessions[d->holder];
	const struct machine *m = &w.machines[s->machine];
	bool forgot = d->holder_life != x->life && demand != DEMAND_GRACE;
	u32 n = d - w.disks;

	/* unless it never heard of its first grant: then it is still about to attach */
	if (m->session == session && !m->established)
		s->expelled[n] = false;
	/* a late hello of a session that is no more has nobody behind it, and lands nothing */
	if (s->expelled[n] && m->session == session)
		violated("P15", "s%u is the writer again", session);
	if (d->holder && d->holder != session) {
		u64 silent = w.now - old->heard_ms[x->index];

		if (!old->bye && !old->evicted && !old->gave_back && !d->holder_expired &&
		    !forgot && silent < old->lease_ms &&
		    !(takeover && old->machine == s->machine && silent >= old->silence_ms))
			violated("P15", "s%u is the writer, but s%u was silent for only %llu ms",
				 session, d->holder, ULL(silent));
		old->expelled[n] = true;
	}
	/* who gave it back may have it again, unless another wrote since */
	for (u32 i = 1; i < w.n_sessions; i++)
		w.sessions[i].expelled[n] |= i != session && w.sessions[i].gave_back == n + 1;
	s->gave_back = 0;
	s->lease_ms = q->budget_ms;
	s->silence_ms = q->silence_ms;
	d->holder = session;
	d->holder_expired = false;
	d->holder_life = x->life;
}

void oracle_released(struct exporter *x, u16 session)
{
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
	u8 n = 0;

	if (!list_has(d->kept[block], d->n_kept[block], there))
		violated("P5", "block %u is t%u again, but newer data was durable", block, there);
	for (u32 i = 0; i < d->n_seen[block]; i++) {
		struct txn *t = &w.txns[list[i]];

		if (list[i] == there || in_flight(t)) {
			list[n++] = list[i];	/* it may be resent */
			continue;
		}
		*dead_at(d, block, list[i]) = w.order;
	}
	d->n_seen[block] = n;
	if (!list_has(list, n, there)) {
		list_add(list, &d->n_seen[block], there);
		*dead_at(d, block, there) = 0;
	}
	memcpy(d->kept[block], list, sizeof(d->kept[block]));
	d->n_kept[block] = d->n_seen[block];
}

/* Called before the cache forgets. */
void oracle_cache_lost(struct disk *d)
{
	w.order++;
	for (u32 n = 1; n < w.n_txns; n++) {
		struct txn *t = &w.txns[n];

		if (t->state != T_OK || !is_write(t) || &w.disks[t->disk] != d)
			continue;
		for (u32 b = t->first; b < t->first + t->count; b++)
			t->lost |= ended_before(&w.txns[d->durable[b]], t);
	}
	for (u32 b = 0; b < BLOCKS; b++)
		block_lost(d, b);
	d->epoch++;
}

/* --- in the end --- */

u64 txn_bound_ms(const struct machine *m)
{
	u64 budget = dstor_budget_ms(&m->policy);

	/* the attempts after a reconnection get a whole timeout each */
	return budget == NEVER ? NEVER : 2 * budget + 2 * m->policy.timeout_ms + P8_SLACK_MS;
}

void oracle_audit(void)
{
	for (u32 n = 0; n < MACHINES; n++) {
		const struct machine *m = &w.machines[n];
		u64 bound = txn_bound_ms(m);

		if (m->device == D_NONE || m->frozen_until > w.now)
			continue;
		if (m->forced_ms != NEVER && w.now - m->forced_ms > FORCED_MS)
			violated("P8", "M%u: a forced detach takes more than %u ms", n, FORCED_MS);
		for (u32 k = 1; k < w.n_txns && bound != NEVER; k++) {
			const struct txn *t = &w.txns[k];

			if (t->session == m->session && in_flight(t) &&
			    w.now - t->attempt.start_ms > bound + m->frozen_ms - t->frozen_ms)
				violated("P8", "t%u has not ended after %llu ms", k,
					 ULL(w.now - t->attempt.start_ms));
		}
	}
}

/* All has healed and nothing runs: what is on the disks? */
void oracle_end(void)
{
	for (u32 n = 0; n < DISKS; n++)
		for (u32 b = 0; b < BLOCKS; b++)
			if (!list_has(w.disks[n].seen[b], w.disks[n].n_seen[b],
				      w.disks[n].cache[b]))
				violated("P2", "block %u of disk %u is t%u in the end", b, n,
					 w.disks[n].cache[b]);
	for (u32 k = 1; k < w.n_txns; k++)
		if (in_flight(&w.txns[k]))
			violated("P8", "t%u has not ended in the end", k);
}
