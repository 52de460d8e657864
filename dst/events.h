/* SPDX-License-Identifier: GPL-2.0 */
/*
 * events.c - the names of the module's events.
 */
#ifndef DST_EVENTS_H
#define DST_EVENTS_H

#include "options.h"

struct event_spec {
	const char *name;		/* for programs */
	enum object_kind object;	/* whose name the event has */
	const char *happened;		/* for people, behind the object, or its client */
};

/* NULL: an event of a newer module. @event: enum dstor_event */
const struct event_spec *event_spec(unsigned int event);

#endif
