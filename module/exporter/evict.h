/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sessions that are thrown out.
 */
#ifndef DSTOR_EVICT_H
#define DSTOR_EVICT_H

struct dstor_export;

/* Both under export->lock. */
/* Ends the sessions called @client: name, id or address, or as a rule names it. How many. */
int dstor_session_evict(struct dstor_export *e, const char *client);
/*
 * Sessions that no rule admits any more end at once. Where a client has lost one of its
 * keys, the connections that use that one end; its session stays.
 */
void dstor_sessions_enforce_rules(struct dstor_export *e);

#endif
