// SPDX-License-Identifier: GPL-2.0
/*
 * Keys: base64 of exactly 32 bytes, from a file that only its owner may read.
 */
#include "unit.h"
#include "key.h"

/* The base64 of 0x00 to 0x1f, made with coreutils. */
#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static void test_encode(void **state)
{
	u8 key[DSTOR_KEY_LEN], back[DSTOR_KEY_LEN];
	char text[KEY_TEXT_LEN];
	int i, j;

	for (i = 0; i < DSTOR_KEY_LEN; i++)
		key[i] = i;
	key_encode(key, text);
	assert_string_equal(text, KEY);
	for (j = 0; j < 256; j++) {
		for (i = 0; i < DSTOR_KEY_LEN; i++)
			key[i] = i * 37 + j;
		key_encode(key, text);
		assert_int_equal(strlen(text), KEY_TEXT_LEN - 1);
		assert_true(key_decode(text, back));
		assert_memory_equal(key, back, sizeof(key));
	}
}

static void test_decode_refuses(void **state)
{
	static const char * const wrong[] = {
		"", "AAEC", KEY "A",
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",	/* cut */
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==",	/* 31 bytes */
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g",	/* 33 bytes */
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=",	/* unused bits are set */
		"AAECAwQFBgcICQoLDA0ODxAREhMU RYXGBkaGxwdHh8=",
		"AAECAwQFBgcICQoLDA0ODxAREhMU_RYXGBkaGxwdHh8=",
		"=AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
	};
	u8 key[DSTOR_KEY_LEN];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		if (key_decode(wrong[i], key))
			fail_msg("taken: %s", wrong[i]);
}

static void refused(const char *path, const char *word)
{
	struct reason why = { "" };
	u8 key[DSTOR_KEY_LEN];

	assert_int_equal(key_read(path, key, &why), -1);
	if (!strstr(why.text, word) || !strstr(why.text, path))
		fail_msg("\"%s\" does not say \"%s\" of %s", why.text, word, path);
}

static void test_file(void **state)
{
	struct reason why;
	u8 key[DSTOR_KEY_LEN];
	char text[300];

	write_file("good", KEY "\n", 0600);
	assert_int_equal(key_read("good", key, &why), 0);
	assert_int_equal(key[31], 31);
	write_file("bare", KEY, 0400);
	assert_int_equal(key_read("bare", key, &why), 0);
	write_file("group", KEY "\n", 0640);
	refused("group", "chmod 600");
	write_file("world", KEY "\n", 0604);
	refused("world", "chmod 600");
	write_file("writable", KEY "\n", 0620);
	refused("writable", "chmod 600");
	refused("missing", "No such file");
	write_file("empty", "", 0600);
	refused("empty", "dst genkey");
	write_file("short", "AAEC\n", 0600);
	refused("short", "dst genkey");
	write_file("two", KEY "\n" KEY "\n", 0600);
	refused("two", "dst genkey");
	memset(text, 'A', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	write_file("long", text, 0600);
	refused("long", "dst genkey");
	refused(".", ".");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_decode_refuses),
		cmocka_unit_test_setup_teardown(test_file, enter_folder, leave_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
