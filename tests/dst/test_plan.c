// SPDX-License-Identifier: GPL-2.0
/*
 * What up would do, given a file and what runs.
 */
#include "unit.h"
#include "plan.h"

/* What runs: export "a" and device "d", both with defaults. */
struct running {
	struct export_info e;
	struct device_info d;
	struct info info;
	char *listen[1], *rules[2];
};

static struct running *defaults(struct running *r)
{
	*r = (struct running){
		.e = {
			.name = "a", .path = "/dev/null", .max_inflight = 64 << 20,
			.checksums = "crc32c", .listen.n = 1, .rules.n = 1,
		},
		.d = {
			.name = "d", .uri = "dst://h/a", .timeout_ms = 5000, .retries = 24,
			.ping_ms = 1000, .connections = 2, .queue_depth = 128,
			.max_io = 1 << 20, .checksum = "crc32c",
		},
		.info = { .n_exports = 1, .n_devices = 1 },
		.listen = { "dst://[::]" },
		.rules = { "any", "from=::1" },
	};
	r->e.listen.text = r->listen;
	r->e.rules.text = r->rules;
	r->info.exports = &r->e;
	r->info.devices = &r->d;
	return r;
}

/* The plan as one text: "+a ~d timeout=7s<timeout=5s", or the reason. */
static char *plan(const char *text, const struct info *info, const char *only)
{
	static char out[1000];
	FILE *f = fmemopen((char *)text, strlen(text), "r");
	const struct config_section *s = NULL;
	struct reason why;
	struct config c;
	struct plan p;
	size_t i, j, n = 0;
	bool refused;

	out[0] = '\0';
	if (config_read(f, "f.conf", &c, &why))
		fail_msg("%s", why.text);
	fclose(f);
	if (only)
		s = config_find(&c, OBJECT_DEVICE, only);
	refused = plan_make(&c, s, info, &p, &why);
	if (refused)
		snprintf(out, sizeof(out), "%s", why.text);
	for (i = 0; !refused && i < p.n; i++) {
		const struct plan_step *t = &p.steps[i];

		n += snprintf(out + n, sizeof(out) - n, "%s%c%s", n ? " " : "",
			      t->what == PLAN_ADD ? '+' : '~', t->section->name);
		for (j = 0; j < t->set.n; j++)
			n += snprintf(out + n, sizeof(out) - n, " %s", t->set.text[j]);
		for (j = 0; j < t->undo.n; j++)
			n += snprintf(out + n, sizeof(out) - n, "<%s", t->undo.text[j]);
	}
	plan_free(&p);
	config_free(&c);
	return out;
}

#define EXPORT "[export a]\npath = /dev/null\nallow = any\n"
#define DEVICE "[device d]\nuri = dst://h/a\n"

static void test_what_is_not_there_is_added(void **state)
{
	struct info none = { };
	struct running r;

	assert_string_equal(plan(DEVICE EXPORT, &none, NULL), "+a +d");
	assert_string_equal(plan(DEVICE EXPORT, &none, "d"), "+d");
	assert_string_equal(plan("[device a]\nuri = dst://h/a\n", &defaults(&r)->info, NULL), "+a");
}

static void test_what_is_as_it_should_be_is_left_alone(void **state)
{
	struct running r;

	assert_string_equal(plan(EXPORT DEVICE, &defaults(&r)->info, NULL), "");
	assert_string_equal(plan(EXPORT "max-inflight = 65536K\nlisten = dst://[::]\n"
				 "checksum = crc32c,none\n" DEVICE
				 "timeout = 5000ms\nping = 1\nretries = 24\nconnections = 2\n"
				 "checksum = none,crc32c\nqueue-depth = 256\nread-only = no\n",
				 &r.info, NULL), "");
	/* The order of rules says nothing, nor does one given twice. */
	r.e.rules.n = 2;
	assert_string_equal(plan("[export a]\npath = /dev/null\nallow = from=::1\nallow = any\n"
				 "allow = any\n", &r.info, NULL), "");
}

static void test_what_can_change_in_place(void **state)
{
	struct running r;

	assert_string_equal(plan(DEVICE "timeout = 7s\nretries = forever\n", &defaults(&r)->info,
				 NULL),
			    "~d timeout=7s retries=forever<timeout=5s<retries=24");
	assert_string_equal(plan("[device d]\nuri = dst://i/a\n", &r.info, NULL),
			    "~d uri=dst://i/a<uri=dst://h/a");
	assert_string_equal(plan(EXPORT "allow = from=::1\nmax-inflight = 1M\n", &r.info, NULL),
			    "~a allow=any allow=from=::1 max-inflight=1M<allow=any<max-inflight=64M");
	assert_string_equal(plan(EXPORT "max-bandwidth = 3M\nmax-iops = 100\n", &r.info, NULL),
			    "~a max-bandwidth=3M max-iops=100<max-bandwidth=off<max-iops=off");
	/* A key that is gone from the file is its default again. */
	r.d.timeout_ms = 7000;
	r.d.retries = DSTOR_RETRIES_FOREVER;
	assert_string_equal(plan(DEVICE, &r.info, NULL),
			    "~d timeout=5s retries=24<timeout=7s<retries=forever");
}

static void refuses(const char *text, const struct info *info, const char *place, const char *key)
{
	const char *said = plan(text, info, NULL);

	if (strncmp(said, place, strlen(place)) || !strstr(said, key) || !strstr(said, "first"))
		fail_msg("\"%s\" is not \"%s ... %s ... first\"", said, place, key);
}

static void test_what_cannot(void **state)
{
	struct running r;
	const struct info *i = &defaults(&r)->info;

	refuses(DEVICE "connections = 4\n", i, "f.conf:3: connections", "dst detach d");
	refuses(DEVICE "queue-depth = 8\n", i, "f.conf:3: queue-depth", "128");
	refuses(DEVICE "max-io = 4K\n", i, "f.conf:3: max-io", "1M");
	refuses(DEVICE "read-only = yes\n", i, "f.conf:3: read-only", "has no");
	refuses(DEVICE "checksum = none\n", i, "f.conf:3: checksum", "crc32c");
	refuses(EXPORT "shared = yes\n", i, "f.conf:4: shared", "dst unexport a");
	refuses(EXPORT "read-only = yes\n", i, "f.conf:4: read-only", "has no");
	refuses(EXPORT "listen = dst://10.0.0.1\n", i, "f.conf:4: listen", "dst://[::]");
	refuses("[export a]\npath = /dev/zero\nallow = any\n", i, "f.conf:2: path", "/dev/null");
	r.e.flags = DSTOR_EXPORT_WRITE_THROUGH;
	refuses(EXPORT, i, "f.conf:1: write-through", "has yes");
	/* Nothing is planned that would be done before. */
	r.e.flags = 0;
	refuses(EXPORT "max-inflight = 1M\n" DEVICE "connections = 4\n", i, "f.conf:7: connections",
		"2");
}

static void test_path_by_another_name(void **state)
{
	struct running r;

	assert_int_equal(symlink("/dev/null", "disk"), 0);
	defaults(&r);
	assert_int_equal(chdir("/"), 0);
	assert_string_equal(plan("[export a]\npath = /dev/../dev/null\nallow = any\n", &r.info,
				 NULL), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_not_there_is_added),
		cmocka_unit_test(test_what_is_as_it_should_be_is_left_alone),
		cmocka_unit_test(test_what_can_change_in_place),
		cmocka_unit_test(test_what_cannot),
		cmocka_unit_test_setup_teardown(test_path_by_another_name, enter_folder,
						leave_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
