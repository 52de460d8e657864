// SPDX-License-Identifier: GPL-2.0
/*
 * The sending half of a connection: gathers as many messages as there are into
 * one call of the socket, by reference where that is cheaper than a copy.
 * Whoever has tx.lock sends, also what others submitted meanwhile; nobody
 * waits for the lock only to send.
 */
#include <linux/bio.h>

#include "compat/compat.h"
#include "conn/connection.h"

/* Below it a copy costs less than a reference to the page. */
#define SPLICE_MIN 4096

static bool by_reference(const struct dstor_conn *c, const struct dstor_message *m)
{
	return m->bio && m->length >= SPLICE_MIN && !m->copy && !c->tx.copies;
}

/* May @m go into the batch as it is? */
static bool fits_batch(struct dstor_conn *c, const struct dstor_message *m)
{
	if (!c->tx.count) {
		c->tx.splice = by_reference(c, m);
		c->tx.copied = 0;
		return true;
	}
	if (m->bio && c->tx.copies)
		return c->tx.copied + m->length <= c->tx.copies->n_pages << PAGE_SHIFT;
	if (m->copy)
		return !c->tx.splice;
	return c->tx.splice || !by_reference(c, m);
}

/*
 * A wrong digest with a key is a forgery, so the owner of the data must not be able to
 * change it between its digest and the socket. A buffer holds the data of a batch.
 */
static struct dstor_bio_span copy_data(struct dstor_conn *c, const struct dstor_message *m)
{
	struct dstor_bio_span from = { .bio = m->bio, .iter = m->iter };
	struct dstor_bio_span copy = { .bio = &c->tx.copies->bio };

	copy.iter.bi_idx = c->tx.copied >> PAGE_SHIFT;
	copy.iter.bi_size = m->length;
	c->tx.copied += round_up(m->length, PAGE_SIZE);
	dstor_bio_copy(copy, from, m->length);
	return copy;
}

static void tx_add_page(struct dstor_conn *c, struct page *page, u32 len, u32 offset)
{
	struct bio_vec *bv = &c->tx.bv[c->tx.count++];

	bv->bv_page = page;
	bv->bv_len = len;
	bv->bv_offset = offset;
	c->tx.bytes += len;
	c->tx.gathered += len;
}

static void tx_add_bytes(struct dstor_conn *c, void *p, u32 len)
{
	tx_add_page(c, virt_to_page(p), len, offset_in_page(p));
}

static void tx_begin(struct dstor_conn *c, struct dstor_message *m)
{
	struct dstor_frame *f = m->head;
	u8 *digests = m->head + DSTOR_FRAME_LEN;
	u8 len = c->digest.len;

	c->tx.from.bio = m->bio;
	c->tx.from.iter = m->iter;
	c->tx.data_left = m->bio ? m->length : 0;
	if (m->bio && c->tx.copies)
		c->tx.from = copy_data(c, m);
	if (m->raw) {
		tx_add_bytes(c, m->head, m->head_len);
	} else {
		if (len)
			dstor_digest_head(&c->digest, f, digests);
		if (len && m->bio)
			dstor_digest_data(&c->digest, f, c->tx.from.bio, c->tx.from.iter,
					  m->length, digests + len);
		tx_add_bytes(c, m->head, DSTOR_FRAME_LEN + len);
	}
	c->tx.now = m;
	if (m->bio)
		WRITE_ONCE(c->tx.data_end, c->tx.gathered + m->length + (m->raw ? 0 : len));
}

/* Data and last digest of tx.now; false when the batch is full before its end. */
static bool tx_gather_rest(struct dstor_conn *c)
{
	struct dstor_message *m = c->tx.now;
	struct bio_vec bv;

	while (c->tx.data_left) {
		if (c->tx.count == DSTOR_TX_BVECS)
			return false;
		/* A message never has less than it announces. */
		if (WARN_ON_ONCE(!dstor_bio_span_next(&c->tx.from, &c->tx.data_left, &bv, false))) {
			dstor_conn_lose(c);
			return false;
		}
		tx_add_page(c, bv.bv_page, bv.bv_len, bv.bv_offset);
	}
	if (m->bio && c->digest.len && !m->raw) {
		if (c->tx.count == DSTOR_TX_BVECS)
			return false;
		tx_add_bytes(c, m->head + DSTOR_FRAME_LEN + c->digest.len, c->digest.len);
	}
	m->end = c->tx.gathered;
	list_add_tail(&m->entry, &c->tx.batch);
	c->tx.now = NULL;
	return true;
}

static void tx_gather(struct dstor_conn *c)
{
	if (c->tx.first && c->tx.first == c->tx.count) {
		c->tx.first = 0;
		c->tx.count = 0;
	}
	/* The rest of a batch goes out before a new one is made. */
	if (c->tx.count)
		return;
	if (c->tx.now) {
		c->tx.splice = by_reference(c, c->tx.now);
		if (!tx_gather_rest(c))
			return;
	}
	while (!list_empty(&c->tx.queue) && c->tx.count < DSTOR_TX_BVECS) {
		struct dstor_message *m;

		m = list_first_entry(&c->tx.queue, struct dstor_message, entry);
		if (!fits_batch(c, m))
			return;
		list_del(&m->entry);
		tx_begin(c, m);
		if (!tx_gather_rest(c))
			return;
	}
}

/* The socket took @n bytes. */
static void tx_taken(struct dstor_conn *c, size_t n)
{
	struct dstor_message *m;

	c->tx.bytes -= n;
	c->tx.taken += n;
	WRITE_ONCE(c->tx.sent, jiffies);
	while (n) {
		struct bio_vec *bv = &c->tx.bv[c->tx.first];

		if (n < bv->bv_len) {
			bv->bv_page += (bv->bv_offset + n) >> PAGE_SHIFT;
			bv->bv_offset = (bv->bv_offset + n) & ~PAGE_MASK;
			bv->bv_len -= n;
			break;
		}
		n -= bv->bv_len;
		c->tx.first++;
	}
	while ((m = list_first_entry_or_null(&c->tx.batch, struct dstor_message, entry))) {
		if (m->end > c->tx.taken)
			break;
		list_del_init(&m->entry);
		m->sent(c, m);
	}
}

void dstor_conn_hold(struct dstor_conn *c)
{
	set_bit(DSTOR_CONN_HELD, &c->flags);
}

void dstor_conn_release(struct dstor_conn *c)
{
	clear_bit(DSTOR_CONN_HELD, &c->flags);
	smp_mb__after_atomic(); /* a sender that found it held has submitted before */
	dstor_conn_kick(c);
}

void dstor_conn_bar(struct dstor_conn *c)
{
	set_bit(DSTOR_CONN_BARRED, &c->flags);
}

void dstor_conn_unbar(struct dstor_conn *c)
{
	lockdep_assert_held(&c->tx.lock);
	clear_bit(DSTOR_CONN_BARRED, &c->flags);
	list_splice_tail_init(&c->tx.waiting, &c->tx.queue);
}

void dstor_tx_queue_locked(struct dstor_conn *c, struct dstor_message *m)
{
	bool waits = unlikely(test_bit(DSTOR_CONN_BARRED, &c->flags)) && !m->passes;

	m->in_hand = true;
	list_add_tail(&m->entry, waits ? &c->tx.waiting : &c->tx.queue);
}

bool dstor_tx_idle(const struct dstor_conn *c)
{
	return llist_empty(&c->submitted) && list_empty(&c->tx.queue) && !c->tx.now &&
	       !c->tx.count && list_empty(&c->tx.batch) && list_empty(&c->tx.waiting);
}

void dstor_tx_collect(struct dstor_conn *c)
{
	struct llist_node *all;
	struct dstor_message *m, *n;

	lockdep_assert_held(&c->tx.lock);
	if (llist_empty(&c->submitted))
		return;
	all = llist_reverse_order(llist_del_all(&c->submitted));
	llist_for_each_entry_safe(m, n, all, submitted) {
		c->tx.collected++;
		dstor_tx_queue_locked(c, m);
	}
}

void dstor_tx_take_unsent(struct dstor_conn *c, struct list_head *unsent)
{
	lockdep_assert_held(&c->tx.lock);
	list_splice_tail_init(&c->tx.batch, unsent);
	if (c->tx.now)
		list_add_tail(&c->tx.now->entry, unsent);
	c->tx.now = NULL;
	list_splice_tail_init(&c->tx.queue, unsent);
	list_splice_tail_init(&c->tx.waiting, unsent);
}

/* Data that came while our sendmsg held the socket is received here. */
static void tx_unmark(struct dstor_conn *c)
{
	clear_bit(DSTOR_CONN_SENDING, &c->flags);
	smp_mb__after_atomic(); /* pairs with data_ready() in connection.c */
	if (test_and_clear_bit(DSTOR_CONN_RX_LATER, &c->flags))
		dstor_rx_pass(c, U32_MAX);
}

static bool tx_more_follows(const struct dstor_conn *c)
{
	return c->tx.now || !list_empty(&c->tx.queue) ||
	       (!llist_empty(&c->submitted) && !test_bit(DSTOR_CONN_HELD, &c->flags));
}

void dstor_tx_flush_locked(struct dstor_conn *c)
{
	bool full = false;
	ssize_t n;

	lockdep_assert_held(&c->tx.lock);
	while (c->sock && !dstor_conn_lost(c)) {
		size_t bytes;
		bool more;

		if (!test_bit(DSTOR_CONN_HELD, &c->flags))
			dstor_tx_collect(c);
		/* A message that was begun in the clear goes first. */
		if (c->cipher && !c->tx.now && (!c->tx.bytes || c->cipher->started))
			dstor_encrypt_gather(c);
		else
			tx_gather(c);
		if (!c->tx.bytes)
			return;
		bytes = c->transport->most ? min_t(size_t, c->tx.bytes, c->transport->most) :
					     c->tx.bytes;
		more = c->transport->segments && tx_more_follows(c);
		if (!full)
			clear_bit(DSTOR_CONN_TX_FULL, &c->flags);
		set_bit(DSTOR_CONN_SENDING, &c->flags);
		n = dstor_compat_send(c->sock, c->tx.bv + c->tx.first,
				      c->tx.count - c->tx.first, bytes,
				      c->tx.splice && c->transport->segments, more);
		if (n == -EAGAIN) {
			set_bit(DSTOR_CONN_TX_FULL, &c->flags);
			smp_mb__after_atomic(); /* write_space() and conn_woken() look at it */
			/* Only TCP tells when it is full. Others call back now: try again. */
			if (!c->transport->segments && !full) {
				full = true;
				tx_unmark(c);
				continue;
			}
			if (!c->transport->segments) {
				tx_unmark(c);
				return;
			}
			n = sk_stream_is_writeable(c->sock->sk) ? 0 : n;
			tx_unmark(c);
			if (!n)
				dstor_conn_kick(c);
			return;
		}
		if (n > 0) {
			full = false;
			tx_taken(c, n);
		}
		tx_unmark(c);
		if (n <= 0 && n != -EINTR) {
			dstor_conn_lose(c);
			return;
		}
	}
}

void dstor_tx_flush(struct dstor_conn *c)
{
	do {
		if (!mutex_trylock(&c->tx.lock))
			return;
		dstor_tx_flush_locked(c);
		mutex_unlock(&c->tx.lock);
		smp_mb(); /* a sender that failed to get the lock has submitted before */
	} while (!llist_empty(&c->submitted) && READ_ONCE(c->sock) && !dstor_conn_lost(c) &&
		 !(c->flags & (BIT(DSTOR_CONN_TX_FULL) | BIT(DSTOR_CONN_HELD))));
}

void dstor_frame_init(struct dstor_frame *f, u8 type, u64 seq)
{
	memset(f, 0, sizeof(*f));
	f->type = type;
	f->seq = cpu_to_le64(seq);
}
