// SPDX-License-Identifier: GPL-2.0
/*
 * Rules: what is taken and refused, and whom the comparisons made of them admit,
 * seen as the module compares.
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "unit.h"
#include "rule.h"

static struct rule parse(const char *text)
{
	struct reason why;
	struct rule r;

	if (rule_parse(text, &r, &why))
		fail_msg("%s is refused: %s", text, why.text);
	assert_string_equal(r.text, text);
	return r;
}

static void refused(const char *text, const char *word)
{
	struct reason why = { "" };
	struct rule r;

	if (!rule_parse(text, &r, &why))
		fail_msg("%s is taken", text);
	if (!strstr(why.text, word))
		fail_msg("%s: \"%s\" does not say \"%s\"", text, why.text, word);
}

static bool bits_equal(const u8 *a, const u8 *b, u32 bits)
{
	u32 i;

	for (i = 0; i < bits; i++)
		if ((a[i / 8] ^ b[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

static bool admits(const char *text, const void *peer, u16 family)
{
	struct match m[RULE_MATCHES_MAX];
	struct rule r = parse(text);
	unsigned int i, n = rule_matches(&r, m);

	for (i = 0; i < n; i++)
		if (!m[i].family || (m[i].family == family &&
				     bits_equal((const u8 *)peer + m[i].offset, m[i].bytes,
						m[i].bits)))
			return true;
	return false;
}

static bool admits_v4(const char *text, const char *address)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = 0xffff };

	assert_int_equal(inet_pton(AF_INET, address, &in.sin_addr), 1);
	return admits(text, &in, AF_INET);
}

static bool admits_v6(const char *text, const char *address)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = 0xffff };

	assert_int_equal(inet_pton(AF_INET6, address, &in6.sin6_addr), 1);
	return admits(text, &in6, AF_INET6);
}

static void test_parts(void **state)
{
	struct rule r = parse("any");

	assert_false(r.read_only);
	assert_int_equal(r.family, 0);
	assert_true(parse("any,ro").read_only);
	assert_true(parse("ro,from=10.0.0.0/8").read_only);
	r = parse("from=10.0.0.0/8,key=/etc/dst/key,ro");
	assert_string_equal(r.key_file, "/etc/dst/key");
	assert_int_equal(r.family, AF_INET);
	assert_int_equal(r.bits, 8);
	parse("key=/etc/dst/key");
	assert_string_equal(r.client, "");
	r = parse("client=db-1.example,key=/etc/dst/new,from=10.0.0.0/8,ro");
	assert_string_equal(r.client, "db-1.example");
	assert_string_equal(r.key_file, "/etc/dst/new");
	assert_int_equal(r.family, AF_INET);
	assert_true(r.read_only);
	assert_string_equal(parse("key=/etc/dst/old,client=db-1.example").client, "db-1.example");
}

/* client= is the name of who has the key: without one it would name nobody. */
static void test_client(void **state)
{
	char text[DSTOR_TEXT_LEN];

	refused("client=db", "whom");
	refused("any,client=db", "add key=FILE");
	refused("client=db,from=10.0.0.0/8", "add key=FILE");
	refused("client=,key=a", "client= takes");
	refused("client=.db,key=a", "client= takes");
	refused("client=-db,key=a", "client= takes");
	refused("client=a b,key=a", "client= takes");
	refused("client=key=b,key=a", "client= takes");
	refused("client=a,client=b,key=a", "one client=");
	refused("client=a,key=a,key=b", "one file");
	memset(text, 'a', sizeof(text));
	memcpy(text, "key=a,client=", 13);
	text[13 + DSTOR_NAME_LEN] = '\0';
	refused(text, "1 to 63");
	text[13 + DSTOR_NAME_LEN - 1] = '\0';
	assert_int_equal(strlen(parse(text).client), DSTOR_NAME_LEN - 1);
}

static void test_none(void **state)
{
	char text[2 * DSTOR_TEXT_LEN];

	refused("", "none of");
	refused("ro", "whom");
	refused("all", "none of");
	refused("Any", "none of");
	refused("any,", "none of");
	refused(",any", "none of");
	refused("any,rw", "none of");
	refused("from=", "network");
	refused("from=host", "network");
	refused("from=10.0.0", "network");
	refused("from=300.0.0.1/8", "network");
	refused("from=10.0.0.0/33", "0 to 32");
	refused("from=10.0.0.0/", "0 to 32");
	refused("from=10.0.0.0/-1", "0 to 32");
	refused("from=fd00::/129", "0 to 128");
	refused("from=10.0.0.0/8,from=fd00::/8", "one from=");
	refused("key=", "key=");
	refused("key=a,key=b", "key=");
	refused("any\n", "control");
	memset(text, 'a', sizeof(text));
	memcpy(text, "key=", 4);
	text[DSTOR_TEXT_LEN] = '\0';
	refused(text, "at most");
	text[DSTOR_TEXT_LEN - 1] = '\0';
	parse(text);
}

static void test_whom_they_admit(void **state)
{
	assert_true(admits_v4("any", "10.0.0.1"));
	assert_true(admits_v6("any", "fd00::1"));
	assert_true(admits_v4("from=10.0.0.0/8", "10.255.0.1"));
	assert_false(admits_v4("from=10.0.0.0/8", "11.0.0.1"));
	assert_true(admits_v4("from=10.0.0.7", "10.0.0.7"));
	assert_false(admits_v4("from=10.0.0.7", "10.0.0.6"));
	assert_true(admits_v4("from=0.0.0.0/0", "192.0.2.1"));
	assert_false(admits_v6("from=0.0.0.0/0", "fd00::1"));
	assert_true(admits_v4("from=10.1.2.3/24", "10.1.2.99"));
	assert_true(admits_v4("from=192.168.5.128/25", "192.168.5.200"));
	assert_false(admits_v4("from=192.168.5.128/25", "192.168.5.100"));
	assert_true(admits_v6("from=fd00::/8", "fdff::1"));
	assert_false(admits_v6("from=fd00::/8", "fe80::1"));
	assert_false(admits_v4("from=fd00::/8", "10.0.0.1"));
	assert_true(admits_v6("from=::1", "::1"));
	assert_false(admits_v6("from=::1", "::2"));
}

/* A listener on [::] sees an IPv4 peer as ::ffff:a.b.c.d. */
static void test_ipv4_through_a_dual_stack_listener(void **state)
{
	struct match m[RULE_MATCHES_MAX];
	struct rule r = parse("from=10.0.0.0/8");

	assert_int_equal(rule_matches(&r, m), 2);
	assert_true(admits_v6("from=10.0.0.0/8", "::ffff:10.1.1.1"));
	assert_false(admits_v6("from=10.0.0.0/8", "::ffff:11.1.1.1"));
	assert_false(admits_v6("from=10.0.0.0/8", "a00::"));
	assert_true(admits_v6("from=0.0.0.0/0", "::ffff:192.0.2.1"));
	/* ... and who writes it that way means the same */
	assert_true(admits_v4("from=::ffff:10.0.0.0/104", "10.1.1.1"));
	assert_true(admits_v6("from=::ffff:10.0.0.0/104", "::ffff:10.1.1.1"));
	assert_false(admits_v4("from=::ffff:10.0.0.0/104", "11.1.1.1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_client),
		cmocka_unit_test(test_whom_they_admit),
		cmocka_unit_test(test_ipv4_through_a_dual_stack_listener),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
