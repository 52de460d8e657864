// SPDX-License-Identifier: GPL-2.0
/*
 * The clock of an export: looks for a grown disk (P14), and for sessions to
 * which nobody comes back. One delayed work, until the export is finished.
 */
#include "core/work.h"
#include "exporter/disk.h"
#include "exporter/export.h"
#include "exporter/export_event.h"
#include "exporter/gate.h"
#include "exporter/lease_file.h"
#include "exporter/peer.h"
#include "exporter/session.h"
#include "exporter/poll.h"

#define POLL_MS 1000
#define STOPPED_MS 3000		/* a clock that is later than that stood still */

void dstor_export_excuse(struct dstor_export *e)
{
	u64 now = dstor_now_ms(), gap = now - e->sessions.ran_ms;
	struct dstor_session *s;

	lockdep_assert_held(&e->lock);
	e->sessions.ran_ms = now;
	if (gap < STOPPED_MS)
		return;
	e->lease.heard_ms = min(e->lease.heard_ms + gap, now);
	list_for_each_entry(s, &e->sessions.list, entry) {
		s->heard += msecs_to_jiffies(gap);
		if (time_after(s->heard, jiffies))
			s->heard = jiffies;
	}
}

void dstor_export_poll(struct work_struct *work)
{
	struct dstor_export *e = container_of(work, struct dstor_export, poll.work);
	u64 size;

	mutex_lock(&e->lock);
	dstor_export_excuse(e);
	size = dstor_disk_size(e);
	/* A block device without a size has gone, and says so with each request. */
	if (!e->stopping && (size || e->disk.file) && size != e->disk.geometry.size) {
		bool grew = size > e->disk.geometry.size;

		e->disk.geometry.size = size;
		atomic64_set(&e->disk.grown, size);
		if (grew)
			dstor_sessions_notify(e, DSTOR_NOTICE_SIZE);
		else
			pr_warn("dstor: export %s: its disk has shrunk to %llu bytes: what clients read and write behind that fails\n",
				e->name, size);
		dstor_event_export(e, DSTOR_EVENT_EXPORT_RESIZED);
	}
	dstor_session_expire(e);
	dstor_session_settle_lease(e);
	dstor_lease_file_retry(e);
	dstor_gate_poll(e);
	mutex_unlock(&e->lock);
	queue_delayed_work(dstor_watch_wq, &e->poll, msecs_to_jiffies(POLL_MS));
}
