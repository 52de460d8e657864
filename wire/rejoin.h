/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A client that comes back to an exporter (P3): is it remembered, and is its own
 * memory as new as what it has done? docs/protocol.md, section 8. Pure functions on
 * the caller's memory: any context, no locks, no allocation.
 */
#ifndef DSTOR_WIRE_REJOIN_H
#define DSTOR_WIRE_REJOIN_H

#include "protocol.h"

enum dstor_rejoin {
	DSTOR_REJOIN_OK,
	DSTOR_REJOIN_FORGOTTEN,		/* the exporter has forgotten the session in this life */
	DSTOR_REJOIN_ROLLED_BACK,	/* the client's memory is older than what it did */
};

/* The exporter's memory of a queue beside its slots. All zero: no welcome yet. */
struct dstor_queue_past {
	u64 cookie;	/* of the last welcome; 0: none yet */
	u64 former;	/* accepted, too, until the first frame; 0: none */
	u64 last_seq;	/* highest sequence number seen */
	bool used;	/* a frame arrived on some connection of the queue */
};

/*
 * Exporter: may the session of @h begin or go on? @life: of this exporter's memory.
 * @known: the session is remembered. An exporter of another life than @h names has
 * forgotten every session, so it says nothing about this one. A session that only
 * reads may always begin anew. Only after
 * dstor_hello_check() passed, as the next.
 */
enum dstor_rejoin dstor_rejoin_session(const struct dstor_hello *h, const u8 life[DSTOR_ID_LEN],
				       bool known);

/* Exporter: may the queue of @h go on? Only for a session that is remembered. */
enum dstor_rejoin dstor_rejoin_queue(const struct dstor_hello *h,
				     const struct dstor_queue_past *past);

/* Exporter: the queue of @h is about to be welcomed with @cookie, random and not 0. */
void dstor_rejoin_welcomed(struct dstor_queue_past *past, const struct dstor_hello *h,
			   u64 cookie);

/*
 * Exporter: a frame has arrived, so the client has the newest cookie. @seq: of a
 * request in the byte order of the host, 0 for any other frame.
 */
static inline void dstor_rejoin_frame(struct dstor_queue_past *past, u64 seq)
{
	past->used = true;
	past->former = 0;
	if (seq > past->last_seq)
		past->last_seq = seq;
}

/* A constant text for people, never NULL. */
const char *dstor_rejoin_text(enum dstor_rejoin r);

#endif
