/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Events of exports and of their clients, for dst monitor.
 */
#ifndef DSTOR_EXPORT_EVENT_H
#define DSTOR_EXPORT_EVENT_H

#include <linux/dstor.h>

struct dstor_export;
struct dstor_peer;

void dstor_event_export(struct dstor_export *e, enum dstor_event what);
/* Under export->lock. */
void dstor_event_client(struct dstor_peer *p, enum dstor_event what, const char *reason);

#endif
