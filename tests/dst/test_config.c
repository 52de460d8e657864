// SPDX-License-Identifier: GPL-2.0
/*
 * The configuration file: what is taken, and that what is refused is named by
 * file, line and key.
 */
#include "unit.h"
#include "config.h"

static int read_text(const char *text, struct config *c, struct reason *why)
{
	FILE *f = fmemopen((char *)text, strlen(text), "r");
	int ret;

	assert_non_null(f);
	ret = config_read(f, "f.conf", c, why);
	fclose(f);
	return ret;
}

static void refused(const char *text, const char *place, const char *word)
{
	struct reason why = { "" };
	struct config c;

	if (!read_text(text, &c, &why))
		fail_msg("taken: %s", text);
	if (strncmp(why.text, place, strlen(place)))
		fail_msg("\"%s\" does not begin with \"%s\"", why.text, place);
	if (!strstr(why.text, word))
		fail_msg("\"%s\" does not say \"%s\"", why.text, word);
	config_free(&c);
}

#define EXPORT "[export a]\npath = /dev/sda\nallow = any\n"
#define DEVICE "[device d]\nuri = dst://h/a\n"

static void test_taken(void **state)
{
	static const char text[] =
		"# a comment\n"
		"\n"
		"[export data]   ; the disk\n"
		"path = /dev/sdb\n"
		"allow = from=10.0.0.0/24\n"
		"  allow=any,ro ; an indented line is a line of its own\n"
		"read-only = yes\n"
		"shared = no\n"
		"max-inflight: 8M\n"
		"\t[device data]\n"
		"uri = dst://[fd00::1]:7711/data\n"
		"retries = forever\n";
	const struct config_section *e, *d;
	struct reason why;
	struct config c;

	if (read_text(text, &c, &why))
		fail_msg("%s", why.text);
	assert_int_equal(c.n, 2);
	e = config_find(&c, OBJECT_EXPORT, "data");
	d = config_find(&c, OBJECT_DEVICE, "data");
	assert_non_null(e);
	assert_non_null(d);
	assert_ptr_not_equal(e, d);
	assert_int_equal(e->line, 3);
	assert_int_equal(e->values.n, 6);
	assert_string_equal(options_text(&e->values, "path", ""), "/dev/sdb");
	assert_string_equal(e->values.value[1].text, "from=10.0.0.0/24");
	assert_string_equal(e->values.value[2].text, "any,ro");
	assert_int_equal(e->values.value[2].line, 6);
	assert_string_equal(options_text(&e->values, "read-only", "no"), "yes");
	assert_string_equal(options_text(&e->values, "shared", "no"), "no");
	assert_null(options_get(&e->values, "write-through"));
	assert_string_equal(options_text(&e->values, "max-inflight", ""), "8M");
	assert_int_equal(d->line, 10);
	assert_string_equal(options_text(&d->values, "uri", ""), "dst://[fd00::1]:7711/data");
	assert_string_equal(options_text(&d->values, "timeout", "5s"), "5s");
	assert_null(config_find(&c, OBJECT_DEVICE, "other"));
	config_free(&c);
}

static void test_empty_is_a_file(void **state)
{
	struct reason why;
	struct config c;

	assert_int_equal(read_text("# nothing\n", &c, &why), 0);
	assert_int_equal(c.n, 0);
	config_free(&c);
}

static void test_last_line_without_an_end(void **state)
{
	struct reason why;
	struct config c;

	assert_int_equal(read_text("[device d]\nuri = dst://h/a", &c, &why), 0);
	assert_string_equal(options_text(&c.sections[0].values, "uri", ""), "dst://h/a");
	config_free(&c);
}

static void test_every_key_is_checked(void **state)
{
	static const char * const bad[][2] = {
		{ EXPORT "max-inflight = 1K\n", "max-inflight" },
		{ EXPORT "max-inflight = lots\n", "max-inflight" },
		{ EXPORT "read-only = true\n", "read-only" },
		{ EXPORT "shared = 1\n", "shared" },
		{ EXPORT "write-through =\n", "write-through" },
		{ EXPORT "allow = from=10.0.0.0/77\n", "allow" },
		{ EXPORT "allow = key=relative\n", "allow" },
		{ EXPORT "listen = dst://[::]/a\n", "listen" },
		{ EXPORT "listen = 0.0.0.0\n", "listen" },
		{ EXPORT "checksum = ,\n", "checksum" },
		{ EXPORT "crypto-threads = -1\n", "crypto-threads" },
		{ EXPORT "timeout = 5s\n", "timeout: unknown key of export" },
		{ EXPORT "path = /dev/sdb\n", "path: it was there before, in line 2" },
		{ EXPORT "junk = 1\n", "junk: unknown key" },
		{ EXPORT "junk\n", "KEY = VALUE" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		refused(bad[i][0], "f.conf:4: ", bad[i][1]);
	refused(DEVICE "timeout = 0\n", "f.conf:3: timeout", "above 0");
	refused(DEVICE "timeout = soon\n", "f.conf:3: timeout", "not a time");
	refused(DEVICE "retries = always\n", "f.conf:3: retries", "always");
	refused(DEVICE "ping = 1 s\n", "f.conf:3: ping", "time");
	refused(DEVICE "connections = 0\n", "f.conf:3: connections", "from 1 to 64");
	refused(DEVICE "queue-depth = 1025\n", "f.conf:3: queue-depth", "1024");
	refused(DEVICE "max-io = 5000\n", "f.conf:3: max-io", "multiple of 4K");
	refused(DEVICE "key = key\n", "f.conf:3: key", "absolute");
	refused(DEVICE "allow = any\n", "f.conf:3: allow", "unknown key of device");
	refused("[device d]\nuri = dst://h\n", "f.conf:2: uri", "names no export");
	refused("[export a]\npath = sda\nallow = any\n", "f.conf:2: path", "absolute");
}

static void test_sections(void **state)
{
	refused("path = /dev/sda\n" EXPORT, "f.conf:1: path", "before the first section");
	refused(EXPORT "\n[export b]\nallow = any\n", "f.conf:5: ", "needs the key path");
	refused(EXPORT "[export b]\npath = /x\n", "f.conf:4: ", "needs the key allow");
	refused("[device d]\n", "f.conf:1: ", "needs the key uri");
	refused(EXPORT EXPORT, "f.conf:4: ", "line 1");
	refused("[export]\n", "f.conf:1: ", "[export NAME]");
	refused("[export a b]\n", "f.conf:1: ", "[export NAME]");
	refused("[export a\n", "f.conf:1: ", "[export NAME]");
	refused("[export a] junk\n", "f.conf:1: ", "[export NAME]");
	refused("[disk a]\n", "f.conf:1: ", "disk");
	refused("[export -a]\n", "f.conf:1: ", "no name");
	refused("[device dst-a]\nuri = dst://h/a\n", "f.conf:1: ", "without \"dst-\"");
	/* What follows the first mistake is of no interest. */
	refused("[export a]\npath = x\njunk\n[y]\n", "f.conf:2: path", "absolute");
}

static void test_names_are_as_long_as_everywhere(void **state)
{
	char text[400], name[DSTOR_NAME_LEN];
	struct reason why;
	struct config c;

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	snprintf(text, sizeof(text), "[export %s]\npath = /x\nallow = any\n", name);
	assert_int_equal(read_text(text, &c, &why), 0);
	assert_string_equal(c.sections[0].name, name);
	config_free(&c);
	snprintf(text, sizeof(text), "[export %sn]\npath = /x\nallow = any\n", name);
	refused(text, "f.conf:1: ", "1 to 63");
}

static void test_long_line_is_not_cut(void **state)
{
	char text[600];

	snprintf(text, sizeof(text), "[export a]\npath = /%0*d\nallow = any\n", 400, 0);
	refused(text, "f.conf:2: ", "longer than");
}

static void test_no_file(void **state)
{
	struct reason why;
	struct config c;

	assert_int_equal(config_load("/nowhere/dst.conf", &c, &why), -1);
	assert_non_null(strstr(why.text, "/nowhere/dst.conf"));
	config_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_empty_is_a_file),
		cmocka_unit_test(test_last_line_without_an_end),
		cmocka_unit_test(test_every_key_is_checked),
		cmocka_unit_test(test_sections),
		cmocka_unit_test(test_names_are_as_long_as_everywhere),
		cmocka_unit_test(test_long_line_is_not_cut),
		cmocka_unit_test(test_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
