/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An export: its disk, its rules, its sessions and its lease.
 */
#ifndef DSTOR_EXPORT_H
#define DSTOR_EXPORT_H

#include <linux/bio.h>
#include <linux/fs.h>

#include "compat/compat.h"
#include "conn/cipher.h"
#include "exporter/disk.h"
#include "exporter/exporter.h"
#include "exporter/rules.h"
#include "wire/lease.h"
#include "wire/replay_gate.h"

struct dstor_listener;

#define DSTOR_EVICTED_MAX 64
#define DSTOR_ENDED_MAX 64

/* Settings: of dst export, or of a later set. */
struct dstor_export_settings {
	char *path;
	u8 uuid[DSTOR_ID_LEN];
	u8 instance[DSTOR_ID_LEN];
	u8 exporter[DSTOR_ID_LEN];
	u32 flags;			/* enum dstor_export_flags */
	u32 crypto_threads;		/* export->lock */
	char checksums[DSTOR_ALGO_LIST_LEN];
	char ciphers[DSTOR_ALGO_LIST_LEN];
};

/* The disk: a block device or a file. */
struct dstor_export_disk {
	struct dstor_bdev bdev;
	struct file *file;
	bool direct;			/* file: O_DIRECT works */
	struct workqueue_struct *wq;	/* file: its operations, which its disk may keep */
	struct list_head claim;		/* file: nobody else exports it; disk_file.c */
	struct dstor_geometry geometry;	/* size changes under export->lock */
	atomic64_t grown;		/* the size that peers are to tell, for who has no lock */
	struct bio_set commands;
};

/* Memory of commands, from the header of a request until its disk or socket has it (P11). */
struct dstor_export_memory {
	atomic64_t max;			/* bytes: max_inflight */
	atomic64_t used;		/* bytes */
	atomic64_t slot_bytes;		/* of all sessions; not in used */
	spinlock_t lock;
	struct list_head waiting;	/* peers that wait for memory, in a row; lock */
	u64 scans;			/* of waiting, ever; lock */
	struct list_head accounts;	/* of clients with a session; lock */
};

/* The rate of each client; 0: no limit. */
struct dstor_export_limits {
	atomic64_t bandwidth;		/* bytes per second */
	atomic_t iops;			/* a u32 */
};

/* Sessions, and the ids of those that may not come back. export->lock. */
struct dstor_export_sessions {
	struct list_head list;
	unsigned int n;
	unsigned int n_draining;	/* session queues that were cut and are busy */
	u64 ran_ms;			/* when the clock of their silence ran last: poll.c */
	u8 evicted[DSTOR_EVICTED_MAX][DSTOR_ID_LEN];
	unsigned int n_evicted;		/* ever; the ring holds the last ones */
	u8 ended[DSTOR_ENDED_MAX][DSTOR_ID_LEN];	/* a late hello must not revive them */
	unsigned int n_ended;
};

/* Who has the lease, or had it last: the session may be of a former life. export->lock. */
struct dstor_export_holder {
	char name[DSTOR_NAME_LEN];	/* its client's */
	char address[DSTOR_TEXT_LEN];
	struct dstor_peer_id peer_id;	/* of a former life: without an address */
	struct dstor_replay_gate gate;	/* may it replay, and who waits for that? */
};

/* A save runs in a work, without lock: its disk may keep it. export->lock */
struct dstor_lease_file {
	struct file *file;		/* or NULL: nothing outlives us */
	u64 number;			/* of the last save */
	u32 changes;			/* of the lease that are to be saved, ever; ... */
	u32 tried;			/* ... and how many of them were. export->wait tells */
	int error;			/* of the last try, which poll.c repeats; or 0 */
	struct work_struct save;
	void (*saved)(struct dstor_export *e);
	/* A grant that is not yet saved, so nobody is told of it; or NULL */
	struct dstor_session *granting;
	struct dstor_lease before;	/* it, for when the save fails */
	struct dstor_export_holder holder_before;
	bool writer_before;
};

/* Its end: by a command, or by others. */
struct dstor_export_end {
	bool ending;			/* a caller waits for it right now; export->lock */
	struct work_struct gone;	/* when its network namespace is gone */
	struct work_struct shutdown;	/* when the machine goes down, ... */
	bool winding_down;		/* ... which has not ended */
};

/* Readers that wait for a replay: see gate.c. */
struct dstor_export_gate {
	bool holds;			/* they do, or would; export->lock, read in any context */
	bool moved;			/* a write of the writer is done; any context */
	unsigned long since;		/* jiffies of the first read that waited, or 0; any context */
};

struct dstor_export {
	struct list_head entry;
	struct kref kref;
	char name[DSTOR_NAME_LEN];
	struct dstor_export_settings config;
	u8 life[DSTOR_ID_LEN];		/* of the memory of sessions */
	struct dstor_threads threads;	/* when a rule has a key */
	struct net *net;		/* not held: see netns.h */
	unsigned int n_listen;
	struct dstor_address *listen;
	struct dstor_listener *listeners[DSTOR_LISTEN_MAX];
	struct dstor_export_disk disk;
	struct dstor_export_memory memory;
	struct dstor_export_limits limits;

	atomic_t in_flight;		/* commands submitted to the disk */
	atomic_t admitting;		/* live peers that may submit; stopping, it only falls */

	struct mutex lock;		/* what follows */
	unsigned int n_rules;
	struct dstor_rule *rules;
	struct dstor_export_sessions sessions;
	struct dstor_lease lease;
	struct dstor_export_holder holder;
	struct dstor_lease_file lease_file;
	struct dstor_export_gate gate;
	bool made;			/* dstor_export_add() is done with it */
	bool stopping;
	unsigned int n_peers;		/* attached and not yet retired */
	struct delayed_work poll;
	struct dstor_export_end end;
	wait_queue_head_t wait;		/* in_flight, admitting and n_peers fall */
	struct dstor_stats __percpu *stats;
};

void dstor_export_get(struct dstor_export *e);
void dstor_export_put(struct dstor_export *e);
/* Starts the threads of ciphers when one of @rules has a key. Sleeps. 0 or a negative errno. */
int dstor_export_prepare_keys(struct dstor_export *e, const struct dstor_rule *rules,
			      unsigned int n, struct dstor_error *err);

/* The list of exports. All below sleep, and take its lock; export->lock may be taken under it. */
/* -EEXIST when the name is taken. */
int dstor_export_enlist(struct dstor_export *e, struct dstor_error *err);
void dstor_export_delist(struct dstor_export *e);
/* Clients of @l find the export from now on. */
void dstor_export_add_listener(struct dstor_export *e, struct dstor_listener *l);
/* Clients find it no longer. Returns how many of e->listeners are to be put. */
unsigned int dstor_export_drop_listeners(struct dstor_export *e);
/* The export @name. With a reference, or NULL; likewise the next three. */
struct dstor_export *dstor_export_by_name(const char *name);
/* The export @name, if it listens on @l. */
struct dstor_export *dstor_export_find(struct dstor_listener *l, const char *name);
/* The export @name, or with @next the first one whose name sorts behind @name. */
struct dstor_export *dstor_export_pick(const char *name, bool next);
/* One that was made in the network namespace @net. */
struct dstor_export *dstor_export_in(struct net *net);
/* Calls @fn with each that listens on @l (NULL: with all), under the lock of the list. */
void dstor_export_each(struct dstor_listener *l, void (*fn)(struct dstor_export *, void *),
		       void *arg);

#endif
