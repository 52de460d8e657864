/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How long the client tries a transaction (P7, P8), and when either end takes a
 * silent peer for dead. All times are milliseconds; those that end in _ms of a
 * structure below are moments of one monotonic clock, which the caller reads.
 *
 * Pure functions on the caller's memory: any context, no locks, no allocation, no
 * clock. The caller serialises access to each structure.
 */
#ifndef DSTOR_WIRE_RETRY_H
#define DSTOR_WIRE_RETRY_H

#include "protocol.h"

struct dstor_retry_policy {
	u32 timeout_ms;	/* of one attempt; a length of time */
	u32 retries;	/* DSTOR_RETRIES_FOREVER: no limit */
};

struct dstor_attempt {
	u64 start_ms;	/* submission */
	u64 sent_ms;	/* begin of the current attempt: sent, or reconnected, or "in progress" */
	u64 still_ms;	/* a length of time, in which the budget stood still */
	u32 resends;
	u64 asked_ms;	/* when ASK was sent, */
	u32 asked_resends; /* after so many resends, */
	bool asked;	/* and no answer has come; false on a new connection */
};

enum dstor_verdict {
	DSTOR_VERDICT_WAIT,
	DSTOR_VERDICT_ASK,	/* live connection, attempt timed out: ask the exporter */
	DSTOR_VERDICT_FAIL,	/* budget used up */
};

/* timeout x (retries + 1), the time of a transaction; all ones: no limit. */
u64 dstor_budget_ms(const struct dstor_retry_policy *p);

/*
 * The verdict on a transaction at @now_ms, which may lie a little before the moments
 * in @a. @live: the connection that it was sent on works as far as is known.
 */
/* The transaction is submitted now. */
void dstor_attempt_begin(struct dstor_attempt *a, u64 now_ms);

enum dstor_verdict dstor_attempt_check(const struct dstor_attempt *a,
				       const struct dstor_retry_policy *p, u64 now_ms, bool live);

/*
 * It goes on as well as it can: the exporter has it in progress, or the data ahead of it
 * moves. The attempt begins anew, and its time so far is not taken from the budget.
 */
void dstor_attempt_goes_on(struct dstor_attempt *a, u64 now_ms);

/*
 * Without a connection: the exporter has drained some of what was sent before the outage,
 * in the last @length_ms. They are not taken from the budget.
 */
void dstor_attempt_stood_still(struct dstor_attempt *a, u32 length_ms);

/*
 * ASK is sent now. One at a time for each transaction: an answer does not say which of
 * two it belongs to. The caller has seen that @a->asked is false.
 */
void dstor_attempt_ask(struct dstor_attempt *a, u64 now_ms);

/*
 * The answer to the ASK has come. False: none was awaited, or the transaction was sent
 * again since, for another reason. The answer may be about the sending before then, and
 * nothing may follow from it: a second resend on one connection would be answered after
 * the first was acked and its pages were given back (P4).
 */
bool dstor_attempt_told(struct dstor_attempt *a);

/*
 * The n-th try shown to people: 0 while the first attempt runs, at most p->retries.
 * It counts elapsed timeouts, not resends.
 */
u32 dstor_attempt_number(const struct dstor_attempt *a, const struct dstor_retry_policy *p,
			 u64 now_ms);

/*
 * Pause before the @n-th reconnection: 0 for n = 0, then 50, 100, 200, 400, 800, and
 * 2000 from n = 6 on.
 */
u32 dstor_reconnect_delay_ms(u32 n);

/*
 * Silence after which a peer that pings every @ping_ms is taken for dead: at most
 * @ping_ms + @timeout_ms (P8), and less than 2^31.
 */
u32 dstor_silence_ms(u32 ping_ms, u32 timeout_ms);

#endif
