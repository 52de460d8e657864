// SPDX-License-Identifier: GPL-2.0
/*
 * DST: a disk on another machine as a local block device. Loads and unloads
 * the parts in order; owns the workqueues.
 */
#include <linux/module.h>
#include <linux/reboot.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "config.h"
#include "device.h"
#include "export.h"
#include "netns.h"
#include "point.h"

struct workqueue_struct *dstor_io_wq;
struct workqueue_struct *dstor_link_wq;
struct workqueue_struct *dstor_serve_wq;
struct workqueue_struct *dstor_disk_wq;

u64 dstor_now_ms(void)
{
	return jiffies64_to_msecs(get_jiffies_64());
}

/* Clients hear of an orderly end; nobody waits for an exporter that is gone. */
static int going_down(struct notifier_block *nb, unsigned long action, void *data)
{
	dstor_exports_shutdown();
	dstor_devices_shutdown();
	return NOTIFY_DONE;
}

static struct notifier_block reboot_notifier = { .notifier_call = going_down };

static void destroy_workqueues(void)
{
	struct workqueue_struct *all[] = { dstor_io_wq, dstor_link_wq, dstor_serve_wq,
					   dstor_disk_wq };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i])
			destroy_workqueue(all[i]);
}

static int __init create_workqueues(void)
{
	dstor_io_wq = alloc_workqueue("dstor-io",
				      WQ_MEM_RECLAIM | WQ_HIGHPRI | DSTOR_WQ_PERCPU, 0);
	dstor_link_wq = alloc_workqueue("dstor-link", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	dstor_serve_wq = alloc_workqueue("dstor-serve",
					 WQ_MEM_RECLAIM | WQ_HIGHPRI | DSTOR_WQ_PERCPU, 0);
	dstor_disk_wq = alloc_workqueue("dstor-disk", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	if (dstor_io_wq && dstor_link_wq && dstor_serve_wq && dstor_disk_wq)
		return 0;
	destroy_workqueues();
	return -ENOMEM;
}

static int __init dstor_init(void)
{
	int ret = create_workqueues();

	if (ret)
		return ret;
	dstor_points_init();
	ret = register_reboot_notifier(&reboot_notifier);
	if (ret)
		goto err_reboot;
	ret = dstor_netns_init();
	if (ret)
		goto err_netns;
	ret = dstor_netlink_init();
	if (ret)
		goto err_netlink;
	return 0;

err_netlink:
	dstor_netns_exit();
err_netns:
	unregister_reboot_notifier(&reboot_notifier);
err_reboot:
	dstor_points_exit();
	destroy_workqueues();
	return ret;
}

/* Nothing is attached or exported: each holds a reference to the module. */
static void __exit dstor_exit(void)
{
	dstor_points_exit();
	dstor_netlink_exit();
	dstor_netns_exit();
	unregister_reboot_notifier(&reboot_notifier);
	dstor_peers_end();
	destroy_workqueues();
}

module_init(dstor_init);
module_exit(dstor_exit);
MODULE_DESCRIPTION("DST: network block device, client and exporter");
MODULE_AUTHOR("DST developers");
MODULE_LICENSE("GPL");
