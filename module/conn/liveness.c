// SPDX-License-Identifier: GPL-2.0
/*
 * Does the other side live, and does it know that we do? Any byte that it sends is a
 * sign of life. For a client it is one, too, that the exporter's transport takes its
 * bytes, but only while a frame with data is partly sent: a large frame fills a slow
 * line for longer than the silence that counts as death. A PING is taken by the
 * transport of a stuck peer, too, and by that of a proxy, for ever.
 *
 * One caller at a time, who keeps the connection open: the watchdog of the client
 * under q->lock; a run of the exporter's peer under tx.lock. The exporter asks what
 * its client took and when to send a PING. Silence it judges by what it hears alone.
 */
#include <linux/tcp.h>

#include "conn/liveness.h"
#include "wire/retry.h"

#define HEARD_LATELY_MS 1000	/* less than TCP takes for three retransmissions */

/*
 * Bytes that the socket has, and the other side's transport has not. TCP counts them;
 * others count the memory that they occupy, which is more, and 0 at the same time.
 */
static u32 unacked_bytes(const struct dstor_conn *c)
{
	const struct sock *sk = c->sock->sk;

	if (c->transport->segments) {
		/* In this order it is never too few. */
		u32 first = READ_ONCE(tcp_sk(sk)->snd_una);

		return READ_ONCE(tcp_sk(sk)->write_seq) - first;
	}
	return max_t(u32, READ_ONCE(sk->sk_wmem_queued), sk_wmem_alloc_get(sk));
}

void dstor_conn_look(struct dstor_conn *c)
{
	u64 taken = READ_ONCE(c->tx.taken), was = c->tx.acked, acked;
	u32 unacked;

	smp_rmb(); /* what the socket took meanwhile makes it fewer, not more */
	unacked = unacked_bytes(c);
	acked = taken > unacked ? taken - unacked : 0;
	if (acked <= was)
		return;
	c->tx.acked = acked;
	if (was < READ_ONCE(c->tx.data_end)) {
		c->tx.moved = jiffies;
		c->tx.moves++;
	}
}

static u32 since_ms(unsigned long then)
{
	unsigned long now = jiffies;

	return time_after(now, then) ? jiffies_to_msecs(now - then) : 0;
}

unsigned int dstor_conn_retransmits(const struct dstor_conn *c)
{
	if (!c->transport->segments || c->tx.acked >= READ_ONCE(c->tx.data_end) ||
	    since_ms(dstor_conn_heard(c)) >= HEARD_LATELY_MS)
		return 0;
	return READ_ONCE(inet_csk(c->sock->sk)->icsk_retransmits);
}

bool dstor_conn_is_silent(struct dstor_conn *c, u32 ping_ms, u32 timeout_ms)
{
	u32 silent = since_ms(dstor_conn_heard(c));

	/* Usually it was heard just now. */
	if (silent <= ping_ms / 4)
		return false;
	dstor_conn_look(c);
	return min(silent, since_ms(c->tx.moved)) > dstor_silence_ms(ping_ms, timeout_ms);
}

bool dstor_conn_wants_ping(const struct dstor_conn *c, u32 ping_ms)
{
	/* A PING would wait behind what does not leave. */
	if (dstor_conn_is_full(c))
		return false;
	return since_ms(dstor_conn_heard(c)) >= ping_ms ||
	       since_ms(READ_ONCE(c->tx.sent)) >= ping_ms;
}
