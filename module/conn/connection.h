/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A connection: one socket with its sending and receiving half. Client and
 * exporter share it; the owner interprets frames, through the ops.
 */
#ifndef DSTOR_CONNECTION_H
#define DSTOR_CONNECTION_H

#include <linux/bvec.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/net.h>
#include <linux/uio.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <net/sock.h>

#include "conn/protection.h"
#include "conn/transport.h"
#include "core/bio_buffer.h"
#include "core/bio_span.h"

struct dstor_conn;

/* Header, digest of the header, digest of the data, in the memory of a message. */
#define DSTOR_HEAD_LEN (DSTOR_FRAME_LEN + 2 * DSTOR_DIGEST_MAX)

/*
 * Something to be sent: a head, then (optional) data from a bio chain with its
 * digest. @head lies in memory that a page reference keeps alive.
 */
struct dstor_message {
	union {
		struct llist_node submitted;
		struct list_head entry;
	};
	void *head;
	struct bio *bio;		/* NULL: no data */
	struct bvec_iter iter;		/* where the data begins in @bio */
	u32 length;			/* bytes of data */
	/* The socket has taken its last byte. Under tx.lock. */
	void (*sent)(struct dstor_conn *c, struct dstor_message *m);
	u16 head_len;			/* raw messages only; frames know theirs */
	bool raw;			/* a message of the handshake: no digests */
	bool copy;			/* its memory may change at once: never by reference */
	bool in_hand;			/* collected: no longer in the list of the submitted */
	u64 end;			/* position behind it in the stream */
};

enum dstor_rx_verdict {
	DSTOR_RX_NEXT,			/* no data follows, or its destination is set */
	DSTOR_RX_PAUSE,			/* paused: the header stays until it is resumed */
	DSTOR_RX_CLOSE,			/* the stream is lost */
};

struct dstor_conn_ops {
	/*
	 * dstor_conn_message() is complete (handshake), or dstor_conn_frame() is, and its
	 * digest is right. For a frame with data: dstor_conn_receive_into(), else the
	 * data is thrown away.
	 */
	enum dstor_rx_verdict (*head)(struct dstor_conn *c);
	/* The data of dstor_conn_frame() is complete and its digest right. */
	enum dstor_rx_verdict (*data)(struct dstor_conn *c);
	/* A digest or a tag was wrong; the connection ends. Any context that sleeps, or softirq. */
	void (*corrupt)(struct dstor_conn *c);
	/*
	 * Instead of data(): the digest of the data is wrong, but it has no key, and the
	 * digest of the header was right. The stream goes on. Contexts of data().
	 */
	enum dstor_rx_verdict (*damaged)(struct dstor_conn *c);
	/*
	 * A thread will decrypt the data of dstor_conn_frame(): returns the
	 * owner of that data. Then the thread calls decrypt_end(): not ok after
	 * corrupt(), and the connection is lost.
	 */
	void *(*decrypt_begin)(struct dstor_conn *c);
	void (*decrypt_end)(struct dstor_conn *c, void *owner, bool ok);
	/*
	 * Others may change the memory of data meanwhile, or it is there twice. What
	 * is received: its digest is computed before it is copied there. Otherwise
	 * afterwards: data that the other side sent by reference may change in the
	 * socket, too (P4). What is sent: with a key it is copied before its digest is
	 * computed, for with a wrong digest it would be a forgery.
	 */
	bool memory_is_shared;
};

/* Why nothing is received: a bit each, so that one reason cannot end another. */
enum dstor_pause {
	DSTOR_PAUSE_MEMORY,		/* there is none for what the header asks */
	DSTOR_PAUSE_ANSWERS,		/* earlier ones have not left yet */
	DSTOR_PAUSE_HELLO,		/* it is handled where one may sleep */
	DSTOR_PAUSE_STOPPING,		/* what comes now is for the next exporter */
	DSTOR_PAUSE_ENDING,		/* the last answer is on its way */
};

/* Private to conn/, as are rx, tx and what watches the socket. */
enum dstor_conn_flags {
	DSTOR_CONN_LOST,		/* ended, by whomever */
	DSTOR_CONN_SENDING,		/* our own sendmsg holds the socket */
	DSTOR_CONN_RX_LATER,		/* data came meanwhile */
	DSTOR_CONN_TX_FULL,		/* waits for room in the socket */
	DSTOR_CONN_HELD,		/* what is submitted stays there */
};

#define DSTOR_TX_BVECS 96

/*
 * Others embed it and call the functions below. Only conn/ touches rx, tx and flags;
 * tests/check/test_structure.py proves that.
 */
struct dstor_conn {
	const struct dstor_conn_ops *ops;
	struct socket *sock;		/* NULL: closed; changed under tx.lock */
	const struct dstor_transport *transport;	/* of sock */
	struct workqueue_struct *wq;
	struct work_struct *work;	/* the owner's: rx, tx, end of life */
	int cpu;			/* the work's; WORK_CPU_UNBOUND: where it is kicked */
	struct kthread_worker *thread;	/* who does the same instead, or NULL */
	struct kthread_work *thread_work;
	bool lone;			/* one message at a time: the work serves it */
	unsigned long flags;
	bool frames;			/* the handshake is over */
	bool inline_rx;			/* TCP: receives in softirq, as far as the owner cares */
	struct dstor_digest digest;	/* of what is sent */
	struct dstor_digest rx_digest;	/* the same, of what is received */
	struct dstor_cipher *cipher;	/* or NULL; then there are no digests */

	/* receiving: one context at a time (softirq under the socket's lock, or its owner) */
	struct {
		/*
		 *        data follows       digest or tag follows
		 *  HEAD -------------> DATA ----------------------> TAIL
		 *   ^ ^ no data: stays  |                             |
		 *   | +-----------------+ neither: ops->data()        |
		 *   +-------------------------------------------------+ ops->data()
		 */
		enum { DSTOR_RX_HEAD, DSTOR_RX_DATA, DSTOR_RX_TAIL } step;
		unsigned long paused;	/* atomic bits: enum dstor_pause */
		bool decrypted;		/* rx.frame is of the header in buf */
		u32 want;
		u32 got;
		u32 data_left;
		u32 budget;		/* frames of this pass */
		unsigned long heard;	/* jiffies of the last byte */
		u64 bytes;
		u64 data_bytes;		/* of them, of data */
		struct dstor_bio_span sink;	/* where the data goes; no bio: thrown away */
		struct iov_iter iter;	/* rest of the current bio of at */
		struct dstor_bio_span at;	/* what iter runs over */
		struct dstor_frame frame;
		void *bounce;		/* where data is until its digest is computed; or NULL */
		u8 buf[DSTOR_HELLO_LEN + DSTOR_TAG_LEN];
	} rx;

	/* sending */
	struct llist_head submitted;	/* any context */
	struct {
		struct mutex lock;	/* protects all of tx */
		struct list_head queue;	/* to be gathered, in order */
		struct list_head batch;	/* gathered, not yet taken by the socket */
		struct dstor_message *now;	/* gathered in part */
		struct dstor_bio_span from;	/* rest of the data of now */
		u32 data_left;
		unsigned int first;
		unsigned int count;
		size_t bytes;
		bool splice;
		u32 collected;		/* messages, ever */
		struct dstor_bio_buffer *copies;	/* of data, for the socket; or NULL */
		u32 copied;		/* bytes of copies in use, whole pages */
		u64 gathered;		/* positions in the stream */
		u64 taken;
		u64 data_end;		/* behind the last frame with data */
		unsigned long sent;	/* jiffies: the socket took bytes */
		u64 acked;		/* liveness.c's own; so is what follows up to bv */
		unsigned long moved;	/* jiffies: bytes of a frame with data were seen to leave */
		u32 moves;		/* how often, ever */
		struct bio_vec bv[DSTOR_TX_BVECS];
	} tx;

	/* what watches the socket: its callbacks (TCP), or an entry where a poll would wait */
	void (*saved_data_ready)(struct sock *sk);
	void (*saved_write_space)(struct sock *sk);
	void (*saved_state_change)(struct sock *sk);
	void (*saved_error_report)(struct sock *sk);
	wait_queue_entry_t wait;
	wait_queue_head_t *waits;

	struct dstor_protection protection;	/* of which are digests, cipher and tx.copies */
	struct dstor_protection former;	/* of the last connection; the owner's while it is closed */
};

/*
 * connection.c - once for each struct; then any number of open/close. @key, static: the
 * class of tx.lock. Clients and peers have one each, since a peer may wait for memory
 * where a client must not.
 */
void dstor_conn_init(struct dstor_conn *c, const struct dstor_conn_ops *ops,
		     struct workqueue_struct *wq, struct work_struct *work,
		     struct lock_class_key *key);
/*
 * Take @sock over and receive on it: first messages of @want bytes, or, when
 * that is 0, frames with c->digest. Context: process, sleeps.
 */
void dstor_conn_start(struct dstor_conn *c, struct socket *sock, u32 want);
/* From now on frames, with the cipher or the digest. Context: the receiving one, or before open. */
void dstor_conn_begin_frames(struct dstor_conn *c);
/*
 * End it: nothing is received, sent or called back any more when it returns;
 * what was to be sent is forgotten (the owner knows its messages). Returns the
 * socket's sock with a reference (dstor_lingering_sock) when @keep and it may have been
 * lent pages, else NULL.
 * Context: process, sleeps, not from c->work itself.
 */
struct sock *dstor_conn_close(struct dstor_conn *c, bool keep);
/*
 * From now on @thread runs @work where c->work was, unless the connection is lone; then
 * c->work runs on @lone_wq. Both may be on their way at a time: the owner serialises them.
 * In c->work.
 */
void dstor_conn_give_thread(struct dstor_conn *c, struct kthread_worker *thread,
			    struct kthread_work *work, struct workqueue_struct *lone_wq);
/* From now on c->work runs on @wq. In c->work. */
static inline void dstor_conn_move(struct dstor_conn *c, struct workqueue_struct *wq)
{
	WRITE_ONCE(c->wq, wq);
}

/*
 * Wakes all users of the connection; dstor_conn_close() follows. Context: any
 * but hard interrupt.
 */
void dstor_conn_lose(struct dstor_conn *c);
/* Is the other side still there, as far as the socket knows? */
bool dstor_conn_alive(const struct dstor_conn *c);
/* Sends nothing more; the other side reads the end. Under tx.lock, the connection open. */
void dstor_conn_end_sending(struct dstor_conn *c);

/* The connection counts as alive until a caller loses it. Before dstor_conn_start(). */
static inline void dstor_conn_begin(struct dstor_conn *c)
{
	clear_bit(DSTOR_CONN_LOST, &c->flags);
}

static inline bool dstor_conn_lost(const struct dstor_conn *c)
{
	return test_bit(DSTOR_CONN_LOST, &c->flags);
}

/* Has it a socket? Under tx.lock. */
static inline bool dstor_conn_is_open(const struct dstor_conn *c)
{
	return c->sock;
}

/* Does sending wait for room in the socket? Any context; true may be stale. */
static inline bool dstor_conn_is_full(const struct dstor_conn *c)
{
	return test_bit(DSTOR_CONN_TX_FULL, &c->flags);
}

/* Does the other side refuse data that changed while it was sent? Before it is closed. */
static inline bool dstor_conn_detects_changes(const struct dstor_conn *c)
{
	return c->digest.len || c->cipher;
}

/* Is a wrong tag or digest an attack, and not an accident? */
static inline bool dstor_conn_has_key(const struct dstor_conn *c)
{
	return c->cipher || c->digest.keyed;
}

/* Bytes behind a header, and behind its data. */
static inline u32 dstor_conn_overhead(const struct dstor_conn *c)
{
	return c->cipher ? DSTOR_TAG_LEN : c->digest.len;
}

static inline void dstor_conn_kick(struct dstor_conn *c)
{
	/* pairs with dstor_conn_give_thread() */
	struct kthread_worker *thread = smp_load_acquire(&c->thread);

	if (thread && !READ_ONCE(c->lone))
		kthread_queue_work(thread, c->thread_work);
	else
		queue_work_on(READ_ONCE(c->cpu), READ_ONCE(c->wq), c->work);
}

/*
 * One small message at a time comes and is answered: from now on the work serves it where
 * it is kicked, on the CPU that received it. Otherwise the thread. Under tx.lock.
 */
static inline void dstor_conn_set_lone(struct dstor_conn *c, bool lone)
{
	if (c->lone != lone)
		WRITE_ONCE(c->lone, lone);
}

/* Shall it receive in softirq, where it can? It does not until told. Any context. */
static inline void dstor_conn_allow_inline(struct dstor_conn *c, bool allow)
{
	WRITE_ONCE(c->inline_rx, allow);
}

/*
 * Receiving. ops->head() and ops->data() may call all of it; others only where a
 * function says so.
 */

/* The header of the current frame; up to dstor_conn_close(). */
static inline const struct dstor_frame *dstor_conn_frame(const struct dstor_conn *c)
{
	return &c->rx.frame;
}

/* The bytes of a message of the handshake; they may be changed in place. */
static inline void *dstor_conn_message(struct dstor_conn *c)
{
	return c->rx.buf;
}

/* The next message of the handshake has @want bytes. In ops->head(). */
static inline void dstor_conn_expect(struct dstor_conn *c, u32 want)
{
	c->rx.want = want;
}

/* The data of the current frame goes to @iter of @bio and the bios behind. In ops->head(). */
static inline void dstor_conn_receive_into(struct dstor_conn *c, struct bio *bio,
					   struct bvec_iter iter)
{
	c->rx.sink.bio = bio;
	c->rx.sink.iter = iter;
}

/* Receive nothing until @why is taken back; ops->head() returns DSTOR_RX_PAUSE then. */
static inline void dstor_conn_pause(struct dstor_conn *c, enum dstor_pause why)
{
	set_bit(why, &c->rx.paused);
}

/*
 * @why is over; other reasons stay. Any context: whoever is not in the owner's work
 * calls dstor_conn_kick() afterwards.
 */
static inline void dstor_conn_resume(struct dstor_conn *c, enum dstor_pause why)
{
	if (test_bit(why, &c->rx.paused))
		clear_bit(why, &c->rx.paused);
}

/* Any context. */
static inline bool dstor_conn_is_paused(const struct dstor_conn *c)
{
	return READ_ONCE(c->rx.paused);
}

/* Any context. */
static inline bool dstor_conn_pauses_for(const struct dstor_conn *c, enum dstor_pause why)
{
	return test_bit(why, &c->rx.paused);
}

/* The message that ops->head() paused at is handled. Under tx.lock, paused or just resumed. */
static inline void dstor_conn_drop_message(struct dstor_conn *c)
{
	c->rx.got = 0;
}

/* Jiffies of the last byte received, or of dstor_conn_forgive(). Any context. */
static inline unsigned long dstor_conn_heard(const struct dstor_conn *c)
{
	return READ_ONCE(c->rx.heard);
}

/* Bytes of data received, ever. Any context. */
static inline u64 dstor_conn_data_received(const struct dstor_conn *c)
{
	return READ_ONCE(c->rx.data_bytes);
}

/* The other side's silence up to now does not count. The owner's work, or ops->head(). */
static inline void dstor_conn_forgive(struct dstor_conn *c)
{
	c->rx.heard = jiffies;
}

/* Sending. tx.lock is a mutex; the order of locks is in connection.c. */
static inline void dstor_tx_lock(struct dstor_conn *c)
{
	mutex_lock(&c->tx.lock);
}

static inline void dstor_tx_unlock(struct dstor_conn *c)
{
	mutex_unlock(&c->tx.lock);
}

static inline void dstor_tx_assert_locked(const struct dstor_conn *c)
{
	lockdep_assert_held(&c->tx.lock);
}

/* Behind all that was queued and collected. Does not send by itself. Under tx.lock. */
static inline void dstor_tx_queue_locked(struct dstor_conn *c, struct dstor_message *m)
{
	m->in_hand = true;
	list_add_tail(&m->entry, &c->tx.queue);
}

/* Messages collected so far, ever; wraps. Under tx.lock. */
static inline u32 dstor_tx_collected(const struct dstor_conn *c)
{
	return c->tx.collected;
}

/* send.c. Context: process, may sleep for the socket's lock. */
/* Sends queued messages until the socket is full. Under tx.lock. */
void dstor_tx_flush_locked(struct dstor_conn *c);
/* The same, unless another sender is at it, which then sends ours, too. */
void dstor_tx_flush(struct dstor_conn *c);
/* Any context; does not send by itself. */
static inline bool dstor_tx_submit(struct dstor_conn *c, struct dstor_message *m)
{
	return llist_add(&m->submitted, &c->submitted);
}

/*
 * From now on submitted messages wait; messages collected before go out. It
 * ends with dstor_conn_release(), or with the connection. Any context.
 */
static inline void dstor_conn_hold(struct dstor_conn *c)
{
	set_bit(DSTOR_CONN_HELD, &c->flags);
}

static inline void dstor_conn_release(struct dstor_conn *c)
{
	clear_bit(DSTOR_CONN_HELD, &c->flags);
	smp_mb__after_atomic(); /* a sender that found it held has submitted before */
	dstor_conn_kick(c);
}

/* Bytes that the socket took, and that it gave. Any context. */
static inline u64 dstor_conn_sent(const struct dstor_conn *c)
{
	return READ_ONCE(c->tx.taken);
}

static inline u64 dstor_conn_received(const struct dstor_conn *c)
{
	return READ_ONCE(c->rx.bytes);
}

/* Bytes of this connection in both directions, roughly. Any context. */
static inline u64 dstor_conn_bytes(const struct dstor_conn *c)
{
	return dstor_conn_sent(c) + dstor_conn_received(c);
}

static inline bool dstor_tx_idle(const struct dstor_conn *c)
{
	return llist_empty(&c->submitted) && list_empty(&c->tx.queue) && !c->tx.now &&
	       !c->tx.count && list_empty(&c->tx.batch);
}

/* Moves submitted messages into the queue. Under tx.lock. */
void dstor_tx_collect(struct dstor_conn *c);
/*
 * Moves all that the socket has not wholly taken to the end of @unsent, in order.
 * Nothing is sent any more. Under tx.lock, the connection lost and its cipher drained.
 */
void dstor_tx_take_unsent(struct dstor_conn *c, struct list_head *unsent);
/* A frame without data, for dstor_message.head. */
void dstor_frame_init(struct dstor_frame *f, u8 type, u64 seq);

/* receive.c - one pass over arrived bytes, at most @frames frames. Returns frames handled. */
int dstor_rx_pass(struct dstor_conn *c, u32 frames);	/* process context */
int dstor_rx_softirq(struct dstor_conn *c);		/* socket locked by the caller's context */
/* May there be something to read? What comes later is told. Under tx.lock. */
static inline bool dstor_rx_pending(const struct dstor_conn *c)
{
	return c->sock && (!c->transport->segments ||
			   !skb_queue_empty_lockless(&c->sock->sk->sk_receive_queue));
}

#endif
