// SPDX-License-Identifier: GPL-2.0
/*
 * The promises, checked as things happen, with knowledge no end has. For each
 * block it keeps the writes that may be on it: a write goes when another that
 * was submitted after it had ended is acked (`seen`, P1 and P2) or is durable
 * (`kept`, P5). A write ends with its answer; one that failed ends when the
 * exporter has fenced it, and is undecided until then.
 */
#include "sim.h"
#include "oracle.h"
#include "id.h"

#define P8_SLACK_MS 2000	/* a pass of the scan, and the way of an answer */
#define FORCED_MS 5000

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

/* --- the lists --- */

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

void oracle_now_durable(struct txn *t, const char *said)
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
		if (!t->durable && t->epoch != d->epoch && w.sessions[t->session].keeps) {
			t->pending = true;	/* its client will send it again */
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
		oracle_now_durable(t, "acked");
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
			oracle_now_durable(v, "flushed");
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

bool oracle_is_fenced(const struct txn *t)
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
	if (oracle_is_fenced(t) || demand == DEMAND_OTHER_QUEUE)
		t->ended = ++w.order;
}

void oracle_fence(struct txn *t)
{
	if (!t->ended && (t->state == T_FAILED || t->state == T_GONE))
		t->ended = ++w.order;
}

void oracle_failed(struct txn *t, bool excused)
{
	const struct machine *m = &w.machines[t->machine];
	u64 least = (u64)m->policy.timeout_ms * m->policy.retries + t->attempt.still_ms;

	if (!excused && (m->policy.retries == DSTOR_RETRIES_FOREVER ||
			 w.now - t->attempt.start_ms < least))
		violated("P7", "t%u fails after %llu ms, within its budget of %llu", number(t),
			 ULL(w.now - t->attempt.start_ms), ULL(least));
	if (t->status == DSTOR_STATUS_IO && w.sessions[t->session].keeps &&
	    !w.sessions[t->session].gave_up)
		violated("P5", "t%u reports a loss, and all that was acked is kept", number(t));
	if (t->status == DSTOR_STATUS_IO && !w.bad_ends)
		violated("P7", "t%u reports a loss, and nothing was lost", number(t));
	for (u32 n = 1; n < w.n_txns; n++) {
		struct txn *v = &w.txns[n];

		if (v->session == t->session && (v->lost || v->let_go) && v->ended < t->began) {
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

			if (t->session == m->session && in_flight(t) && !t->of && !t->background &&
			    w.now - t->attempt.start_ms >
				    bound + t->attempt.still_ms + m->frozen_ms - t->frozen_ms)
				violated("P8", "t%u has not ended after %llu ms", k,
					 ULL(w.now - t->attempt.start_ms));
		}
	}
}

/* A welcome with the token may have been lost, and then silence alone ends the lease. */
static bool has_proof(const struct exporter *x, const struct record *r)
{
	const struct machine *m = &w.machines[w.sessions[r->session].machine];

	return w.keyed || (m->session == r->session && m->token &&
			   (m->token == x->lease.token || m->token == x->lease.former));
}

/* Its holder is here and only reads: who wants to write would wait for nothing. */
static bool lease_is_idle(const struct exporter *x)
{
	for (u32 n = 0; n < RECORDS; n++) {
		const struct record *r = &x->records[n];
		u32 reading = 0;

		if (!r->used || !x->lease.held || !dstor_id_equal(r->id, x->lease.session))
			continue;
		for (u32 q = 0; q < r->queues; q++)
			reading += r->queue[q].live && r->queue[q].access == DSTOR_ACCESS_READ;
		return reading == r->queues && has_proof(x, r);
	}
	return false;
}

/* All has healed and nothing runs: what is on the disks? */
void oracle_end(void)
{
	for (u32 n = 0; n < EXPORTERS; n++)
		if (lease_is_idle(&w.exporters[n]))
			violated("P8", "X%u keeps a lease for a session that only reads", n);
	for (u32 n = 0; n < DISKS; n++)
		for (u32 b = 0; b < BLOCKS; b++)
			if (!list_has(w.disks[n].seen[b], w.disks[n].n_seen[b],
				      w.disks[n].cache[b]))
				violated("P2", "block %u of disk %u is t%u in the end", b, n,
					 w.disks[n].cache[b]);
	for (u32 k = 1; k < w.n_txns; k++)
		if (in_flight(&w.txns[k]) && !w.txns[k].of && !w.txns[k].background)
			violated("P8", "t%u has not ended in the end", k);
}
