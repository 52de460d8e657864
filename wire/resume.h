/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The same disk after a reconnection (P6). Pure functions on the caller's memory:
 * any context, no locks, no allocation.
 */
#ifndef DSTOR_WIRE_RESUME_H
#define DSTOR_WIRE_RESUME_H

#include "protocol.h"

enum dstor_resume {
	DSTOR_RESUME_OK,
	DSTOR_RESUME_OTHER_EXPORTER,
	DSTOR_RESUME_OTHER_DISK,
	DSTOR_RESUME_SMALLER,
	DSTOR_RESUME_OTHER_BLOCK,	/* logical block size grew */
	DSTOR_RESUME_LESS,	/* fewer slots or smaller I/O than in use */
};

/* The promises to the client's block device, in the byte order of the host. */
struct dstor_identity {
	u8 exporter[DSTOR_ID_LEN];	/* zero: any */
	u8 uuid[DSTOR_ID_LEN];	/* likewise, before the first attach only */
	u64 size;	/* bytes */
	u32 block;	/* logical block, bytes */
	u32 max_io;	/* bytes */
	u16 slots;
};

/*
 * Client: are exporter and disk of @w those that @mine insists on? Its numbers do
 * not count: before the first attach there are none. When it may be called: as the next.
 */
enum dstor_resume dstor_resume_pinned(const struct dstor_identity *mine,
				      const struct dstor_welcome *w);

/*
 * Client: does @w offer the disk of @mine with at least what was promised? Only
 * after dstor_welcome_check() passed and w->status is DSTOR_WELCOME_OK.
 */
enum dstor_resume dstor_resume_check(const struct dstor_identity *mine,
				     const struct dstor_welcome *w);

/*
 * Client: does the refusal @w end the session? Only its own exporter can say so; and
 * EXPIRED may be about the token that the hello has @shown, if another queue's welcome
 * has replaced that by @token since (R10.11).
 */
bool dstor_resume_is_over(const struct dstor_identity *mine, const struct dstor_welcome *w,
			  u64 shown, u64 token);

/* A constant text for people, never NULL. */
const char *dstor_resume_text(enum dstor_resume r);

/*
 * Exporter: does @h resume a session with another disk than @uuid? Then the client
 * gets read access and no lease. It must learn that the disk is another one, rather
 * than that its lease has expired. Only after dstor_hello_check() passed.
 */
bool dstor_resume_elsewhere(const struct dstor_hello *h, const u8 uuid[DSTOR_ID_LEN]);

#endif
