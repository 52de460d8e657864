/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The clock of an export.
 */
#ifndef DSTOR_EXPORT_POLL_H
#define DSTOR_EXPORT_POLL_H

struct work_struct;

/* The delayed work export->monitor. Queues itself again; takes export->lock. */
void dstor_export_poll(struct work_struct *work);

/*
 * Was this machine stopped? Then clients were not heard because nobody listened: that is no
 * silence of theirs. Before silence is judged; under export->lock.
 */
void dstor_export_excuse(struct dstor_export *e);

#endif
