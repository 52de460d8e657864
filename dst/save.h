/* SPDX-License-Identifier: GPL-2.0 */
/*
 * save.c - the running configuration as a configuration file.
 */
#ifndef DST_SAVE_H
#define DST_SAVE_H

#include "config.h"
#include "info.h"

/*
 * From where the keys of devices come, which the module does not show: @folder (see
 * attached.h), or else @before, the file that is replaced.
 */
void save_write(FILE *f, const struct info *info, const struct config *before,
		const char *folder);

#endif
