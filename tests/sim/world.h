/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The simulated world: one thread, one clock, one random sequence per seed.
 * Everything lives in `w` and is wiped between seeds; nothing is allocated.
 * Client and exporter follow docs/protocol.md and take every decision wire/
 * offers from wire/. What travels is the real structs of wire/protocol.h; only
 * the data of a block is a number, the id of the write it came from.
 */
#ifndef DST_SIM_WORLD_H
#define DST_SIM_WORLD_H

#include "names.h"
#include "flush_mark.h"
#include "lease.h"
#include "rejoin.h"
#include "resume.h"
#include "retry.h"
#include "slot.h"

enum sizes {
	EXPORTERS = 2,
	MACHINES = 3,		/* that run clients */
	DISKS = 3,		/* one of each exporter, and a stranger */
	QUEUES = 3,
	SLOTS = 4,
	SPAN = 3,		/* blocks of one transaction */
	BLOCKS = 12,		/* of a disk that has grown */
	BLOCK = 4096,		/* bytes */

	TXNS = 400,		/* in one run; 0 stands for what was on the disk before */
	SESSIONS = 96,		/* in one run */
	CONNS = 512,		/* at one time, as all below */
	ITEMS = 1024,
	MESSAGES = 640,
	REQUESTS = 160,
	BIOS = 192,
	EVENTS = 4096,
	CANDIDATES = 64,	/* writes a block may hold */
	RECORDS = 24,		/* sessions an exporter remembers, at most */
};

/* For printing u64, whatever it is made of here. */
#define ULL(x) ((unsigned long long)(x))
#define GARBAGE 0x80000000U	/* in a page that belongs to somebody else by now */
#define NEVER (~0ULL)
#define STOP_POLL_MS 100	/* requests that were dropped tell nobody */

/* --- what happens when --- */

enum event_type {
	EV_STREAM,		/* conn, way: bytes leave or arrive */
	EV_EXPORTER_CLOSED,	/* conn: the exporter notices a reset */
	EV_CONN_TIMER,		/* conn: ping and silence on the exporter */
	EV_WAIT,		/* conn: another welcome WAIT */
	EV_COPIED,		/* request: its data has been taken from the socket */
	EV_SUBMIT,		/* request */
	EV_BIO,			/* bio: completed */
	EV_DORMANT,		/* exporter, record */
	EV_STOP,		/* exporter: has all it accepted been answered? */
	EV_CRASH,		/* exporter */
	EV_STARTED,		/* exporter */
	EV_QUEUE_TIMER,		/* machine, queue: ping and silence on the client */
	EV_QUEUE_ABORT,		/* machine, queue: a mutant's second thought */
	EV_CONNECT,		/* machine, queue */
	EV_RENEW,		/* machine, queue: its renewal; QUEUES: the next one */
	EV_SCAN,		/* machine: ages of transactions */
	EV_APP,			/* machine: the application does something */
	EV_ATTACH,		/* machine: somebody types `dst attach` */
	EV_REBOOTED,		/* machine */
	EV_RESTORE,		/* machine: to its snapshot */
	EV_WEATHER,		/* something breaks */
	EV_HEAL,		/* nothing breaks any more */
	EV_AUDIT,
};

struct event {
	u64 when;
	u32 order;		/* among events of one millisecond */
	u32 stamp;		/* of the object; stale events are skipped */
	u16 index;
	u8 type;
	u8 sub;
};

/* --- transactions: the client's view and the oracle's --- */

enum txn_state {
	T_WAITING,		/* for a connection */
	T_SENT,
	T_OK,
	T_FAILED,
	T_GONE,			/* its machine crashed */
};

struct txn {
	u8 op;
	u8 first;
	u8 count;		/* blocks */
	bool fua;		/* asked for from above, */
	bool kept_durable;	/* or on the wire only: the device has no cache */
	u8 machine;
	u8 disk;
	u8 queue;
	u8 slot;
	u16 session;
	u64 seq;

	/* client */
	enum txn_state state;
	struct dstor_attempt attempt;
	bool copied;		/* is sent from a copy */
	bool repeated;		/* READ: its data came damaged on this connection */
	bool ever_sent;
	u64 sent_gen;
	u64 flush;		/* number of a flush */
	u64 losses;
	u32 page[SPAN];
	u8 status;

	u8 sent_to;		/* exporter */
	u32 sent_life;

	/* oracle: order numbers, 0 = not yet */
	u64 began;
	u64 ended;		/* answered, or failed and fenced: no copy can land after */
	u64 dead[SPAN];		/* superseded on that block */
	u64 frozen_ms;		/* its machine had been frozen for, at submission */
	u32 life;		/* of the exporter that executed it last */
	u32 epoch;		/* losses of the disk when executed */
	u16 root;		/* whose twin it is since its machine was rolled back, or 0 */
	u32 ran;		/* root: life of the exporter that executed it or a twin last */
	u32 arrived;		/* likewise, that got its header */
	bool executed;
	bool durable;		/* an ack says that it is */
	bool lost;		/* acked, and then the cache was lost */
	bool told_flush;	/* its loss: to one who flushed, */
	bool told_fua;		/* and to one who wrote with FUA */
};

/* --- the network --- */

enum direction { TO_EXPORTER, TO_CLIENT };

enum item_kind { I_HELLO, I_GREETING, I_WELCOME, I_FRAME, I_DATA, I_FIN };

struct message {
	bool used;
	struct dstor_greeting greeting;
	union {
		struct dstor_hello hello;
		struct dstor_welcome welcome;
	};
};

struct item {
	u8 kind;
	u8 count;		/* DATA: blocks */
	bool by_reference;	/* DATA: still the pages of txn */
	struct dstor_frame frame;
	u32 data[SPAN];
	struct txn *txn;	/* whose pages; and for the oracle */
	struct message *message;
	u64 arrives;
	struct item *next;
};

struct list {
	struct item *head;
	struct item *tail;
};

struct stream {
	struct list queued;	/* in the sender's socket, by reference */
	struct list flying;	/* in the network, copies */
	u64 stalled_until;	/* nothing leaves before */
	u64 last_arrival;
	u64 event;		/* earliest pending EV_STREAM, or NEVER */
};

enum exporter_end { E_NONE, E_HANDSHAKE, E_PENDING, E_LIVE, E_CLOSED };

struct conn {
	bool used;
	u32 stamp;
	u16 index;
	bool loopback;
	struct exporter *x;
	u32 life;		/* of the exporter it was opened to */
	struct machine *m;
	u16 session;
	u8 queue;
	u64 gen;
	u32 key;		/* which of the client's */
	struct stream way[2];

	bool open;		/* the client's end */
	u64 shown;		/* client: the token of its hello */
	struct txn *reading;	/* client: data of its response comes next */

	u8 end;			/* the exporter's: enum exporter_end */
	bool established;	/* what the exporter's socket says */
	struct record *record;
	u64 heard_ms;
	u64 pinged_ms;
	bool writes;		/* was granted to */
	struct request *receiving;	/* its data comes next; NULL: throw it away */
	struct dstor_hello hello;
	bool promised;		/* mutant */
};

#include "world_exporter.h"

/* --- clients --- */

enum queue_state { Q_IDLE, Q_HELLO, Q_LIVE };

struct queue {
	u8 state;
	struct conn *conn;
	struct conn *next;	/* is to take its place */
	u64 next_since;		/* began, held, or said its hello */
	bool held;		/* nothing new is sent before it has */
	bool said;
	u64 gen;
	u32 attempts;
	u64 heard_ms;
	u64 pinged_ms;
	struct txn *slot[SLOTS];
	bool barred[SLOTS];	/* a failed transaction may still run */
	u64 seq;		/* the highest used */
	u64 cookie;
	bool quiet;		/* rolled back, and not judged yet */
	bool is_volatile;	/* the welcome of its connection says so, */
	u8 access;		/* and this */
	u64 mark;		/* acked and not flushed, on ... */
	u8 instance[DSTOR_ID_LEN];	/* ... this one, or an older one */
};

enum device_state { D_NONE, D_ATTACHING, D_UP, D_FAILED, D_DETACHING };

struct machine {
	u8 index;
	u8 client[DSTOR_ID_LEN];
	struct exporter *target;	/* where the address leads now */
	struct exporter *home;
	bool loopback;
	bool down;
	bool exists;
	u8 settled;		/* stage of the last check, when all has healed */
	u8 reported;
	u16 checks;		/* first of its transactions */
	u64 frozen_until;
	u64 frozen_ms;
	u64 cut_until[EXPORTERS];

	/* the device */
	u8 device;		/* enum device_state */
	u32 key;		/* of connections that are made from now on */
	u8 renewals;		/* in vain */
	bool suspended;
	bool read_only;		/* attached so, */
	bool only_reads;	/* or its first welcome allowed no more: for ever */
	bool scanning;
	u16 session;
	u8 session_id[DSTOR_ID_LEN];
	u8 takeover[DSTOR_ID_LEN];
	bool established;
	u8 disk;
	u64 token;
	u8 life[DSTOR_ID_LEN];
	u32 token_life;		/* of the exporter that gave it; for the oracle */
	struct dstor_identity identity;
	u8 instance[DSTOR_ID_LEN];
	bool is_volatile;
	struct dstor_flush_marks cache;
	struct dstor_retry_policy policy;
	u32 ping_ms;
	u8 queues;
	u8 slots;
	u64 attach_gives_up;
	u64 forced_ms;		/* a forced detach began, or NEVER */
	struct queue queue[QUEUES];
};

/* A client machine's memory, as it was. */
struct snapshot {
	bool taken;
	u8 machine;
	u8 n;			/* transactions in flight */
	u16 session;
	u64 when;
	u64 order;
	struct machine m;
	struct txn txns[QUEUES * SLOTS];
};

/* What the oracle knows of a session. */
struct session {
	u64 snapped;		/* order numbers: its machine's memory is of then, */
	u64 rolled_back;	/* since then */
	u32 stale[QUEUES];	/* life whose exporter has seen what this memory has not */
	bool stale_ever[QUEUES];	/* any exporter has */
	bool stale_token;
	u32 framed[QUEUES];	/* life in which a frame of the queue arrived last */
	u32 writer;		/* life in which it was let in to write last */
	u32 settled;		/* life in which one of each did, after that */
	u8 machine;
	bool read_only;
	bool bye;
	bool evicted;
	u8 gave_back;		/* the lease, downgraded: of this disk, + 1 */
	bool over;		/* its exporter has ended it */
	bool forgotten;		/* once at least, for want of room */
	bool expelled[DISKS];	/* another is or was the writer since */
	u64 heard_ms[EXPORTERS];
	u64 lease_ms;
	u64 silence_ms;
	struct {
		u64 gen;	/* highest with a welcome OK */
		u32 life;
	} answered[EXPORTERS][QUEUES];
};

/* What can happen to it, as a mask of each seed. */
enum fault {
	W_RESET, W_CUT, W_HOLD, W_STALL, W_CRASH, W_STOP, W_FREEZE_EXPORTER, W_FREEZE_CLIENT,
	W_CLIENT_CRASH, W_FORCE, W_DETACH, W_EVICT, W_RIVAL, W_OTHER_DISK, W_SMALLER, W_GROW,
	W_MOVED, W_ROLLBACK, W_DOWNGRADE, W_DAMAGE, W_ROTATE, W_LONG, WEATHERS,
};

struct world {
	u64 random;
	u64 now;
	u64 order;		/* of whatever the oracle compares */
	bool failed;
	bool healing;
	char promise[8];
	char what[160];

	/* the seed's character: what can happen in this run */
	u64 ends_ms;
	u32 faults;		/* mask of enum fault */
	u32 pause_ms;		/* between faults */
	u16 txn_limit;
	bool all_loopback;
	bool all_shared;
	bool keyed;		/* clients have keys */
	bool late_news;		/* what is in flight at a crash arrives long after it */
	u32 hold_ms;
	u8 hold_percent;	/* of bios that are held for long */
	u8 slow_percent;	/* of packets that are late */
	u8 flush_percent;	/* of transactions, beyond the usual */
	u8 fua_percent;		/* of writes */
	u8 reset_percent;	/* of connections, just before a crash */
	u8 damage_percent;	/* of data, where there is any damage */
	bool disk_errors;
	u8 room;		/* sessions an exporter remembers, */
	u8 room_of_client;	/* and of one client */

	u16 n_txns;
	u16 n_sessions;
	u32 lives;
	u32 bad_ends;		/* of exporters: caches may be lost */
	u32 ids;
	u32 stamps;		/* no two objects of a run have the same */
	u32 steps;
	u16 n_events;
	bool stepping;		/* attach_step_all() is at work */
	struct item *free_items;

	struct exporter exporters[EXPORTERS];
	struct machine machines[MACHINES];
	struct snapshot snapshot;
	struct disk disks[DISKS];
	struct txn txns[TXNS];
	struct session sessions[SESSIONS];
	struct conn conns[CONNS];
	struct request requests[REQUESTS];
	struct bio bios[BIOS];
	struct event events[EVENTS];
	struct item items[ITEMS];
	struct message messages[MESSAGES];
};

extern struct world w;

#endif
