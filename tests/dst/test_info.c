// SPDX-License-Identifier: GPL-2.0
/*
 * How a connection is protected, in words; what is shown of a client.
 */
#include <sys/un.h>

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

/* It stands in tables and in JSON; the module has it as the client bound it. */
static void test_path_of_a_client_forges_no_line(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/a\n\033[1mb\xc2\x9b\xff c" };
	struct nl_msg *m = nlmsg_alloc();
	struct nlattr *nest = nla_nest_start(m, DSTOR_A_CLIENT);
	struct client_info c;

	nla_put(m, DSTOR_CLIENT_SOCKADDR, sizeof(un), &un);
	nla_nest_end(m, nest);
	info_take_client(&c, nest);
	assert_string_equal(c.address, "unix:/a??[1mb??? c");
	nlmsg_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_protection),
		cmocka_unit_test(test_path_of_a_client_forges_no_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
