// SPDX-License-Identifier: GPL-2.0
/* retry.c, lease.c and flush_mark.c: how long something is tried, and what a flush covers. */
#include "unit.h"
#include "flush_mark.h"
#include "lease.h"
#include "retry.h"

static const struct dstor_retry_policy usual = { .timeout_ms = 5000, .retries = 24 };
static const struct dstor_retry_policy forever = { .timeout_ms = 5000,
						 .retries = DSTOR_RETRIES_FOREVER };

static int judge(u64 start, u64 sent, u32 resends, u64 now, bool live)
{
	struct dstor_attempt a = { .start_ms = start, .sent_ms = sent, .resends = resends };

	return dstor_attempt_check(&a, &usual, now, live);
}

static void budget(void **state)
{
	struct dstor_retry_policy most = { .timeout_ms = ~0U, .retries = ~0U - 1 };
	struct dstor_retry_policy once = { .timeout_ms = 100, .retries = 0 };

	assert_int_equal(dstor_budget_ms(&usual), 125000);
	assert_int_equal(dstor_budget_ms(&once), 100);
	assert_true(dstor_budget_ms(&forever) == ~0ULL);
	assert_true(dstor_budget_ms(&most) == 0xffffffffULL * 0xffffffffULL);
}

static void attempt_on_a_live_connection(void **state)
{
	assert_int_equal(judge(0, 0, 0, 0, true), DSTOR_VERDICT_WAIT);
	assert_int_equal(judge(0, 0, 0, 4999, true), DSTOR_VERDICT_WAIT);
	assert_int_equal(judge(0, 0, 0, 5000, true), DSTOR_VERDICT_ASK);
	assert_int_equal(judge(0, 0, 0, 124999, true), DSTOR_VERDICT_ASK);
	assert_int_equal(judge(0, 0, 0, 125000, true), DSTOR_VERDICT_FAIL);
}

static void attempt_without_a_connection_waits_for_its_budget(void **state)
{
	assert_int_equal(judge(0, 0, 0, 5000, false), DSTOR_VERDICT_WAIT);
	assert_int_equal(judge(0, 0, 0, 124999, false), DSTOR_VERDICT_WAIT);
	assert_int_equal(judge(0, 0, 0, 125000, false), DSTOR_VERDICT_FAIL);
	assert_int_equal(judge(0, 124999, 1, 125000, false), DSTOR_VERDICT_FAIL);
}

static void attempt_after_reconnection_gets_a_whole_timeout(void **state)
{
	/* back one millisecond before the end */
	assert_int_equal(judge(0, 124999, 1, 125000, true), DSTOR_VERDICT_WAIT);
	assert_int_equal(judge(0, 124999, 1, 129998, true), DSTOR_VERDICT_WAIT);
	assert_int_equal(judge(0, 124999, 1, 129999, true), DSTOR_VERDICT_FAIL);
	assert_int_equal(judge(0, 124999, 24, 129998, true), DSTOR_VERDICT_WAIT);
	/* the allowance for this is the number of resends */
	assert_int_equal(judge(0, 124999, 25, 125000, true), DSTOR_VERDICT_FAIL);
}

/* A line that flaps: resent on each reconnection, and never an answer. */
static void no_infinite_extension(void **state)
{
	struct dstor_attempt a = {0};
	u64 now = 0;

	while (dstor_attempt_check(&a, &usual, now, true) != DSTOR_VERDICT_FAIL) {
		now += 4999;
		if (now - a.sent_ms >= 4999) {
			a.sent_ms = now;
			a.resends++;
		}
		assert_true(now <= 2 * dstor_budget_ms(&usual) + 5000);
	}
	assert_true(now >= 125000);
}

static void budget_stands_still_while_it_goes_on(void **state)
{
	struct dstor_attempt a = {0};
	u64 now;

	/* in progress for ten budgets */
	for (now = 5000; now <= 1250000; now += 5000) {
		assert_int_equal(dstor_attempt_check(&a, &usual, now - 1, true),
				 DSTOR_VERDICT_WAIT);
		assert_int_equal(dstor_attempt_check(&a, &usual, now, true), DSTOR_VERDICT_ASK);
		dstor_attempt_goes_on(&a, now);
		assert_int_equal(dstor_attempt_check(&a, &usual, now, true), DSTOR_VERDICT_WAIT);
	}
	now = 1250000;
	assert_int_equal(dstor_attempt_number(&a, &usual, now), 0);
	/* and then an outage has the whole of it */
	assert_int_equal(dstor_attempt_check(&a, &usual, now + 124999, false), DSTOR_VERDICT_WAIT);
	assert_int_equal(dstor_attempt_check(&a, &usual, now + 125000, false), DSTOR_VERDICT_FAIL);
	assert_int_equal(dstor_attempt_number(&a, &usual, now + 10000), 2);
	/* in which nothing is forgiven: only what has passed since the attempt began */
	a.sent_ms = now + 100000;
	dstor_attempt_goes_on(&a, now + 100010);
	assert_int_equal(dstor_attempt_check(&a, &usual, now + 125009, false), DSTOR_VERDICT_WAIT);
	assert_int_equal(dstor_attempt_check(&a, &usual, now + 125010, false), DSTOR_VERDICT_FAIL);
	/* the caller's clock may have been read before */
	dstor_attempt_goes_on(&a, now);
	assert_int_equal(a.sent_ms, now + 100010);
}

static void budget_stands_still_while_the_exporter_drains(void **state)
{
	struct dstor_attempt a = { .sent_ms = 40000 };
	u64 now;

	/* lost at 60 s; a slow disk drains what was sent, for ten budgets, and says so each second */
	for (now = 61000; now <= 1310000; now += 1000) {
		dstor_attempt_stood_still(&a, 1000);
		assert_int_equal(dstor_attempt_check(&a, &usual, now, false), DSTOR_VERDICT_WAIT);
	}
	/* nothing before it was forgiven */
	assert_int_equal(a.sent_ms, 40000);
	assert_int_equal(dstor_attempt_check(&a, &usual, 1310000 + 64999, false),
			 DSTOR_VERDICT_WAIT);
	assert_int_equal(dstor_attempt_check(&a, &usual, 1310000 + 65000, false),
			 DSTOR_VERDICT_FAIL);
}

static void attempt_begins_with_nothing_of_the_former(void **state)
{
	struct dstor_attempt a;

	memset(&a, 0xff, sizeof(a));
	dstor_attempt_begin(&a, 7000);
	assert_int_equal(a.start_ms, 7000);
	assert_int_equal(a.sent_ms, 7000);
	assert_int_equal(a.still_ms, 0);
	assert_int_equal(a.resends, 0);
	assert_false(a.asked);
}

static void forever_never_fails(void **state)
{
	struct dstor_attempt a = { .start_ms = 10, .sent_ms = 10, .resends = ~0U };

	assert_int_equal(dstor_attempt_check(&a, &forever, 1ULL << 62, false), DSTOR_VERDICT_WAIT);
	assert_int_equal(dstor_attempt_check(&a, &forever, 1ULL << 62, true), DSTOR_VERDICT_ASK);
	assert_int_equal(dstor_attempt_check(&a, &forever, 11, true), DSTOR_VERDICT_WAIT);
	assert_int_equal(dstor_attempt_check(&a, &forever, 9, true), DSTOR_VERDICT_WAIT);
}

/* Regression: the scan's clock was read before another CPU submitted it. */
static void submitted_after_the_clock_was_read(void **state)
{
	struct dstor_attempt a = { .start_ms = 1001, .sent_ms = 1001 };

	assert_int_equal(dstor_attempt_check(&a, &usual, 1000, true), DSTOR_VERDICT_WAIT);
	assert_int_equal(dstor_attempt_check(&a, &usual, 1000, false), DSTOR_VERDICT_WAIT);
	assert_int_equal(dstor_attempt_number(&a, &usual, 1000), 0);
	a.sent_ms = 0;
	a.start_ms = 0;
	assert_int_equal(dstor_attempt_check(&a, &usual, 0, true), DSTOR_VERDICT_WAIT);
}

static void answer_to_a_question_before_a_resend_says_nothing(void **state)
{
	struct dstor_attempt a = {0};

	assert_false(dstor_attempt_told(&a));
	dstor_attempt_ask(&a, 1000);
	assert_true(a.asked);
	assert_int_equal(a.asked_ms, 1000);
	assert_true(dstor_attempt_told(&a));
	/* it has been told */
	assert_false(dstor_attempt_told(&a));
	dstor_attempt_ask(&a, 2000);
	a.resends++;
	/* the question is still open: no second one may be asked */
	assert_true(a.asked);
	assert_false(dstor_attempt_told(&a));
	assert_false(a.asked);
	dstor_attempt_ask(&a, 3000);
	assert_true(dstor_attempt_told(&a));
}

static void attempt_number(void **state)
{
	struct dstor_attempt a = { .start_ms = 1000 };
	struct dstor_retry_policy zero = { .timeout_ms = 0, .retries = 3 };

	assert_int_equal(dstor_attempt_number(&a, &usual, 1000), 0);
	assert_int_equal(dstor_attempt_number(&a, &usual, 5999), 0);
	assert_int_equal(dstor_attempt_number(&a, &usual, 6000), 1);
	assert_int_equal(dstor_attempt_number(&a, &usual, 1000 + 24 * 5000), 24);
	assert_int_equal(dstor_attempt_number(&a, &usual, 1ULL << 60), 24);
	assert_int_equal(dstor_attempt_number(&a, &forever, 1000 + 24 * 5000), 24);
	assert_int_equal(dstor_attempt_number(&a, &forever, 1ULL << 60), ~0U / 5000);
	assert_int_equal(dstor_attempt_number(&a, &zero, 1002), 3);
}

static void reconnect_delay_grows_to_a_bound(void **state)
{
	static const u32 want[] = { 0, 50, 100, 200, 400, 800, 2000, 2000 };

	for (u32 n = 0; n < COUNT(want); n++)
		assert_int_equal(dstor_reconnect_delay_ms(n), want[n]);
	assert_int_equal(dstor_reconnect_delay_ms(33), 2000);
	assert_int_equal(dstor_reconnect_delay_ms(~0U), 2000);
}

static void silence(void **state)
{
	assert_int_equal(dstor_silence_ms(1000, 5000), 3500);
	assert_int_equal(dstor_silence_ms(1000, 500), 1500);
	assert_int_equal(dstor_silence_ms(1, 1), 2);
	/* never longer than ping + timeout (P8) */
	for (u32 ping = 1; ping < 100000; ping += 997)
		for (u32 timeout = 1; timeout < 100000; timeout += 997) {
			assert_true(dstor_silence_ms(ping, timeout) <= ping + timeout);
			assert_true(dstor_silence_ms(ping, timeout) > ping);
		}
	assert_int_equal(dstor_silence_ms(~0U, ~0U), 0x7fffffff);
	assert_int_equal(dstor_silence_ms(0x7fffffff - 2500, ~0U), 0x7fffffff);
	assert_int_equal(dstor_silence_ms(0x7fffffff - 2501, ~0U), 0x7ffffffe);
}

static void lease_time(void **state)
{
	assert_int_equal(dstor_lease_ms(5000, 24), 120000);
	assert_int_equal(dstor_lease_ms(5000, 6), 30000);
	assert_int_equal(dstor_lease_ms(5000, 5), 30000);
	assert_int_equal(dstor_lease_ms(5000, 0), 30000);
	assert_true(dstor_lease_ms(1, DSTOR_RETRIES_FOREVER) == ~0ULL);
	assert_true(dstor_lease_ms(~0U, ~0U - 1) == 0xffffffffULL * 0xfffffffeULL);
}

/* P3: longer than any transaction of the session can live, however short its budget. */
static void memory_time(void **state)
{
	for (u32 retries = 0; retries < 100; retries++) {
		struct dstor_retry_policy p = { .timeout_ms = 5000, .retries = retries };

		assert_true(dstor_memory_ms(5000, retries) >= dstor_budget_ms(&p));
		assert_true(dstor_memory_ms(5000, retries) >= dstor_lease_ms(5000, retries));
	}
	assert_true(dstor_memory_ms(1, 0) == dstor_lease_ms(1, 0));
	assert_true(dstor_memory_ms(5000, 24) == 125000);
	assert_true(dstor_memory_ms(5000, DSTOR_RETRIES_FOREVER) == ~0ULL);
}

/* --- cache --- */

static void flush_covers_what_was_acked_before_it(void **state)
{
	struct dstor_flush_marks c = {0};
	u64 before = dstor_flush_mark_acked(&c), after, n, losses;

	assert_false(dstor_flush_mark_uncovered(&c, DSTOR_FLUSH_MARK_CLEAN));
	assert_true(dstor_flush_mark_uncovered(&c, before));
	n = dstor_flush_mark_begin(&c, &losses);
	after = dstor_flush_mark_acked(&c);	/* acked while the flush was under way */
	assert_true(dstor_flush_mark_uncovered(&c, before));
	assert_true(dstor_flush_mark_end(&c, n, losses));
	assert_false(dstor_flush_mark_uncovered(&c, before));
	assert_true(dstor_flush_mark_uncovered(&c, after));
	n = dstor_flush_mark_begin(&c, &losses);
	assert_true(dstor_flush_mark_end(&c, n, losses));
	assert_false(dstor_flush_mark_uncovered(&c, after));
}

static void flushes_that_end_out_of_order(void **state)
{
	struct dstor_flush_marks c = {0};
	u64 first, second, mark, l1, l2;

	first = dstor_flush_mark_begin(&c, &l1);
	mark = dstor_flush_mark_acked(&c);
	second = dstor_flush_mark_begin(&c, &l2);
	assert_true(dstor_flush_mark_end(&c, second, l2));
	assert_false(dstor_flush_mark_uncovered(&c, mark));
	assert_true(dstor_flush_mark_end(&c, first, l1));
	assert_false(dstor_flush_mark_uncovered(&c, mark));
}

static void flush_that_failed_covers_nothing(void **state)
{
	struct dstor_flush_marks c = {0};
	u64 mark = dstor_flush_mark_acked(&c), losses;

	dstor_flush_mark_begin(&c, &losses);	/* and flush_end is never called */
	assert_true(dstor_flush_mark_uncovered(&c, mark));
}

static bool flush(struct dstor_flush_marks *c)
{
	u64 losses, n = dstor_flush_mark_begin(c, &losses);

	return dstor_flush_mark_end(c, n, losses);
}

static void loss_before_a_flush_is_reported_once(void **state)
{
	struct dstor_flush_marks c = {0};

	assert_true(flush(&c));
	dstor_flush_mark_lost(&c);
	assert_false(flush(&c));
	assert_true(flush(&c));
	dstor_flush_mark_lost(&c);
	dstor_flush_mark_lost(&c);
	assert_false(flush(&c));
	assert_true(flush(&c));
}

/*
 * Regression: a flush under way when the loss became known failed, and that
 * counted as the report. But the lost write may have been acked after it began.
 */
static void loss_during_a_flush_fails_it_and_the_next(void **state)
{
	struct dstor_flush_marks c = {0};
	u64 early, acked, losses;

	early = dstor_flush_mark_begin(&c, &losses);
	acked = dstor_flush_mark_acked(&c);
	dstor_flush_mark_lost(&c);
	assert_false(dstor_flush_mark_end(&c, early, losses));
	assert_true(dstor_flush_mark_uncovered(&c, acked));
	assert_false(flush(&c));
	assert_true(flush(&c));
	assert_false(dstor_flush_mark_uncovered(&c, acked));
}

static void loss_after_a_flush_is_for_the_next(void **state)
{
	struct dstor_flush_marks c = {0};
	u64 mark = dstor_flush_mark_acked(&c);

	assert_true(flush(&c));
	assert_false(dstor_flush_mark_uncovered(&c, mark));	/* so the caller reports no loss */
	mark = dstor_flush_mark_acked(&c);
	assert_true(dstor_flush_mark_uncovered(&c, mark));
	dstor_flush_mark_lost(&c);
	assert_false(flush(&c));
}

/*
 * Regression: the first flush after a loss told of it. jbd2 asked for that one and did not
 * look at the answer; its next commit went through, and so did the fsync of a lost file.
 */
static void fua_tells_of_a_loss_by_itself(void **state)
{
	struct dstor_flush_marks c = {0};
	u64 mark = dstor_flush_mark_acked(&c), losses;

	assert_true(dstor_flush_mark_fua_begin(&c, 5, &losses));
	dstor_flush_mark_lost(&c);
	assert_false(dstor_flush_mark_fua_end(&c, losses));	/* could not know */
	assert_false(flush(&c));
	assert_true(dstor_flush_mark_tells(&c));
	assert_false(dstor_flush_mark_fua_begin(&c, 7, &losses));
	assert_false(dstor_flush_mark_fua_begin(&c, 7 + DSTOR_FUA_TELLS_MS - 1, &losses));
	assert_true(flush(&c));
	assert_true(dstor_flush_mark_fua_begin(&c, 7 + DSTOR_FUA_TELLS_MS, &losses));
	assert_true(dstor_flush_mark_fua_end(&c, losses));
	assert_false(dstor_flush_mark_tells(&c));
	/* the next loss is told anew; a FUA write covers no other */
	mark = dstor_flush_mark_acked(&c);
	assert_true(dstor_flush_mark_fua_begin(&c, 1000000, &losses));
	assert_true(dstor_flush_mark_fua_end(&c, losses));
	assert_true(dstor_flush_mark_uncovered(&c, mark));
	dstor_flush_mark_lost(&c);
	assert_false(dstor_flush_mark_fua_begin(&c, 1000001, &losses));
	dstor_flush_mark_lost(&c);
	assert_false(dstor_flush_mark_fua_begin(&c, 1000001 + DSTOR_FUA_TELLS_MS, &losses));
	assert_false(flush(&c));
}

static void who_opens_it_anew_has_lost_nothing(void **state)
{
	struct dstor_flush_marks c = {0};
	u64 losses;

	dstor_flush_mark_closed(&c);
	dstor_flush_mark_lost(&c);
	/* nobody was told: whoever wrote it may have closed it long ago */
	dstor_flush_mark_closed(&c);
	assert_false(flush(&c));
	assert_false(dstor_flush_mark_fua_begin(&c, 1, &losses));
	dstor_flush_mark_closed(&c);
	assert_false(dstor_flush_mark_tells(&c));
	assert_true(dstor_flush_mark_fua_begin(&c, 2, &losses));
	/* told by a flush alone, by FUA writes alone */
	dstor_flush_mark_lost(&c);
	assert_false(flush(&c));
	dstor_flush_mark_closed(&c);
	assert_true(dstor_flush_mark_fua_begin(&c, 3, &losses));
	dstor_flush_mark_lost(&c);
	assert_false(dstor_flush_mark_fua_begin(&c, 4, &losses));
	dstor_flush_mark_closed(&c);
	assert_true(flush(&c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(budget),
		cmocka_unit_test(attempt_on_a_live_connection),
		cmocka_unit_test(attempt_without_a_connection_waits_for_its_budget),
		cmocka_unit_test(attempt_after_reconnection_gets_a_whole_timeout),
		cmocka_unit_test(no_infinite_extension),
		cmocka_unit_test(budget_stands_still_while_it_goes_on),
		cmocka_unit_test(budget_stands_still_while_the_exporter_drains),
		cmocka_unit_test(attempt_begins_with_nothing_of_the_former),
		cmocka_unit_test(forever_never_fails),
		cmocka_unit_test(submitted_after_the_clock_was_read),
		cmocka_unit_test(answer_to_a_question_before_a_resend_says_nothing),
		cmocka_unit_test(attempt_number),
		cmocka_unit_test(reconnect_delay_grows_to_a_bound),
		cmocka_unit_test(silence),
		cmocka_unit_test(lease_time),
		cmocka_unit_test(memory_time),
		cmocka_unit_test(flush_covers_what_was_acked_before_it),
		cmocka_unit_test(flushes_that_end_out_of_order),
		cmocka_unit_test(flush_that_failed_covers_nothing),
		cmocka_unit_test(loss_before_a_flush_is_reported_once),
		cmocka_unit_test(loss_during_a_flush_fails_it_and_the_next),
		cmocka_unit_test(loss_after_a_flush_is_for_the_next),
		cmocka_unit_test(fua_tells_of_a_loss_by_itself),
		cmocka_unit_test(who_opens_it_anew_has_lost_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
