/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Exporters of the simulated world, and their disks: a part of world.h, which includes it
 * behind what it needs.
 */
#ifndef DST_SIM_WORLD_EXPORTER_H
#define DST_SIM_WORLD_EXPORTER_H

struct disk {
	u8 uuid[DSTOR_ID_LEN];
	u8 blocks;
	bool is_volatile;
	bool knows_fua;
	u32 cache[BLOCKS];	/* what a read sees: id of a write */
	u32 durable[BLOCKS];
	u32 cache_version[BLOCKS];
	u32 durable_version[BLOCKS];
	u32 versions;
	u8 hidden;		/* blocks that it lacks for now */
	struct dstor_lease kept_lease;	/* what its exporter keeps of the lease over its life */

	/* oracle */
	u16 holder;		/* session that may write, or 0 */
	bool holder_expired;	/* it was silent for its lease, which the exporter took back */
	u32 holder_life;	/* of the exporter that granted it last */
	u32 epoch;		/* counts losses of the cache */
	u64 dead[BLOCKS];	/* the first content was superseded */
	u16 seen[BLOCKS][CANDIDATES];	/* what a reader may see */
	u16 kept[BLOCKS][CANDIDATES];	/* what may be there after a power cut */
	u8 n_seen[BLOCKS];
	u8 n_kept[BLOCKS];
};

enum bio_kind { BIO_READ, BIO_WRITE, BIO_FLUSH };

struct bio {
	bool used;
	u32 stamp;
	u8 kind;
	bool fua;
	bool applied;
	u8 first;
	u8 count;
	u8 status;
	u32 data[SPAN];
	u32 version[BLOCKS];	/* FLUSH: of the cache when it began; WRITE: its own */
	u32 cache[BLOCKS];
	struct exporter *x;
	struct disk *disk;
	struct request *request;	/* NULL: the flush of an orderly stop */
};

enum request_state { R_DATA, R_COPYING, R_READY, R_RUNNING };

struct request {
	bool used;
	u32 stamp;
	u8 state;
	bool flushing;		/* its write is done, the flush that makes it durable runs */
	bool answered;		/* mutant */
	u8 queue;
	struct exporter *x;
	struct record *record;
	u32 record_stamp;	/* the record may be forgotten meanwhile: mutants */
	struct conn *conn;	/* NULL: lost meanwhile */
	u64 gen;
	struct dstor_frame frame;
	u8 status;
	u32 data[SPAN];
	struct item source;	/* loopback: what it copies from */
	struct txn *txn;
};

/* What an exporter remembers of a session. */
struct record {
	bool used;
	u32 stamp;
	bool evicted;
	bool bye;
	bool established;
	u32 key;		/* of its first connection */
	bool writer;		/* had the lease in this life */
	bool downgraded;	/* only reads; has the lease until it drained */
	bool dormant;		/* nobody waits for it any more; kept while there is room */
	u16 session;		/* for the oracle */
	u8 id[DSTOR_ID_LEN];
	u8 client[DSTOR_ID_LEN];
	u8 queues;
	u32 ping_ms;
	u32 timeout_ms;
	u32 retries;
	u64 heard_ms;
	struct {
		u64 gen;
		struct conn *live;
		struct conn *pending;
		u8 access;	/* of its newest connection */
		bool draining;	/* its connection was cut, and what it submitted runs */
		u16 running;
		struct dstor_slot slots[SLOTS];
		struct dstor_queue_past past;
	} queue[QUEUES];
};

enum exporter_state { X_UP, X_STOPPING, X_DOWN };

struct exporter {
	u8 index;
	u8 state;
	bool shared;
	bool write_through;
	bool powers_off;	/* STOPPING: the machine, not the module alone */
	bool stop_flushing;
	bool stop_failed;	/* that flush did */
	u64 up_ms;		/* since when */
	u32 life;
	u8 life_id[DSTOR_ID_LEN];	/* of its memory of sessions: new at each start */
	u8 identity[DSTOR_ID_LEN];	/* which exporter it is, for ever */
	u8 instance[DSTOR_ID_LEN];
	bool only_reads[MACHINES];	/* by its rules */
	struct disk *disk;	/* exported now */
	struct disk *own;
	u64 frozen_until;
	u64 speaks_late_until;	/* what it says on new connections takes long */
	u64 reads_late_until;	/* loopback: it is busy elsewhere */
	struct dstor_lease lease;
	struct record records[RECORDS];
	/* oracle */
	u16 holder;		/* session that may write, or 0 */
};

#endif
