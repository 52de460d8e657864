/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The DST protocol, version 1: every structure, code and limit on the wire.
 * docs/protocol.md describes the same bytes in prose, with test vectors.
 *
 * All integers are little-endian; all structures have a fixed size and their
 * fields are naturally aligned. Reserved bytes are sent as zero and refused
 * when they are not.
 */
#ifndef DSTOR_WIRE_PROTOCOL_H
#define DSTOR_WIRE_PROTOCOL_H

#include "host.h"

#define DSTOR_MAGIC "DSTstor1"

enum dstor_limits {
	DSTOR_PORT = 7710,
	DSTOR_VERSION = 1,
	DSTOR_ID_LEN = 16,
	DSTOR_NAME_LEN = 64, /* bytes, the closing NUL included */
	DSTOR_ALGO_LEN = 64,
	DSTOR_ALGO_LIST_LEN = 128,
	DSTOR_REASON_LEN = 160,
	DSTOR_KEY_LEN = 32,
	DSTOR_NOISE_LEN = 64,
	DSTOR_HASH_LEN = 32,
	DSTOR_TAG_LEN = 16,
	DSTOR_REKEY_USES = 1 << 22, /* of one key, then the next */

	DSTOR_GREETING_LEN = 128,
	DSTOR_HELLO_LEN = 640,
	DSTOR_WELCOME_LEN = 640,
	DSTOR_ENTRY_LEN = 128,
	DSTOR_FRAME_LEN = 32,
	DSTOR_DIGEST_MAX = 64,

	DSTOR_QUEUES_MAX = 64,
	DSTOR_SLOTS_MAX = 1024,
	DSTOR_ENTRIES_MAX = 4096,
	DSTOR_IO_MIN = 4096,
	DSTOR_IO_MAX = 1 << 20,
	DSTOR_BLOCK_MIN = 512,
	DSTOR_BLOCK_MAX = 4096,
};

#define DSTOR_SIZE_MAX ((1ULL << 62) - 1) /* bytes of a disk */
#define DSTOR_RETRIES_FOREVER 0xffffffffU
/*
 * Bytes under one key. With it and DSTOR_REKEY_USES AES-GCM stays far below its
 * limits (RFC 8446, 5.5; RFC 9001, B.1), and ChaCha20-Poly1305 has none as near.
 */
#define DSTOR_REKEY_BYTES 0x1000000000ULL
#define DSTOR_EXTENT_MAX (0xffffffffU & ~4095U) /* bytes of one discard or write-zeroes */

/*
 * Features: bits that both sides must know for something to be used. Version 1
 * has none. DSTOR_FEATURE_TEST belongs to builds for tests, and shows that the
 * protocol can grow: with it, requests may carry DSTOR_REQ_TEST.
 */
#define DSTOR_FEATURES_KNOWN 0ULL
#define DSTOR_FEATURE_TEST 0x8000000000000000ULL

/* How the bytes after the greeting are protected. */
enum dstor_mode {
	DSTOR_MODE_PLAIN = 0,
	DSTOR_MODE_NOISE = 1,
};

enum dstor_greeting_status {
	DSTOR_GREETING_OK = 0,
	DSTOR_GREETING_VERSION = 1,	/* no version in common */
	DSTOR_GREETING_FEATURE = 2,	/* features_required holds the unknown ones */
	DSTOR_GREETING_KEY_REQUIRED = 3,
	DSTOR_GREETING_REFUSED = 4,	/* authentication failed, nothing more is said */
	DSTOR_GREETING_BUSY = 5,	/* too many unauthenticated connections */
};

/* The first message of each side. */
struct dstor_greeting {
	u8 magic[8];
	__le16 version;		/* newest the sender speaks; in the answer: chosen */
	__le16 version_min;	/* oldest the sender speaks */
	u8 mode;		/* enum dstor_mode */
	u8 status;		/* enum dstor_greeting_status; 0 from the client */
	__le16 reserved0;
	__le64 features_required;
	__le64 features_optional;
	u8 key_id[DSTOR_ID_LEN];
	u8 noise[DSTOR_NOISE_LEN];
	u8 reserved1[12];
	__le32 crc;		/* CRC-32C of all bytes before it */
};

enum dstor_hello_kind {
	DSTOR_HELLO_ATTACH = 1,
	DSTOR_HELLO_LIST = 2,
	DSTOR_HELLO_PING = 3,
};

enum dstor_hello_flags {
	DSTOR_HELLO_READ_ONLY = 1 << 0,	/* the client will not write */
	DSTOR_HELLO_RESUME = 1 << 1,	/* the session was established before */
	DSTOR_HELLO_KEEPS = 1 << 2,	/* the client keeps acked writes until they are flushed */
	DSTOR_HELLO_RENEWAL = 1 << 3,	/* replaces a connection that works, for statistics */
};

#define DSTOR_HELLO_FLAGS_KNOWN 0xfU

/* The client's second message: what it wants. */
struct dstor_hello {
	u8 kind;		/* enum dstor_hello_kind */
	u8 flags;		/* enum dstor_hello_flags */
	__le16 queue;		/* index of this connection, below queues */
	__le16 queues;		/* connections of the session */
	__le16 slots;		/* transactions in flight per queue */
	__le32 max_io;		/* bytes of data in one frame */
	__le32 reserved0;
	__le64 generation;	/* of this queue, from 1; higher wins */
	u8 session[DSTOR_ID_LEN];
	u8 client[DSTOR_ID_LEN];	/* the same across reboots of the client */
	u8 takeover[DSTOR_ID_LEN];/* former session of this client to be fenced, or 0 */
	u8 uuid[DSTOR_ID_LEN];	/* RESUME: the export's identity so far */
	__le64 writer_token;	/* RESUME: from the welcome, or 0 */
	__le32 ping_ms;
	__le32 timeout_ms;
	__le32 retries;		/* DSTOR_RETRIES_FOREVER: no limit */
	__le32 reserved1;
	char export[DSTOR_NAME_LEN];
	char client_name[DSTOR_NAME_LEN];
	char checksums[DSTOR_ALGO_LIST_LEN];	/* comma-separated, best first */
	char ciphers[DSTOR_ALGO_LIST_LEN];
	u8 life[DSTOR_ID_LEN];	/* RESUME: of the exporter's memory, from the welcome */
	__le64 cookie;		/* RESUME: of this queue's last welcome, or 0 */
	__le64 last_seq;	/* RESUME: highest sequence number the queue has used */
	u8 reserved2[108];
	__le32 crc;
};

enum dstor_welcome_status {
	DSTOR_WELCOME_OK = 0,
	DSTOR_WELCOME_WAIT = 1,		/* older writes drain; another welcome follows */
	DSTOR_WELCOME_MALFORMED = 2,
	DSTOR_WELCOME_NO_EXPORT = 3,
	DSTOR_WELCOME_DENIED = 4,	/* no --allow rule admits this client */
	DSTOR_WELCOME_IN_USE = 5,	/* another client writes; reason names it */
	DSTOR_WELCOME_STALE = 6,	/* generation not higher than the current one */
	DSTOR_WELCOME_EXPIRED = 7,	/* replaced, forgotten, or rolled back */
	DSTOR_WELCOME_EVICTED = 8,
	DSTOR_WELCOME_ALGORITHM = 9,	/* no checksum or cipher in common */
	DSTOR_WELCOME_STOPPING = 10,	/* the export is being stopped */
	DSTOR_WELCOME_BUSY = 11,	/* no memory or too many sessions */
	DSTOR_WELCOME_STATUS_MAX = 11,
};

enum dstor_access {
	DSTOR_ACCESS_NONE = 0,
	DSTOR_ACCESS_READ = 1,
	DSTOR_ACCESS_WRITE = 2,	/* includes reading */
};

enum dstor_disk_flags {
	DSTOR_DISK_VOLATILE = 1 << 0,	/* acked writes need a flush to be durable */
	DSTOR_DISK_FUA = 1 << 1,
	DSTOR_DISK_ROTATIONAL = 1 << 2,
	DSTOR_DISK_DISCARD = 1 << 3,
	DSTOR_DISK_WRITE_ZEROES = 1 << 4,
	DSTOR_DISK_SHARED = 1 << 5,
	DSTOR_DISK_READ_ONLY = 1 << 6,
};

#define DSTOR_DISK_FLAGS_KNOWN 0x7fU

enum dstor_grant_flags {
	DSTOR_GRANT_LEASE_KEPT = 1 << 0,	/* the lease outlives a crash of the exporter */
	DSTOR_GRANT_REPLAY = 1 << 1,	/* kept writes may be sent again after one */
};

#define DSTOR_GRANT_FLAGS_KNOWN (DSTOR_GRANT_LEASE_KEPT | DSTOR_GRANT_REPLAY)

/* Kinds of the unique id of a disk, as in SPC's page 0x83. */
enum dstor_unique_id_type {
	DSTOR_UNIQUE_ID_NONE = 0,
	DSTOR_UNIQUE_ID_T10 = 1,
	DSTOR_UNIQUE_ID_EUI64 = 2,
	DSTOR_UNIQUE_ID_NAA = 3,
	DSTOR_UNIQUE_ID_MAX = 3,
};

/* The exporter's second message: what the client gets, or why it does not. */
struct dstor_welcome {
	u8 status;		/* enum dstor_welcome_status */
	u8 access;		/* enum dstor_access */
	__le16 queues;		/* most connections of a session */
	__le16 slots;		/* granted, at most the wanted */
	__le16 grant_flags;	/* enum dstor_grant_flags */
	__le32 max_io;		/* granted, at most the wanted */
	__le32 disk_flags;	/* enum dstor_disk_flags */
	u8 uuid[DSTOR_ID_LEN];
	u8 instance[DSTOR_ID_LEN];
	__le64 size;		/* bytes */
	__le32 logical_block;	/* bytes, as all below */
	__le32 physical_block;
	__le32 io_min;
	__le32 io_opt;
	__le32 discard_granularity;
	__le32 discard_alignment;
	__le32 max_discard;
	__le32 max_write_zeroes;
	__le64 writer_token;
	u8 holder[DSTOR_ID_LEN];	/* IN_USE by the same client: that session */
	__le32 waiting;		/* WAIT: transactions still draining */
	__le32 entries;		/* LIST: struct dstor_entry that follow */
	__le64 cookie;		/* the next RESUME of this queue shows it; not 0 */
	char checksum[DSTOR_ALGO_LEN];
	char cipher[DSTOR_ALGO_LEN];
	char reason[DSTOR_REASON_LEN];
	u8 exporter[DSTOR_ID_LEN];	/* which exporter this is: random, made once */
	u8 life[DSTOR_ID_LEN];	/* of the exporter's memory of sessions and slots */
	__le32 dma_alignment;	/* mask: bits of an address and a length that must be 0 */
	__le32 alignment_offset;	/* of the first physical block */
	__le32 atomic_max;	/* of a write that is never torn; 0: none */
	__le32 atomic_boundary;	/* which such a write may not cross; 0: none */
	__le32 atomic_unit_min;
	__le32 atomic_unit_max;
	u8 unique_id[DSTOR_ID_LEN];
	u8 unique_id_type;	/* enum dstor_unique_id_type */
	u8 unique_id_len;	/* bytes of it that count */
	u8 reserved1[2];
	u8 reserved2[144];
	__le32 crc;
};

/* After the welcome to PING in mode NOISE, whose cipher is empty. */
#define DSTOR_CIPHER_PING "chacha20-poly1305"

/* One export in the answer to LIST. */
struct dstor_entry {
	char name[DSTOR_NAME_LEN];
	u8 uuid[DSTOR_ID_LEN];
	__le64 size;
	__le32 disk_flags;
	u8 access;		/* what this client would get */
	u8 reserved[31];
	__le32 crc;
};

enum dstor_frame_type {
	DSTOR_FRAME_REQUEST = 1,	/* client: do op */
	DSTOR_FRAME_RESPONSE = 2,	/* exporter: op is done, for ever */
	DSTOR_FRAME_PING = 3,	/* either: answer me */
	DSTOR_FRAME_PONG = 4,	/* either: the ping's seq */
	DSTOR_FRAME_CHANGE = 5,	/* exporter: flags say what changed */
	DSTOR_FRAME_ASK = 6,	/* client: what became of (slot, seq)? */
	DSTOR_FRAME_STATE = 7,	/* exporter: status says it */
	DSTOR_FRAME_BYE = 8,	/* client: detached in order, the session may end */
	DSTOR_FRAME_REPLAYED = 9,	/* client: all kept writes were sent again and are done */
	DSTOR_FRAME_TYPE_MAX = 9,
};

enum dstor_op {
	DSTOR_OP_READ = 0,
	DSTOR_OP_WRITE = 1,
	DSTOR_OP_FLUSH = 2,
	DSTOR_OP_DISCARD = 3,
	DSTOR_OP_WRITE_ZEROES = 4,
	DSTOR_OP_MAX = 4,
};

/* Request flags: what the block layer said of it. */
enum dstor_request_flags {
	DSTOR_REQ_FUA = 1 << 0,
	DSTOR_REQ_PREFLUSH = 1 << 1,
	DSTOR_REQ_SYNC = 1 << 2,
	DSTOR_REQ_META = 1 << 3,
	DSTOR_REQ_PRIO = 1 << 4,
	DSTOR_REQ_IDLE = 1 << 5,
	DSTOR_REQ_RAHEAD = 1 << 6,
	DSTOR_REQ_NOUNMAP = 1 << 7,	/* WRITE_ZEROES: keep the space allocated */
	DSTOR_REQ_BACKGROUND = 1 << 8,
	DSTOR_REQ_RESEND = 1 << 9,	/* a copy was sent before; for statistics */
	DSTOR_REQ_TEST = 1 << 15,		/* only with DSTOR_FEATURE_TEST; counted */
};

#define DSTOR_REQ_FLAGS_KNOWN 0x3ffU

/* CHANGE: what changed. */
enum dstor_change_flags {
	DSTOR_CHANGE_SIZE = 1 << 0,	/* offset holds the new size in bytes */
	DSTOR_CHANGE_STOPPING = 1 << 1,	/* the export goes away in order */
	DSTOR_CHANGE_EVICTED = 1 << 2,	/* the session has ended */
	DSTOR_CHANGE_ACCESS = 1 << 3,	/* status holds the new enum dstor_access */
	DSTOR_CHANGE_FLUSHED = 1 << 4,	/* with STOPPING or ACCESS: what was acked is durable */
	DSTOR_CHANGE_DISK = 1 << 5,	/* status holds the enum dstor_disk_state */
};

#define DSTOR_CHANGE_FLAGS_KNOWN 0x3fU

enum dstor_disk_state {
	DSTOR_DISK_BACK = 0,
	DSTOR_DISK_GONE = 1,
	DSTOR_DISK_HANGS = 2,
	DSTOR_DISK_STATE_MAX = 2,
};

/* Result of a transaction. Never an errno: each end maps its own. */
enum dstor_status {
	DSTOR_STATUS_OK = 0,
	DSTOR_STATUS_IO = 1,		/* any error without a code of its own */
	DSTOR_STATUS_MEDIUM = 2,
	DSTOR_STATUS_NO_SPACE = 3,
	DSTOR_STATUS_NOT_SUPPORTED = 4,
	DSTOR_STATUS_READ_ONLY = 5,
	DSTOR_STATUS_RANGE = 6,		/* beyond the end of the disk */
	DSTOR_STATUS_INVALID = 7,	/* misaligned or senseless */
	DSTOR_STATUS_TIMEOUT = 8,	/* the exporter's disk timed out */
	DSTOR_STATUS_TARGET = 9,
	DSTOR_STATUS_RESERVED = 10,	/* reservation conflict */
	DSTOR_STATUS_PROTECTION = 11,
	DSTOR_STATUS_NO_MEMORY = 12,
	DSTOR_STATUS_TRANSPORT = 13,	/* the exporter's own path to its disk */
	DSTOR_STATUS_OFFLINE = 14,
	DSTOR_STATUS_MAX = 14,
};

/* STATE: what the exporter knows of a transaction it was asked about. */
enum dstor_ask_reply {
	DSTOR_STATE_UNKNOWN = 0,	/* never seen here: resend */
	DSTOR_STATE_BUSY = 1,		/* in progress */
	DSTOR_STATE_DONE = 2,		/* the response is on its way */
	DSTOR_STATE_DAMAGED = 3,		/* not executed: its data arrived damaged */
	DSTOR_STATE_WAITS = 4,		/* another client replays its writes first */
	DSTOR_STATE_MAX = 4,
};

/* STATE, flags: how far the answer goes. */
enum dstor_state_flags {
	DSTOR_STATE_ALL = 1 << 0,	/* all that is received and not answered is in progress */
};

/*
 * Every message after the welcome. length bytes of data follow (REQUEST of a
 * write, RESPONSE of a read, else 0). With a checksum both the header and the
 * data are followed by a digest; see docs/protocol.md.
 */
struct dstor_frame {
	u8 type;		/* enum dstor_frame_type */
	u8 op;			/* enum dstor_op; else 0 */
	__le16 flags;
	__le16 slot;
	__le16 status;		/* REQUEST: I/O priority; else a code */
	__le32 length;
	__le32 bytes;		/* extent of the operation on the disk */
	__le64 seq;
	__le64 offset;		/* bytes from the start of the disk */
};

static_assert(sizeof(struct dstor_greeting) == DSTOR_GREETING_LEN, "greeting");
static_assert(sizeof(struct dstor_hello) == DSTOR_HELLO_LEN, "hello");
static_assert(sizeof(struct dstor_welcome) == DSTOR_WELCOME_LEN, "welcome");
static_assert(sizeof(struct dstor_entry) == DSTOR_ENTRY_LEN, "entry");
static_assert(sizeof(struct dstor_frame) == DSTOR_FRAME_LEN, "frame");

#endif
