/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One listening socket for each address, shared by exports.
 */
#ifndef DSTOR_LISTENER_H
#define DSTOR_LISTENER_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/net.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "core/address.h"
#include "core/error.h"

struct net;

struct dstor_listener {
	struct list_head entry;
	struct kref kref;
	unsigned int users;		/* exports; listeners_lock */
	struct net *net;		/* not held; all are closed before it goes */
	struct dstor_address address;
	struct socket *sock;
	struct work_struct accept;
	wait_queue_entry_t wait;
};

struct dstor_listener *dstor_listener_get(struct net *net, const struct dstor_address *a,
					  struct dstor_error *err);
void dstor_listener_put(struct dstor_listener *l);
/* Has @net one whose socket is not closed yet? Sleeps. */
bool dstor_listeners_in(const struct net *net);
/* @net may be gone: it is compared, not used. */
static inline bool dstor_listener_is_in(const struct dstor_listener *l, const struct net *net)
{
	return l->net == net;
}

void dstor_listener_hold(struct dstor_listener *l);
void dstor_listener_drop(struct dstor_listener *l);

#endif
