/* SPDX-License-Identifier: GPL-2.0 */
/*
 * module.c - modules of the kernel.
 */
#ifndef DST_MODULE_H
#define DST_MODULE_H

/* Loads a kernel module, as far as modprobe finds it and we may. */
void module_load(const char *name);

#endif
