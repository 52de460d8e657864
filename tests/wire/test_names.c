// SPDX-License-Identifier: GPL-2.0
/* crc32c.c, id.c and hello.c: checksums, ids, entries of a list, names, algorithms, texts. */
#include "unit.h"
#include "crc32c.h"
#include "hello.h"
#include "id.h"

static void crc32c_of_rfc3720(void **state)
{
	u8 bytes[48] = {0};

	/* RFC 3720, B.4 */
	assert_int_equal(dstor_crc32c(bytes, 32), 0x8a9136aa);
	memset(bytes, 0xff, 32);
	assert_int_equal(dstor_crc32c(bytes, 32), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		bytes[i] = i;
	assert_int_equal(dstor_crc32c(bytes, 32), 0x46dd794e);
	for (int i = 0; i < 32; i++)
		bytes[i] = 31 - i;
	assert_int_equal(dstor_crc32c(bytes, 32), 0x113fdb5c);
	assert_int_equal(dstor_crc32c("123456789", 9), 0xe3069283);
	assert_int_equal(dstor_crc32c(bytes, 0), 0);
}

static void ids_compare_all_their_bytes(void **state)
{
	u8 a[DSTOR_ID_LEN] = {0}, b[DSTOR_ID_LEN] = {0};

	assert_true(dstor_id_is_zero(a));
	assert_true(dstor_id_equal(a, b));
	for (int i = 0; i < DSTOR_ID_LEN; i++) {
		a[i] = 1;
		assert_false(dstor_id_is_zero(a));
		assert_false(dstor_id_equal(a, b));
		a[i] = 0;
	}
}

static bool entry_ok(struct dstor_entry e)
{
	dstor_entry_set_crc(&e);
	return dstor_entry_check(&e);
}

static void entry_fields(void **state)
{
	struct dstor_entry e;

	for (int access = 0; access < 256; access++) {
		e = good_entry();
		e.access = access;
		assert_true(entry_ok(e) == (access <= DSTOR_ACCESS_WRITE));
	}
	for (int bit = 0; bit < 32; bit++) {
		e = good_entry();
		e.disk_flags = cpu_to_le32(1U << bit);
		assert_true(entry_ok(e) == (bit < 7));
	}
	for (size_t i = 0; i < sizeof(e.reserved); i++) {
		e = good_entry();
		e.reserved[i] = 1;
		assert_false(entry_ok(e));
	}
	e = good_entry();
	memset(e.name, 'a', sizeof(e.name));
	assert_false(entry_ok(e));
	e.name[sizeof(e.name) - 1] = 0;
	assert_true(entry_ok(e));
	e.name[0] = 0;
	assert_false(entry_ok(e));
}

static void names(void **state)
{
	static const char * const good[] = { "a", "Z", "0", "_", "data", "a.b-c_d", "a-", "a..b" };
	static const char * const bad[] = { "", ".", "..", "-", "-a", ".a", "a/b", "a b", "a\n",
					    "\xc3\xa9", "a:", "a\x7f", "@", "[", "`", "{" };
	char name[DSTOR_NAME_LEN + 1] = {0};

	for (size_t i = 0; i < COUNT(good); i++)
		assert_true(dstor_name_ok(good[i], strlen(good[i]) + 1));
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(dstor_name_ok(bad[i], strlen(bad[i]) + 1));
	memset(name, 'a', DSTOR_NAME_LEN - 1);
	assert_true(dstor_name_ok(name, sizeof(name)));
	assert_true(dstor_name_ok(name, DSTOR_NAME_LEN));
	assert_false(dstor_name_ok(name, DSTOR_NAME_LEN - 1));
	name[DSTOR_NAME_LEN - 1] = 'a';
	assert_false(dstor_name_ok(name, sizeof(name)));
}

static void exactly_these_characters_are_of_names(void **state)
{
	static const char of_names[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

	for (int c = 1; c < 256; c++) {
		char name[3] = { 'a', (char)c, 0 };

		assert_true(dstor_name_ok(name, sizeof(name)) == !!strchr(of_names, c));
	}
}

static void algorithm_choice(void **state)
{
	char chosen[DSTOR_ALGO_LEN], long_name[DSTOR_ALGO_LEN + 1] = {0};
	static const struct {
		const char *wanted, *offered, *want;
	} v[] = {
		{ "crc32c", "crc32c", "crc32c" },
		{ "sha256,crc32c", "crc32c,sha256", "sha256" },
		{ "xxh64,crc32c", "crc32c", "crc32c" },
		{ "none", "crc32c,none", "none" },
		{ ",,crc32c,", "crc32c", "crc32c" },
		{ "hmac(sha256)", "none,hmac(sha256)", "hmac(sha256)" },
		{ "a(b,c(d,e)),f", "f,a(b,c(d,e))", "a(b,c(d,e))" },
		{ "b", "a(b,c)", NULL },
		{ "a(b,c", "a(b,c", "a(b,c" },
		{ "crc32", "crc32c", NULL }, { "crc32c", "crc32", NULL },
		{ "", "crc32c", NULL }, { "crc32c", "", NULL }, { "", "", NULL },
		{ ",", ",", NULL }, { "a", ",", NULL }, { "CRC32C", "crc32c", NULL },
		{ "a b", "a,b", NULL },
	};

	for (size_t i = 0; i < COUNT(v); i++) {
		memset(chosen, 0x55, sizeof(chosen));
		assert_int_equal(dstor_algorithm_choose(v[i].wanted, v[i].offered, chosen),
				 v[i].want ? 0 : -1);
		if (!v[i].want)
			continue;
		assert_string_equal(chosen, v[i].want);
		for (size_t k = strlen(chosen); k < sizeof(chosen); k++)
			assert_int_equal(chosen[k], 0);
	}
	memset(long_name, 'a', DSTOR_ALGO_LEN);
	assert_int_equal(dstor_algorithm_choose(long_name, long_name, chosen), -1);
	long_name[DSTOR_ALGO_LEN - 1] = 0;
	assert_int_equal(dstor_algorithm_choose(long_name, long_name, chosen), 0);
	assert_string_equal(chosen, long_name);
	assert_int_equal(dstor_word_len("a(b,c),d"), 6);
	assert_int_equal(dstor_word_len("a),d"), 2);
}

static void every_code_has_a_text_of_its_own(void **state)
{
	const char *unknown = dstor_welcome_text(DSTOR_WELCOME_STATUS_MAX + 1);

	for (int s = 0; s <= DSTOR_WELCOME_STATUS_MAX; s++) {
		assert_non_null(dstor_welcome_text(s));
		assert_string_not_equal(dstor_welcome_text(s), unknown);
		for (int k = 0; k < s; k++)
			assert_string_not_equal(dstor_welcome_text(s), dstor_welcome_text(k));
	}
	for (int s = DSTOR_WELCOME_STATUS_MAX + 1; s < 256; s++)
		assert_string_equal(dstor_welcome_text(s), unknown);
	for (int s = 0; s < 256; s++)
		assert_true(!strcmp(dstor_greeting_text(s), unknown) == (s > DSTOR_GREETING_BUSY));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc32c_of_rfc3720),
		cmocka_unit_test(ids_compare_all_their_bytes),
		cmocka_unit_test(entry_fields),
		cmocka_unit_test(names),
		cmocka_unit_test(exactly_these_characters_are_of_names),
		cmocka_unit_test(algorithm_choice),
		cmocka_unit_test(every_code_has_a_text_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
