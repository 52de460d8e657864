// SPDX-License-Identifier: GPL-2.0
/*
 * Which disk is it? The same for the same disk, another for another, from a
 * sysfs made up for the purpose, and for real files.
 */
#include <errno.h>

#include "unit.h"
#include "disk.h"

static void make(const char *path, const char *text)
{
	char command[300];

	snprintf(command, sizeof(command), "mkdir -p \"$(dirname %s)\"", path);
	assert_int_equal(system(command), 0);
	write_file(path, text, 0600);
}

static void identity(const char *sysfs, const char *want)
{
	char got[DISK_IDENTITY_LEN] = "";

	if (disk_identity(sysfs, got) != !!want)
		fail_msg("%s: %s", sysfs, got);
	if (want)
		assert_string_equal(got, want);
}

static void test_sysfs(void **state)
{
	make("nvme0n1/wwid", "eui.0123456789\n");
	identity("nvme0n1", "wwid eui.0123456789");
	make("sda/device/wwid", "  naa.5000c500  ");
	identity("sda", "device/wwid naa.5000c500");
	make("vda/serial", "scratch-1\n");
	identity("vda", "serial scratch-1");
	make("dm-0/dm/uuid", "LVM-abc\n");
	identity("dm-0", "dm/uuid LVM-abc");
	/* control characters would spoil the state file */
	make("sdb/device/wwid", "a\tb\n");
	identity("sdb", "device/wwid a_b");
	/* nothing that tells disks apart */
	make("nullb0/size", "100\n");
	identity("nullb0", NULL);
	make("dm-1/dm/uuid", "\n");
	identity("dm-1", NULL);
	make("vdb/serial", "0000\n");
	identity("vdb", NULL);
	identity("missing", NULL);
}

static void test_partition(void **state)
{
	make("sda/device/wwid", "naa.1\n");
	make("sda/sda1/partition", "1\n");
	make("sda/sda1/start", "2048\n");
	make("sda/sda2/partition", "2\n");
	make("sda/sda2/start", "4096\n");
	identity("sda/sda1", "partition 1 at 2048 of device/wwid naa.1");
	identity("sda/sda2", "partition 2 at 4096 of device/wwid naa.1");
	make("nullb0/nullb0p1/partition", "1\n");
	identity("nullb0/nullb0p1", NULL);
}

static void test_loop(void **state)
{
	char path[PATH_MAX], cwd[PATH_MAX - 16], at_0[DISK_IDENTITY_LEN], at_1[DISK_IDENTITY_LEN];

	assert_non_null(getcwd(cwd, sizeof(cwd)));
	snprintf(path, sizeof(path), "%s/image\n", cwd);
	make("image", "x");
	make("loop0/loop/backing_file", path);
	make("loop0/loop/offset", "0\n");
	make("loop1/loop/backing_file", path);
	make("loop1/loop/offset", "512\n");
	make("loop2/loop/backing_file", "/gone (deleted)\n");
	assert_true(disk_identity("loop0", at_0));
	assert_true(disk_identity("loop1", at_1));
	assert_string_not_equal(at_0, at_1);
	assert_non_null(strstr(at_0, "loop at 0 of file "));
	identity("loop2", NULL);
}

static void find(const char *path, struct disk *d)
{
	struct reason why;

	if (disk_find(path, d, &why))
		fail_msg("%s", why.text);
}

static void test_files(void **state)
{
	struct disk a, b, link, again;

	make("a", "x");
	make("b", "x");
	assert_int_equal(symlink("a", "link"), 0);
	find("a", &a);
	find("b", &b);
	find("link", &link);
	assert_int_equal(a.path[0], '/');
	assert_string_equal(a.path, link.path);
	assert_string_equal(a.identity, link.identity);
	assert_string_not_equal(a.identity, b.identity);
	/* the same file elsewhere is the same disk; another one in its place is not */
	assert_int_equal(rename("a", "moved"), 0);
	find("moved", &again);
	assert_string_equal(a.identity, again.identity);
	assert_int_equal(rename("b", "moved"), 0);
	find("moved", &again);
	assert_string_not_equal(a.identity, again.identity);
}

/* More than 32 bits hold, in its size and in its time, is a disk, too. */
static void test_large_file(void **state)
{
	struct disk d;

	write_file("large", "", 0600);
	assert_int_equal(system("truncate -s 5G large && touch -d 2040-01-01 large"), 0);
	find("large", &d);
	assert_true(sizeof(off_t) == 8 && sizeof(time_t) == 8);
}

static void refused(const char *path, const char *word)
{
	struct reason why = { "" };
	struct disk d;

	assert_int_equal(disk_find(path, &d, &why), -1);
	if (!strstr(why.text, word) || !strstr(why.text, path))
		fail_msg("\"%s\" does not say \"%s\" of %s", why.text, word, path);
}

static void test_what_is_none(void **state)
{
	refused("missing", "No such file");
	refused("/dev/null", "block device");
	refused(".", "block device");
	assert_int_equal(symlink("nowhere", "dangling"), 0);
	refused("dangling", "No such file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sysfs, enter_folder, leave_folder),
		cmocka_unit_test_setup_teardown(test_partition, enter_folder, leave_folder),
		cmocka_unit_test_setup_teardown(test_loop, enter_folder, leave_folder),
		cmocka_unit_test_setup_teardown(test_files, enter_folder, leave_folder),
		cmocka_unit_test_setup_teardown(test_large_file, enter_folder, leave_folder),
		cmocka_unit_test_setup_teardown(test_what_is_none, enter_folder, leave_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
