/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Workqueues shared by client and exporter, and their clock.
 */
#ifndef DSTOR_WORK_H
#define DSTOR_WORK_H

#include <linux/types.h>
#include <linux/workqueue.h>

extern struct workqueue_struct *dstor_io_wq;	/* bound, for reclaim: clients send and receive */
extern struct workqueue_struct *dstor_watch_wq;	/* unbound: clocks, which never block for long */
extern struct workqueue_struct *dstor_link_wq;	/* unbound: connects, and waits for no other */
extern struct workqueue_struct *dstor_greet_wq;	/* unbound: peers until they are granted */
extern struct workqueue_struct *dstor_serve_wq;	/* bound: their clocks; peers without a thread */
extern struct workqueue_struct *dstor_lone_wq;	/* bound: granted peers, one request at a time */
extern struct workqueue_struct *dstor_disk_wq;	/* unbound: blocking disk operations */
u64 dstor_now_ms(void);				/* monotonic */

/* main.c calls both. Exit: no part queues work any more; waits for running items. */
int dstor_work_init(void);
void dstor_work_exit(void);

#endif
