// SPDX-License-Identifier: GPL-2.0
/*
 * The workqueues that client and exporter run in, and the clock they go by.
 */
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>

#include "compat/compat.h"
#include "core/work.h"

struct workqueue_struct *dstor_io_wq;
struct workqueue_struct *dstor_link_wq;
struct workqueue_struct *dstor_watch_wq;
struct workqueue_struct *dstor_greet_wq;
struct workqueue_struct *dstor_serve_wq;
struct workqueue_struct *dstor_lone_wq;
struct workqueue_struct *dstor_accept_wq;
struct workqueue_struct *dstor_free_wq;
struct workqueue_struct *dstor_end_wq;
struct workqueue_struct *dstor_lease_wq;

u64 dstor_now_ms(void)
{
	return jiffies64_to_msecs(get_jiffies_64());
}

void dstor_work_exit(void)
{
	struct workqueue_struct *all[] = { dstor_io_wq, dstor_link_wq, dstor_watch_wq,
					   dstor_greet_wq, dstor_serve_wq, dstor_lone_wq,
					   dstor_accept_wq, dstor_free_wq, dstor_end_wq,
					   dstor_lease_wq };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i])
			destroy_workqueue(all[i]);
}

int __init dstor_work_init(void)
{
	dstor_io_wq = alloc_workqueue("dstor-io",
				      WQ_MEM_RECLAIM | WQ_HIGHPRI | DSTOR_WQ_PERCPU, 0);
	dstor_link_wq = alloc_workqueue("dstor-link", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	dstor_watch_wq = alloc_workqueue("dstor-watch", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	dstor_greet_wq = alloc_workqueue("dstor-greet", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	dstor_serve_wq = alloc_workqueue("dstor-serve",
					 WQ_MEM_RECLAIM | WQ_HIGHPRI | DSTOR_WQ_PERCPU, 0);
	dstor_lone_wq = alloc_workqueue("dstor-lone",
					WQ_MEM_RECLAIM | WQ_HIGHPRI | DSTOR_WQ_PERCPU, 0);
	dstor_accept_wq = alloc_workqueue("dstor-accept", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	dstor_free_wq = alloc_workqueue("dstor-free", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	dstor_end_wq = alloc_workqueue("dstor-end", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	dstor_lease_wq = alloc_workqueue("dstor-lease", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	if (dstor_io_wq && dstor_link_wq && dstor_watch_wq && dstor_greet_wq && dstor_serve_wq &&
	    dstor_lone_wq && dstor_accept_wq && dstor_free_wq && dstor_end_wq && dstor_lease_wq)
		return 0;
	dstor_work_exit();
	return -ENOMEM;
}
