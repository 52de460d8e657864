/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A session: what an export knows of one client. A session queue is the memory of one of its
 * queues, which outlives its peers. session.c and peer.c call each other.
 */
#ifndef DSTOR_SESSION_H
#define DSTOR_SESSION_H

#include <linux/kref.h>

#include "core/address.h"
#include "exporter/peer.h"
#include "exporter/rules.h"
#include "wire/rejoin.h"
#include "wire/slot.h"

struct dstor_account;
struct dstor_export;

/* One queue of a session. Its slots are touched by its live peer's work alone. */
struct dstor_session_queue {
	struct dstor_session *session;
	u64 generation;			/* export->lock */
	struct dstor_peer *peer;	/* of that generation, or NULL; export->lock */
	u8 access;			/* enum dstor_access, of that generation; export->lock */
	unsigned int busy;		/* peers that were live and are not retired; export->lock */
	bool draining;			/* they were cut, and are busy; export->lock */
	struct dstor_slot *slots;	/* from its first connection on */
	struct dstor_queue_past past;	/* with no live peer: export->lock; else the peer's work */
};

/*
 *   new_session()        granted                expired, or no room
 *   --------------> new ---------> established --------------------> forgotten
 *                    |                  |                                ^
 *                    |                  | BYE, evicted, replaced         |
 *                    |                  v                                |
 *                    |                ended -----------------------------+
 *                    |                  no granted peer is left          |
 *                    +---------------------------------------------------+
 *                       its last peer retired
 *
 * Under export->lock. An established session stays without peers; forget() takes it
 * out of the list. A new one may also be ended.
 */
struct dstor_session {
	struct list_head entry;		/* export->lock */
	struct kref kref;
	struct dstor_export *export;
	struct dstor_account *account;	/* of its client */
	u8 id[DSTOR_ID_LEN];
	u8 client[DSTOR_ID_LEN];
	char client_name[DSTOR_NAME_LEN];
	char address[DSTOR_TEXT_LEN];
	struct dstor_peer_id peer_id;	/* of its newest connection; so are the next two */
	char cipher[DSTOR_ALGO_LEN];	/* "none": a key, and no encryption; empty: no key */
	char checksum[DSTOR_ALGO_LEN];
	u16 n_queues;
	u16 slots;
	u32 max_io;
	u32 timeout_ms;
	u32 retries;
	bool established;		/* a peer was granted once */
	bool writer;			/* had the lease in this life, or it is being saved */
	bool unsaved;			/* its grant could not be saved: it is yet to be told */
	bool joined;			/* was told so, and not yet that it left */
	bool downgraded;		/* only reads; has the lease until it drained */
	bool dormant;			/* no client is expected; kept while there is room */
	bool ended;			/* replaced, evicted or detached: drains, then goes */
	unsigned long heard;		/* jiffies; of peers that are gone */
	struct dstor_session_queue queues[];
};

/* All below: under export->lock, unless they say otherwise. */

/* session.c */
/* A session of the hello of @p, in the list of its export. NULL: no memory. */
struct dstor_session *dstor_session_new(struct dstor_peer *p);
/* Any context that may free memory, with or without the lock. */
void dstor_session_put(struct dstor_session *s);
/* By its id, or NULL. Takes no reference. */
struct dstor_session *dstor_session_find(struct dstor_export *e, const u8 id[DSTOR_ID_LEN]);
/*
 * Room for one more session of the client of @p: when that has too many, its oldest
 * without connections is forgotten; when all have, the oldest dormant one. False: none.
 */
bool dstor_session_make_room(struct dstor_peer *p);
/*
 * May one more connection of its client have @queue? The first one makes its slots, for
 * which dormant sessions are forgotten. False: the client or all together have as much as
 * they may, or there is no memory.
 */
bool dstor_session_open_queue(struct dstor_session *s, struct dstor_session_queue *queue);
/* Has it the lease? */
bool dstor_session_is_writer(const struct dstor_session *s);
/* The one that has it, or NULL: nobody, or one of a former life that is not back yet. */
struct dstor_session *dstor_session_writer(struct dstor_export *e);
bool dstor_session_has_peer(const struct dstor_session *s);
/* Has it a connection that waits to be granted? */
bool dstor_session_is_waiting(const struct dstor_session *s);
/* Peers that were live and have not retired. */
unsigned int dstor_session_busy(const struct dstor_session *s);
unsigned int dstor_session_connections(const struct dstor_session *s);
u32 dstor_session_in_flight(const struct dstor_session *s);
/* An enum dstor_access: the most that the last connection of any of its queues may do. */
static inline u8 dstor_session_access(const struct dstor_session *s)
{
	u8 access = DSTOR_ACCESS_NONE;
	unsigned int i;

	for (i = 0; i < s->n_queues; i++)
		access = max(access, s->queues[i].access);
	return access;
}

u32 dstor_session_silent_ms(const struct dstor_session *s);
/* A random writer token, never 0. Any context. */
u64 dstor_session_new_token(void);
/* Out of the list; the lease falls with it. Drops the list's reference. */
void dstor_session_forget(struct dstor_session *s);
/* Its connection ends: what it has submitted still runs, see export->sessions.n_draining. */
void dstor_session_cut(struct dstor_session_queue *queue);
/* It may never write again; it goes when its last command is done. */
void dstor_session_end(struct dstor_session *s);
void dstor_session_end_all(struct dstor_export *e);
/* Of a session that may only read by now: when its last write is done. Under the lock. */
void dstor_session_give_lease_back(struct dstor_session *s);
/* Does nothing run any more of what was cut? Without the lock; export->wait tells. */
bool dstor_sessions_drained(const struct dstor_export *e);
/* The peer is closed and none of its commands runs. Takes the lock. */
void dstor_session_leave(struct dstor_peer *p);
/* Sessions that were silent for too long expire: they become dormant and lose the lease. */
void dstor_session_expire(struct dstor_export *e);
/*
 * Has the writer been heard in this life on each of its queues? Then the token of the
 * life before is worth nothing any more. Now and then; under export->lock.
 */
void dstor_session_settle_lease(struct dstor_export *e);
/*
 * What was to be saved of the lease is saved, or could not be: then a grant that waited for
 * it is taken back, and its session unsaved.
 */
void dstor_session_lease_saved(struct dstor_export *e);
/* Peers that wait to be granted try again. */
void dstor_sessions_retry_grants(struct dstor_export *e);
void dstor_session_notify(struct dstor_session *s, enum dstor_notice n);
void dstor_sessions_notify(struct dstor_export *e, enum dstor_notice n);

#endif
