// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a connection and the callbacks of its socket.
 *
 * Locks: tx.lock (mutex) protects the sending half, c->sock, and every receive
 * pass in process context; the socket's own lock protects the receiving half
 * where it receives in softirq. sk_callback_lock keeps callbacks and close
 * apart. Order: tx.lock, then the socket's lock, then sk_callback_lock.
 */
#include <linux/tcp.h>
#include <net/tcp.h>

#include "conn/connection.h"

void dstor_conn_init(struct dstor_conn *c, const struct dstor_conn_ops *ops,
		     struct workqueue_struct *wq, struct work_struct *work,
		     struct lock_class_key *key)
{
	memset(c, 0, sizeof(*c));
	c->ops = ops;
	c->wq = wq;
	c->work = work;
	c->cpu = WORK_CPU_UNBOUND;
	init_llist_head(&c->submitted);
	mutex_init(&c->tx.lock);
	lockdep_set_class(&c->tx.lock, key);
	INIT_LIST_HEAD(&c->tx.queue);
	INIT_LIST_HEAD(&c->tx.batch);
	set_bit(DSTOR_CONN_LOST, &c->flags);
}

void dstor_conn_give_thread(struct dstor_conn *c, struct kthread_worker *thread,
			    struct kthread_work *work, struct workqueue_struct *lone_wq)
{
	WRITE_ONCE(c->wq, lone_wq);
	c->thread_work = work;
	smp_store_release(&c->thread, thread); /* pairs with dstor_conn_kick() */
}

void dstor_conn_lose(struct dstor_conn *c)
{
	set_bit(DSTOR_CONN_LOST, &c->flags);
	dstor_conn_kick(c);
}

bool dstor_conn_alive(const struct dstor_conn *c)
{
	const struct sock *sk = c->sock->sk;

	return !READ_ONCE(sk->sk_err) && !(READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN);
}

void dstor_conn_end_sending(struct dstor_conn *c)
{
	dstor_tx_assert_locked(c);
	kernel_sock_shutdown(c->sock, SHUT_WR);
}

static bool receives_inline(const struct dstor_conn *c)
{
	return READ_ONCE(c->inline_rx) && !c->cipher && c->transport->segments;
}

/*
 * This runs in softirq with the socket's spinlock held, or in the
 * context that owns the socket when that one works off its backlog; then we
 * may be in the middle of our own sendmsg, which looks after it.
 */
static void data_ready(struct sock *sk)
{
	struct dstor_conn *c;

	read_lock_bh(&sk->sk_callback_lock);
	c = sk->sk_user_data;
	if (!c) {
		/* closed meanwhile */
	} else if (!receives_inline(c)) {
		dstor_conn_kick(c);
	} else if (!sock_owned_by_user_nocheck(sk)) {
		dstor_rx_softirq(c);
	} else {
		set_bit(DSTOR_CONN_RX_LATER, &c->flags);
		smp_mb__after_atomic(); /* pairs with tx_unmark() in send.c */
		if (!test_bit(DSTOR_CONN_SENDING, &c->flags) &&
		    test_and_clear_bit(DSTOR_CONN_RX_LATER, &c->flags))
			dstor_conn_kick(c);
	}
	read_unlock_bh(&sk->sk_callback_lock);
}

static void write_space(struct sock *sk)
{
	struct dstor_conn *c;

	read_lock_bh(&sk->sk_callback_lock);
	c = sk->sk_user_data;
	if (c && test_bit(DSTOR_CONN_TX_FULL, &c->flags) && sk_stream_is_writeable(sk)) {
		clear_bit(SOCK_NOSPACE, &c->sock->flags);
		dstor_conn_kick(c);
	}
	read_unlock_bh(&sk->sk_callback_lock);
}

static void kick_owner(struct sock *sk)
{
	struct dstor_conn *c;

	read_lock_bh(&sk->sk_callback_lock);
	c = sk->sk_user_data;
	if (c)
		dstor_conn_kick(c);
	read_unlock_bh(&sk->sk_callback_lock);
}

/* Every kind of socket wakes its pollers. Any context, under the lock of the wait queue. */
static int conn_woken(wait_queue_entry_t *entry, unsigned int mode, int flags, void *key)
{
	struct dstor_conn *c = container_of(entry, struct dstor_conn, wait);
	__poll_t why = key_to_poll(key);

	/* Room in the socket matters only to an owner that waits for it. */
	if (!why || why & ~(EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND) ||
	    test_bit(DSTOR_CONN_TX_FULL, &c->flags))
		dstor_conn_kick(c);
	return 0;
}

/*
 * SMC gives its file the TCP socket that it has fallen back to, whose news an accepted
 * socket of SMC hears nothing of.
 */
static wait_queue_head_t *conn_wait_head(const struct socket *sock)
{
	const struct socket *real = sock->file ? sock_from_file(sock->file) : NULL;

	return sk_sleep(real ? real->sk : sock->sk);
}

/* From now on data, room, errors and the end are told to the owner. */
static void conn_watch(struct dstor_conn *c, struct sock *sk)
{
	if (!c->transport->segments) {
		init_waitqueue_func_entry(&c->wait, conn_woken);
		c->waits = conn_wait_head(c->sock);
		add_wait_queue(c->waits, &c->wait);
		return;
	}
	write_lock_bh(&sk->sk_callback_lock);
	c->saved_data_ready = sk->sk_data_ready;
	c->saved_write_space = sk->sk_write_space;
	c->saved_state_change = sk->sk_state_change;
	c->saved_error_report = sk->sk_error_report;
	sk->sk_user_data = c;
	sk->sk_data_ready = data_ready;
	sk->sk_write_space = write_space;
	sk->sk_state_change = kick_owner;
	sk->sk_error_report = kick_owner;
	write_unlock_bh(&sk->sk_callback_lock);
}

/* When it returns, the socket calls nothing of the connection any more. */
static void conn_unwatch(struct dstor_conn *c, struct sock *sk)
{
	if (!c->transport->segments) {
		remove_wait_queue(c->waits, &c->wait);
		return;
	}
	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_user_data = NULL;
	sk->sk_data_ready = c->saved_data_ready;
	sk->sk_write_space = c->saved_write_space;
	sk->sk_state_change = c->saved_state_change;
	sk->sk_error_report = c->saved_error_report;
	write_unlock_bh(&sk->sk_callback_lock);
}

void dstor_conn_start(struct dstor_conn *c, struct socket *sock, u32 want)
{
	struct sock *sk = sock->sk;

	mutex_lock(&c->tx.lock);
	c->transport = dstor_transport_of(sk);
	memset(&c->rx, 0, sizeof(c->rx));
	c->frames = !want;
	c->rx.want = want ? want : DSTOR_FRAME_LEN + dstor_conn_overhead(c);
	c->rx.heard = jiffies;
	c->tx.now = NULL;
	c->tx.first = 0;
	c->tx.count = 0;
	c->tx.bytes = 0;
	c->tx.copied = 0;
	c->tx.gathered = 0;
	c->tx.taken = 0;
	c->tx.data_end = 0;
	c->tx.sent = jiffies;
	c->tx.acked = 0;
	c->tx.moved = jiffies;
	c->tx.moves = 0;
	/* LOST is the owner's to clear: it may have been lost again before it is open. */
	c->flags &= BIT(DSTOR_CONN_LOST);
	c->sock = sock;
	mutex_unlock(&c->tx.lock);

	conn_watch(c, sk);
	/* Receive data that came before the callbacks were set. */
	dstor_conn_kick(c);
}

void dstor_conn_begin_frames(struct dstor_conn *c)
{
	c->frames = true;
	c->rx.want = DSTOR_FRAME_LEN + dstor_conn_overhead(c);
}

struct sock *dstor_conn_close(struct dstor_conn *c, bool keep)
{
	struct socket *sock = c->sock;
	struct dstor_message *m, *n;
	LIST_HEAD(unsent);
	struct sock *sk;

	set_bit(DSTOR_CONN_LOST, &c->flags);
	if (!sock)
		return NULL;
	sk = sock->sk;
	conn_unwatch(c, sk);

	mutex_lock(&c->tx.lock);
	dstor_cipher_drain(c);
	c->sock = NULL;
	dstor_tx_collect(c);
	dstor_tx_take_unsent(c, &unsent);
	list_for_each_entry_safe(m, n, &unsent, entry)
		list_del_init(&m->entry);
	c->tx.first = 0;
	c->tx.count = 0;
	c->tx.bytes = 0;
	dstor_protection_remove(&c->former, c);
	kvfree(c->rx.bounce);
	c->rx.bounce = NULL;
	mutex_unlock(&c->tx.lock);

	keep &= c->transport->segments;
	if (keep)
		sock_hold(sk);
	/* The socket must not send queued data any more (P4). */
	dstor_socket_abort(sock);
	return keep ? sk : NULL;
}
