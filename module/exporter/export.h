/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The exporter: exports with their disks, sessions and lanes, listeners, and
 * peers. A peer is one accepted connection; a lane is the memory of one queue
 * of a session, which outlives its peers.
 */
#ifndef DSTOR_EXPORT_H
#define DSTOR_EXPORT_H

#include <linux/bio.h>
#include <linux/fs.h>

#include "compat/compat.h"
#include "conn/connection.h"
#include "exporter/exporter.h"

struct dstor_peer;
struct dstor_session;

/* Geometry of the exported disk, as a welcome says it. Bytes. */
struct dstor_geometry {
	u64 size;
	u32 logical_block;
	u32 physical_block;
	u32 io_min;
	u32 io_opt;
	u32 discard_granularity;
	u32 discard_alignment;
	u32 max_discard;
	u32 max_write_zeroes;
	u32 disk_flags;			/* enum dstor_disk_flags */
};

#define DSTOR_EVICTED_MAX 64
#define DSTOR_ENDED_MAX 64

struct dstor_export {
	struct list_head entry;
	struct kref kref;
	char name[DST_NAME_LEN];
	char *path;
	u8 uuid[DST_ID_LEN];
	u8 instance[DST_ID_LEN];
	u32 flags;			/* enum dstor_export_flags */
	u32 crypto_threads;
	char checksums[DST_ALGO_LIST_LEN];
	char ciphers[DST_ALGO_LIST_LEN];
	struct dstor_threads threads;	/* when a rule has a key */
	struct net *net;		/* not held: see netns.h */
	unsigned int n_listen;
	struct dstor_address *listen;
	struct dstor_listener *listeners[DSTOR_LISTEN_MAX];

	/* the disk: one of them */
	struct dstor_bdev bdev;
	struct file *file;
	bool direct;			/* file: O_DIRECT works */
	struct dstor_geometry geometry;	/* size changes under lock */
	struct bio_set commands;

	u64 max_inflight;		/* bytes */
	atomic64_t in_flight_bytes;
	atomic_t in_flight;		/* commands submitted to the disk */
	spinlock_t wait_lock;
	struct list_head waiting;	/* peers that wait for memory */

	struct mutex lock;		/* what follows */
	unsigned int n_rules;
	struct dstor_rule *rules;
	struct list_head sessions;
	unsigned int n_sessions;
	struct dstor_lease lease;
	char holder[DST_NAME_LEN];	/* its client's name */
	struct file *lease_file;	/* or NULL: nothing outlives us */
	u8 evicted[DSTOR_EVICTED_MAX][DST_ID_LEN];
	unsigned int n_evicted;		/* ever; the ring holds the last ones */
	u8 ended[DSTOR_ENDED_MAX][DST_ID_LEN];	/* a late hello must not revive them */
	unsigned int n_ended;
	bool stopping;
	bool ending;			/* somebody waits for the end right now */
	unsigned int n_peers;		/* attached and not yet retired */
	struct delayed_work monitor;
	struct work_struct burial;	/* when its network namespace is gone */
	wait_queue_head_t wait;		/* in_flight and n_peers fall */
	struct dstor_stats __percpu *stats;
};

/* What a peer has shown of itself, for the rules. */
struct dstor_who {
	struct sockaddr_storage addr;
	u32 addr_len;
	bool has_key;
	u8 print[DST_ID_LEN];		/* of its key */
};

/* One queue of a session. Its slots are touched by its live peer's work alone. */
struct dstor_lane {
	struct dstor_session *session;
	u64 generation;			/* export->lock */
	struct dstor_peer *peer;	/* of that generation, or NULL; export->lock */
	unsigned int busy;		/* peers that were live and are not retired; export->lock */
	struct dstor_slot *slots;
};

struct dstor_session {
	struct list_head entry;		/* export->lock */
	struct kref kref;
	struct dstor_export *export;
	u8 id[DST_ID_LEN];
	u8 client[DST_ID_LEN];
	char client_name[DST_NAME_LEN];
	char address[DSTOR_TEXT_LEN];
	u8 access;			/* enum dstor_access */
	struct dstor_who who;
	u16 n_lanes;
	u16 slots;
	u32 max_io;
	u32 timeout_ms;
	u32 retries;
	bool established;		/* a peer was granted once */
	bool ended;			/* replaced, evicted or detached: drains, then goes */
	unsigned long heard;		/* jiffies; of peers that are gone */
	struct dstor_lane lanes[];
};

enum dstor_peer_state {
	DSTOR_PEER_GREETING,		/* waits for a greeting */
	DSTOR_PEER_HELLO,		/* waits for a hello */
	DSTOR_PEER_DRAINING,		/* older writes run: the fence */
	DSTOR_PEER_LIVE,
	DSTOR_PEER_PING,		/* nothing but PING */
	DSTOR_PEER_ENDING,		/* the answer leaves, then it closes */
	DSTOR_PEER_CLOSED,		/* no socket; commands may still run */
};

#define DSTOR_SPARES 16

struct dstor_peer {
	struct list_head entry;		/* in the list of all peers; peers_lock */
	struct kref kref;
	struct dstor_listener *listener;
	struct socket *accepted;	/* until the work opens conn with it */
	struct dstor_conn conn;
	struct work_struct work;	/* everything happens here, ... */
	struct kthread_work thread_work; /* ... or here, once it has a thread (conn.thread) */
	struct delayed_work tick;	/* time: only kicks the work */
	struct work_struct burial;
	enum dstor_peer_state state;
	unsigned long since;		/* jiffies: begin of the state */
	unsigned long told;		/* jiffies of the last WAIT or PING */
	struct dstor_who who;
	char address[DSTOR_TEXT_LEN];
	struct dstor_channel *channel;	/* with a key */

	/* attached */
	struct dstor_export *export;
	struct dstor_session *session;
	struct dstor_lane *lane;
	u64 generation;
	struct dstor_bounds bounds;
	u32 ping_ms;
	u32 timeout_ms;
	bool counted;			/* in lane->busy */
	bool bye;
	bool parting;			/* the last word is said */

	/* the work's own */
	struct task_struct *worker;	/* who is in the work right now */
	struct dstor_command *receiving;
	struct dstor_command *refused;	/* answered when its data is thrown away */
	struct list_head ready;		/* received, not submitted */
	struct page **scratch;		/* room for the pages of one command */
	/* pages of the last small commands, for the next: a ring, oldest at first_spare */
	struct page *spares[DSTOR_SPARES];
	unsigned int first_spare;
	unsigned int n_spares;
	struct page_frag_cache heads;
	struct list_head waiting;	/* for memory; export->wait_lock */

	struct llist_head done;		/* commands the disk has completed; any context */
	struct llist_head opened;	/* writes whose data a thread has opened, or not */
	atomic_t in_flight;		/* submitted and not yet taken from done */
	unsigned long notices;		/* atomic bits: enum dstor_notice */
	struct dstor_hello hello;
};

enum dstor_notice {
	DSTOR_NOTICE_SIZE,		/* tell the client the new size */
	DSTOR_NOTICE_STOP,		/* accept nothing more */
	DSTOR_NOTICE_FLUSHED,		/* all is durable: tell and end */
	DSTOR_NOTICE_UNFLUSHED,		/* the flush failed: end */
	DSTOR_NOTICE_EVICTED,
};

/* A request in execution. */
struct dstor_command {
	struct dstor_message message;	/* of its response */
	struct list_head entry;
	struct llist_node done;
	struct dstor_peer *peer;
	struct work_struct work;	/* what may block, files above all */
	u64 seq;
	u64 offset;
	u32 bytes;
	u32 charged;			/* bytes of export->in_flight_bytes */
	u16 slot;
	u16 flags;			/* enum dstor_request_flags */
	u8 op;
	u8 status;
	bool then_flush;		/* what the disk cannot do with FUA */
	bool broken;			/* its data did not open */
	struct bio bio;			/* last */
};

/* export.c */
void dstor_export_get(struct dstor_export *e);
void dstor_export_put(struct dstor_export *e);
/* An export that listens on @l. With a reference, or NULL. */
struct dstor_export *dstor_export_find(struct dstor_listener *l, const char *name);
/* Calls @fn with each of them, under the lock of the list. */
void dstor_export_each(struct dstor_listener *l, void (*fn)(struct dstor_export *, void *),
		       void *arg);

/* disk.c - the exported disk */
int dstor_disk_open(struct dstor_export *e, struct dstor_error *err);
void dstor_disk_close(struct dstor_export *e);
/* Sleeps. 0 or a negative errno. */
int dstor_disk_flush(struct dstor_export *e);
u64 dstor_disk_size(struct dstor_export *e);

/* lease_file.c - the lease outlives a crash. Sleep. 0 or a negative errno. */
int dstor_lease_open(struct dstor_export *e, const char *path, struct dstor_error *err);
int dstor_lease_save(struct dstor_export *e);	/* under export->lock */
void dstor_lease_close(struct dstor_export *e);

/* session.c - under export->lock unless it says otherwise */
u8 dstor_access_of(struct dstor_export *e, const struct dstor_who *who);
/* A hello arrived: join or refuse. Takes the lock. True: try the fence now. */
bool dstor_session_join(struct dstor_peer *p, struct dstor_welcome *w);
/* Try again after the fence: true when @w is the answer, false while it waits. Takes the lock. */
bool dstor_session_grant(struct dstor_peer *p, struct dstor_welcome *w);
/* The peer is closed and none of its commands runs. Takes the lock. */
void dstor_session_leave(struct dstor_peer *p);
int dstor_session_evict(struct dstor_export *e, const char *who);
void dstor_session_evict_one(struct dstor_session *s);
u32 dstor_session_in_flight(const struct dstor_session *s);
void dstor_session_expire(struct dstor_export *e);
unsigned int dstor_session_connections(const struct dstor_session *s);
void dstor_session_end_all(struct dstor_export *e);
u32 dstor_session_silent_ms(const struct dstor_session *s);
void dstor_session_notify(struct dstor_session *s, enum dstor_notice n);

/* limiter.c - may a stranger from there try a key now? Whose key is right gives it back. */
bool dstor_limiter_take(const struct sockaddr_storage *addr);
void dstor_limiter_give(const struct sockaddr_storage *addr);

/* keys.c - greetings, on the exporter */
struct dstor_channel *dstor_handshake(struct dstor_peer *p, const struct dstor_greeting *g,
				      struct dstor_greeting *answer);
void dstor_handshake_failed(struct dstor_peer *p);

/* listener.c */
struct dstor_listener *dstor_listener_get(struct net *net, const struct dstor_address *a,
					  struct dstor_error *err);
void dstor_listener_put(struct dstor_listener *l);
/* Has @net one whose socket is not closed yet? Sleeps. */
bool dstor_listeners_in(const struct net *net);
/* Only compares: the namespace may be gone. */
bool dstor_listener_is_in(const struct dstor_listener *l, const struct net *net);
void dstor_listener_hold(struct dstor_listener *l);
void dstor_listener_drop(struct dstor_listener *l);

/* peer.c */
void dstor_peer_new(struct dstor_listener *l, struct socket *sock);
void dstor_peer_notify(struct dstor_peer *p, enum dstor_notice n);
void dstor_peer_set_state(struct dstor_peer *p, enum dstor_peer_state state);
/* Zeroed, for bytes that are sent as they are (raw) or as a frame; NULL: the connection ends. */
void *dstor_peer_new_note(struct dstor_peer *p, size_t len, bool raw);
void dstor_peer_send_note(struct dstor_peer *p, void *data);
void dstor_peers_end_of(struct dstor_listener *l);
void dstor_peer_put(struct dstor_peer *p);

/* hello.c: conn.tx.lock is held */
enum dstor_rx_verdict dstor_peer_greeting(struct dstor_peer *p);
enum dstor_rx_verdict dstor_peer_hello(struct dstor_peer *p);
void dstor_peer_attach(struct dstor_peer *p);	/* the hello, where it may sleep */
void dstor_peer_try_grant(struct dstor_peer *p);	/* granted, refused, or still waiting */

/* command.c. In the peer's work. */
/* Gives back what it keeps for the next commands. */
void dstor_command_drop_spares(struct dstor_peer *p);
enum dstor_rx_verdict dstor_command_receive(struct dstor_peer *p);	/* rx.frame is a REQUEST */
void dstor_command_submit_ready(struct dstor_peer *p);
void dstor_command_drop_ready(struct dstor_peer *p);
/* Takes what the disk completed; queues the responses. Under tx.lock. */
void dstor_command_reap(struct dstor_peer *p);
void dstor_command_free(struct dstor_command *cmd);
void dstor_command_answer(struct dstor_peer *p, struct dstor_command *cmd);
/* Takes the writes that threads have opened. Under tx.lock. */
void dstor_command_take_opened(struct dstor_peer *p);

#endif
