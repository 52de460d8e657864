// SPDX-License-Identifier: GPL-2.0
/*
 * How a connection is protected, in words.
 */
#include "unit.h"
#include "info.h"

static void says(const char *cipher, const char *checksum, const char *words)
{
	char text[100];

	assert_string_equal(protection_text(cipher, checksum, text, sizeof(text)), words);
}

static void test_protection(void **state)
{
	says("aes-256-gcm", "", "encrypted (aes-256-gcm)");
	says("none", "hmac(sha256)", "authenticated, not encrypted (hmac(sha256))");
	says("", "crc32c", "in the clear (crc32c)");
	says("", "none", "in the clear (no checksum)");
	says("", "", "in the clear (no checksum)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_protection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
