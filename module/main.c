// SPDX-License-Identifier: GPL-2.0
/*
 * DST: a disk on another machine as a local block device. Loads and unloads
 * the parts in order.
 */
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/reboot.h>
#include <net/net_namespace.h>

#include "client/client.h"
#include "conn/transport.h"
#include "control/netlink.h"
#include "core/point.h"
#include "core/work.h"
#include "exporter/exporter.h"
#include "version.h"

/* Exports tell their clients; devices stop waiting for an exporter that is gone. */
static int going_down(struct notifier_block *nb, unsigned long action, void *data)
{
	dstor_exports_shutdown();
	dstor_devices_shutdown();
	return NOTIFY_DONE;
}

static struct notifier_block reboot_notifier = { .notifier_call = going_down };

/*
 * A network namespace is deleted: its sockets have to be closed before it is
 * freed. Devices fail and say why; exports end.
 *
 * The kernel holds pernet_ops_rwsem while it calls us. Loading the module of a
 * transport takes that for writing: no lock that we take here may be held
 * while a socket is made.
 */
static void __net_exit netns_leave(struct net *net)
{
	dstor_devices_leave(net);
	dstor_point(NETNS_LEAVE);
	dstor_exports_leave(net);
	dstor_peers_leave(net);
}

/* Operations of a "device" come first, while the network still carries a BYE. */
static struct pernet_operations operations = { .exit = netns_leave };

static int __init dstor_init(void)
{
	int ret = dstor_work_init();

	if (ret)
		return ret;
	dstor_points_init();
	ret = register_reboot_notifier(&reboot_notifier);
	if (ret)
		goto err_reboot;
	ret = register_pernet_device(&operations);
	if (ret)
		goto err_netns;
	ret = dstor_netlink_init();
	if (ret)
		goto err_netlink;
	return 0;

err_netlink:
	unregister_pernet_device(&operations);
err_netns:
	unregister_reboot_notifier(&reboot_notifier);
err_reboot:
	dstor_points_exit();
	dstor_work_exit();
	return ret;
}

/*
 * Nothing is attached or exported: each holds a reference to the module. The task that
 * dropped the last one, perhaps by closing a disk that was detached, may be preempted on
 * its way out of the module. synchronize_rcu(), which the kernel calls before it frees the
 * text, does not wait for that. It does not sleep there, so RCU-tasks does.
 */
static void __exit dstor_exit(void)
{
	dstor_points_exit();
	dstor_netlink_exit();
	unregister_pernet_device(&operations);
	unregister_reboot_notifier(&reboot_notifier);
	dstor_peers_end();
	dstor_sockets_exit();
	dstor_work_exit();
	synchronize_rcu_tasks();
}

module_init(dstor_init);
module_exit(dstor_exit);
MODULE_DESCRIPTION("DST: network block device, client and exporter");
MODULE_AUTHOR("DST developers");
MODULE_LICENSE("GPL");
MODULE_VERSION(DSTOR_RELEASE);
