/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The lease outlives a crash.
 */
#ifndef DSTOR_LEASE_FILE_H
#define DSTOR_LEASE_FILE_H

#include "core/error.h"

struct dstor_export;

/* Sleep. 0 or a negative errno. */
int dstor_lease_file_open(struct dstor_export *e, const char *path, struct dstor_error *err);
int dstor_lease_file_save(struct dstor_export *e);	/* under export->lock */
void dstor_lease_file_close(struct dstor_export *e);

#endif
