// SPDX-License-Identifier: GPL-2.0
/*
 * Readers never see time go back (P2, P7). After a crash the disk lacks what its writer
 * will send again. Other clients may have read it before; so their requests wait until
 * the writer says REPLAYED.
 *
 * They do not wait for ever: for the lease time of the writer at most, and no longer
 * than 30 s while nothing of the replay moves. A reader that is then served has seen the
 * older state. A replay after it would show it a third one, so it is refused from then
 * on, over further crashes, until the writer has taken notice of its loss: it says
 * REPLAYED also then.
 */
#include "id.h"
#include "replay_gate.h"

void dstor_replay_gate_holder(struct dstor_replay_gate *g, bool keeps, bool resumes,
			      const u8 instance[DSTOR_ID_LEN])
{
	memset(g, 0, sizeof(*g));
	memcpy(g->whole, instance, DSTOR_ID_LEN);
	g->keeps = keeps;
	g->late = keeps && resumes;
}

void dstor_replay_gate_new_life(struct dstor_replay_gate *g, const u8 instance[DSTOR_ID_LEN],
				u64 lease_ms, u64 now_ms)
{
	g->waits = g->keeps && !g->late && !dstor_id_equal(g->whole, instance);
	g->wait_ms = lease_ms < DSTOR_REPLAY_WAIT_MS ? lease_ms : DSTOR_REPLAY_WAIT_MS;
	g->until_ms = now_ms + g->wait_ms;
}

bool dstor_replay_gate_refuse(struct dstor_replay_gate *g)
{
	if (!g->keeps || g->late)
		return false;
	g->waits = false;
	g->late = true;
	return true;
}

enum dstor_gate dstor_replay_gate_ask(struct dstor_replay_gate *g, u64 now_ms)
{
	if (!g->waits)
		return DSTOR_GATE_OPEN;
	if (now_ms < g->until_ms)
		return DSTOR_GATE_HOLDS;
	dstor_replay_gate_refuse(g);
	return DSTOR_GATE_CLOSES;
}

bool dstor_replay_gate_grants(const struct dstor_replay_gate *g)
{
	return g->keeps && !g->late;
}

void dstor_replay_gate_progress(struct dstor_replay_gate *g, u64 now_ms)
{
	g->until_ms = now_ms + g->wait_ms;
}

bool dstor_replay_gate_done(struct dstor_replay_gate *g, const u8 instance[DSTOR_ID_LEN])
{
	bool changed = g->waits || g->late || !dstor_id_equal(g->whole, instance);

	g->waits = false;
	g->late = false;
	memcpy(g->whole, instance, DSTOR_ID_LEN);
	return changed;
}
