/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sockets of any family: made from an opaque address. All functions sleep and
 * return 0 or a negative errno.
 */
#ifndef DSTOR_TRANSPORT_H
#define DSTOR_TRANSPORT_H

#include "core/address.h"

/* The needs of a kind of socket beyond the socket calls. */
struct dstor_transport {
	int family;
	int protocol;			/* 0: any */
	bool segments;			/* TCP: received by segment, sent by reference */
	int nodelay_level, nodelay;	/* the option that sends small messages at once, or 0 */
	u32 most;			/* bytes in one call, 0: any */
	bool inside;			/* has sockets inside, which its setsockopt tells */
	bool file;			/* takes every socket for a program's, with an open file */
	int buf_bytes;			/* bytes of its buffers, 0: the kernel knows best */
};

/* Returns a row of the table, never NULL. Any context. */
const struct dstor_transport *dstor_transport_of(const struct sock *sk);

/* The client's side: may be used to free memory, and must not wait for memory then. */
void dstor_socket_for_client(struct socket *sock);
/*
 * Called before the first such socket is made: the kernel keeps memory for them
 * from then on, until dstor_sockets_exit(). Sleeps, and waits for CPUs that
 * come or go.
 */
void dstor_sockets_for_reclaim(void);
void dstor_sockets_exit(void);
void dstor_socket_for_exporter(struct socket *sock);
/* The user at the other end of a UNIX socket; 0 for others. */
u32 dstor_socket_uid(const struct socket *sock);
/* Ends it with a reset: nothing of it lingers in the kernel afterwards. */
void dstor_socket_abort(struct socket *sock);
void dstor_socket_close_listener(struct socket *sock);
/*
 * Begins to connect; what is written later waits at most @timeout_ms. -EAGAIN: the other
 * side is on this machine and takes none now.
 */
int dstor_socket_connect(struct net *net, const struct dstor_address *a, u32 timeout_ms,
			 struct socket **out);
/* Does not wait: -EAGAIN while the other side has not answered. */
int dstor_socket_connected(struct socket *sock);
int dstor_socket_listen(struct net *net, const struct dstor_address *a, struct socket **out);
/* The next connection of a listener. Does not wait: -EAGAIN when there is none. */
int dstor_socket_accept(struct socket *listener, struct socket **out);
/* All of @len bytes, waiting at most the socket's timeouts. */
int dstor_socket_write(struct socket *sock, const void *data, size_t len);
/*
 * Does not wait: -EAGAIN when not all bytes are there; call again with the same @got then.
 * -ECONNRESET when the other side closed.
 */
int dstor_socket_read(struct socket *sock, void *data, size_t len, size_t *got);

#endif
