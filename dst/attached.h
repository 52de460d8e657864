/* SPDX-License-Identifier: GPL-2.0 */
/*
 * attached.c - settings of a device that the module does not show: the name of
 * its key file. Each device has a file for them, as long as it exists.
 */
#ifndef DST_ATTACHED_H
#define DST_ATTACHED_H

#include "config.h"

#define ATTACHED_FOLDER "/run/dst/attached"

/* Replaces what was kept of a device of that name before. Without it save asks for the key. */
void attached_keep(const char *folder, const char *name, const struct option_values *v);
void attached_forget(const char *folder, const char *name);
/* The section of the device, or NULL; @c is to be freed in either case. */
const struct config_section *attached_load(const char *folder, const char *name,
					   struct config *c);

#endif
