// SPDX-License-Identifier: GPL-2.0
/*
 * Listeners: one for each address, shared by all exports that name it.
 * listeners_lock protects the list and the counts of users. Connections are
 * accepted in a work; listener.kref keeps the struct for its peers.
 */
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#include "conn/transport.h"
#include "core/work.h"
#include "exporter/listener.h"
#include "exporter/peer.h"

#define ACCEPT_BATCH 64

static LIST_HEAD(listeners);
static DEFINE_MUTEX(listeners_lock);

static void free_listener(struct kref *kref)
{
	struct dstor_listener *l = container_of(kref, struct dstor_listener, kref);

	kfree(l);
}

void dstor_listener_hold(struct dstor_listener *l)
{
	kref_get(&l->kref);
}

/* Every kind of socket wakes its pollers. Any context, under the lock of the wait queue. */
static int listener_woken(wait_queue_entry_t *entry, unsigned int mode, int flags, void *key)
{
	struct dstor_listener *l = container_of(entry, struct dstor_listener, wait);

	queue_work(dstor_accept_wq, &l->accept);
	return 0;
}

static void accept_work(struct work_struct *work)
{
	struct dstor_listener *l = container_of(work, struct dstor_listener, accept);
	unsigned int n;

	for (n = 0; n < ACCEPT_BATCH; n++) {
		unsigned int noio = memalloc_noio_save();
		struct socket *sock;
		int ret = dstor_socket_accept(l->sock, &sock);

		memalloc_noio_restore(noio);
		if (ret)
			return;
		dstor_peer_new(l, sock);
	}
	queue_work(dstor_accept_wq, &l->accept);
}

static bool same_address(const struct dstor_address *a, const struct dstor_address *b)
{
	return a->family == b->family && a->type == b->type && a->protocol == b->protocol &&
	       a->len == b->len && !memcmp(&a->addr, &b->addr, a->len);
}

static struct dstor_listener *new_listener(struct net *net, const struct dstor_address *a,
					   struct dstor_error *err)
{
	struct dstor_listener *l = kzalloc(sizeof(*l), GFP_KERNEL);
	int ret;

	if (!l) {
		dstor_fail(err, -ENOMEM, "out of memory");
		return ERR_PTR(-ENOMEM);
	}
	kref_init(&l->kref);
	l->net = net;
	l->address = *a;
	l->users = 1;
	INIT_WORK(&l->accept, accept_work);
	ret = dstor_socket_listen(net, a, &l->sock);
	if (ret) {
		dstor_fail(err, ret, "cannot listen at %s: %s", a->text,
			   ret == -EADDRINUSE ? "the port is taken" :
			   ret == -EADDRNOTAVAIL ? "this machine has no such address" :
			   ret == -EAFNOSUPPORT ||
			   ret == -EPROTONOSUPPORT ? "this kernel has no such transport" :
			   ret == -ENOENT ? "there is no such folder" :
			   "error of the socket");
		kref_put(&l->kref, free_listener);
		return ERR_PTR(ret);
	}
	init_waitqueue_func_entry(&l->wait, listener_woken);
	add_wait_queue(sk_sleep(l->sock->sk), &l->wait);
	queue_work(dstor_accept_wq, &l->accept);
	return l;
}

/* One more user of what listens there already, or NULL. */
static struct dstor_listener *listener_share(struct net *net, const struct dstor_address *a)
{
	struct dstor_listener *l, *found = NULL;

	mutex_lock(&listeners_lock);
	list_for_each_entry(l, &listeners, entry)
		if (net_eq(l->net, net) && same_address(&l->address, a))
			found = l;
	if (found)
		found->users++;
	mutex_unlock(&listeners_lock);
	return found;
}

struct dstor_listener *dstor_listener_get(struct net *net, const struct dstor_address *a,
					  struct dstor_error *err)
{
	struct dstor_listener *l = listener_share(net, a), *other;

	if (l)
		return l;
	/* A socket must not be made under the lock: see netns_leave() in main.c. */
	l = new_listener(net, a, err);
	if (IS_ERR(l)) {
		/* Another export may have made the same listener meanwhile. */
		other = listener_share(net, a);
		return other ?: l;
	}
	mutex_lock(&listeners_lock);
	list_add_tail(&l->entry, &listeners);
	mutex_unlock(&listeners_lock);
	return l;
}

bool dstor_listeners_in(const struct net *net)
{
	struct dstor_listener *l;
	bool found = false;

	/* Held until the socket of one that left the list is closed. */
	mutex_lock(&listeners_lock);
	list_for_each_entry(l, &listeners, entry)
		found |= l->net == net;
	mutex_unlock(&listeners_lock);
	return found;
}

/* A user goes; with the last one the socket. */
void dstor_listener_put(struct dstor_listener *l)
{
	bool last;

	mutex_lock(&listeners_lock);
	last = !--l->users;
	if (last) {
		list_del(&l->entry);
		remove_wait_queue(sk_sleep(l->sock->sk), &l->wait);
		cancel_work_sync(&l->accept);
		dstor_socket_close_listener(l->sock);
	}
	mutex_unlock(&listeners_lock);
	if (last) {
		dstor_peers_end_of(l);
		kref_put(&l->kref, free_listener);
	}
}

void dstor_listener_drop(struct dstor_listener *l)
{
	kref_put(&l->kref, free_listener);
}
