/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The one writer (P15), on the exporter. Each export that is not shared has one
 * lease. Moments are milliseconds of one monotonic clock, which the caller
 * reads.
 *
 * Pure functions on the caller's memory: any context, no locks, no allocation, no
 * clock. The caller serialises access to each lease.
 */
#ifndef DSTOR_WIRE_LEASE_H
#define DSTOR_WIRE_LEASE_H

#include "protocol.h"

/* All zero: free, and no token is known. */
struct dstor_lease {
	u8 session[DSTOR_ID_LEN];	/* the holder, or 0 */
	u8 client[DSTOR_ID_LEN];
	u64 token;		/* of the last grant; 0: not known */
	u64 former;		/* accepted, too, until dstor_lease_settle(); 0: none */
	u64 heard_ms;		/* last byte from the holder */
	u64 budget_ms;		/* dstor_lease_ms() of the holder; a length of time */
	u64 silence_ms;		/* dstor_silence_ms() of the holder: alive, it is heard within */
	bool held;
	bool connected;		/* the holder has a connection */
	bool renew;		/* of a former life: the next grant renews the token */
	bool revoked;		/* the holder is evicted: it drains, and is the holder no more */
};

struct dstor_lease_request {
	u8 session[DSTOR_ID_LEN];
	u8 client[DSTOR_ID_LEN];
	u8 takeover[DSTOR_ID_LEN];
	u64 token;		/* 0: a new session */
	u64 asked_ms;		/* when it came; it asks again until it has an answer */
	u64 budget_ms;		/* all ones: silence never ends the lease */
	u64 silence_ms;
	bool same_client;	/* has shown a key of the holder's client, or neither has any */
	bool has_key;
};

enum dstor_lease_answer {
	DSTOR_LEASE_GRANTED,
	DSTOR_LEASE_AFTER_FENCE,	/* granted once the holder's writes have drained */
	DSTOR_LEASE_WAIT,	/* until the holder is heard, or was silent: ask again */
	DSTOR_LEASE_HELD,
	DSTOR_LEASE_ALIVE,	/* held: what is to be taken over is no former session */
	DSTOR_LEASE_EXPIRED,	/* somebody else wrote since: never again without a new attach */
};

/* Would @r get the lease at @now_ms? Changes nothing. */
enum dstor_lease_answer dstor_lease_ask(const struct dstor_lease *l,
					const struct dstor_lease_request *r, u64 now_ms);

/*
 * The exporter has begun a new life with what it kept of the lease: a writer that
 * resumes gets a new token, so the state that it had before can be told apart (P3).
 */
void dstor_lease_new_life(struct dstor_lease *l, u64 now_ms);

/*
 * Act on GRANTED, or on AFTER_FENCE once the holder's writes have drained. Returns
 * the token: @new_token, which is not 0, or the one that the session has already.
 * The token that it replaces is accepted, too, until dstor_lease_settle().
 */
u64 dstor_lease_grant(struct dstor_lease *l, const struct dstor_lease_request *r, u64 new_token,
		      u64 now_ms);

/*
 * A frame has arrived in this life on each queue of the holder, so it has the newest
 * token. True: the lease has changed, and the caller keeps it.
 */
bool dstor_lease_settle(struct dstor_lease *l);

/* The holder detached. The token stays, so an older session cannot come back. */
void dstor_lease_release(struct dstor_lease *l);

/*
 * The holder is evicted. Its token is worth nothing from now on, also after a
 * restart of the exporter if the caller keeps the lease before it answers anybody.
 * Nobody else gets it before dstor_lease_release(), once the holder has drained.
 */
void dstor_lease_revoke(struct dstor_lease *l, u64 new_token);

/* Is there a holder who may come back after a restart of the exporter? */
bool dstor_lease_outlives(const struct dstor_lease *l);

/*
 * Silence of a writer with @timeout_ms and @retries after which another may take
 * its place (P15): timeout x retries, at least 30000; all ones: never.
 */
u64 dstor_lease_ms(u32 timeout_ms, u32 retries);

/*
 * Silence after which an exporter may forget a session (P3). None of its executed
 * transactions can still be resent by then. All ones: never.
 */
u64 dstor_memory_ms(u32 timeout_ms, u32 retries);

#endif
