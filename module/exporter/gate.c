// SPDX-License-Identifier: GPL-2.0
/*
 * Readers wait while a writer restores the disk (P2, P7). wire/replay_gate.c decides;
 * this file asks it, keeps what it says with the lease, and lets the readers go on.
 *
 * Who waits is known by the pause of its connection, so nothing is allocated, and no
 * thread waits. export->gate.holds is what connections look at, without a lock: it is
 * set before the first client comes, and falls once in a life of the export.
 *
 * Locks: export->lock, unless a function says otherwise.
 */
#include "core/work.h"
#include "exporter/gate.h"
#include "exporter/lease_file.h"
#include "exporter/session.h"
#include "wire/id.h"

static const char *gate_writer(const struct dstor_export *e)
{
	const struct dstor_export_holder *h = &e->holder;

	return h->name[0] ? h->name : h->address[0] ? h->address : "a client";
}

static bool gate_waits_here(const struct dstor_peer *p)
{
	return p && dstor_conn_pauses_for(&p->conn, DSTOR_PAUSE_GATE) && !dstor_conn_lost(&p->conn);
}

static bool gate_has_reader(const struct dstor_export *e)
{
	const struct dstor_session *s;
	unsigned int i;

	list_for_each_entry(s, &e->sessions.list, entry)
		for (i = 0; i < s->n_queues; i++)
			if (gate_waits_here(s->queues[i].peer))
				return true;
	return false;
}

/*
 * What a writer had sent again before it was refused or evicted is done first. Once a reader
 * was served too early the next life must know it. A grant that is yet to be saved may be
 * taken back, and the gate with it.
 */
static bool gate_is_open(struct dstor_export *e)
{
	const struct dstor_replay_gate *g = &e->holder.gate;

	return !e->lease_file.granting && !g->waits && dstor_sessions_drained(e) &&
	       (!g->late || dstor_lease_file_is_saved(e));
}

static void gate_settle(struct dstor_export *e)
{
	struct dstor_session *s;
	unsigned int i;

	if (!e->gate.holds || !gate_is_open(e))
		return;
	WRITE_ONCE(e->gate.holds, false);
	WRITE_ONCE(e->gate.since, 0);
	pr_info("dstor: export %s: readers do not wait for kept writes any more\n", e->name);
	list_for_each_entry(s, &e->sessions.list, entry)
		for (i = 0; i < s->n_queues; i++)
			if (gate_waits_here(s->queues[i].peer))
				dstor_conn_kick(&s->queues[i].peer->conn);
}

void dstor_gate_lease_saved(struct dstor_export *e)
{
	dstor_session_lease_saved(e);
	gate_settle(e);
}

void dstor_gate_wait(struct dstor_peer *p)
{
	struct dstor_export *e = p->export;

	if (!READ_ONCE(e->gate.since))
		WRITE_ONCE(e->gate.since, jiffies ? jiffies : 1);
	dstor_conn_pause(&p->conn, DSTOR_PAUSE_GATE);
}

void dstor_gate_begin(struct dstor_export *e)
{
	const u32 without = DSTOR_EXPORT_SHARED | DSTOR_EXPORT_NO_REPLAY;
	struct dstor_replay_gate *g = &e->holder.gate;

	mutex_lock(&e->lock);
	dstor_replay_gate_new_life(g, e->config.instance, e->lease.budget_ms, dstor_now_ms());
	e->gate.holds = g->waits;
	if (g->waits)
		pr_info("dstor: export %s: a crash may have taken writes that %s sends again\n",
			e->name, gate_writer(e));
	if (e->config.flags & without && dstor_replay_gate_refuse(g)) {
		pr_info("dstor: export %s: what %s has kept is refused from now on\n", e->name,
			gate_writer(e));
		dstor_lease_file_save(e);
	}
	gate_settle(e);
	mutex_unlock(&e->lock);
}

bool dstor_gate_granted(struct dstor_peer *p, bool same)
{
	struct dstor_replay_gate *g = &p->export->holder.gate;
	bool keeps = p->hello.flags & DSTOR_HELLO_KEEPS &&
		     !(p->export->config.flags & DSTOR_EXPORT_NO_REPLAY);

	if (same && keeps == g->keeps) {
		dstor_replay_gate_progress(g, dstor_now_ms());
		return false;
	}
	dstor_replay_gate_holder(g, keeps, p->hello.flags & DSTOR_HELLO_RESUME,
				 p->export->config.instance);
	return true;
}

void dstor_gate_replayed(struct dstor_peer *p)
{
	struct dstor_export *e = p->export;

	mutex_lock(&e->lock);
	if (dstor_session_is_writer(p->session) &&
	    dstor_replay_gate_done(&e->holder.gate, e->config.instance))
		dstor_lease_file_save(e);
	/* It says so once: also if a grant that is being saved is taken back. */
	if (e->lease_file.granting && dstor_id_equal(e->lease_file.before.session, p->session->id))
		dstor_replay_gate_done(&e->lease_file.holder_before.gate, e->config.instance);
	gate_settle(e);
	mutex_unlock(&e->lock);
}

u16 dstor_gate_flags(const struct dstor_export *e)
{
	u16 flags = 0;

	if (e->lease_file.file)
		flags |= DSTOR_GRANT_LEASE_KEPT;
	if (!(e->config.flags & DSTOR_EXPORT_NO_REPLAY) &&
	    dstor_replay_gate_grants(&e->holder.gate))
		flags |= DSTOR_GRANT_REPLAY;
	return flags;
}

/* The writer learns from its next welcome that it is too late. */
static void gate_close(struct dstor_export *e)
{
	struct dstor_session *s = dstor_session_writer(e);
	unsigned int i;

	pr_warn("dstor: export %s: readers waited in vain for %s: its kept writes are refused\n",
		e->name, gate_writer(e));
	dstor_lease_file_save(e);
	for (i = 0; s && i < s->n_queues; i++)
		dstor_session_cut(&s->queues[i]);
}

void dstor_gate_poll(struct dstor_export *e)
{
	struct dstor_replay_gate *g = &e->holder.gate;
	u64 now_ms = dstor_now_ms();

	lockdep_assert_held(&e->lock);
	/* A grant that is yet to be saved may put the gate back as it was. */
	if (!e->gate.holds || e->lease_file.granting)
		return;
	if (xchg(&e->gate.moved, false))
		dstor_replay_gate_progress(g, now_ms);
	if (g->waits && gate_has_reader(e) &&
	    dstor_replay_gate_ask(g, now_ms) == DSTOR_GATE_CLOSES)
		gate_close(e);
	gate_settle(e);
}

u32 dstor_gate_wait_ms(const struct dstor_export *e)
{
	unsigned long since = READ_ONCE(e->gate.since);

	return since && gate_has_reader(e) ? max(1U, jiffies_to_msecs(jiffies - since)) : 0;
}
