/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The client: a device with its queues. A queue is one hardware queue's share:
 * it has one connection at a time and outlives it.
 */
#ifndef DSTOR_DEVICE_H
#define DSTOR_DEVICE_H

#include <linux/blk-mq.h>

#include "client/client.h"
#include "client/damage.h"
#include "compat/compat.h"
#include "conn/connection.h"
#include "wire/channel.h"
#include "wire/flush_mark.h"
#include "wire/frame.h"
#include "wire/resume.h"
#include "wire/retry.h"

struct dstor_device;

/*
 * A transaction is FREE while the block layer has no request in its slot.
 *
 *                queue_rq()                resent: take_state(), resend_all()
 *         FREE -------------> QUEUED <---------------------------------+
 *          ^                   |  |                                    |
 *          |          answered |  | last byte taken                    |
 *          |                   v  v                                    |
 *          |            ANSWERED  SENT --------------------------------+
 *          |     last byte taken |  | answered
 *          +---------------------+--+
 *
 * Live, two move it, each with a cmpxchg: the sender under tx.lock, whose last byte
 * is taken in transaction_sent(), and the receiver, with the complete answer
 * in dstor_transaction_answered(). Whoever comes second ends the request.
 * take_state() is the receiver, too. Closed, any state: resend_all() under q->lock
 * and tx.lock moves it to QUEUED, dstor_link_fail() under q->lock to FREE.
 */
enum dstor_transaction_state {
	DSTOR_T_FREE = 0,
	DSTOR_T_QUEUED,		/* submitted, or waiting for a connection, or sent in part */
	DSTOR_T_SENT,		/* the socket has all of it */
	DSTOR_T_ANSWERED,	/* the answer was faster than the return from sendmsg */
	DSTOR_T_DAMAGED,	/* sent, arrived damaged: waits for the queue's work (damage.c) */
};

/* In the private data of the request: nothing is allocated on the I/O path (P11). */
struct dstor_transaction {
	struct dstor_message message;
	struct dstor_queue *queue;
	int state;			/* enum dstor_transaction_state, atomic */
	u16 slot;
	u8 op;				/* enum dstor_op */
	u8 status;			/* enum dstor_status, of the answer */
	bool decrypting;		/* a thread has its data; the receiver's */
	bool damaged;			/* it arrived so; the receiver's until it is DAMAGED */
	bool repeated;			/* for that reason, on this connection or from a copy */
	blk_status_t result;
	u64 seq;
	u64 flush_number;		/* flush: see wire/flush_mark.c */
	u64 losses;
	u64 started_ns;
	struct dstor_attempt attempt;
	struct dstor_copy *copy;	/* where its data is sent from, or NULL */
};

/*
 *          dstor_link_live()
 *         ------------------->
 *    DOWN                      LIVE
 *         <-------------------
 *          dstor_link_close()
 *
 * Under q->lock. The link's work and the attach make it live. It is closed by
 * the link's work (the connection is lost), the watchdog (silence, a budget used up,
 * no answer), a new instance of the exporter, new addresses, and the detach.
 */
enum dstor_queue_state {
	DSTOR_Q_DOWN = 0,		/* no connection */
	DSTOR_Q_LIVE,
};

#define DSTOR_LINGERING_MAX 4
#define DSTOR_CONTROLS 4		/* ping, pong, ask, bye */

enum dstor_control_kind {
	DSTOR_CONTROL_PING,
	DSTOR_CONTROL_PONG,
	DSTOR_CONTROL_ASK,
	DSTOR_CONTROL_BYE,
};

struct dstor_control {
	struct dstor_message message;
	unsigned long busy;		/* bit 0: on its way to the socket */
	unsigned long since;		/* jiffies */
};

/* A closed socket that may still refer to pages of writes (P4). */
struct dstor_lingering_sock {
	struct sock *sk;
	unsigned long until;		/* jiffies; the exporter accepts nothing of it any more */
	bool wait;			/* until then, whatever the socket says */
};

/* When it sends at once and when later: see batch.c. Guesses; races only blur them. */
struct dstor_queue_batch {
	bool busy;			/* many were in flight lately */
	u16 idle_submits;		/* submits that found few, in a row */
	unsigned long moved;		/* jiffies: when conn.cpu was chosen */
	u16 small_batches;		/* deferred sends in a row that found little */
	u16 inline_left;		/* sends until deferring is tried again */
};

/* A planned reconnect of a live queue (renewal.c). Under q->lock. */
struct dstor_renewal {
	u32 key_number;			/* of the connection: dev->renewal.key_number then */
	bool wanted;			/* the link's work is to do it */
	bool over;			/* a hello is out: the exporter may end the connection */
};

/*
 * The ASK that is out; one at a time. The answer to it may speak for all requests that
 * were sent before. Under q->lock, but for @answer.
 */
struct dstor_question {
	bool open;			/* no answer has been looked at */
	u16 slot;
	u64 seq;
	unsigned long answer;		/* atomic bits: enum dstor_answer, of the receiver */
	u64 asked_ms;
	u64 data_bytes;			/* received when it was asked */
};

enum dstor_answer {
	DSTOR_ANSWER_CAME,
	DSTOR_ANSWER_BUSY,		/* that request is in progress */
	DSTOR_ANSWER_ALL,		/* all that came before the ASK is in progress */
	DSTOR_ANSWER_FULL,		/* unasked: and the exporter has no memory to read more */
};

/* Of the watchdog, on a live connection. Under q->lock. */
struct dstor_queue_watch {
	unsigned long pinged;		/* jiffies */
	u64 data_bytes;			/* received until the last tick */
	u32 moves;			/* dstor_conn_moves() then */
	struct dstor_question question;
};

struct dstor_queue {
	struct dstor_device *dev;
	u16 index;
	struct dstor_conn conn;
	struct work_struct work;	/* of conn */
	struct dstor_transaction **slots;	/* by tag */
	struct dstor_transaction **resend;	/* room for as many; lock */
	atomic64_t seq;
	atomic_t in_flight;
	struct dstor_queue_batch batch;
	bool damaged;			/* a transaction is DAMAGED; any context */
	struct dstor_bounds bounds;
	struct dstor_control control[DSTOR_CONTROLS];
	void *control_memory;

	struct mutex lock;		/* protects what follows */
	enum dstor_queue_state state;	/* read without it for show */
	u64 generation;
	u64 cookie;			/* of the last welcome; 0: none yet */
	u8 instance[DSTOR_ID_LEN];	/* the exporter's, while live */
	atomic64_t mark;		/* of acked, unflushed writes (P5); rises */
	u32 disk_flags;			/* of the welcome of this connection */
	struct dstor_lingering_sock lingering[DSTOR_LINGERING_MAX];
	unsigned int tries;		/* reconnections in vain so far */
	unsigned long next_try;		/* jiffies */
	unsigned int address;		/* index of the address that worked last */
	unsigned long lived;		/* jiffies: live since */
	struct dstor_queue_watch watch;
	atomic64_t spent_ms;		/* when this outage had outlasted a budget; or 0 */
	struct dstor_renewal renewal;
	struct delayed_work link;	/* connects, and closes what was lost */
	struct dstor_grant *attempt;	/* under way, the link's work's; or NULL */
};

/* Settings: of the attach, or of a later set. */
struct dstor_device_settings {
	char *uri;			/* dev->lock */
	char export[DSTOR_NAME_LEN];	/* dev->lock */
	u8 client_id[DSTOR_ID_LEN];
	char client_name[DSTOR_NAME_LEN];
	bool read_only;
	u32 ping_ms;
	struct dstor_retry_policy policy;
	unsigned int n_addresses;	/* dev->lock */
	struct dstor_address *addresses; /* dev->lock */
	u32 moves;			/* counts orders to connect anew; dev->lock */
	char checksums[DSTOR_ALGO_LIST_LEN];
	u32 crypto_threads;		/* dev->lock */
	bool has_key;
	u8 key[DSTOR_KEY_LEN];		/* dev->lock */
	char ciphers[DSTOR_ALGO_LIST_LEN];
};

/* The disk and its requests, as the first welcome granted them, unless a comment says else. */
struct dstor_device_geometry {
	struct dstor_identity identity;	/* dev->lock once it is attached */
	u16 depth;			/* slots of a queue */
	u32 max_io;			/* bytes */
	u32 disk_flags;			/* enum dstor_disk_flags */
	atomic64_t new_size;		/* from CHANGE, 0: none */
	struct dstor_disk_limits limits; /* of the newest welcome; dev->lock */
	struct work_struct relimit;	/* the disk takes them over */
};

/* The exporter that the device holds on to, and its last grant. dev->lock. */
struct dstor_device_recovery {
	u8 session[DSTOR_ID_LEN];	/* set once */
	u64 writer_token;
	u8 life[DSTOR_ID_LEN];		/* of the exporter's memory, newest known */
	u8 access;			/* enum dstor_access */
	char checksum[DSTOR_ALGO_LEN];	/* in use; so is the next */
	char cipher[DSTOR_ALGO_LEN];
	u8 instance[DSTOR_ID_LEN];	/* newest known of the exporter */
	u32 epoch;			/* counts changes of instance */
	bool suspended;			/* another disk is there */
};

/* Fresh keys for live connections (renewal.c). dev->lock. */
struct dstor_device_renewal {
	u32 key_number;			/* counts changes of config.key */
	unsigned int tries;		/* in vain so far */
	unsigned long next_try;		/* jiffies; once tries is not 0 */
	char why[DSTOR_ERROR_LEN];	/* the last one failed, for people; or empty */
};

/* The event that was sent last (device_event.c). */
struct dstor_device_report {
	struct mutex lock;		/* the rest; no work is queued under it once stopping */
	u8 state;			/* enum dstor_device_state */
	char reason[DSTOR_ERROR_LEN];
	struct work_struct uevent;
	int trouble;			/* enum dstor_trouble; it and the next: see trouble.c */
	unsigned long trouble_at;	/* jiffies */
	unsigned int silent_starts;
};

struct dstor_device {
	struct list_head entry;		/* in the list of devices */
	struct kref kref;
	struct net *net;		/* not held: see netns.h */
	char name[DSTOR_NAME_LEN];
	struct dstor_device_settings config;
	struct dstor_threads threads;	/* with a key */

	u16 n_queues;
	struct dstor_queue *queues;
	struct blk_mq_tag_set tag_set;
	struct gendisk *disk;
	struct dstor_device_geometry geometry;
	struct page_frag_cache heads;	/* memory of message heads */
	struct dstor_copies copies;

	struct mutex lock;		/* what follows, and members above that name it */
	struct dstor_device_recovery recovery;
	struct dstor_device_renewal renewal;
	bool stopping;			/* detach: no new connections */
	bool running;			/* others may start its watchdog, until it is stopping */
	bool added;			/* the disk can be seen */
	bool scanning;			/* it is being added; the list's lock */
	bool removing;			/* one detach at a time */
	bool dead;			/* transactions fail at once */
	bool failed;			/* evicted or replaced: for ever */
	char reason[DSTOR_ERROR_LEN];
	struct work_struct resize;
	struct delayed_work watchdog;

	struct dstor_device_report report;	/* has its own lock */

	spinlock_t cache_lock;		/* cache */
	struct dstor_flush_marks cache;
	struct dstor_stats __percpu *stats;
};

static inline bool dstor_queue_live(const struct dstor_queue *q)
{
	return READ_ONCE(q->state) == DSTOR_Q_LIVE;
}

/* The transaction in a slot, or NULL. Any context. */
static inline struct dstor_transaction *dstor_queue_transaction(struct dstor_queue *q,
								unsigned int i)
{
	/* pairs with queue_rq() */
	return smp_load_acquire(&q->slots[i]);
}

/* device.c */
void dstor_device_get(struct dstor_device *dev);
void dstor_device_put(struct dstor_device *dev);
/* Why it is not connected, for people; not once it has failed for good. Sleeps. */
void dstor_device_set_reason(struct dstor_device *dev, const char *why);
/* Sets state "failed" and fails everything; the first @why stays. Sleeps. */
void dstor_device_fail(struct dstor_device *dev, const char *why);
/* Transactions it holds, and those that come, end with an error. Under dev->lock. */
void dstor_device_declare_dead(struct dstor_device *dev);

/* detach.c. Sleep. */
/* From now on no work of the device is queued. Takes dev->lock and dev->report.lock. */
void dstor_device_set_stopping(struct dstor_device *dev);
/* After dstor_device_set_stopping(): no connection comes back, and no work runs. No locks. */
void dstor_device_stop_works(struct dstor_device *dev);
/* Detached in order: the exporter may forget the session. Takes each q->lock. */
void dstor_device_say_bye(struct dstor_device *dev);
struct dstor_grant;
/* A grant to a device that does not come to be: BYE on its connection. Stops the device. */
void dstor_device_give_back(struct dstor_queue *q, struct dstor_grant *g);

/* disk.c. Sleep. */
/* Makes dev->disk as @w says; it is not visible yet. 0 or a negative errno. */
int dstor_device_make_disk(struct dstor_device *dev, const struct dstor_welcome *w);
/* The work that takes dev->geometry.new_size over. Takes dev->lock. */
void dstor_device_resize_work(struct work_struct *work);
/* The limits of a later welcome, and the work that takes them over. Under dev->lock; takes it. */
void dstor_device_take_limits(struct dstor_device *dev, const struct dstor_welcome *w);
void dstor_device_relimit_work(struct work_struct *work);

/* device_list.c: names are unique in the list, and among partitions. Sleep. */
int dstor_device_enlist(struct dstor_device *dev, struct dstor_error *err);
void dstor_device_delist(struct dstor_device *dev);
/* Up to its end, or the end of an attach that fails. */
bool dstor_device_is_listed(const struct dstor_device *dev);
/* Around device_add_disk(); no end when that failed. */
void dstor_device_scan_begin(struct dstor_device *dev);
void dstor_device_scan_end(struct dstor_device *dev);
/* Is @session one of a device of this machine? */
bool dstor_device_has_session(const u8 session[DSTOR_ID_LEN]);
/* A device with a reference, or NULL. @next: the first visible one behind @name. */
struct dstor_device *dstor_device_find(const char *name);
struct dstor_device *dstor_device_pick(const char *name, bool next);
/* One of that network namespace, with a reference, or NULL. */
struct dstor_device *dstor_device_in(struct net *net);
/* Calls @fn with each of them, under the lock of the list. */
void dstor_device_each(void (*fn)(struct dstor_device *dev));
/* device_control.c. Sleeps. */
void dstor_device_fill_info(struct dstor_device *dev, struct dstor_device_info *info);

/* transaction.c */
extern const struct blk_mq_ops dstor_mq_ops;
/* The exporter's answer, or the verdict of the watchdog: ends the request. Any but hard irq. */
void dstor_transaction_end(struct dstor_transaction *t, blk_status_t status);
blk_status_t dstor_status_to_blk(u8 status);
/* Its answer is complete. In the receiving context, or in the thread that decrypted its data. */
enum dstor_rx_verdict dstor_transaction_answered(struct dstor_transaction *t);

/* batch.c - @q has something to send. Context: the submitter's; sends, or kicks the work. */
void dstor_batch_submit(struct dstor_queue *q, bool large_read);
/* A deferred send of @q found @n messages. In the queue's work. */
void dstor_batch_judge(struct dstor_queue *q, u32 n);

/* queue.c */
extern const struct dstor_conn_ops dstor_client_ops;
void dstor_queue_work(struct work_struct *work);
/* The messages of its control frames, once. Sleeps. */
int dstor_control_init(struct dstor_queue *q);
/* Queue a control frame unless one of its kind is still on its way. */
void dstor_control_send(struct dstor_queue *q, enum dstor_control_kind kind, u16 slot, u64 seq);

/* link.c: with transaction.c the two halves of a queue, which call each other */
struct dstor_grant {
	struct dstor_welcome welcome;
	struct socket *sock;		/* whose end is the caller's, or NULL */
	struct dstor_handshake *shake;	/* until there is a grant; connect.c */
	struct net *net;		/* of an attempt of the link's work: held */
	u32 epoch;			/* dev->recovery.epoch when the attempt began */
	u32 moves;			/* dev->config.moves then */
	bool looking;			/* asks for no lease; see attach.c */
	u64 token;			/* that the hello showed, or 0 */
	bool planned;			/* the queue is live meanwhile: see renewal.c */
	bool drained;			/* ... and all that it had sent is answered */
	u32 key_number;			/* of the key that it began with */
	u64 features;			/* agreed in the greetings */
	struct dstor_channel channel;	/* with a key; so is the next */
	u8 encrypted[DSTOR_WELCOME_LEN + DSTOR_TAG_LEN];
	struct dstor_protection protection;	/* made for it, or zero */
};

/* reconnect.c */
void dstor_link_work(struct work_struct *work);
/*
 * connect.c - one attempt: connect, handshake. 0: granted, @g->sock is the caller's.
 * @takeover: a former session or NULL. Sets @err.
 */
/* Waits, until a signal comes. Sleeps. */
int dstor_link_connect(struct dstor_queue *q, struct dstor_grant *g, const u8 *takeover,
		       struct dstor_error *err);
/* Without waiting: from now on the link's work is queued when the other side has answered. */
int dstor_connect_begin(struct dstor_queue *q, struct dstor_grant *g, const u8 *takeover,
			struct dstor_error *err);
/* -EINPROGRESS: call it again when the work is queued, or after @wait jiffies. Sleeps. */
int dstor_connect_go_on(struct dstor_queue *q, struct dstor_grant *g, unsigned long *wait,
			struct dstor_error *err);
/* Ends it at any time, and closes @g->sock: nothing queues the work any more. Sleeps. */
void dstor_connect_end(struct dstor_grant *g);
/* @g->sock is the queue's then, or still the caller's when it fails. Sleeps. */
int dstor_link_live(struct dstor_queue *q, struct dstor_grant *g, struct dstor_error *err);
/* Counts and names what differs, by @r. -EMEDIUMTYPE. Under dev->lock once it is attached. */
int dstor_link_mismatch(struct dstor_device *dev, enum dstor_resume r,
			const struct dstor_welcome *w, struct dstor_error *err);
/* Under q->lock. Transactions stay with the queue. @why, for people; NULL: the connection broke. */
void dstor_link_close(struct dstor_queue *q, const char *why);
/* Under q->lock, closed: can pages of former sends still reach the exporter? */
bool dstor_link_quiet(struct dstor_queue *q);
void dstor_link_soon(struct dstor_queue *q);
/* The next attempt after q->tries in vain is made later. Under q->lock. */
void dstor_link_put_off(struct dstor_queue *q);
/* Has @q what protects frames as @w says? Takes q->lock. */
bool dstor_link_is_protected(struct dstor_queue *q, const struct dstor_welcome *w);
/*
 * Else it is made, into @g, where no lock is held: the crypto API takes locks, and whoever
 * has those may wait for memory. Sleeps.
 */
int dstor_link_protect(struct dstor_queue *q, struct dstor_grant *g, struct dstor_error *err);
/*
 * The next connection is protected, with the keys of @g. On error it must not begin.
 * Under q->lock.
 */
int dstor_link_take_keys(struct dstor_queue *q, struct dstor_grant *g, struct dstor_error *err);
/*
 * The limits of @t. Once an outage has outlasted the budget of a transaction, one that
 * begins in it gets a single timeout until the connection is back. Otherwise a caller
 * that waits for one after another (sync at shutdown) would wait for a budget each.
 */
struct dstor_retry_policy dstor_link_policy(const struct dstor_transaction *t);
/* Without a connection: @length_ms are taken from no budget. Takes q->lock. */
void dstor_link_stood_still(struct dstor_queue *q, u32 length_ms);
/* Fails the transactions of @q for which @all or the policy says so. Under q->lock. */
unsigned int dstor_link_fail(struct dstor_queue *q, bool all);

/*
 * renewal.c: a live connection is replaced by one with the device's key of now and with
 * fresh X25519 keys. All of it sleeps.
 */
/* The key from now on. 0 or a negative errno. Under dev->lock; dstor_renewal_next() follows. */
int dstor_renewal_set_key(struct dstor_device *dev, const u8 key[DSTOR_KEY_LEN],
			  struct dstor_error *err);
/*
 * Starts the next queue that is due, unless one is under way. Takes dev->lock and q->lock;
 * does nothing while dev->lock is taken.
 */
void dstor_renewal_next(struct dstor_device *dev);
/*
 * In a planned handshake, before the hello: nothing new is sent any more, and all that was
 * is answered, so no answer is lost with the old connection. hold() says until when to ask
 * drained(), which returns -EAGAIN as long. 0 or a negative errno.
 */
int dstor_renewal_hold(struct dstor_queue *q, unsigned long *until, struct dstor_error *err);
int dstor_renewal_drained(struct dstor_queue *q, struct dstor_grant *g, unsigned long until,
			  struct dstor_error *err);
/* The planned attempt failed. True: the old connection goes on as if nothing had been. */
bool dstor_renewal_failed(struct dstor_queue *q, const char *why);

/* watchdog.c */
void dstor_watchdog_work(struct work_struct *work);

/* sysfs.c: group "dst" under the disk, for device_add_disk() */
struct attribute_group;
extern const struct attribute_group *dstor_device_groups[];

#endif
