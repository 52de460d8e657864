// SPDX-License-Identifier: GPL-2.0
/*
 * Bounds of what a connection makes the exporter keep, in number and in time. A request
 * costs memory until its answer is the socket's, and a note until it is. A client that
 * takes no answers gets no more of either, and in the end its connection is closed.
 *
 * Locks: conn.tx.lock.
 */
#include "conn/liveness.h"
#include "exporter/account.h"
#include "exporter/export.h"
#include "exporter/peer.h"
#include "exporter/progress.h"
#include "wire/retry.h"

#define NOTES_MAX 64		/* PONG and STATE that wait for the socket */
/*
 * Bytes in the time of patience, or it stands still. Less than one segment: hundreds of
 * connections may share a slow line.
 */
#define MOVES_MIN 512
#define SHORT_MS 5000		/* patience, while another connection waits for memory */

bool dstor_peer_must_wait(struct dstor_peer *p, const struct dstor_frame *f)
{
	unsigned int most = p->state == DSTOR_PEER_PING ? 1 : NOTES_MAX;

	/*
	 * A client may use a slot again once it has the answer, which may be before our
	 * sendmsg returns. So one that is honest waits here for a moment.
	 */
	if (p->progress.n_notes < most &&
	    (f->type != DSTOR_FRAME_REQUEST || p->commands.n < p->bounds.slots))
		return false;
	dstor_conn_pause(&p->conn, DSTOR_PAUSE_ANSWERS);
	return true;
}

void dstor_peer_answered(struct dstor_peer *p)
{
	if (!dstor_conn_is_paused(&p->conn))
		return;
	dstor_conn_resume(&p->conn, DSTOR_PAUSE_ANSWERS);
	dstor_conn_kick(&p->conn);
}

static u32 patience_ms(const struct dstor_peer *p)
{
	u32 silence = dstor_silence_ms(p->ping_ms, p->timeout_ms);

	/* The client has chosen its limit; others need not wait so long for its memory. */
	return dstor_account_is_short(p->export) ? min_t(u32, silence, SHORT_MS) : silence;
}

bool dstor_peer_stands_still(struct dstor_peer *p)
{
	struct dstor_peer_progress *last = &p->progress;
	bool sends = !dstor_tx_idle(&p->conn);
	bool receives = p->commands.receiving && !dstor_conn_is_paused(&p->conn);
	u64 received = dstor_conn_received(&p->conn);
	u64 sent;

	if (dstor_conn_lost(&p->conn) || !dstor_conn_is_open(&p->conn))
		return false;
	/* Usually all is answered, and nothing is to be looked at. */
	if (!sends && !receives) {
		last->since = jiffies;
		return false;
	}
	/* A slow line moves what the socket took long ago. */
	dstor_conn_look(&p->conn);
	sent = dstor_conn_acked(&p->conn);
	if ((!sends || sent >= last->sent + MOVES_MIN) &&
	    (!receives || received >= last->received + MOVES_MIN)) {
		last->since = jiffies;
		last->sent = sent;
		last->received = received;
		return false;
	}
	if (jiffies_to_msecs(jiffies - last->since) <= patience_ms(p))
		return false;
	if (sends)
		pr_warn_ratelimited("dstor: export %s: client %s takes no answers: its connection is closed\n",
				    p->export->name, p->address);
	else
		pr_warn_ratelimited("dstor: export %s: client %s sends no data of a write: its connection is closed\n",
				    p->export->name, p->address);
	return true;
}
