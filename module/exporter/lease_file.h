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
/* Under export->lock. What fails is tried again until it succeeds: e->lease_file.error. */
int dstor_lease_file_save(struct dstor_export *e);
/* The next try, if the last one failed. Under export->lock. */
void dstor_lease_file_retry(struct dstor_export *e);
void dstor_lease_file_close(struct dstor_export *e);

#endif
