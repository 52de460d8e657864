/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A peer: one accepted connection. It joins a session, which notifies it.
 */
#ifndef DSTOR_PEER_H
#define DSTOR_PEER_H

#include <linux/kthread.h>

#include "conn/connection.h"
#include "core/address.h"
#include "exporter/rules.h"
#include "wire/frame.h"

struct dstor_command;
struct dstor_export;
struct dstor_session_queue;
struct dstor_listener;
struct dstor_session;

/*
 *              greeting          hello             granted
 *    GREETING ---------> HELLO ---------> DRAINING --------> LIVE
 *        |                | |                 |
 *        | refused        | +---> PING        | refused
 *        |                |                   |
 *        |                v refused, listed   |
 *        +-----------> ENDING <---------------+
 *
 *    all of them: the connection is lost, and close_peer() makes them CLOSED
 *
 * The peer's work alone moves it, under conn.tx.lock. dstor_peer_set_state() takes
 * peers_lock, because the list counts strangers: GREETING, HELLO, PING, ENDING. From
 * DRAINING to LIVE it is set under export->lock, too: dstor_session_grant().
 */
enum dstor_peer_state {
	DSTOR_PEER_GREETING,		/* waits for a greeting */
	DSTOR_PEER_HELLO,		/* waits for a hello */
	DSTOR_PEER_DRAINING,		/* older writes run: the fence */
	DSTOR_PEER_LIVE,
	DSTOR_PEER_PING,		/* nothing but PING */
	DSTOR_PEER_ENDING,		/* the answer leaves, then it closes */
	DSTOR_PEER_CLOSED,		/* no socket; commands may still run */
};

#define DSTOR_SPARE_PAGES 16

/* The works and the thread that run a peer. */
struct dstor_peer_run {
	struct mutex lock;		/* a run holds it, but not while it submits; outside
					 * conn.tx.lock
					 */
	struct work_struct work;	/* everything happens here, ... */
	struct kthread_work thread_work; /* ... or here, once it has a thread (conn.thread) */
	struct delayed_work tick;	/* time: only kicks the work */
	struct delayed_work rate;	/* likewise, when a command may go by its client's rate */
	struct rcu_work free_work;	/* after disk_done(), which looks at it last */
	struct task_struct *worker;	/* who is in the work right now */
	unsigned int alone;		/* runs with one small request: peer_place.c */
	unsigned long ran;		/* jiffies: begin of the last run */
	unsigned int runs;		/* ever; ... */
	unsigned int runs_seen;		/* ... and at the last tick, which alone uses it */
	bool late;			/* a whole tick passed without a run */
	bool submitting;		/* a run submits, without lock */
	bool settled;			/* has its thread, or could not have one */
};

/* Its commands, from their header to the disk and back: see command.c. */
struct dstor_peer_commands {
	struct dstor_command *receiving;
	struct dstor_command *refused;	/* answered when its data is thrown away */
	struct list_head ready;		/* received, not submitted */
	struct list_head parked;	/* received, beyond the client's rate: throttle.c */
	u64 parked_bytes;
	struct llist_head decrypted;	/* writes whose data a thread has decrypted, or not */
	struct llist_head done;		/* completed by the disk; any context */
	atomic_t in_flight;		/* taken to be submitted, and not yet taken from done */
	u32 received;			/* requests, ever */
	unsigned int n;			/* from its header until the socket has its answer */
};

/* The memory of its commands: see command_memory.c. */
struct dstor_peer_memory {
	struct page **scratch;		/* room for the pages of one command */
	/* pages of the last small commands, for the next: a ring, oldest at first_spare */
	struct page *spare_pages[DSTOR_SPARE_PAGES];
	unsigned int first_spare;
	unsigned int n_spares;
	struct page_frag_cache heads;
	unsigned long told;		/* jiffies: the client knows that there is none */
	u64 used;			/* bytes of its commands */
	/* see account.c; export->memory.lock, granted only while it waits */
	struct list_head waiting;
	u32 wanted;			/* bytes */
	u32 granted;
};

/* See progress.c. */
struct dstor_peer_progress {
	unsigned long since;		/* jiffies */
	u64 sent;			/* bytes, by then */
	u64 received;
	unsigned int n_notes;		/* messages that are no responses, not yet sent */
};

/* Among peers that nobody knows yet; see peer_list.c. */
struct dstor_peer_place {
	struct list_head crowd;		/* peers_lock */
	u16 host;			/* of dstor_limiter_host() */
};

struct dstor_peer {
	struct list_head entry;		/* in the list of all peers; peers_lock */
	struct dstor_peer_place place;
	struct kref kref;
	struct dstor_listener *listener;
	struct socket *accepted;	/* until the work opens conn with it */
	struct dstor_conn conn;
	struct dstor_peer_run run;
	unsigned long notices;		/* atomic bits: enum dstor_notice */
	enum dstor_peer_state state;
	unsigned long since;		/* jiffies: begin of the state */
	unsigned long notified;		/* jiffies of the last WAIT or PING */
	struct dstor_peer_id peer_id;
	char address[DSTOR_TEXT_LEN];
	struct dstor_channel *channel;	/* with a key */
	u64 features;			/* agreed in the greetings */

	/* attached */
	struct dstor_export *export;
	struct dstor_session *session;
	struct dstor_session_queue *queue;
	u64 generation;
	struct dstor_bounds bounds;
	u32 ping_ms;
	u32 timeout_ms;
	bool counted;			/* in queue->busy */
	bool admitting;			/* in export->admitting; the work's own once granted */
	bool bye;
	bool final_sent;		/* the last word is said */

	/* the work's own, unless a member says otherwise */
	struct dstor_peer_commands commands;
	struct dstor_peer_memory memory;
	struct dstor_peer_progress progress;
	struct dstor_hello hello;
};

enum dstor_notice {
	DSTOR_NOTICE_SIZE,		/* tell the client the new size */
	DSTOR_NOTICE_STOP,		/* accept nothing more */
	DSTOR_NOTICE_FLUSHED,		/* all is durable: tell and end */
	DSTOR_NOTICE_UNFLUSHED,		/* the flush failed: end */
	DSTOR_NOTICE_REPLAYED,		/* its own: the client says so */
};

void dstor_peer_new(struct dstor_listener *l, struct socket *sock);
void dstor_peer_set_state(struct dstor_peer *p, enum dstor_peer_state state);
void dstor_peers_end_of(struct dstor_listener *l);
void dstor_peer_put(struct dstor_peer *p);
/* Its work takes the notice. Any context. */
static inline void dstor_peer_notify(struct dstor_peer *p, enum dstor_notice n)
{
	smp_mb__before_atomic(); /* who sees the bit sees what it is about: take_notices() */
	set_bit(n, &p->notices);
	dstor_conn_kick(&p->conn);
}

/* peer_place.c */
#define DSTOR_PEER_TICK_MS 500
/* Where the next run is. @requests and @bytes: of this run. Under conn.tx.lock. */
void dstor_peer_place(struct dstor_peer *p, u32 requests, u64 bytes);
/* Gives the peer a thread; without memory for one the peer stays in its workqueue. In its work. */
void dstor_peer_give_thread(struct dstor_peer *p, kthread_work_func_t run);
void dstor_peer_tick_work(struct work_struct *work);

/* peer_message.c */
/* Zeroed, for bytes that are sent as they are (raw) or as a frame; NULL: the connection ends. */
void *dstor_peer_new_message(struct dstor_peer *p, size_t len, bool raw);
/* Queues what dstor_peer_new_message() gave; it is freed when it is sent. Under conn.tx.lock. */
void dstor_peer_send_message(struct dstor_peer *p, void *data);
/* A frame without data. Under conn.tx.lock. */
void dstor_peer_send_frame(struct dstor_peer *p, u8 type, u16 flags, u16 slot, u16 status,
			   u64 seq, u64 offset);
/* The STATE that answers the ASK @f. Under conn.tx.lock. */
void dstor_peer_answer_ask(struct dstor_peer *p, const struct dstor_frame *f);
/*
 * While there is no memory for the request whose header is here, a read waits for a replay,
 * or too much waits for the client's rate, nothing behind it is read, an ASK neither. The
 * client is told that all of it waits for what is in progress, a few times in each of its
 * timeouts. Under conn.tx.lock.
 */
void dstor_peer_tell_full(struct dstor_peer *p);
/* The disk has grown, perhaps. Under conn.tx.lock. */
void dstor_peer_tell_size(struct dstor_peer *p, u64 size);

#endif
