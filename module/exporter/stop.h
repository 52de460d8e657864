/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The end of an export, as far as its making needs it. Commands that end
 * exports are in exporter.h.
 */
#ifndef DSTOR_STOP_H
#define DSTOR_STOP_H

struct dstor_export;
struct work_struct;

/* No new client finds the export. Sleeps; takes the lock of the list of exports. */
void dstor_export_close_listeners(struct dstor_export *e);
/* The work that ends an export without a network: its disk may take its time. */
void dstor_export_end_work(struct work_struct *work);
/* The work that ends it in order when the machine goes down. */
void dstor_export_shutdown_work(struct work_struct *work);

#endif
