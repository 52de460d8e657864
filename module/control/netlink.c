// SPDX-License-Identifier: GPL-2.0
/*
 * The commands of the generic netlink family "dstor", and its registration.
 *
 * Commands run in the caller's context and in parallel: an attach may last
 * seconds and must not hold up a detach, or another family. So whatever changes
 * something runs without the lock of generic netlink (dstor_nl_command()). Called
 * by the networking core, and by main.c.
 */
#include "control/family.h"
#include "control/netlink.h"
#include "core/event.h"

static const struct genl_ops ops[] = {
	{ .cmd = DSTOR_CMD_EXPORT_ADD, .flags = GENL_ADMIN_PERM, .doit = dstor_cmd_export_add },
	{ .cmd = DSTOR_CMD_EXPORT_DEL, .flags = GENL_ADMIN_PERM, .doit = dstor_cmd_export_del },
	{ .cmd = DSTOR_CMD_EXPORT_SET, .flags = GENL_ADMIN_PERM, .doit = dstor_cmd_export_set },
	{ .cmd = DSTOR_CMD_EXPORT_GET, .flags = GENL_ADMIN_PERM, .doit = dstor_cmd_export_get,
	  .start = dstor_dump_start, .dumpit = dstor_dump_exports, .done = dstor_dump_done },
	{ .cmd = DSTOR_CMD_DEVICE_ADD, .flags = GENL_ADMIN_PERM, .doit = dstor_cmd_device_add },
	{ .cmd = DSTOR_CMD_DEVICE_DEL, .flags = GENL_ADMIN_PERM, .doit = dstor_cmd_device_del },
	{ .cmd = DSTOR_CMD_DEVICE_SET, .flags = GENL_ADMIN_PERM, .doit = dstor_cmd_device_set },
	{ .cmd = DSTOR_CMD_DEVICE_GET, .flags = GENL_ADMIN_PERM, .doit = dstor_cmd_device_get,
	  .start = dstor_dump_start, .dumpit = dstor_dump_devices, .done = dstor_dump_done },
};

int __init dstor_netlink_init(void)
{
	dstor_genl_family.ops = ops;
	dstor_genl_family.n_ops = ARRAY_SIZE(ops);
	dstor_event_init(&dstor_genl_family);
	return genl_register_family(&dstor_genl_family);
}

void dstor_netlink_exit(void)
{
	genl_unregister_family(&dstor_genl_family);
}
