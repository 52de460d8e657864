// SPDX-License-Identifier: GPL-2.0
/*
 * Histograms of latencies: percentiles, differences, what is printed.
 */
#include "unit.h"
#include "latency.h"

static void test_percentiles(void **state)
{
	struct latency_info l = { };
	u64 p;

	assert_int_equal(latency_percentile(&l, 50), 0);
	l.bucket[0] = 50;
	l.bucket[4] = 49;
	l.bucket[10] = 1;
	assert_int_equal(latency_count(&l), 100);
	assert_int_equal(latency_percentile(&l, 50), latency_limit(0));
	p = latency_percentile(&l, 75);
	assert_true(p > latency_limit(3) && p < latency_limit(4));
	assert_int_equal(latency_percentile(&l, 99), latency_limit(4));
	assert_int_equal(latency_percentile(&l, 100), latency_limit(10));
	p = latency_percentile(&l, 99.9);
	assert_true(p > latency_limit(9) && p <= latency_limit(10));
}

static void test_difference(void **state)
{
	struct latency_info a = { .bucket = { 5, 7 }, .sum_ns = 100 }, b = a, d;

	b.bucket[1] = 9;
	b.sum_ns = 130;
	b.bucket[0] = 4;
	d = latency_since(&b, &a);
	assert_int_equal(d.bucket[0], 0);
	assert_int_equal(d.bucket[1], 2);
	assert_int_equal(d.sum_ns, 30);
	assert_int_equal(latency_count(&d), 2);
}

static void test_text(void **state)
{
	static const struct {
		u64 ns;
		const char *text;
	} cases[] = {
		{ 0, "-" }, { 400, "0us" }, { 1024, "1us" }, { 87400, "87us" },
		{ 1200000, "1.2ms" }, { 14000000, "14ms" }, { 3100000000, "3.1s" },
		{ 68719476736, "69s" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(latency_text(cases[i].ns).s, cases[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_percentiles),
		cmocka_unit_test(test_difference),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
