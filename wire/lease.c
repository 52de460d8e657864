// SPDX-License-Identifier: GPL-2.0
/*
 * One writer (P15). An export that is not shared has one lease. It passes to
 * another session when its holder released it (detach), was silent for its
 * whole budget, or is the same client's former session that this client says
 * it no longer has (reboot) and that is not heard any more. Each grant to a new
 * session has a new token, and so has the first one to a session in each life
 * of the exporter. A session that comes back with an older token has been
 * replaced, or was restored to an earlier state of its memory, and may never
 * write again.
 */
#include "id.h"
#include "lease.h"
#include "retry.h"

#define LEASE_MIN_MS 30000	/* P15 */
#define ON_THE_WAY_MS 200	/* for what the holder had sent before it ended */

static bool silent_too_long(const struct dstor_lease *l, u64 now_ms)
{
	/* @now_ms may have been read a moment before the holder was heard. */
	return !l->connected && l->budget_ms != ~0ULL && now_ms > l->heard_ms &&
	       now_ms - l->heard_ms >= l->budget_ms;
}

static bool takes_over(const struct dstor_lease *l, const struct dstor_lease_request *r)
{
	return !dstor_id_is_zero(r->takeover) && dstor_id_equal(r->takeover, l->session) &&
	       r->same_client && dstor_id_equal(r->client, l->client);
}

/* Two machines may say that they are one client: then the holder is still heard. */
static enum dstor_lease_answer take_over(const struct dstor_lease *l,
					 const struct dstor_lease_request *r, u64 now_ms)
{
	if (l->heard_ms > r->asked_ms + ON_THE_WAY_MS)
		return DSTOR_LEASE_ALIVE;
	if (now_ms > l->heard_ms && now_ms - l->heard_ms >= l->silence_ms)
		return DSTOR_LEASE_AFTER_FENCE;
	return DSTOR_LEASE_WAIT;
}

/*
 * In this life the caller knows the session. Of the life before only its id is known,
 * which is no secret: it needs the token, or a key of the client.
 */
static bool is_holder(const struct dstor_lease *l, const struct dstor_lease_request *r)
{
	return dstor_id_equal(r->session, l->session) &&
	       (!l->renew || r->token || (r->has_key && r->same_client));
}

/* A token that is not known may be any. */
static bool token_is_old(const struct dstor_lease *l, const struct dstor_lease_request *r)
{
	return r->token && l->token && r->token != l->token && r->token != l->former;
}

enum dstor_lease_answer dstor_lease_ask(const struct dstor_lease *l,
					const struct dstor_lease_request *r, u64 now_ms)
{
	/* A session that was the writer once: is it still the last one, as it was? */
	if (token_is_old(l, r))
		return DSTOR_LEASE_EXPIRED;
	if (l->revoked)
		return dstor_id_equal(r->session, l->session) ? DSTOR_LEASE_EXPIRED :
								DSTOR_LEASE_AFTER_FENCE;
	if (!l->held || is_holder(l, r))
		return DSTOR_LEASE_GRANTED;
	if (silent_too_long(l, now_ms))
		return DSTOR_LEASE_AFTER_FENCE;
	if (takes_over(l, r))
		return take_over(l, r, now_ms);
	return DSTOR_LEASE_HELD;
}

void dstor_lease_new_life(struct dstor_lease *l, u64 now_ms)
{
	l->connected = false;
	l->heard_ms = now_ms;
	l->renew = true;
}

u64 dstor_lease_grant(struct dstor_lease *l, const struct dstor_lease_request *r, u64 new_token,
		      u64 now_ms)
{
	bool same = l->held && dstor_id_equal(r->session, l->session);

	if (!same) {
		memcpy(l->session, r->session, DSTOR_ID_LEN);
		memcpy(l->client, r->client, DSTOR_ID_LEN);
	}
	/*
	 * Another queue of the session may still show the token that it resumed with.
	 * Who shows the former one may yet read the welcome with the newest. An exporter
	 * that knows no token would forget the next one, too.
	 */
	if (r->token && !l->token) {
		l->token = r->token;
	} else if (r->token && l->renew && r->token == l->token) {
		l->former = r->token;
		l->token = new_token;
	} else if (!r->token && !same) {
		l->former = 0;
		l->token = new_token;
	}
	l->renew = false;
	l->revoked = false;
	l->held = true;
	l->connected = true;
	l->budget_ms = r->budget_ms;
	l->silence_ms = r->silence_ms;
	l->heard_ms = now_ms;
	return l->token;
}

bool dstor_lease_settle(struct dstor_lease *l)
{
	bool changed = l->former;

	l->former = 0;
	return changed;
}

void dstor_lease_release(struct dstor_lease *l)
{
	l->held = false;
	l->revoked = false;
	l->connected = false;
	memset(l->session, 0, DSTOR_ID_LEN);
}

/* The list of evicted sessions may be lost: the token tells them from others. */
void dstor_lease_revoke(struct dstor_lease *l, u64 new_token)
{
	l->revoked = l->held;
	l->token = new_token;
	l->former = 0;
}

bool dstor_lease_outlives(const struct dstor_lease *l)
{
	return l->held && !l->revoked;
}

u64 dstor_lease_ms(u32 timeout_ms, u32 retries)
{
	u64 budget = (u64)timeout_ms * retries;

	if (retries == DSTOR_RETRIES_FOREVER)
		return ~0ULL;
	return budget < LEASE_MIN_MS ? LEASE_MIN_MS : budget;
}

u64 dstor_memory_ms(u32 timeout_ms, u32 retries)
{
	struct dstor_retry_policy p = { .timeout_ms = timeout_ms, .retries = retries };
	u64 budget = dstor_budget_ms(&p), lease = dstor_lease_ms(timeout_ms, retries);

	return budget > lease ? budget : lease;
}
