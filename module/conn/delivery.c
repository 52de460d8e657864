// SPDX-License-Identifier: GPL-2.0
/*
 * How much of our stream has reached the other side? What the socket has taken is not
 * there yet: its buffer holds more than a slow line moves in many seconds.
 *
 * One caller at a time, who keeps the connection open.
 */
#include <linux/tcp.h>

#include "conn/connection.h"
#include "conn/delivery.h"

/*
 * Bytes that the socket has, and the other side's transport has not. TCP counts them;
 * others count the memory that they occupy, which is more.
 */
static u32 delivery_pending(const struct dstor_conn *c)
{
	const struct sock *sk = c->sock->sk;

	if (c->transport->segments) {
		/* In this order it is never too few. */
		u32 first = READ_ONCE(tcp_sk(sk)->snd_una);

		return READ_ONCE(tcp_sk(sk)->write_seq) - first;
	}
	return max_t(u32, READ_ONCE(sk->sk_wmem_queued), sk_wmem_alloc_get(sk));
}

u64 dstor_conn_delivered(const struct dstor_conn *c)
{
	u64 taken = dstor_conn_sent(c);
	u32 pending;

	smp_rmb(); /* what the socket takes meanwhile makes it fewer, not more */
	pending = delivery_pending(c);
	return taken > pending ? taken - pending : 0;
}
