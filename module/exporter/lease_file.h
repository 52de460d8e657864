/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The lease outlives a crash.
 */
#ifndef DSTOR_LEASE_FILE_H
#define DSTOR_LEASE_FILE_H

#include "core/error.h"

struct dstor_export;
struct dstor_export_holder;
struct dstor_lease;
struct dstor_session;

/* Once for each export. @saved is called when saves have ended, under export->lock. */
void dstor_lease_file_init(struct dstor_export *e, void (*saved)(struct dstor_export *e));
/* Sleeps. 0 or a negative errno. */
int dstor_lease_file_open(struct dstor_export *e, const char *path, struct dstor_error *err);
/*
 * The lease has changed: a work saves it. What fails is tried again until it succeeds:
 * e->lease_file.error. Under export->lock.
 */
void dstor_lease_file_save(struct dstor_export *e);
/*
 * The lease was granted to @s, and was as @before: nobody is told until it is saved.
 * False: there is no file, and the grant holds at once. Under export->lock.
 */
bool dstor_lease_file_grant(struct dstor_export *e, struct dstor_session *s,
			    const struct dstor_lease *before,
			    const struct dstor_export_holder *holder_before);
/* Was all tried that was to be saved? Without the lock; export->wait tells. */
bool dstor_lease_file_idle(const struct dstor_export *e);
/* Would a next life know all that has changed? Under export->lock. */
bool dstor_lease_file_is_saved(const struct dstor_export *e);
/* The next try, if the last one failed. Under export->lock. */
void dstor_lease_file_retry(struct dstor_export *e);
/* Both wait for a save that runs, without the lock. */
void dstor_lease_file_flush(struct dstor_export *e);
void dstor_lease_file_close(struct dstor_export *e);

#endif
