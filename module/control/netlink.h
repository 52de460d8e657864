/* SPDX-License-Identifier: GPL-2.0 */
/*
 * netlink.c has the table of commands, netlink_export.c and netlink_device.c
 * do them, netlink_show.c answers *_GET.
 */
#ifndef DSTOR_NETLINK_H
#define DSTOR_NETLINK_H

#include <net/genetlink.h>

#include "core/error.h"

/* Commands of the family. Each sleeps, in the caller's context. 0 or a negative errno. */
/* netlink_export.c */
int dstor_cmd_export_add(struct sk_buff *skb, struct genl_info *info);
int dstor_cmd_export_del(struct sk_buff *skb, struct genl_info *info);
int dstor_cmd_export_set(struct sk_buff *skb, struct genl_info *info);
int dstor_cmd_export_get(struct sk_buff *skb, struct genl_info *info);
/* netlink_device.c */
int dstor_cmd_device_add(struct sk_buff *skb, struct genl_info *info);
int dstor_cmd_device_del(struct sk_buff *skb, struct genl_info *info);
int dstor_cmd_device_set(struct sk_buff *skb, struct genl_info *info);
int dstor_cmd_device_get(struct sk_buff *skb, struct genl_info *info);

/* netlink_show.c: one object, as an answer to @info */
int dstor_show_export(const char *name, struct genl_info *info, struct dstor_error *err);
int dstor_show_device(const char *name, struct genl_info *info, struct dstor_error *err);

/* netlink_show.c: all of them, as callbacks of the family */
int dstor_dump_start(struct netlink_callback *cb);
int dstor_dump_exports(struct sk_buff *skb, struct netlink_callback *cb);
int dstor_dump_devices(struct sk_buff *skb, struct netlink_callback *cb);
int dstor_dump_done(struct netlink_callback *cb);

/* netlink.c */
int dstor_netlink_init(void);
void dstor_netlink_exit(void);

#endif
