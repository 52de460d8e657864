// SPDX-License-Identifier: GPL-2.0
/*
 * Sizes, times, numbers, names, lists: what is taken, what is refused, and that
 * a refusal quotes what was given.
 */
#include "unit.h"
#include "primitives.h"
#include "values.h"

static void size(const char *text, u64 want)
{
	struct reason why;
	u64 got = 0;

	if (parse_size(text, &got, &why))
		fail_msg("%s is refused: %s", text, why.text);
	if (got != want)
		fail_msg("%s is %llu", text, (unsigned long long)got);
}

static void no_size(const char *text)
{
	struct reason why = { "" };
	u64 got;

	assert_int_equal(parse_size(text, &got, &why), -1);
	assert_non_null(strstr(why.text, text));
}

static void test_sizes(void **state)
{
	size("0", 0);
	size("1", 1);
	size("4096", 4096);
	size("4K", 4096);
	size("4k", 4096);
	size("64M", 64ULL << 20);
	size("3G", 3ULL << 30);
	size("2T", 2ULL << 40);
	size("4194303T", 4194303ULL << 40);
	no_size("");
	no_size("K");
	no_size("-1");
	no_size("+1");
	no_size(" 1");
	no_size("1 ");
	no_size("1P");
	no_size("1KB");
	no_size("1.5M");
	no_size("0x10");
	no_size("4194304T");
	no_size("18446744073709551616");
	no_size("99999999999999999999999999999");
}

static void time_is(const char *text, u32 want)
{
	struct reason why;
	u32 got = 0;

	if (parse_time(text, &got, &why))
		fail_msg("%s is refused: %s", text, why.text);
	if (got != want)
		fail_msg("%s is %u ms", text, got);
}

static void no_time(const char *text)
{
	struct reason why = { "" };
	u32 got;

	assert_int_equal(parse_time(text, &got, &why), -1);
	assert_non_null(strstr(why.text, text));
}

static void test_times(void **state)
{
	time_is("5", 5000);
	time_is("5s", 5000);
	time_is("250ms", 250);
	time_is("1500us", 1);
	time_is("2000us", 2);
	time_is("1us", 1);	/* the shortest there is */
	time_is("0.5", 500);
	time_is("1.25s", 1250);
	time_is("0.1s", 100);
	time_is("2m", 120000);
	time_is("1h", 3600000);
	time_is("0.5h", 1800000);
	time_is("2147483647ms", 2147483647);
	no_time("");
	no_time("0");
	no_time("0s");
	no_time("0.0000001s");
	no_time("s");
	no_time("-1");
	no_time("5x");
	no_time("5 s");
	no_time("5S");
	no_time("5sec");
	no_time(".5");
	no_time("1..5");
	no_time("2147483648ms");
	no_time("600h");
	no_time("18446744073709551615h");
}

static void test_numbers(void **state)
{
	u32 n;

	assert_int_equal(parse_number("1", 1, 64, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(parse_number("64", 1, 64, &n, NULL), 0);
	assert_int_equal(n, 64);
	assert_int_equal(parse_number("65", 1, 64, &n, NULL), -1);
	assert_int_equal(parse_number("0", 1, 64, &n, NULL), -1);
	assert_int_equal(parse_number("4294967297", 1, 64, &n, NULL), -1);
	assert_int_equal(parse_number("1x", 1, 64, &n, NULL), -1);
	assert_int_equal(parse_number("", 0, 64, &n, NULL), -1);
	assert_int_equal(parse_number("4294967295", 0, UINT32_MAX, &n, NULL), 0);
	assert_int_equal(n, UINT32_MAX);
}

static void test_algorithms(void **state)
{
	char list[DSTOR_ALGO_LIST_LEN], text[200];

	assert_int_equal(parse_algorithms("crc32c,none", list, NULL), 0);
	assert_string_equal(list, "crc32c,none");
	assert_int_equal(parse_algorithms("rfc7539(chacha20,poly1305)", list, NULL), 0);
	assert_int_equal(parse_algorithms("hmac(sha256)", list, NULL), 0);
	assert_int_equal(parse_algorithms("", list, NULL), -1);
	assert_int_equal(parse_algorithms("a,", list, NULL), -1);
	assert_int_equal(parse_algorithms(",a", list, NULL), -1);
	assert_int_equal(parse_algorithms("a,,b", list, NULL), -1);
	assert_int_equal(parse_algorithms("a b", list, NULL), -1);
	memset(text, 'a', sizeof(text));
	text[DSTOR_ALGO_LEN - 1] = '\0';
	assert_int_equal(parse_algorithms(text, list, NULL), 0);
	text[DSTOR_ALGO_LEN - 1] = 'a';
	text[DSTOR_ALGO_LEN] = '\0';
	assert_int_equal(parse_algorithms(text, list, NULL), -1);
}

static void test_names(void **state)
{
	char name[DSTOR_NAME_LEN], text[80];

	assert_int_equal(device_name("d", name, NULL), 0);
	assert_string_equal(name, "d");
	assert_int_equal(device_name("dst-d", name, NULL), 0);
	assert_string_equal(name, "d");
	assert_int_equal(device_name("/dev/dst-d", name, NULL), 0);
	assert_string_equal(name, "d");
	assert_int_equal(device_name("dst-", name, NULL), -1);
	assert_int_equal(device_name("/dev/sda/x", name, NULL), -1);
	assert_int_equal(device_name("", name, NULL), -1);
	assert_int_equal(device_name("../d", name, NULL), -1);
	assert_int_equal(export_name("A-z_0.9", name, NULL), 0);
	assert_string_equal(name, "A-z_0.9");
	assert_int_equal(export_name("-x", name, NULL), -1);
	assert_int_equal(export_name(".x", name, NULL), -1);
	assert_int_equal(export_name("a b", name, NULL), -1);
	assert_int_equal(export_name("a\xc3\xa4", name, NULL), -1);
	memset(text, 'x', sizeof(text));
	text[DSTOR_NAME_LEN - 1] = '\0';
	assert_int_equal(export_name(text, name, NULL), 0);
	assert_string_equal(name, text);
	text[DSTOR_NAME_LEN - 1] = 'x';
	text[DSTOR_NAME_LEN] = '\0';
	assert_int_equal(export_name(text, name, NULL), -1);
}

static void test_texts(void **state)
{
	u8 id[DSTOR_ID_LEN], back[DSTOR_ID_LEN];
	char cut[4];
	int i;

	assert_string_equal(size_text(0).s, "0");
	assert_string_equal(size_text(1000).s, "1000");
	assert_string_equal(size_text(1024).s, "1K");
	assert_string_equal(size_text(268435456).s, "256M");
	assert_string_equal(size_text(1610612736).s, "1.5G");
	assert_string_equal(size_text(5ULL << 50).s, "5120T");
	assert_string_equal(time_text(20).s, "20ms");
	assert_string_equal(time_text(1500).s, "1.5s");
	assert_string_equal(time_text(2000).s, "2s");
	assert_string_equal(time_text(14321).s, "14s");
	for (i = 0; i < DSTOR_ID_LEN; i++)
		id[i] = 0xf0 - i;
	assert_string_equal(hex_text(id).s, "f0efeeedecebeae9e8e7e6e5e4e3e2e1");
	assert_string_equal(uuid_text(id).s, "f0efeeed-eceb-eae9-e8e7-e6e5e4e3e2e1");
	assert_true(parse_hex(hex_text(id).s, back, sizeof(back)));
	assert_memory_equal(id, back, sizeof(id));
	assert_false(parse_hex("f0", back, sizeof(back)));
	assert_false(parse_hex("f0efeeedecebeae9e8e7e6e5e4e3e2e100", back, sizeof(back)));
	assert_false(parse_hex("g0efeeedecebeae9e8e7e6e5e4e3e2e1", back, sizeof(back)));
	copy_text(cut, sizeof(cut), "abcdef");
	assert_string_equal(cut, "abc");
}

static void test_identities(void **state)
{
	static const char * const good[] = {
		"0123456789abcdef0123456789abcdef", "0123456789ABCDEF0123456789abcdef",
		"01234567-89ab-cdef-0123-456789abcdef", "01234567-89AB-CDEF-0123-456789ABCDEF",
	};
	static const char * const bad[] = {
		"", "any", "0123456789abcdef0123456789abcde", "0123456789abcdef0123456789abcdef0",
		"0123456789abcdef0123456789abcdeg", "01234567-89abcdef0123456789abcdef",
		"0123456-789ab-cdef-0123-456789abcdef", "01234567--89ab-cdef-0123-456789abcdef",
		"01234567-89ab-cdef-0123-456789abcdef-", "00000000000000000000000000000000",
		"00000000-0000-0000-0000-000000000000", "01234567-89ab-cdef-0123456789abcdef",
	};
	u8 want[DSTOR_ID_LEN], got[DSTOR_ID_LEN];
	struct reason why;
	size_t i;

	assert_true(parse_hex(good[0], want, sizeof(want)));
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(parse_id(good[i], got, &why), 0);
		assert_memory_equal(got, want, sizeof(got));
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		if (!parse_id(bad[i], got, &why))
			fail_msg("\"%s\" is taken", bad[i]);
		assert_non_null(strstr(why.text, "identity"));
	}
}

/* FIPS 180-4, examples; and the lengths around which the padding changes */
static void test_sha256(void **state)
{
	static const char * const want[] = {
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
	};
	static const char * const text[] = {
		"", "abc", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	};
	u8 got[DSTOR_HASH_LEN], expected[DSTOR_HASH_LEN];
	char a[128];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(text); i++) {
		sha256(text[i], strlen(text[i]), got);
		assert_true(parse_hex(want[i], expected, sizeof(expected)));
		assert_memory_equal(got, expected, sizeof(got));
	}
	memset(a, 'a', sizeof(a));
	sha256(a, 64, got);
	assert_true(parse_hex("ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb",
			      expected, sizeof(expected)));
	assert_memory_equal(got, expected, sizeof(got));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_algorithms),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_identities),
		cmocka_unit_test(test_sha256),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
