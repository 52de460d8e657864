/* SPDX-License-Identifier: GPL-2.0 */
/* Admission: peers join sessions, and are granted. */
#ifndef DSTOR_ADMISSION_H
#define DSTOR_ADMISSION_H

#include <linux/types.h>

struct dstor_peer;
struct dstor_welcome;

/* Both sleep and take export->lock. */
/* A hello arrived: join or refuse. True: try the fence now. False: @w is a refusal. */
bool dstor_session_join(struct dstor_peer *p, struct dstor_welcome *w);
/* Try again after the fence: true when @w is the answer, false while it waits. */
bool dstor_session_grant(struct dstor_peer *p, struct dstor_welcome *w);

#endif
