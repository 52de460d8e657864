/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Generic netlink interface of the DST module (family "dstor", version 1).
 * include/dstor.yaml is the specification; `make check` compares the two.
 *
 * Every command needs CAP_SYS_ADMIN (in the initial user namespace); sockets live in
 * the caller's network namespace. Sizes are bytes, times are milliseconds. Errors
 * carry a text in the extended ack (NLMSGERR_ATTR_MSG).
 */
#ifndef DSTOR_UAPI_H
#define DSTOR_UAPI_H

#define DSTOR_GENL_NAME "dstor"
#define DSTOR_GENL_VERSION 1
#define DSTOR_GENL_EVENTS "events"

/* Limits: of an export, of a device, of both. */
#define DSTOR_LISTEN_MAX 8		/* addresses that an export listens on */
#define DSTOR_RULES_MAX 64
#define DSTOR_ADDRESSES_MAX 8		/* that a device tries in turn */
#define DSTOR_TEXT_LEN 128		/* of an address or a rule, with the closing NUL */
#define DSTOR_URI_LEN 1024		/* with the closing NUL */
#define DSTOR_CRYPTO_THREADS_MAX 1024	/* a bigger one is a slip: no machine has so many CPUs */

#define DSTOR_KEEP_MIN (1ULL << 20)	/* bytes for the kept writes of a device */
#define DSTOR_KEEP_MAX (64ULL << 30)

/* What an attribute that is absent means. */
#define DSTOR_INFLIGHT_DEFAULT (64ULL << 20)	/* bytes */

enum dstor_cmd {
	DSTOR_CMD_UNSPEC,
	DSTOR_CMD_EXPORT_ADD,
	DSTOR_CMD_EXPORT_DEL,
	DSTOR_CMD_EXPORT_SET,
	DSTOR_CMD_EXPORT_GET,
	DSTOR_CMD_DEVICE_ADD,
	DSTOR_CMD_DEVICE_DEL,
	DSTOR_CMD_DEVICE_SET,
	DSTOR_CMD_DEVICE_GET,
	DSTOR_CMD_EVENT,	/* only sent, to the group "events" */
	__DSTOR_CMD_MAX,
};

#define DSTOR_CMD_MAX (__DSTOR_CMD_MAX - 1)

enum dstor_export_flags {
	DSTOR_EXPORT_READ_ONLY = 1 << 0,
	DSTOR_EXPORT_SHARED = 1 << 1,
	DSTOR_EXPORT_WRITE_THROUGH = 1 << 2,
	DSTOR_EXPORT_NO_REPLAY = 1 << 3,
};

enum dstor_device_state {
	DSTOR_DEVICE_CONNECTED = 0,
	DSTOR_DEVICE_RECONNECTING = 1,
	DSTOR_DEVICE_SUSPENDED = 2,
	DSTOR_DEVICE_FAILED = 3,
};

/* What has happened to a device, an export, a client of an export. */
enum dstor_event {
	DSTOR_EVENT_DEVICE_ATTACHED = 0,
	DSTOR_EVENT_DEVICE_DETACHED = 1,
	DSTOR_EVENT_DEVICE_STATE = 2,
	DSTOR_EVENT_DEVICE_RESIZED = 3,
	DSTOR_EVENT_EXPORT_ADDED = 4,
	DSTOR_EVENT_EXPORT_REMOVED = 5,
	DSTOR_EVENT_EXPORT_RESIZED = 6,
	DSTOR_EVENT_CLIENT_JOINED = 7,
	DSTOR_EVENT_CLIENT_LEFT = 8,
};

/*
 * Of a latency: bucket i counts what took less than 1024 << i ns and not less than
 * half of that; the last one, all that took longer. Behind them is the sum in ns.
 */
#define DSTOR_LATENCY_BUCKETS 28

/* One attribute space for all commands. */
enum dstor_attr {
	DSTOR_A_UNSPEC,
	DSTOR_A_NAME,		/* string: of the export or the device (without "dst-") */
	DSTOR_A_FORCE,		/* flag */
	DSTOR_A_STATS,		/* nest: enum dstor_stats_attr */
	DSTOR_A_UUID,		/* binary, 16: of the export */
	DSTOR_A_SIZE,		/* u64: bytes */
	DSTOR_A_IN_FLIGHT,	/* u32: transactions */
	DSTOR_A_CHECKSUMS,	/* string: accepted, comma-separated, best first */
	DSTOR_A_CIPHERS,	/* string: likewise */
	DSTOR_A_CRYPTO_THREADS,	/* u32: 0 = number of CPUs */
	DSTOR_A_PAD,

	/* exports */
	DSTOR_A_PATH,		/* string */
	DSTOR_A_INSTANCE,	/* binary, 16: changes when the machine's caches were lost */
	DSTOR_A_FLAGS,		/* u32: enum dstor_export_flags */
	DSTOR_A_LISTEN,		/* nest, repeats: enum dstor_address_attr */
	DSTOR_A_ALLOW,		/* nest, repeats: enum dstor_rule_attr */
	DSTOR_A_MAX_INFLIGHT,	/* u64: bytes */
	DSTOR_A_CLIENT,		/* nest, repeats: enum dstor_client_attr */
	DSTOR_A_EVICT,		/* string: EXPORT_SET, name or address text of a client */
	DSTOR_A_WRITER_TOKEN,	/* u64: of the last writer, kept by the utility */
	DSTOR_A_EXPORTER,	/* binary, 16: which exporter; devices: insisted on, 0: the next */

	/* devices */
	DSTOR_A_EXPORT,		/* string: its name at the exporter */
	DSTOR_A_URI,		/* string: shown, not understood */
	DSTOR_A_ADDRESS,	/* nest, repeats, tried in turn: enum dstor_address_attr */
	DSTOR_A_CLIENT_ID,	/* binary, 16 */
	DSTOR_A_CLIENT_NAME,	/* string */
	DSTOR_A_TIMEOUT_MS,	/* u32 */
	DSTOR_A_RETRIES,	/* u32: 0xffffffff = forever */
	DSTOR_A_PING_MS,	/* u32 */
	DSTOR_A_CONNECTIONS,	/* u32 */
	DSTOR_A_QUEUE_DEPTH,	/* u32 */
	DSTOR_A_MAX_IO,		/* u32: bytes */
	DSTOR_A_READ_ONLY,	/* flag */
	DSTOR_A_KEY,		/* binary, 32: never sent by the module */
	DSTOR_A_STATE,		/* u8: enum dstor_device_state */
	DSTOR_A_REASON,		/* string: why it is in that state */
	DSTOR_A_CHECKSUM,	/* string: in use */
	DSTOR_A_CIPHER,		/* string: in use */
	DSTOR_A_RETRY,		/* u32: of the oldest transaction */
	DSTOR_A_OLDEST_IO_MS,	/* u32 */
	DSTOR_A_NEXT_MS,	/* u32: until the next reconnection */
	DSTOR_A_LIVE,		/* u32: connections that work */
	DSTOR_A_MAJOR,		/* u32 */
	DSTOR_A_MINOR,		/* u32 */
	DSTOR_A_LEASE_FILE,	/* string: EXPORT_ADD, where the lease outlives a crash */
	DSTOR_A_EVENT,		/* u8: enum dstor_event */
	DSTOR_A_READ_LATENCY,	/* binary: DSTOR_LATENCY_BUCKETS + 1 of u64 */
	DSTOR_A_WRITE_LATENCY,	/* binary: likewise */
	DSTOR_A_WAIT_MS,	/* u32: EXPORT_SET, for what was evicted to drain; 0: do not wait */
	DSTOR_A_MAX_BANDWIDTH,	/* u64: bytes per second of each client; 0, absent: no limit */
	DSTOR_A_MAX_IOPS,	/* u32: likewise, requests */
	DSTOR_A_READERS_WAIT_MS,	/* u32: of exports: for a writer that restores the disk */
	DSTOR_A_KEEP,		/* u64: bytes for kept writes; 0 or absent: none are kept */
	DSTOR_A_KEPT,		/* u64: bytes in use; absent: nothing can be kept */
	DSTOR_A_REPLAYED,	/* u64: bytes that a replay has sent again by now, */
	DSTOR_A_REPLAY,		/* u64: of so many; both absent: none runs */
	DSTOR_A_DROP_KEPT,	/* flag: DEVICE_SET, kept writes are lost */
	__DSTOR_A_MAX,
};

#define DSTOR_A_MAX (__DSTOR_A_MAX - 1)

/* An address as the socket calls take it; opaque to the module. */
enum dstor_address_attr {
	DSTOR_ADDRESS_UNSPEC,
	DSTOR_ADDRESS_FAMILY,	/* u32 */
	DSTOR_ADDRESS_TYPE,	/* u32 */
	DSTOR_ADDRESS_PROTOCOL,	/* u32 */
	DSTOR_ADDRESS_SOCKADDR,	/* binary, at most 128 */
	DSTOR_ADDRESS_TEXT,	/* string: for people */
	__DSTOR_ADDRESS_MAX,
};

#define DSTOR_ADDRESS_MAX (__DSTOR_ADDRESS_MAX - 1)

/* All parts of a rule must hold; a rule without a key admits in the clear. */
enum dstor_rule_attr {
	DSTOR_RULE_UNSPEC,
	DSTOR_RULE_FAMILY,	/* u32: the peer's address family; absent: any peer */
	DSTOR_RULE_OFFSET,	/* u32: of the compared bytes in the peer's socket address */
	DSTOR_RULE_BITS,	/* u32: how many bits of BYTES are compared */
	DSTOR_RULE_BYTES,	/* binary, at most 16 */
	DSTOR_RULE_READ_ONLY,	/* flag */
	DSTOR_RULE_KEY,		/* binary, 32: never sent by the module */
	DSTOR_RULE_TEXT,	/* string: the rule as it was given */
	DSTOR_RULE_CLIENT,	/* string: who has the key, and may have others */
	__DSTOR_RULE_MAX,
};

#define DSTOR_RULE_MAX (__DSTOR_RULE_MAX - 1)

enum dstor_client_attr {
	DSTOR_CLIENT_UNSPEC,
	DSTOR_CLIENT_NAME,	/* string */
	DSTOR_CLIENT_SOCKADDR,	/* binary */
	DSTOR_CLIENT_ID,	/* binary, 16 */
	DSTOR_CLIENT_SESSION,	/* binary, 16 */
	DSTOR_CLIENT_ACCESS,	/* u8: 1 read, 2 write */
	DSTOR_CLIENT_KEY,	/* string: name of the key, or absent */
	DSTOR_CLIENT_CONNECTIONS, /* u32 */
	DSTOR_CLIENT_IN_FLIGHT,	/* u32 */
	DSTOR_CLIENT_SILENT_MS,	/* u32: since the last byte from it */
	DSTOR_CLIENT_RULE_CLIENT, /* string: as its rule names it, or absent */
	DSTOR_CLIENT_CHECKSUM,	/* string: in use, or absent */
	DSTOR_CLIENT_CIPHER,	/* string: in use; "none" with a key alone, absent without */
	__DSTOR_CLIENT_MAX,
};

#define DSTOR_CLIENT_MAX (__DSTOR_CLIENT_MAX - 1)

/* Counters, all u64. */
enum dstor_stats_attr {
	DSTOR_STATS_UNSPEC,
	DSTOR_STATS_READS,
	DSTOR_STATS_WRITES,
	DSTOR_STATS_FLUSHES,
	DSTOR_STATS_DISCARDS,	/* write-zeroes included */
	DSTOR_STATS_READ_BYTES,
	DSTOR_STATS_WRITE_BYTES,
	DSTOR_STATS_ERRORS,
	DSTOR_STATS_RESENDS,
	DSTOR_STATS_RECONNECTS,
	DSTOR_STATS_FENCED,
	DSTOR_STATS_REPLAYED,
	DSTOR_STATS_CHECKSUM_ERRORS,
	DSTOR_STATS_AUTH_FAILURES,
	DSTOR_STATS_COPIED_WRITES,	/* sent again from a copy, since their data had changed */
	DSTOR_STATS_PAD,
	DSTOR_STATS_MISMATCHES,	/* devices: welcomes of another exporter or disk */
	DSTOR_STATS_UNKEPT_WRITES, /* devices: made durable, for want of memory or room; so */
	DSTOR_STATS_OWN_FLUSHES, /* are the next: by the client itself */
	DSTOR_STATS_REPLAYS,	/* of kept writes, completed */
	DSTOR_STATS_KEPT_RESENT, /* requests of these */
	__DSTOR_STATS_MAX,
};

#define DSTOR_STATS_MAX (__DSTOR_STATS_MAX - 1)

#endif
