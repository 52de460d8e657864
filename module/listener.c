// SPDX-License-Identifier: GPL-2.0
/*
 * Listeners: one for each address, shared by all exports that name it.
 * listeners_lock protects the list and the counts of users. Connections are
 * accepted in a work; listener.kref keeps the struct for its peers.
 */
#include <linux/module.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#include "export.h"
#include "transport.h"

#define ACCEPT_BATCH 64

struct dstor_listener {
	struct list_head entry;
	struct kref kref;
	unsigned int users;		/* exports; listeners_lock */
	struct net *net;
	struct dstor_address address;
	struct socket *sock;
	struct work_struct accept;
	void (*saved_data_ready)(struct sock *sk);
};

static LIST_HEAD(listeners);
static DEFINE_MUTEX(listeners_lock);

static void free_listener(struct kref *kref)
{
	struct dstor_listener *l = container_of(kref, struct dstor_listener, kref);

	put_net(l->net);
	kfree(l);
}

void dstor_listener_hold(struct dstor_listener *l)
{
	kref_get(&l->kref);
}

struct net *dstor_listener_net(struct dstor_listener *l)
{
	return l->net;
}

static void data_ready(struct sock *sk)
{
	struct dstor_listener *l;

	read_lock_bh(&sk->sk_callback_lock);
	l = sk->sk_user_data;
	/* Sockets made from it inherit the callback until they are ours. */
	if (l && sk == l->sock->sk)
		queue_work(dstor_disk_wq, &l->accept);
	read_unlock_bh(&sk->sk_callback_lock);
}

static void accept_work(struct work_struct *work)
{
	struct dstor_listener *l = container_of(work, struct dstor_listener, accept);
	unsigned int n;

	for (n = 0; n < ACCEPT_BATCH; n++) {
		struct socket *sock;

		if (kernel_accept(l->sock, &sock, O_NONBLOCK))
			return;
		/* What the listening socket's callbacks left behind. */
		write_lock_bh(&sock->sk->sk_callback_lock);
		sock->sk->sk_user_data = NULL;
		sock->sk->sk_data_ready = l->saved_data_ready;
		write_unlock_bh(&sock->sk->sk_callback_lock);
		dstor_peer_new(l, sock);
	}
	queue_work(dstor_disk_wq, &l->accept);
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
	struct sock *sk;
	int ret;

	if (!l) {
		dstor_fail(err, -ENOMEM, "out of memory");
		return ERR_PTR(-ENOMEM);
	}
	kref_init(&l->kref);
	l->net = get_net(net);
	l->address = *a;
	l->users = 1;
	INIT_WORK(&l->accept, accept_work);
	ret = dstor_socket_listen(net, a, &l->sock);
	if (ret) {
		dstor_fail(err, ret, "cannot listen at %s: %s", a->text,
			   ret == -EADDRINUSE ? "the port is taken" :
			   ret == -EADDRNOTAVAIL ? "this machine has no such address" :
			   ret == -EAFNOSUPPORT ? "this kernel has no such transport" :
			   "error of the socket");
		kref_put(&l->kref, free_listener);
		return ERR_PTR(ret);
	}
	sk = l->sock->sk;
	write_lock_bh(&sk->sk_callback_lock);
	l->saved_data_ready = sk->sk_data_ready;
	sk->sk_user_data = l;
	sk->sk_data_ready = data_ready;
	write_unlock_bh(&sk->sk_callback_lock);
	queue_work(dstor_disk_wq, &l->accept);
	return l;
}

struct dstor_listener *dstor_listener_get(struct net *net, const struct dstor_address *a,
					  struct dstor_error *err)
{
	struct dstor_listener *l;

	mutex_lock(&listeners_lock);
	list_for_each_entry(l, &listeners, entry) {
		if (net_eq(l->net, net) && same_address(&l->address, a)) {
			l->users++;
			goto out;
		}
	}
	l = new_listener(net, a, err);
	if (!IS_ERR(l))
		list_add_tail(&l->entry, &listeners);
out:
	mutex_unlock(&listeners_lock);
	return l;
}

/* A user goes; with the last one the socket. */
void dstor_listener_put(struct dstor_listener *l)
{
	struct sock *sk = l->sock->sk;
	bool last;

	mutex_lock(&listeners_lock);
	last = !--l->users;
	if (last) {
		list_del(&l->entry);
		write_lock_bh(&sk->sk_callback_lock);
		sk->sk_user_data = NULL;
		sk->sk_data_ready = l->saved_data_ready;
		write_unlock_bh(&sk->sk_callback_lock);
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
