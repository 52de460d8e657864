// SPDX-License-Identifier: GPL-2.0
/*
 * Keys and ciphers in a saved file, and where save finds the names of key files.
 */
#include "fake_module.h"

static char *saved_key(struct running *r, const char *before_text)
{
	struct config before = { };
	char *out, text[200];
	size_t size;
	FILE *f = open_memstream(&out, &size);

	assert_non_null(f);
	snprintf(text, sizeof(text), "%s", before_text);
	if (*text)
		read_config(text, &before);
	save_write(f, &r->info, &before, KEPT);
	assert_int_equal(fclose(f), 0);
	config_free(&before);
	return out;
}

/* Kept with the device, else from the file that was there, else asked for. */
static void test_where_a_key_is(void **state)
{
	static const char old[] = "[device x]\nuri = dst://h/a\nkey = /old\n";
	struct option_values v = wanted(option_find("cipher", OBJECT_DEVICE), OBJECT_DEVICE, NULL);
	struct running *r = run(OBJECT_DEVICE, &v);
	char *kept = saved_key(r, old), *file, *none, line[100];

	snprintf(line, sizeof(line), "\nkey = %s\n", key_path);
	assert_non_null(strstr(kept, line));
	attached_forget(KEPT, "x");
	file = saved_key(r, old);
	assert_non_null(strstr(file, "\nkey = /old\n"));
	none = saved_key(r, "");
	assert_null(strstr(none, "\nkey = "));
	assert_non_null(strstr(none, "# It has a key"));
	free(kept);
	free(file);
	free(none);
	options_free(&v);
	end(r);
}

static void takes_as(const struct option_spec *o, const char *given, const char *taken)
{
	struct option_values v = { };
	struct reason why;

	assert_int_equal(options_add_typed(&v, o, given, &why), 0);
	if (strcmp(options_text(&v, o->name, ""), taken))
		fail_msg("%s: \"%s\" becomes \"%s\"", o->name, given, v.value[0].text);
	options_free(&v);
}

/* save would write what up refuses. */
static void test_relative_paths_become_absolute(void **state)
{
	const struct option_spec *allow = option_find("allow", OBJECT_EXPORT);
	const struct option_spec *key = option_find("key", OBJECT_DEVICE);
	char text[100];

	takes_as(key, "./key", key_path);
	takes_as(key, key_path, key_path);
	takes_as(key, "not-there", "not-there");
	snprintf(text, sizeof(text), "from=::1,key=%s,ro", key_path);
	takes_as(allow, "from=::1,key=./key,ro", text);
	takes_as(allow, text, text);
	snprintf(text, sizeof(text), "key=%s", key_path);
	takes_as(allow, "key=key", text);
	takes_as(allow, "any", "any");
	takes_as(allow, "key=not-there,ro", "key=not-there,ro");
}

/* In the clear nothing of a key is saved: the module would refuse it. */
static void test_no_cipher_without_a_key(void **state)
{
	static const enum object_kind kinds[] = { OBJECT_EXPORT, OBJECT_DEVICE };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct option_spec *plain = option_find("crypto-threads", kinds[i]);
		struct option_values v = wanted(plain, kinds[i], NULL);
		struct running *r = run(kinds[i], &v);
		char *file = saved(r);

		assert_null(strstr(file, "cipher"));
		assert_null(strstr(file, "# It has a key"));
		options_free(&v);
		free(file);
		end(r);
	}
}

/* A key and cipher "none": the checksum is in use, and both are saved. */
static void test_key_without_encryption(void **state)
{
	const struct option_spec *cipher = option_find("cipher", OBJECT_DEVICE);
	struct option_values v = wanted(cipher, OBJECT_DEVICE, "none");
	struct running *r;
	char *file;

	add(&v, "checksum", OBJECT_DEVICE, "hmac(sha256)");
	r = run(OBJECT_DEVICE, &v);
	file = saved(r);
	assert_non_null(strstr(file, "\ncipher = none\n"));
	assert_non_null(strstr(file, "\nchecksum = hmac(sha256)\n"));
	assert_string_equal(up_says(file, r), "");
	options_free(&v);
	free(file);
	end(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_where_a_key_is),
		cmocka_unit_test(test_relative_paths_become_absolute),
		cmocka_unit_test(test_no_cipher_without_a_key),
		cmocka_unit_test(test_key_without_encryption),
	};

	return cmocka_run_group_tests(tests, setup, leave_folder);
}
