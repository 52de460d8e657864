// SPDX-License-Identifier: GPL-2.0
/*
 * What an export remembers: the instance must change exactly when volatile
 * caches may have been lost (P5), the UUID exactly with the disk (P6), and what
 * was written comes back or is refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>

#include "unit.h"
#include "id.h"
#include "export_state.h"
#include "values.h"

#define BOOT_1 "11111111-1111-1111-1111-111111111111"
#define BOOT_2 "22222222-2222-2222-2222-222222222222"
#define HARDWARE "01234567-89ab-cdef-0123-456789abcdef"

static u8 counter;

/* The export begins; each call brings other random bytes. Returns the token. */
static u64 begin(struct state *s, const char *disk, const char *boot)
{
	struct state_start start = {
		.name = "data", .identity = disk, .boot = boot, .hardware = HARDWARE,
	};
	u64 token;

	memset(start.fresh, ++counter, sizeof(start.fresh));
	state_begin(s, &start, &token);
	return token;
}

static bool same(const u8 a[DSTOR_ID_LEN], const u8 b[DSTOR_ID_LEN])
{
	return !memcmp(a, b, DSTOR_ID_LEN);
}

static void test_instance(void **state)
{
	struct state s = { }, before;

	begin(&s, "disk", BOOT_1);
	assert_false(dstor_id_is_zero(s.instance));
	assert_false(s.clean);

	/* the module was loaded anew: the machine ran on, its caches are there */
	before = s;
	begin(&s, "disk", BOOT_1);
	assert_true(same(s.instance, before.instance));

	/* power cut */
	begin(&s, "disk", BOOT_2);
	assert_false(same(s.instance, before.instance));

	/* an orderly end, then a reboot: all was flushed */
	before = s;
	state_end(&s, 0);
	assert_true(s.clean);
	begin(&s, "disk", BOOT_1);
	assert_true(same(s.instance, before.instance));

	/* an end without it, even while the machine runs on: its disk could not be flushed */
	before = s;
	state_lost(&s);
	begin(&s, "disk", BOOT_1);
	assert_false(same(s.instance, before.instance));
	before = s;
	state_lost(&s);
	state_end(&s, 0);
	begin(&s, "disk", BOOT_1);
	assert_true(same(s.instance, before.instance));

	/* but the orderly end counts once: after the next begin it is open again */
	assert_false(s.clean);
	begin(&s, "disk", BOOT_2);
	assert_false(same(s.instance, before.instance));
}

static void test_instance_with_two_disks_in_turn(void **state)
{
	struct state s = { };
	u8 first[DSTOR_ID_LEN];

	/* the first disk's machine went down; another disk ended in order since */
	begin(&s, "disk a", BOOT_1);
	memcpy(first, s.instance, sizeof(first));
	begin(&s, "disk b", BOOT_2);
	state_end(&s, 0);
	begin(&s, "disk a", BOOT_2);
	assert_false(same(s.instance, first));
}

static void test_uuid(void **state)
{
	struct state s = { }, lost = { };
	u8 a[DSTOR_ID_LEN], b[DSTOR_ID_LEN], exporter[DSTOR_ID_LEN];
	char name[32];
	int i;

	begin(&s, "disk a", BOOT_1);
	memcpy(a, s.disks[0].uuid, sizeof(a));
	memcpy(exporter, s.exporter, sizeof(exporter));
	assert_int_equal(a[6] >> 4, 8);
	assert_int_equal(a[8] >> 6, 2);
	begin(&s, "disk b", BOOT_1);
	memcpy(b, s.disks[0].uuid, sizeof(b));
	assert_false(same(a, b));
	/* the right one is back */
	begin(&s, "disk a", BOOT_2);
	assert_true(same(s.disks[0].uuid, a));
	assert_string_equal(s.disks[0].identity, "disk a");
	assert_int_equal(s.n, 2);
	/* the identity of the exporter stays, whatever the disk */
	assert_true(same(s.exporter, exporter));
	/* without its file it is another exporter, and so the disk is another one */
	begin(&lost, "disk a", BOOT_2);
	assert_false(same(lost.exporter, exporter));
	assert_false(same(lost.disks[0].uuid, a));
	/* many disks: the oldest is forgotten, memory is bounded */
	for (i = 0; i < 3 * STATE_DISKS_MAX; i++) {
		snprintf(name, sizeof(name), "disk %d", i);
		begin(&s, name, BOOT_2);
		assert_true(s.n <= STATE_DISKS_MAX);
		assert_string_equal(s.disks[0].identity, name);
	}
}

static void test_uuid_depends_on_name_and_exporter(void **state)
{
	struct state_start start = {
		.name = "data", .identity = "disk", .boot = BOOT_1, .hardware = "",
	};
	struct state s[3] = { };
	u64 token;
	int i, j;

	/* cloned machines with cloned disks: all is equal but what is random */
	memset(start.fresh, 1, sizeof(start.fresh));
	state_begin(&s[0], &start, &token);
	memset(start.fresh, 2, sizeof(start.fresh));
	state_begin(&s[1], &start, &token);
	start.name = "other";
	state_begin(&s[2], &start, &token);
	for (i = 0; i < 3; i++)
		for (j = 0; j < i; j++)
			assert_false(same(s[i].disks[0].uuid, s[j].disks[0].uuid));
	assert_false(same(s[0].exporter, s[1].exporter));
	/* its file takes it along to another machine */
	s[2] = s[0];
	start.name = "data";
	start.hardware = HARDWARE;
	state_begin(&s[2], &start, &token);
	assert_true(same(s[2].exporter, s[0].exporter));
	assert_true(same(s[2].disks[0].uuid, s[0].disks[0].uuid));
}

static void test_foreign_hardware(void **state)
{
	struct state_start start = {
		.name = "data", .identity = "disk", .boot = BOOT_1, .hardware = HARDWARE,
	};
	struct state s = { };
	u64 token;

	assert_false(state_is_foreign(&s, HARDWARE));
	state_begin(&s, &start, &token);
	assert_false(state_is_foreign(&s, HARDWARE));
	assert_false(state_is_foreign(&s, ""));
	assert_true(state_is_foreign(&s, "another"));
}

static void test_writer_token(void **state)
{
	struct state s = { };

	assert_int_equal(begin(&s, "disk a", BOOT_1), 0);
	state_end(&s, 77);
	assert_int_equal(begin(&s, "disk a", BOOT_1), 77);
	/* told once: after a crash the last writer may be another */
	assert_int_equal(begin(&s, "disk a", BOOT_1), 0);
	state_end(&s, 78);
	/* it belongs to its disk */
	assert_int_equal(begin(&s, "disk b", BOOT_1), 0);
	state_end(&s, 79);
	assert_int_equal(begin(&s, "disk a", BOOT_1), 78);
	state_end(&s, 0);
	assert_int_equal(begin(&s, "disk b", BOOT_1), 79);
}

static void fill(struct state *s)
{
	char identity[DISK_IDENTITY_LEN];
	int i;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < STATE_DISKS_MAX; i++) {
		memset(identity, 'a' + i, sizeof(identity));
		identity[sizeof(identity) - 1] = '\0';
		begin(s, identity, BOOT_1);
		state_end(s, UINT64_MAX - i);
	}
}

static void test_format(void **state)
{
	char text[STATE_TEXT_MAX], again[STATE_TEXT_MAX];
	struct state s, back;
	struct reason why;

	/* the largest there is fits */
	fill(&s);
	state_format(&s, text);
	assert_int_equal(text[strlen(text) - 1], '\n');
	memcpy(again, text, sizeof(text));
	if (state_parse(again, &back, &why))
		fail_msg("%s", why.text);
	state_format(&back, again);
	assert_string_equal(text, again);
	assert_true(back.clean);
	assert_int_equal(back.n, STATE_DISKS_MAX);
	assert_true(same(back.instance, s.instance));
}

/* Cut off anywhere, it is refused or says the same of the instance. */
static void test_cut_off(void **state)
{
	char text[STATE_TEXT_MAX], cut[STATE_TEXT_MAX];
	struct state s, back;
	size_t i, whole;

	memset(&s, 0, sizeof(s));
	begin(&s, "disk", BOOT_1);
	state_format(&s, text);
	whole = strlen(text);
	for (i = 0; i < whole; i++) {
		memcpy(cut, text, sizeof(cut));
		cut[i] = '\0';
		if (!state_parse(cut, &back, NULL) &&
		    (back.clean || !same(back.instance, s.instance)))
			fail_msg("cut off at %zu of %zu it is taken", i, whole);
	}
}

static void test_damaged(void **state)
{
	static const char head[] = "dst-export-state 1\n";
	static const char good[] = "boot x\ninstance 11111111111111111111111111111111\nclean 1\n";
	static const char disk[] =
		"disk 11111111111111111111111111111111 0000000000000001 path /dev/x\n";
	static const char * const wrong[][3] = {
		{ "", "", "" },
		{ "dst-export-state 2\n", good, disk },
		{ head, good, "" },
		{ head, "", disk },
		{ head, good, "disk 11111111111111111111111111111111 0000000000000001\n" },
		{ head, good, "disk 00000000000000000000000000000000 0000000000000001 x\n" },
		{ head, good, "disk 1111 0000000000000001 x\n" },
		{ head, good, "disk 11111111111111111111111111111111 1 x\n" },
		{ head, good, "colour red\n" },
		{ head, "boot x\ninstance 00000000000000000000000000000000\nclean 1\n", disk },
		{ head, "boot x\ninstance 11111111111111111111111111111111\nclean 2\n", disk },
	};
	char text[STATE_TEXT_MAX];
	struct state s;
	size_t i;

	snprintf(text, sizeof(text), "%s%s%s", head, good, disk);
	assert_int_equal(state_parse(text, &s, NULL), 0);
	assert_int_equal(s.disks[0].token, 1);
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		snprintf(text, sizeof(text), "%s%s%s", wrong[i][0], wrong[i][1], wrong[i][2]);
		if (!state_parse(text, &s, NULL))
			fail_msg("number %zu is taken", i);
	}
	/* one disk too many */
	snprintf(text, sizeof(text), "%s%s", head, good);
	for (i = 0; i <= STATE_DISKS_MAX; i++)
		strcat(text, disk);
	assert_int_equal(state_parse(text, &s, NULL), -1);
}

static void test_files(void **state)
{
	struct state_file f;
	struct state s, back;
	struct reason why;
	struct stat st;

	assert_int_equal(state_open(&f, "lib", "data", &why), 0);
	assert_int_equal(stat("lib", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(state_load(&f, &s, &why), 0);
	begin(&s, "disk", BOOT_1);
	assert_int_equal(state_save(&f, &s, &why), 0);
	assert_int_equal(stat("lib/export-data", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(access("lib/.export-data.new", F_OK), -1);
	assert_int_equal(state_load(&f, &back, &why), 1);
	assert_true(same(back.instance, s.instance));
	state_end(&s, 5);
	assert_int_equal(state_save(&f, &s, &why), 0);
	assert_int_equal(state_load(&f, &back, &why), 1);
	assert_true(back.clean);
	assert_int_equal(back.disks[0].token, 5);
	assert_int_equal(state_remove(&f), 0);
	assert_int_equal(state_load(&f, &back, &why), 0);
	write_file("lib/export-data", "rubbish\n", 0600);
	assert_int_equal(state_load(&f, &back, &why), -1);
	assert_non_null(strstr(why.text, "lib/export-data"));
	state_close(&f);
}

static void test_lease_is_made_once(void **state)
{
	char text[32] = "";
	struct state_file f;
	struct reason why;
	int fd;

	assert_int_equal(state_open(&f, "lib", "data", &why), 0);
	assert_int_equal(state_make_lease(&f, &why), 0);
	fd = open("lib/.lease-data", O_RDONLY);
	assert_int_equal(read(fd, text, sizeof(text)), 8);
	close(fd);
	assert_string_equal(text, "DSTfresh");
	assert_int_equal(access("lib/..lease-data.new", F_OK), -1);
	/* what the module has written since stays */
	write_file("lib/.lease-data", "a lease", 0600);
	assert_int_equal(state_make_lease(&f, &why), 0);
	fd = open("lib/.lease-data", O_RDONLY);
	assert_int_equal(read(fd, text, sizeof(text)), 7);
	close(fd);
	state_close(&f);
}

static void test_folder_that_cannot_be(void **state)
{
	struct state_file f;
	struct reason why;

	write_file("file", "", 0600);
	assert_int_equal(state_open(&f, "file", "data", &why), -1);
	assert_non_null(strstr(why.text, "file"));
	assert_int_equal(state_open(&f, "missing/lib", "data", &why), -1);
	assert_non_null(strstr(why.text, "missing/lib"));
	assert_int_equal(state_open(&f, "/proc/self", "data", &why), -1);
	assert_non_null(strstr(why.text, "/proc/self"));
}

/* Who has the state of a name open keeps others of this name out, and no others. */
static void test_lock(void **state)
{
	struct state_file f, g;
	struct reason why;
	int status;
	pid_t pid;

	assert_int_equal(state_open(&f, "lib", "data", &why), 0);
	assert_int_equal(state_open(&g, "lib", "other", &why), 0);
	state_close(&g);
	pid = fork();
	if (!pid) {
		alarm(1);	/* ends this process: it has waited for the lock */
		state_open(&g, "lib", "data", &why);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	state_close(&f);
	assert_int_equal(state_open(&g, "lib", "data", &why), 0);
	state_close(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_instance),
		cmocka_unit_test(test_instance_with_two_disks_in_turn),
		cmocka_unit_test(test_uuid),
		cmocka_unit_test(test_uuid_depends_on_name_and_exporter),
		cmocka_unit_test(test_foreign_hardware),
		cmocka_unit_test(test_writer_token),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test_setup_teardown(test_files, enter_folder, leave_folder),
		cmocka_unit_test_setup_teardown(test_lease_is_made_once, enter_folder,
						leave_folder),
		cmocka_unit_test_setup_teardown(test_folder_that_cannot_be, enter_folder,
						leave_folder),
		cmocka_unit_test_setup_teardown(test_lock, enter_folder, leave_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
