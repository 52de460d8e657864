// SPDX-License-Identifier: GPL-2.0
/* lease.c: who may write. */
#include "unit.h"
#include "id.h"
#include "lease.h"

#define BUDGET 120000ULL
#define SILENCE 3500ULL

static struct dstor_lease_request asks(u8 session, u8 client, u64 token)
{
	struct dstor_lease_request r = { .token = token, .budget_ms = BUDGET,
					 .silence_ms = SILENCE, .same_client = true };

	fill_id(r.session, session);
	fill_id(r.client, client);
	return r;
}

/* Held by session 1 of client 100, token 11, last heard at 1000. */
static struct dstor_lease held_lease(void)
{
	struct dstor_lease l = {0};
	struct dstor_lease_request r = asks(1, 100, 0);

	assert_int_equal(dstor_lease_ask(&l, &r, 1000), DSTOR_LEASE_GRANTED);
	assert_int_equal(dstor_lease_grant(&l, &r, 11, 1000), 11);
	return l;
}

static void lease_granted_then_held(void **state)
{
	struct dstor_lease l = held_lease();
	struct dstor_lease_request same = asks(1, 100, 11), other = asks(2, 200, 0);

	assert_true(l.held && l.connected);
	assert_int_equal(l.token, 11);
	assert_int_equal(l.heard_ms, 1000);
	assert_int_equal(l.budget_ms, BUDGET);
	assert_int_equal(dstor_lease_ask(&l, &same, 2000), DSTOR_LEASE_GRANTED);
	assert_int_equal(dstor_lease_grant(&l, &same, 99, 2000), 11);
	assert_int_equal(l.heard_ms, 2000);
	assert_int_equal(dstor_lease_ask(&l, &other, 3000), DSTOR_LEASE_HELD);
}

static void lease_released_goes_to_the_next(void **state)
{
	struct dstor_lease l = held_lease();
	struct dstor_lease_request other = asks(2, 200, 0), former = asks(1, 100, 11);

	dstor_lease_release(&l);
	assert_false(l.held || l.connected);
	assert_true(dstor_id_is_zero(l.session));
	assert_int_equal(dstor_lease_ask(&l, &other, 1001), DSTOR_LEASE_GRANTED);
	assert_int_equal(dstor_lease_grant(&l, &other, 22, 1001), 22);
	assert_int_equal(dstor_lease_ask(&l, &former, 1002), DSTOR_LEASE_EXPIRED);
	dstor_lease_release(&l);
	assert_int_equal(dstor_lease_ask(&l, &former, 1003), DSTOR_LEASE_EXPIRED);
}

static void lease_taken_over_by_the_same_client(void **state)
{
	struct dstor_lease l = held_lease();
	struct dstor_lease_request r = asks(2, 100, 0), former = asks(1, 100, 11);

	/* the same client, but it does not say that its former session is gone */
	assert_int_equal(dstor_lease_ask(&l, &r, 5000), DSTOR_LEASE_HELD);
	fill_id(r.takeover, 1);
	r.asked_ms = 5000;
	assert_int_equal(dstor_lease_ask(&l, &r, 5000), DSTOR_LEASE_AFTER_FENCE);
	assert_int_equal(dstor_lease_grant(&l, &r, 22, 5000), 22);
	assert_memory_equal(l.session, r.session, DSTOR_ID_LEN);
	assert_int_equal(dstor_lease_ask(&l, &former, 5001), DSTOR_LEASE_EXPIRED);
}

/* A client that rebooted is silent; two machines that say they are one client are not. */
static void lease_not_taken_over_from_the_living(void **state)
{
	struct dstor_lease l = held_lease();
	struct dstor_lease_request r = asks(2, 100, 0);

	fill_id(r.takeover, 1);
	r.asked_ms = 1500;
	assert_int_equal(dstor_lease_ask(&l, &r, 1500), DSTOR_LEASE_WAIT);
	assert_int_equal(dstor_lease_ask(&l, &r, 1000 + SILENCE - 1), DSTOR_LEASE_WAIT);
	assert_int_equal(dstor_lease_ask(&l, &r, 1000 + SILENCE), DSTOR_LEASE_AFTER_FENCE);
	/* the clock was read just before the holder was heard */
	assert_int_equal(dstor_lease_ask(&l, &r, 999), DSTOR_LEASE_WAIT);
	/* what was still on its way */
	l.heard_ms = 1700;
	assert_int_equal(dstor_lease_ask(&l, &r, 1800), DSTOR_LEASE_WAIT);
	l.heard_ms = 1701;
	assert_int_equal(dstor_lease_ask(&l, &r, 1800), DSTOR_LEASE_ALIVE);
	/* it had its chance to speak, whatever comes after: the next hello asks anew */
	assert_int_equal(dstor_lease_ask(&l, &r, 9000), DSTOR_LEASE_ALIVE);
	r.asked_ms = 9000;
	assert_int_equal(dstor_lease_ask(&l, &r, 9000), DSTOR_LEASE_AFTER_FENCE);
}

static void lease_not_taken_over_by_another_client(void **state)
{
	struct dstor_lease l = held_lease();
	struct dstor_lease_request r = asks(2, 200, 0);

	fill_id(r.takeover, 1);	/* the right session, the wrong client */
	assert_int_equal(dstor_lease_ask(&l, &r, 5000), DSTOR_LEASE_HELD);
	r = asks(2, 100, 0);
	fill_id(r.takeover, 3);	/* the right client, the wrong session */
	assert_int_equal(dstor_lease_ask(&l, &r, 5000), DSTOR_LEASE_HELD);
	memset(r.takeover, 0, DSTOR_ID_LEN);
	assert_int_equal(dstor_lease_ask(&l, &r, 5000), DSTOR_LEASE_HELD);
	fill_id(r.takeover, 1);	/* the right ones, another's key */
	r.same_client = false;
	assert_int_equal(dstor_lease_ask(&l, &r, 5000), DSTOR_LEASE_HELD);
}

static void lease_silence_exactly_at_the_budget(void **state)
{
	struct dstor_lease l = held_lease();
	struct dstor_lease_request r = asks(2, 200, 0);

	/* as long as it has a connection, that connection's silence is what counts */
	assert_int_equal(dstor_lease_ask(&l, &r, 1000 + 10 * BUDGET), DSTOR_LEASE_HELD);
	l.connected = false;
	assert_int_equal(dstor_lease_ask(&l, &r, 1000 + BUDGET - 1), DSTOR_LEASE_HELD);
	assert_int_equal(dstor_lease_ask(&l, &r, 1000 + BUDGET), DSTOR_LEASE_AFTER_FENCE);
	/* the clock was read just before the holder was heard: that is no silence */
	assert_int_equal(dstor_lease_ask(&l, &r, 999), DSTOR_LEASE_HELD);
	assert_int_equal(dstor_lease_ask(&l, &r, 0), DSTOR_LEASE_HELD);
	l.budget_ms = ~0ULL;	/* retries forever */
	assert_int_equal(dstor_lease_ask(&l, &r, ~0ULL), DSTOR_LEASE_HELD);
}

static void lease_survives_the_silence_nobody_used(void **state)
{
	struct dstor_lease l = held_lease();
	struct dstor_lease_request r = asks(1, 100, 11);

	l.connected = false;
	assert_int_equal(dstor_lease_ask(&l, &r, 1000 + 100 * BUDGET), DSTOR_LEASE_GRANTED);
	assert_int_equal(dstor_lease_grant(&l, &r, 33, 1000 + 100 * BUDGET), 11);
	assert_true(l.connected);
}

static void lease_exporter_forgot(void **state)
{
	struct dstor_lease l = {0};
	struct dstor_lease_request writer = asks(1, 100, 11), other = asks(2, 200, 0);

	/* the writer is back first: it keeps its token, in each life */
	dstor_lease_new_life(&l, 1);
	assert_int_equal(dstor_lease_ask(&l, &writer, 5), DSTOR_LEASE_GRANTED);
	assert_int_equal(dstor_lease_grant(&l, &writer, 77, 5), 11);
	assert_false(dstor_lease_settle(&l));
	assert_int_equal(dstor_lease_ask(&l, &other, 6), DSTOR_LEASE_HELD);

	/* somebody new is first: the writer is told */
	memset(&l, 0, sizeof(l));
	dstor_lease_grant(&l, &other, 22, 5);
	assert_int_equal(dstor_lease_ask(&l, &writer, 6), DSTOR_LEASE_EXPIRED);

	/* it forgot who, but not the token: only the last writer matches */
	memset(&l, 0, sizeof(l));
	l.token = 11;
	assert_int_equal(dstor_lease_ask(&l, &writer, 6), DSTOR_LEASE_GRANTED);
	writer.token = 10;
	assert_int_equal(dstor_lease_ask(&l, &writer, 6), DSTOR_LEASE_EXPIRED);
}

/* Each life of the exporter renews the token; the former one serves until it is settled. */
static void lease_renewed_in_a_new_life(void **state)
{
	struct dstor_lease l = held_lease();
	struct dstor_lease_request old = asks(1, 100, 11), now = asks(1, 100, 22);
	struct dstor_lease_request other = asks(2, 200, 0);

	assert_false(dstor_lease_settle(&l));
	dstor_lease_new_life(&l, 50);
	assert_int_equal(l.heard_ms, 50);
	assert_false(l.connected);
	assert_int_equal(dstor_lease_ask(&l, &other, 51), DSTOR_LEASE_HELD);
	assert_int_equal(dstor_lease_ask(&l, &old, 51), DSTOR_LEASE_GRANTED);
	assert_int_equal(dstor_lease_grant(&l, &old, 22, 51), 22);
	/* another queue has not heard of it, or the welcome was lost */
	assert_int_equal(dstor_lease_ask(&l, &old, 52), DSTOR_LEASE_GRANTED);
	assert_int_equal(dstor_lease_grant(&l, &old, 33, 52), 22);
	assert_int_equal(dstor_lease_ask(&l, &now, 53), DSTOR_LEASE_GRANTED);
	assert_int_equal(dstor_lease_grant(&l, &now, 44, 53), 22);
	assert_true(dstor_lease_settle(&l));
	assert_false(dstor_lease_settle(&l));
	/* whoever shows the old one was restored to an earlier state, holder or not */
	assert_int_equal(dstor_lease_ask(&l, &old, 54), DSTOR_LEASE_EXPIRED);
	assert_int_equal(dstor_lease_ask(&l, &now, 54), DSTOR_LEASE_GRANTED);
	dstor_lease_release(&l);
	assert_int_equal(dstor_lease_ask(&l, &old, 55), DSTOR_LEASE_EXPIRED);
}

/* The writer of a former life came back to read alone: its token is of that life still. */
static void lease_given_back_in_a_new_life(void **state)
{
	struct dstor_lease l = held_lease();
	struct dstor_lease_request old = asks(1, 100, 11), now = asks(1, 100, 22);

	dstor_lease_new_life(&l, 50);
	dstor_lease_release(&l);
	assert_false(dstor_lease_settle(&l));
	assert_int_equal(dstor_lease_ask(&l, &old, 60), DSTOR_LEASE_GRANTED);
	assert_int_equal(dstor_lease_grant(&l, &old, 22, 60), 22);
	assert_true(dstor_lease_settle(&l));
	assert_int_equal(dstor_lease_ask(&l, &old, 61), DSTOR_LEASE_EXPIRED);
	assert_int_equal(dstor_lease_ask(&l, &now, 61), DSTOR_LEASE_GRANTED);
}

/* Of a former life the id of a session alone is no proof. */
static void lease_of_a_former_life_needs_proof(void **state)
{
	struct dstor_lease l = held_lease();
	struct dstor_lease_request r = asks(1, 100, 0);

	/* in the same life: the caller has compared its key */
	assert_int_equal(dstor_lease_ask(&l, &r, 1001), DSTOR_LEASE_GRANTED);
	dstor_lease_new_life(&l, 50);
	assert_int_equal(dstor_lease_ask(&l, &r, 51), DSTOR_LEASE_HELD);
	r.has_key = true;
	assert_int_equal(dstor_lease_ask(&l, &r, 51), DSTOR_LEASE_GRANTED);
	r.same_client = false;
	assert_int_equal(dstor_lease_ask(&l, &r, 51), DSTOR_LEASE_HELD);
	r.token = 11;
	assert_int_equal(dstor_lease_ask(&l, &r, 51), DSTOR_LEASE_GRANTED);
}

/* Two lives in which no welcome arrived: what the client shows is still accepted. */
static void lease_renewed_twice(void **state)
{
	struct dstor_lease l = held_lease();
	struct dstor_lease_request old = asks(1, 100, 11), late = asks(1, 100, 22);

	dstor_lease_new_life(&l, 50);
	assert_int_equal(dstor_lease_grant(&l, &old, 22, 51), 22);
	dstor_lease_new_life(&l, 60);
	assert_int_equal(dstor_lease_ask(&l, &old, 61), DSTOR_LEASE_GRANTED);
	assert_int_equal(dstor_lease_grant(&l, &old, 33, 61), 22);
	assert_int_equal(dstor_lease_ask(&l, &old, 62), DSTOR_LEASE_GRANTED);
	/* the welcome of the life before arrives late, and its token is shown */
	assert_int_equal(dstor_lease_ask(&l, &late, 62), DSTOR_LEASE_GRANTED);
	assert_int_equal(dstor_lease_grant(&l, &late, 44, 62), 22);
}

/* A new session leaves nothing to the former one, and needs no second token. */
static void lease_of_a_new_session_in_a_new_life(void **state)
{
	struct dstor_lease l = held_lease();
	struct dstor_lease_request old = asks(1, 100, 11), other = asks(2, 200, 0);

	dstor_lease_new_life(&l, 50);
	assert_int_equal(dstor_lease_grant(&l, &old, 22, 51), 22);
	dstor_lease_release(&l);
	assert_int_equal(dstor_lease_grant(&l, &other, 33, 52), 33);
	assert_false(dstor_lease_settle(&l));
	assert_int_equal(dstor_lease_ask(&l, &old, 53), DSTOR_LEASE_EXPIRED);
	/* it never heard of its grant, so it shows no token: the same one again */
	assert_int_equal(dstor_lease_grant(&l, &other, 44, 54), 33);
	dstor_lease_new_life(&l, 60);
	assert_int_equal(dstor_lease_grant(&l, &other, 55, 61), 33);
}

/* An evicted writer that finds nobody who remembers why is expired at least. */
static void lease_revoked(void **state)
{
	struct dstor_lease l = held_lease(), restarted = {0};
	struct dstor_lease_request evicted = asks(1, 100, 11), other = asks(2, 200, 0);
	struct dstor_lease_request newest = asks(1, 100, 13), unknown = asks(1, 100, 0);

	dstor_lease_new_life(&l, 50);
	assert_int_equal(dstor_lease_grant(&l, &evicted, 13, 51), 13);
	assert_true(dstor_lease_outlives(&l));
	dstor_lease_revoke(&l, 12);
	assert_int_equal(dstor_lease_ask(&l, &evicted, 52), DSTOR_LEASE_EXPIRED);
	assert_int_equal(dstor_lease_ask(&l, &newest, 52), DSTOR_LEASE_EXPIRED);
	/* it drains: it is the holder no more, and nobody else is yet */
	assert_true(l.held);
	assert_false(dstor_lease_outlives(&l));
	assert_int_equal(dstor_lease_ask(&l, &unknown, 52), DSTOR_LEASE_EXPIRED);
	assert_int_equal(dstor_lease_ask(&l, &other, 52), DSTOR_LEASE_AFTER_FENCE);
	dstor_lease_release(&l);
	assert_int_equal(dstor_lease_ask(&l, &other, 53), DSTOR_LEASE_GRANTED);
	assert_int_equal(dstor_lease_ask(&l, &newest, 1001), DSTOR_LEASE_EXPIRED);
	assert_int_equal(dstor_lease_ask(&l, &evicted, 1001), DSTOR_LEASE_EXPIRED);
	restarted.token = l.token;
	assert_int_equal(dstor_lease_ask(&restarted, &evicted, 5), DSTOR_LEASE_EXPIRED);
	assert_int_equal(dstor_lease_ask(&restarted, &other, 5), DSTOR_LEASE_GRANTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lease_granted_then_held),
		cmocka_unit_test(lease_released_goes_to_the_next),
		cmocka_unit_test(lease_taken_over_by_the_same_client),
		cmocka_unit_test(lease_not_taken_over_from_the_living),
		cmocka_unit_test(lease_not_taken_over_by_another_client),
		cmocka_unit_test(lease_silence_exactly_at_the_budget),
		cmocka_unit_test(lease_survives_the_silence_nobody_used),
		cmocka_unit_test(lease_exporter_forgot),
		cmocka_unit_test(lease_renewed_in_a_new_life),
		cmocka_unit_test(lease_given_back_in_a_new_life),
		cmocka_unit_test(lease_of_a_former_life_needs_proof),
		cmocka_unit_test(lease_renewed_twice),
		cmocka_unit_test(lease_of_a_new_session_in_a_new_life),
		cmocka_unit_test(lease_revoked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
