/* SPDX-License-Identifier: GPL-2.0 */
/* What session.c, lease.c and attach.c know of each other. */
#ifndef DST_SIM_SESSION_H
#define DST_SIM_SESSION_H

#include "sim.h"

/* session.c */
struct record *record_find(struct exporter *x, const u8 id[DSTOR_ID_LEN]);
struct record *record_new(struct exporter *x, const struct dstor_hello *h, u16 session,
			  u32 key);
void record_free(struct record *r);
bool record_has_conn(const struct record *r, bool pending_too);
/* One more session: of a client with too many its oldest goes, or the oldest dormant one. */
bool record_make_room(struct exporter *x, const u8 client[DSTOR_ID_LEN]);
/* Closes whatever connections it has and drops what is not submitted. */
void record_close_queue(struct record *r, u8 q);
void session_dormant_later(struct exporter *x, struct record *r);

/* lease.c */
u64 lease_new_token(void);
bool lease_may_write(const struct exporter *x, const u8 client[DSTOR_ID_LEN]);
void lease_read_on(struct conn *c);
bool lease_is_holder(const struct exporter *x, const struct record *r);
void lease_keep(struct exporter *x);
/* Must what another than the holder reads wait for the holder's replay? */
bool lease_reader_waits(struct exporter *x, const struct record *r);
void lease_replayed(struct conn *c);
void lease_release(struct exporter *x, struct record *r);
void lease_request(const struct conn *c, struct dstor_lease_request *q);
u64 lease_granted(struct conn *c, const struct dstor_lease_request *q);
/* Ends the holder's session. False while something it submitted runs. */
bool lease_expel_holder(struct conn *c, const struct dstor_lease_request *q);

#endif
