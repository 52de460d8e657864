// SPDX-License-Identifier: GPL-2.0
/*
 * Names of this machine and of its boot. Called by export, attach, list, ping.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "hello.h"
#include "id.h"
#include "machine.h"
#include "primitives.h"
#include "values.h"

#define MACHINE_ID_FILE "/etc/machine-id"
#define HARDWARE_ID_FILE "/sys/class/dmi/id/product_uuid"
#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"

bool read_line(const char *path, char *text, size_t size)
{
	FILE *f = fopen(path, "re");
	size_t n;

	text[0] = '\0';
	if (!f)
		return false;
	n = fread(text, 1, size - 1, f);
	fclose(f);
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	for (n = strlen(text); n && text[n - 1] == ' '; n--)
		text[n - 1] = '\0';
	return true;
}

bool machine_id(char id[MACHINE_ID_LEN])
{
	u8 bytes[16];

	return read_line(MACHINE_ID_FILE, id, MACHINE_ID_LEN) && parse_hex(id, bytes, 16) &&
	       !dstor_id_is_zero(bytes);
}

void hardware_id(char id[HARDWARE_ID_LEN])
{
	size_t n;

	read_line(HARDWARE_ID_FILE, id, HARDWARE_ID_LEN);
	/* Some firmware has none of its own. */
	n = strspn(id, "0123456789abcdefABCDEF-");
	if (id[n] || !id[strspn(id, "0-")] || !id[strspn(id, "fF-")])
		id[0] = '\0';
}

int boot_id(char id[BOOT_ID_LEN], struct reason *why)
{
	if (!read_line(BOOT_ID_FILE, id, BOOT_ID_LEN) || strlen(id) != BOOT_ID_LEN - 1)
		return refuse(why, "cannot read %s (is /proc mounted?)", BOOT_ID_FILE);
	return 0;
}

int client_id(u8 id[DSTOR_ID_LEN], struct reason *why)
{
	char machine[MACHINE_ID_LEN], text[64];
	u8 digest[DSTOR_HASH_LEN];

	if (!machine_id(machine))
		return refuse(why, "no id of this machine in %s: run systemd-machine-id-setup",
			      MACHINE_ID_FILE);
	snprintf(text, sizeof(text), "dst client\n%s", machine);
	sha256(text, strlen(text), digest);
	memcpy(id, digest, DSTOR_ID_LEN);
	return 0;
}

void client_name(char name[DSTOR_NAME_LEN])
{
	char *p;

	if (gethostname(name, DSTOR_NAME_LEN - 1))
		name[0] = '\0';
	name[DSTOR_NAME_LEN - 1] = '\0';
	for (p = name; *p; p++) {
		char one[2] = { *p, '\0' };

		/* "-" and "." may stand anywhere but first */
		if (!dstor_name_ok(one, sizeof(one)) && (p == name || !strchr("-.", *p)))
			*p = '_';
	}
}

void random_bytes(void *to, size_t len)
{
	/* Up to 256 bytes come whole, and are waited for only early in the boot. */
	if (getrandom(to, len, 0) != (ssize_t)len)
		exit(fail("the kernel gives no random numbers"));
}
