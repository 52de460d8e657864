// SPDX-License-Identifier: GPL-2.0
/* 6.18: a workqueue says whether it is bound to CPUs; system_unbound_wq has a new name. */
#include <linux/workqueue.h>

struct workqueue_struct *probe(void);
struct workqueue_struct *probe(void)
{
	if (!system_dfl_wq)
		return NULL;
	return alloc_workqueue("probe", WQ_PERCPU, 0);
}
