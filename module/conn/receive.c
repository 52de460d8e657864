// SPDX-License-Identifier: GPL-2.0
/*
 * The receiving half of a connection: finds messages in the stream, puts their
 * data where the owner says, checks digests. One state machine, two sources:
 * the segments of a TCP socket (read_sock, many frames in a pass, in softirq
 * where the owner wants it) and recvmsg of any other.
 *
 * Runs under the socket's lock (TCP) or tx.lock (others): one at a time.
 */
#include <crypto/algapi.h>
#include <linux/bio.h>
#include <linux/skbuff.h>
#include <net/tcp.h>

#include "compat/compat.h"
#include "conn/connection.h"

#define RX_SOFTIRQ_FRAMES 128	/* then the work goes on */
#define RX_BOUNCE 16384		/* bytes, where the socket cannot be read in place */

static void rx_lose(struct dstor_conn *c)
{
	dstor_conn_lose(c);
}

/* Points rx.iter at the rest of the current bio; false when the sink is full. */
static bool rx_aim(struct dstor_conn *c)
{
	struct dstor_bio_span *at = &c->rx.at;
	struct bvec_iter it;
	unsigned int segments = 0;

	if (!dstor_bio_span_seek(at))
		return false;
	/* Count the segments: an iterator would look at one behind what it has used up. */
	for (it = at->iter; it.bi_size; segments++) {
		struct bio_vec bv = mp_bvec_iter_bvec(at->bio->bi_io_vec, it);

		bvec_iter_advance_single(at->bio->bi_io_vec, &it, bv.bv_len);
	}
	iov_iter_bvec(&c->rx.iter, ITER_DEST, __bvec_iter_bvec(at->bio->bi_io_vec, at->iter),
		      segments, at->iter.bi_size);
	c->rx.iter.iov_offset = dstor_compat_segment_done(&at->iter);
	/* The next rx_aim() begins with the next bio. */
	at->iter.bi_size = 0;
	return true;
}

static bool rx_take_verdict(struct dstor_conn *c, enum dstor_rx_verdict v)
{
	switch (v) {
	case DSTOR_RX_NEXT:
		return true;
	case DSTOR_RX_PAUSE:
		return false;
	default:
		rx_lose(c);
		return false;
	}
}

static void next_head(struct dstor_conn *c)
{
	c->rx.step = DSTOR_RX_HEAD;
	c->rx.got = 0;
	c->rx.decrypted = false;
	if (c->frames)
		c->rx.want = DSTOR_FRAME_LEN + dstor_conn_overhead(c);
}

static bool rx_corrupt(struct dstor_conn *c)
{
	c->ops->corrupt(c);
	rx_lose(c);
	return false;
}

/* Is the digest of the current data computed before its owner gets it? */
static bool digests_first(const struct dstor_conn *c)
{
	return c->ops->memory_is_shared && c->digest.len && c->rx.sink.bio;
}

/* rx.buf is full. False: stop receiving. */
static bool head_done(struct dstor_conn *c)
{
	u8 digest[DSTOR_DIGEST_MAX];
	bool frame = c->frames;

	if (frame && c->cipher) {
		/* Decrypt a header once: after a pause this runs again with the same header. */
		if (!c->rx.decrypted && !dstor_decrypt_header(c))
			return rx_corrupt(c);
		c->rx.decrypted = true;
	} else if (frame && !c->rx.decrypted) {
		memcpy(&c->rx.frame, c->rx.buf, sizeof(c->rx.frame));
		if (c->digest.len) {
			dstor_digest_head(&c->rx_digest, &c->rx.frame, digest);
			if (crypto_memneq(digest, c->rx.buf + DSTOR_FRAME_LEN, c->digest.len))
				return rx_corrupt(c);
		}
		c->rx.decrypted = true;
	}
	c->rx.sink.bio = NULL;
	if (!rx_take_verdict(c, c->ops->head(c)))
		return false;
	if (frame && c->rx.frame.length) {
		c->rx.step = DSTOR_RX_DATA;
		c->rx.data_left = le32_to_cpu(c->rx.frame.length);
		c->rx.at = c->cipher ? dstor_decrypt_source(c->cipher, c->rx.sink,
							    c->rx.data_left) : c->rx.sink;
		c->rx.got = 0;
		iov_iter_bvec(&c->rx.iter, ITER_DEST, NULL, 0, 0);
		if (digests_first(c))
			dstor_digest_begin(&c->rx_digest, &c->rx.frame);
	} else {
		next_head(c);
	}
	if (c->rx.budget)
		c->rx.budget--;
	return c->rx.budget > 0;
}

static bool data_done(struct dstor_conn *c)
{
	next_head(c);
	return rx_take_verdict(c, c->ops->data(c));
}

/* The digest of the data is wrong. With a key that is a forgery (P9). */
static bool data_damaged(struct dstor_conn *c)
{
	if (dstor_conn_has_key(c))
		return rx_corrupt(c);
	next_head(c);
	return rx_take_verdict(c, c->ops->damaged(c));
}

static bool tail_done(struct dstor_conn *c)
{
	u8 digest[DSTOR_DIGEST_MAX];

	if (c->cipher) {
		switch (dstor_decrypt_data(c)) {
		case DSTOR_DECRYPTED:
			return data_done(c);
		case DSTOR_DECRYPTING:
			next_head(c);
			return true;
		default:
			return rx_corrupt(c);
		}
	}
	/* The data of a refused request has no sink: it was dropped. */
	if (c->rx.sink.bio) {
		if (digests_first(c))
			dstor_digest_end(&c->rx_digest, digest);
		else
			dstor_digest_data(&c->rx_digest, &c->rx.frame, c->rx.sink.bio,
					  c->rx.sink.iter, le32_to_cpu(c->rx.frame.length),
					  digest);
		if (crypto_memneq(digest, c->rx.buf, c->digest.len))
			return data_damaged(c);
	} else {
		dstor_digest_skip(&c->rx_digest);
	}
	return data_done(c);
}

/* @n bytes of the current step have arrived. False: stop. */
static bool rx_advance(struct dstor_conn *c, u32 n)
{
	c->rx.bytes += n;
	if (c->rx.step == DSTOR_RX_DATA) {
		c->rx.data_bytes += n;
		c->rx.data_left -= n;
		if (c->rx.data_left)
			return true;
		if (!dstor_conn_overhead(c))
			return data_done(c);
		c->rx.step = DSTOR_RX_TAIL;
		c->rx.want = dstor_conn_overhead(c);
		c->rx.got = 0;
		return true;
	}
	c->rx.got += n;
	if (c->rx.got < c->rx.want)
		return true;
	return c->rx.step == DSTOR_RX_HEAD ? head_done(c) : tail_done(c);
}

static u32 rx_wanted(struct dstor_conn *c)
{
	if (c->rx.step != DSTOR_RX_DATA)
		return c->rx.want - c->rx.got;
	if (!c->rx.sink.bio)
		return c->rx.data_left;
	if (!iov_iter_count(&c->rx.iter) && !rx_aim(c))
		return 0;
	return min_t(size_t, c->rx.data_left, iov_iter_count(&c->rx.iter));
}

/* Copies the bytes of the digest while the processor's cache has them. */
static int rx_deliver(struct dstor_conn *c, const void *data, u32 n)
{
	dstor_digest_add(&c->rx_digest, data, n);
	return copy_to_iter(data, n, &c->rx.iter) == n ? 0 : -EFAULT;
}

static int rx_deliver_skb(struct dstor_conn *c, struct sk_buff *skb, u32 offset, u32 n)
{
	struct skb_seq_state seq;
	const u8 *data;
	u32 done = 0, len;

	skb_prepare_seq_read(skb, offset, offset + n, &seq);
	while ((len = skb_seq_read(done, &data, &seq))) {
		/* It knows where to begin; where to end it leaves to us. */
		len = min(len, n - done);
		if (rx_deliver(c, data, len)) {
			skb_abort_seq_read(&seq);
			return -EFAULT;
		}
		done += len;
	}
	return done == n ? 0 : -EFAULT;
}

static int from_skb(read_descriptor_t *desc, struct sk_buff *skb, unsigned int offset, size_t len)
{
	struct dstor_conn *c = desc->arg.data;
	size_t done = 0;

	/* The rest of a segment that was taken in part is offered again at once. */
	if (!desc->count)
		return 0;
	c->rx.heard = jiffies;
	while (done < len) {
		u32 n = min_t(size_t, rx_wanted(c), len - done);
		int ret = 0;

		if (!n)
			ret = -EPROTO;
		else if (c->rx.step != DSTOR_RX_DATA)
			ret = skb_copy_bits(skb, offset + done, c->rx.buf + c->rx.got, n);
		else if (digests_first(c))
			ret = rx_deliver_skb(c, skb, offset + done, n);
		else if (c->rx.sink.bio)
			ret = skb_copy_datagram_iter(skb, offset + done, &c->rx.iter, n);
		if (ret) {
			rx_lose(c);
			desc->count = 0;
			return done;
		}
		done += n;
		if (!rx_advance(c, n)) {
			desc->count = 0;
			break;
		}
	}
	return done;
}

static void rx_segments(struct dstor_conn *c, u32 frames)
{
	read_descriptor_t desc = { .count = 1, .arg.data = c };

	c->rx.budget = frames;
	if (c->rx.paused || dstor_conn_lost(c))
		return;
	/* A header whose handling was put off. */
	if (c->rx.step == DSTOR_RX_HEAD && c->rx.want && c->rx.got == c->rx.want && !head_done(c))
		return;
	c->sock->ops->read_sock(c->sock->sk, &desc, from_skb);
}

int dstor_rx_softirq(struct dstor_conn *c)
{
	rx_segments(c, RX_SOFTIRQ_FRAMES);
	if (!c->rx.budget)
		dstor_conn_kick(c);
	return RX_SOFTIRQ_FRAMES - c->rx.budget;
}

/* Receives into memory of the connection's own, as much as fits. */
static int receive_bounced(struct dstor_conn *c, struct msghdr *msg, u32 n)
{
	u32 room = RX_BOUNCE;
	struct kvec kv;
	int ret;

	if (!c->rx.bounce)
		c->rx.bounce = kvmalloc(RX_BOUNCE, GFP_NOIO | __GFP_NOWARN | __GFP_NOMEMALLOC);
	kv.iov_base = c->rx.bounce;
	if (!kv.iov_base) {
		/* Free until the digest comes. */
		kv.iov_base = c->rx.buf;
		room = sizeof(c->rx.buf);
	}
	n = min(n, room);
	kv.iov_len = n;
	ret = kernel_recvmsg(c->sock, msg, &kv, 1, n, msg->msg_flags);
	if (ret > 0 && rx_deliver(c, kv.iov_base, ret))
		return -EFAULT;
	return ret;
}

static int receive_once(struct dstor_conn *c, u32 n)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	u8 scratch[256];
	struct kvec kv;
	int ret;

	if (c->rx.step == DSTOR_RX_DATA && digests_first(c))
		return receive_bounced(c, &msg, n);
	if (c->rx.step == DSTOR_RX_DATA && c->rx.sink.bio) {
		msg.msg_iter = c->rx.iter;
		iov_iter_truncate(&msg.msg_iter, n);
		ret = sock_recvmsg(c->sock, &msg, msg.msg_flags);
		if (ret > 0)
			iov_iter_advance(&c->rx.iter, ret);
		return ret;
	}
	if (c->rx.step == DSTOR_RX_DATA) {
		kv.iov_base = scratch;
		n = min_t(u32, n, sizeof(scratch));
	} else {
		kv.iov_base = c->rx.buf + c->rx.got;
	}
	kv.iov_len = n;
	return kernel_recvmsg(c->sock, &msg, &kv, 1, n, msg.msg_flags);
}

static void rx_messages(struct dstor_conn *c, u32 frames)
{
	c->rx.budget = frames;
	if (c->rx.paused)
		return;
	if (c->rx.step == DSTOR_RX_HEAD && c->rx.want && c->rx.got == c->rx.want && !head_done(c))
		return;
	while (!dstor_conn_lost(c)) {
		u32 n = rx_wanted(c);
		int ret = n ? receive_once(c, n) : -EPROTO;

		if (ret <= 0) {
			if (ret != -EAGAIN && ret != -EINTR)
				rx_lose(c);
			return;
		}
		c->rx.heard = jiffies;
		if (!rx_advance(c, ret))
			return;
	}
}

int dstor_rx_pass(struct dstor_conn *c, u32 frames)
{
	struct sock *sk;

	lockdep_assert_held(&c->tx.lock);
	if (!c->sock || dstor_conn_lost(c))
		return 0;
	sk = c->sock->sk;
	if (c->transport->segments) {
		lock_sock(sk);
		rx_segments(c, frames);
		release_sock(sk);
	} else {
		rx_messages(c, frames);
	}
	/* All that came is read, or will not be: then the other side's end is ours. */
	if (c->rx.budget && !dstor_conn_lost(c) && !dstor_conn_alive(c))
		rx_lose(c);
	return frames - c->rx.budget;
}
