/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The generic netlink family "dstor": its name, its version, its groups.
 */
#ifndef DSTOR_FAMILY_H
#define DSTOR_FAMILY_H

#include <net/genetlink.h>

/* netlink.c gives it its commands and registers it. */
extern struct genl_family dstor_genl_family;

#endif
