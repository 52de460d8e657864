/* SPDX-License-Identifier: GPL-2.0 */
/*
 * machine.c - the identity of this machine: towards exporters, and over its
 * reboots.
 */
#ifndef DST_MACHINE_H
#define DST_MACHINE_H

#include "dst.h"

#define MACHINE_ID_LEN 33	/* 32 hexadecimal digits and the closing NUL */
#define HARDWARE_ID_LEN 64
#define BOOT_ID_LEN 37		/* a UUID and the closing NUL */

bool machine_id(char id[MACHINE_ID_LEN]);	/* false: it has none */
/* The UUID that the hardware or the hypervisor gives this machine, or "". */
void hardware_id(char id[HARDWARE_ID_LEN]);
int boot_id(char id[BOOT_ID_LEN], struct reason *why);
/* The same after a reboot; does not disclose the machine id. */
int client_id(u8 id[DSTOR_ID_LEN], struct reason *why);
void client_name(char name[DSTOR_NAME_LEN]);	/* the host's name, or empty */
void random_bytes(void *to, size_t len);
/* Reads a small file, without blanks at its end. False when there is no such file. */
bool read_line(const char *path, char *text, size_t size);

#endif
