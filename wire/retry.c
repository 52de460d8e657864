// SPDX-License-Identifier: GPL-2.0
/*
 * Retry arithmetic of the client, in milliseconds of a monotonic clock.
 *
 * A transaction has a budget of timeout x (retries + 1): the first attempt and
 * its resends, of one timeout each, whether or not there was a connection to
 * send on. Within it no error is reported (P7); after it the transaction fails
 * (P8), except that an attempt on a live connection always gets a whole
 * timeout, so that nothing expires just after the line is back. Such extra
 * attempts are bounded by the number of resends. The budget stands still while
 * the exporter has the transaction in progress, while a slow line moves what is
 * ahead of it, and after an outage while a slow disk drains what was sent before:
 * such time is neither lost nor the exporter's silence.
 */
#include "retry.h"

#define SILENCE_SLACK_MS 2500	/* see dstor_silence_ms() */
#define RECONNECT_MAX_MS 2000

/* The caller's clock may have been read before @then was set, by another CPU. */
static u64 elapsed_ms(u64 now_ms, u64 then_ms)
{
	return now_ms > then_ms ? now_ms - then_ms : 0;
}

u64 dstor_budget_ms(const struct dstor_retry_policy *p)
{
	if (p->retries == DSTOR_RETRIES_FOREVER)
		return ~0ULL;
	return (u64)p->timeout_ms * ((u64)p->retries + 1);
}

/* Time since the submission that counts. */
static u64 age_ms(const struct dstor_attempt *a, u64 now_ms)
{
	return elapsed_ms(now_ms, a->start_ms + a->still_ms);
}

void dstor_attempt_begin(struct dstor_attempt *a, u64 now_ms)
{
	/* Still time of the slot's former transaction would make the budget longer. */
	*a = (struct dstor_attempt) { .start_ms = now_ms, .sent_ms = now_ms };
}

enum dstor_verdict dstor_attempt_check(const struct dstor_attempt *a,
				       const struct dstor_retry_policy *p, u64 now_ms, bool live)
{
	bool spent = age_ms(a, now_ms) >= dstor_budget_ms(p);

	if (live && elapsed_ms(now_ms, a->sent_ms) < p->timeout_ms &&
	    (!spent || a->resends <= p->retries))
		return DSTOR_VERDICT_WAIT;
	if (spent)
		return DSTOR_VERDICT_FAIL;
	return live ? DSTOR_VERDICT_ASK : DSTOR_VERDICT_WAIT;
}

void dstor_attempt_goes_on(struct dstor_attempt *a, u64 now_ms)
{
	u64 ms = elapsed_ms(now_ms, a->sent_ms);

	a->still_ms += ms;
	a->sent_ms += ms;
}

void dstor_attempt_stood_still(struct dstor_attempt *a, u32 length_ms)
{
	a->still_ms += length_ms;
}

void dstor_attempt_ask(struct dstor_attempt *a, u64 now_ms)
{
	a->asked_ms = now_ms;
	a->asked_resends = a->resends;
	a->asked = true;
}

bool dstor_attempt_told(struct dstor_attempt *a)
{
	bool fresh = a->asked && a->asked_resends == a->resends;

	a->asked = false;
	return fresh;
}

u32 dstor_attempt_number(const struct dstor_attempt *a, const struct dstor_retry_policy *p,
			 u64 now_ms)
{
	u64 ms = age_ms(a, now_ms);
	u32 n;

	if (p->retries != DSTOR_RETRIES_FOREVER && ms >= dstor_budget_ms(p))
		return p->retries;
	/* A rough value is enough for people, and a 32-bit kernel cannot divide 64 bits. */
	n = (ms < ~0U ? (u32)ms : ~0U) / (p->timeout_ms ? p->timeout_ms : 1);
	return n > p->retries ? p->retries : n;
}

u32 dstor_reconnect_delay_ms(u32 n)
{
	if (!n)
		return 0;
	if (n >= 6)
		return RECONNECT_MAX_MS;
	return 50U << (n - 1);
}

/*
 * At most ping + timeout (P8). The exporter gives up on a silent client a
 * little earlier when the timeout is long, so that the pages of a write that
 * failed on the client are out of danger soon (P4, docs/architecture.md).
 */
u32 dstor_silence_ms(u32 ping_ms, u32 timeout_ms)
{
	u32 slack = timeout_ms < SILENCE_SLACK_MS ? timeout_ms : SILENCE_SLACK_MS;

	return ping_ms > 0x7fffffffU - slack ? 0x7fffffffU : ping_ms + slack;
}
