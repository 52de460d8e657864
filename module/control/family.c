// SPDX-License-Identifier: GPL-2.0
/*
 * The generic netlink family "dstor".
 *
 * There is no MODULE_ALIAS_GENL_FAMILY on purpose: with it anybody could load
 * the module by asking for the family. The utility runs modprobe.
 */
#include <linux/dstor.h>
#include <linux/module.h>

#include "control/family.h"

static const struct genl_multicast_group groups[] = {
	{
		.name = DSTOR_GENL_EVENTS,
#ifdef GENL_MCAST_CAP_SYS_ADMIN
		.flags = GENL_MCAST_CAP_SYS_ADMIN,
#endif
	},
};

struct genl_family dstor_genl_family __ro_after_init = {
	.name = DSTOR_GENL_NAME,
	.version = DSTOR_GENL_VERSION,
	.netnsok = true,
	.parallel_ops = true,
	.module = THIS_MODULE,
	.resv_start_op = __DSTOR_CMD_MAX,
	.mcgrps = groups,
	.n_mcgrps = ARRAY_SIZE(groups),
};
