// SPDX-License-Identifier: GPL-2.0
/*
 * Making sockets. Families, types and protocols are numbers that the utility
 * chose; only special needs of a family are named here. No locks. Called by
 * link.c (client) and listener.c (exporter).
 *
 * SCTP allocates under the lock of a socket, which requests of live devices take, too.
 * So memory must not wait for I/O: that is the caller's to see to in connect and accept.
 */
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/sched/mm.h>
#include <linux/tcp.h>
#include <net/sock.h>
#include <net/tcp.h>
#include <uapi/linux/sctp.h>

#include "compat/compat.h"
#include "conn/transport.h"

/* From net/smc/smc.h, which is not among the kernel's headers for modules. */
#define SMCPROTO_SMC 0
#define SMCPROTO_SMC6 1

/*
 * SCTP keeps the borders of messages, and one that is larger than the receiver's buffer
 * comes in parts that wait for each other. What does not find room there is dropped, and
 * sent again seconds later; its buffers do not grow by themselves.
 */
static const struct dstor_transport transports[] = {
	{ AF_INET, IPPROTO_TCP, true, SOL_TCP, TCP_NODELAY },
	{ AF_INET6, IPPROTO_TCP, true, SOL_TCP, TCP_NODELAY },
	{ AF_INET, IPPROTO_MPTCP, false, SOL_TCP, TCP_NODELAY, .inside = true },
	{ AF_INET6, IPPROTO_MPTCP, false, SOL_TCP, TCP_NODELAY, .inside = true },
	{ AF_INET, IPPROTO_SCTP, false, SOL_SCTP, SCTP_NODELAY, 16 << 10, .buf_bytes = 8 << 20 },
	{ AF_INET6, IPPROTO_SCTP, false, SOL_SCTP, SCTP_NODELAY, 16 << 10, .buf_bytes = 8 << 20 },
	{ AF_SMC, SMCPROTO_SMC, false, SOL_TCP, TCP_NODELAY, .file = true },
	{ AF_SMC, SMCPROTO_SMC6, false, SOL_TCP, TCP_NODELAY, .file = true },
};

const struct dstor_transport *dstor_transport_of(const struct sock *sk)
{
	static const struct dstor_transport any;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(transports); i++)
		if (transports[i].family == sk->sk_family &&
		    transports[i].protocol == sk->sk_protocol)
			return &transports[i];
	return &any;
}

#ifdef CONFIG_DEBUG_LOCK_ALLOC
/*
 * User sockets are locked under mmap_lock and file system locks; ours are locked
 * by the very I/O that those wait for. They must not share a lockdep class.
 */
static struct lock_class_key slock_key[2], sk_key[2];

/*
 * MPTCP locks the sockets inside under the outer one, whose class is the same if
 * the kernel made it.
 */
static void socket_reclassify_outer(struct sock *sk)
{
	static struct lock_class_key slock_outer, sk_outer;

	if (!sock_allow_reclassification(sk))
		return;
	lockdep_set_class_and_name(&sk->sk_lock.slock, &slock_outer, "slock-MPTCP-DST");
	lockdep_init_map(&sk->sk_lock.dep_map, "sk_lock-MPTCP-DST", &sk_outer, 0);
	/* It only chooses the class of what a listener makes, under the lock of one inside. */
	sk->sk_kern_sock = 0;
}

static void socket_reclassify(struct sock *sk)
{
	if (!sock_allow_reclassification(sk))
		return;
	if (dstor_transport_of(sk)->inside)
		socket_reclassify_outer(sk);
	else if (sk->sk_family == AF_VSOCK)
		/*
		 * vsock itself waits for memory under the lock of a connection, in a work of
		 * its own: to answer, and to make the socket of a client. No caller can change
		 * that (docs/promises.md), and lockdep would check nothing after it said so.
		 */
		lockdep_init_map(&sk->sk_lock.dep_map, "sk_lock-AF_VSOCK-DST",
				 &__lockdep_no_validate__, 0);
	else if (!dstor_transport_of(sk)->segments)
		return;	/* it has a class of its own for sockets of the kernel */
	else if (sk->sk_family == AF_INET)
		sock_lock_init_class_and_name(sk, "slock-AF_INET-DST", &slock_key[0],
					      "sk_lock-AF_INET-DST", &sk_key[0]);
	else if (sk->sk_family == AF_INET6)
		sock_lock_init_class_and_name(sk, "slock-AF_INET6-DST", &slock_key[1],
					      "sk_lock-AF_INET6-DST", &sk_key[1]);
}
#else
static void socket_reclassify_outer(struct sock *sk)
{
}

static void socket_reclassify(struct sock *sk)
{
}
#endif

/*
 * SMC redirects the file of a socket when the other side does not speak SMC: its
 * accept and its callbacks go wrong without one. On error the socket is gone.
 */
static int give_file(struct socket *sock)
{
	return PTR_ERR_OR_ZERO(sock_alloc_file(sock, O_NONBLOCK, NULL));
}

/* The socket ends here and now, though a file is put later in a kernel thread. */
static void socket_end(struct socket *sock)
{
	struct file *file = sock->file;

	sock_release(sock);
	if (file) {
		/* The file frees the inode if the socket still names it. */
		sock->file = file;
		fput(file);
	}
}

static void socket_tune(struct socket *sock)
{
	const struct dstor_transport *t = dstor_transport_of(sock->sk);
	int on = 1;

	dstor_compat_own_page_frag(sock->sk);
	/* An error is harmless: answers come late then, not wrong. */
	if (t->nodelay)
		sock->ops->setsockopt(sock, t->nodelay_level, t->nodelay, KERNEL_SOCKPTR(&on),
				      sizeof(on));
}

static bool sockets_serve_reclaim;
static DEFINE_MUTEX(sockets_lock);

void dstor_sockets_for_reclaim(void)
{
	mutex_lock(&sockets_lock);
	if (!sockets_serve_reclaim)
		static_branch_inc(&memalloc_socks_key);
	sockets_serve_reclaim = true;
	mutex_unlock(&sockets_lock);
}

void dstor_sockets_exit(void)
{
	if (sockets_serve_reclaim)
		static_branch_dec(&memalloc_socks_key);
}

void dstor_socket_for_client(struct socket *sock)
{
	sock->sk->sk_allocation = GFP_NOIO;
	/*
	 * The same as sk_set_memalloc(), but without counting its static key.
	 * To count it is to wait for a CPU that goes offline, which may wait
	 * for requests of this device: see dstor_sockets_for_reclaim().
	 */
	sock_set_flag(sock->sk, SOCK_MEMALLOC);
	sock->sk->sk_allocation |= __GFP_MEMALLOC;
	socket_tune(sock);
}

u32 dstor_socket_uid(const struct socket *sock)
{
	struct sock *sk = sock->sk;
	u32 uid = 0;

	if (sk->sk_family != AF_UNIX)
		return 0;
	spin_lock(&sk->sk_peer_lock);
	if (sk->sk_peer_cred)
		uid = from_kuid(&init_user_ns, sk->sk_peer_cred->euid);
	spin_unlock(&sk->sk_peer_lock);
	return uid;
}

void dstor_socket_for_exporter(struct socket *sock)
{
	/* The exporter may be on the client's own machine, behind its reclaim. */
	sock->sk->sk_allocation = GFP_NOIO;
	/* It was made by the kernel, not by us. */
	if (dstor_transport_of(sock->sk)->inside)
		socket_reclassify_outer(sock->sk);
	socket_tune(sock);
}

void dstor_socket_abort(struct socket *sock)
{
	sock_no_linger(sock->sk);
	socket_end(sock);
}

void dstor_socket_close_listener(struct socket *sock)
{
	socket_end(sock);
	/* Where lockdep names its class, the sock holds the module until RCU has freed it. */
	if (IS_ENABLED(CONFIG_DEBUG_LOCK_ALLOC))
		rcu_barrier();
}

/* Accepted sockets inherit it. */
static void socket_set_buffer_sizes(struct sock *sk)
{
	int buf_bytes = dstor_transport_of(sk)->buf_bytes;

	if (!buf_bytes)
		return;
	sk->sk_userlocks |= SOCK_SNDBUF_LOCK | SOCK_RCVBUF_LOCK;
	WRITE_ONCE(sk->sk_sndbuf, buf_bytes);
	WRITE_ONCE(sk->sk_rcvbuf, buf_bytes);
}

static int socket_make(struct net *net, const struct dstor_address *a, struct socket **out)
{
	int ret = sock_create_kern(net, a->family, a->type, a->protocol, out);

	if (ret)
		return ret;
	socket_reclassify((*out)->sk);
	socket_set_buffer_sizes((*out)->sk);
	return dstor_transport_of((*out)->sk)->file ? give_file(*out) : 0;
}

int dstor_socket_connect(struct net *net, const struct dstor_address *a, u32 timeout_ms,
			 struct socket **out)
{
	struct sockaddr_storage addr = a->addr;
	struct socket *sock;
	int ret = socket_make(net, a, &sock);

	if (ret)
		return ret;
	dstor_socket_for_client(sock);
	sock->sk->sk_sndtimeo = msecs_to_jiffies(timeout_ms);
	ret = dstor_compat_connect(sock, &addr, a->len);
	if (ret && ret != -EINPROGRESS) {
		dstor_socket_abort(sock);
		return ret;
	}
	*out = sock;
	return 0;
}

int dstor_socket_connected(struct socket *sock)
{
	__poll_t ready = sock->ops->poll(sock->file, sock, NULL);
	int ret = sock_error(sock->sk);

	if (ret)
		return ret;
	if (ready & (EPOLLERR | EPOLLHUP))
		return -ECONNRESET;
	return ready & EPOLLOUT ? 0 : -EAGAIN;
}

/* An exporter comes back while connections of its former life still end. */
static void reuse_address(struct socket *sock)
{
	int on = 1;

	if (dstor_transport_of(sock->sk)->inside)
		sock->ops->setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, KERNEL_SOCKPTR(&on),
				      sizeof(on));
	else
		sock_set_reuseaddr(sock->sk);
}

int dstor_socket_listen(struct net *net, const struct dstor_address *a, struct socket **out)
{
	struct sockaddr_storage addr = a->addr;
	unsigned int noio;
	struct socket *sock;
	int ret = socket_make(net, a, &sock);

	if (ret)
		return ret;
	noio = memalloc_noio_save();
	reuse_address(sock);
	ret = dstor_compat_bind(sock, &addr, a->len);
	if (!ret)
		ret = kernel_listen(sock, 128);
	memalloc_noio_restore(noio);
	if (ret) {
		socket_end(sock);
		return ret;
	}
	*out = sock;
	return 0;
}

int dstor_socket_accept(struct socket *listener, struct socket **out)
{
	const struct sock *sk = listener->sk;
	struct socket *sock;
	int ret;

	if (!dstor_transport_of(sk)->file)
		return kernel_accept(listener, out, O_NONBLOCK);
	ret = sock_create_lite(sk->sk_family, sk->sk_type, sk->sk_protocol, &sock);
	if (ret)
		return ret;
	sock->ops = listener->ops;
	__module_get(sock->ops->owner);
	ret = give_file(sock);
	if (ret)
		return ret;
	ret = dstor_compat_accept(listener, sock);
	if (ret)
		socket_end(sock);
	else
		*out = sock;
	return ret;
}

int dstor_socket_write(struct socket *sock, const void *data, size_t len)
{
	while (len) {
		struct msghdr msg = { .msg_flags = MSG_NOSIGNAL };
		struct kvec kv = { .iov_base = (void *)data, .iov_len = len };
		int ret = kernel_sendmsg(sock, &msg, &kv, 1, len);

		if (ret <= 0)
			return ret ? ret : -EPIPE;
		data += ret;
		len -= ret;
	}
	return 0;
}

int dstor_socket_read(struct socket *sock, void *data, size_t len, size_t *got)
{
	while (*got < len) {
		struct msghdr msg = { };
		struct kvec kv = { .iov_base = data + *got, .iov_len = len - *got };
		int ret = kernel_recvmsg(sock, &msg, &kv, 1, kv.iov_len, MSG_DONTWAIT);

		if (ret <= 0)
			return ret ? ret : -ECONNRESET;
		*got += ret;
	}
	return 0;
}
