// SPDX-License-Identifier: GPL-2.0
/*
 * The table of events. A new event of the module is a row here. Called by monitor.
 */
#include <linux/dstor.h>
#include "events.h"

static const struct event_spec events[] = {
	[DSTOR_EVENT_DEVICE_ATTACHED] = { "device-attached", OBJECT_DEVICE, "attached" },
	[DSTOR_EVENT_DEVICE_DETACHED] = { "device-detached", OBJECT_DEVICE, "detached" },
	[DSTOR_EVENT_DEVICE_STATE] = { "device-state", OBJECT_DEVICE, "state" },
	[DSTOR_EVENT_DEVICE_RESIZED] = { "device-resized", OBJECT_DEVICE, "resized" },
	[DSTOR_EVENT_EXPORT_ADDED] = { "export-added", OBJECT_EXPORT, "added" },
	[DSTOR_EVENT_EXPORT_REMOVED] = { "export-removed", OBJECT_EXPORT, "removed" },
	[DSTOR_EVENT_EXPORT_RESIZED] = { "export-resized", OBJECT_EXPORT, "resized" },
	[DSTOR_EVENT_CLIENT_JOINED] = { "client-joined", OBJECT_EXPORT, "joined" },
	[DSTOR_EVENT_CLIENT_LEFT] = { "client-left", OBJECT_EXPORT, "left" },
};

const struct event_spec *event_spec(unsigned int event)
{
	return event < ARRAY_SIZE(events) && events[event].name ? &events[event] : NULL;
}
