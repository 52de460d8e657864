// SPDX-License-Identifier: GPL-2.0
/*
 * The lease of the one writer (docs/protocol.md, section 10): who has it, how it
 * passes on, and how a session loses its right to write.
 */
#include "sim.h"
#include "session.h"
#include "hello.h"
#include "id.h"

bool lease_is_holder(const struct exporter *x, const struct record *r)
{
	return x->lease.held && dstor_id_equal(x->lease.session, r->id);
}

void lease_keep(struct exporter *x)
{
	x->disk->kept_token = x->lease.token;
	x->disk->kept_former = x->lease.former;
}

void lease_release(struct exporter *x, struct record *r)
{
	if (lease_is_holder(x, r)) {
		dstor_lease_release(&x->lease);
		oracle_released(x, r->session);
	}
}

u64 lease_new_token(void)
{
	w.ids++;
	return (u64)w.ids << 32 | 1;
}

void lease_request(const struct conn *c, struct dstor_lease_request *q)
{
	memset(q, 0, sizeof(*q));
	memcpy(q->session, c->hello.session, DSTOR_ID_LEN);
	memcpy(q->client, c->hello.client, DSTOR_ID_LEN);
	memcpy(q->takeover, c->hello.takeover, DSTOR_ID_LEN);
	q->token = mutated(LEASE_TOKEN_IGNORED) ? 0 : le64_to_cpu(c->hello.writer_token);
	q->budget_ms = dstor_lease_ms(le32_to_cpu(c->hello.timeout_ms),
				      le32_to_cpu(c->hello.retries));
	q->silence_ms = dstor_silence_ms(le32_to_cpu(c->hello.ping_ms),
					 le32_to_cpu(c->hello.timeout_ms));
	q->asked_ms = c->heard_ms;	/* it says nothing more until it is answered */
	q->same_client = true;		/* nobody has a key */
}

u64 lease_granted(struct conn *c, const struct dstor_lease_request *q)
{
	struct exporter *x = c->x;
	u64 token = dstor_lease_grant(&x->lease, q, lease_new_token(), w.now);

	lease_keep(x);	/* on its own disk, before it answers */
	happened[H_TOKEN_RENEWED] += q->token && token != q->token;
	oracle_granted(x, c->session, q);
	return token;
}

bool lease_expel_holder(struct conn *c, const struct dstor_lease_request *q)
{
	struct exporter *x = c->x;
	struct record *holder = record_find(x, x->lease.session);
	bool takeover = dstor_id_equal(q->takeover, x->lease.session);

	if (!holder)
		return true;
	/* it waits, as we do, and has nothing to say meanwhile */
	for (u8 n = 0; n < QUEUES; n++)
		if (holder->queue[n].pending && holder->queue[n].pending->established)
			return false;
	happened[takeover ? H_TAKEOVER : H_SILENT_HOLDER]++;
	for (u8 n = 0; n < QUEUES; n++)
		record_close_queue(holder, n);
	x->lease.connected = false;
	if (record_running(holder) && !mutated(takeover ? TAKEOVER_WITHOUT_FENCE :
					       SILENCE_WITHOUT_FENCE)) {
		session_dormant_later(x, holder);
		return false;
	}
	oracle_session_over(x, holder->session);
	record_free(holder);
	return true;
}

/* A rule changed: it reads on, and writes no more. */
void session_downgrade(struct exporter *x, struct record *r)
{
	say("X%u: s%u may only read from now on", x->index, r->session);
	r->may_only_read = true;
	r->read_only = true;
	r->downgrading = 1;
	session_downgrade_step(x, r);
}

/* Once all it was admitted is done, the disk is flushed; then it is told. */
void session_downgrade_step(struct exporter *x, struct record *r)
{
	if (!r->used || r->downgrading != 1 || x->state != X_UP)
		return;
	if (record_writes(r) && !mutated(DOWNGRADE_WITHOUT_DRAIN))
		return;
	r->downgrading = 2;
	if (x->disk->is_volatile && !mutated(DOWNGRADE_WITHOUT_FLUSH))
		disk_flush_for(x, r);
	else
		session_downgraded(x, r, true);
}

void session_downgraded(struct exporter *x, struct record *r, bool flushed)
{
	struct dstor_frame f = { .type = DSTOR_FRAME_CHANGE,
			       .flags = cpu_to_le16(DSTOR_CHANGE_ACCESS |
						    (flushed ? DSTOR_CHANGE_FLUSHED : 0)),
			       .status = cpu_to_le16(DSTOR_ACCESS_READ) };

	r->downgrading = 0;
	happened[H_DOWNGRADED]++;
	say("X%u: s%u only reads, and gives the lease back", x->index, r->session);
	for (u8 q = 0; q < QUEUES; q++)
		if (r->queue[q].live && r->queue[q].live->established)
			frame_send(r->queue[q].live, TO_CLIENT, &f, NULL);
	if (lease_is_holder(x, r))
		w.sessions[r->session].gave_back = x->disk - w.disks + 1;
	lease_release(x, r);
	attach_step_all(x);
}
