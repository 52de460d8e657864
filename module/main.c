// SPDX-License-Identifier: GPL-2.0
/*
 * DST: a disk on another machine as a local block device. Loads and unloads
 * the parts in order.
 */
#include <linux/module.h>
#include <linux/reboot.h>

#include "config.h"
#include "device.h"
#include "export.h"
#include "netns.h"
#include "work.h"

/* Clients hear of an orderly end; nobody waits for an exporter that is gone. */
static int going_down(struct notifier_block *nb, unsigned long action, void *data)
{
	dstor_exports_shutdown();
	dstor_devices_shutdown();
	return NOTIFY_DONE;
}

static struct notifier_block reboot_notifier = { .notifier_call = going_down };

static int __init dstor_init(void)
{
	int ret = dstor_work_init();

	if (ret)
		return ret;
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
	dstor_work_exit();
	return ret;
}

/* Nothing is attached or exported: each holds a reference to the module. */
static void __exit dstor_exit(void)
{
	dstor_netlink_exit();
	dstor_netns_exit();
	unregister_reboot_notifier(&reboot_notifier);
	dstor_peers_end();
	dstor_work_exit();
}

module_init(dstor_init);
module_exit(dstor_exit);
MODULE_DESCRIPTION("DST: network block device, client and exporter");
MODULE_AUTHOR("DST developers");
MODULE_LICENSE("GPL");
