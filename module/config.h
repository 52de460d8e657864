/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is asked of the module and what it shows, between netlink and the rest:
 * plain values, copied on the way in and out. All functions below sleep, are
 * called from process context without locks, and return 0 or a negative errno
 * with a sentence in @err.
 */
#ifndef DSTOR_CONFIG_H
#define DSTOR_CONFIG_H

#include <linux/bitops.h>
#include <linux/minmax.h>
#include <linux/net.h>
#include <linux/socket.h>

#include "dstor.h"
#include "error.h"
#include "protocol.h"

#define DSTOR_TEXT_LEN 128
#define DSTOR_LISTEN_MAX 8
#define DSTOR_RULES_MAX 64
#define DSTOR_ADDRESSES_MAX 8

/* As the socket calls take it; nobody in the module looks inside. */
struct dstor_address {
	u32 family;
	u32 type;
	u32 protocol;
	u32 len;			/* of addr, bytes */
	struct sockaddr_storage addr;
	char text[DSTOR_TEXT_LEN];
};

struct dstor_rule {
	u32 family;		/* 0: any peer */
	u32 offset;
	u32 bits;
	u8 bytes[16];
	bool read_only;
	bool has_key;
	u8 key[DST_KEY_LEN];
	u8 print[DST_ID_LEN];	/* of the key, export.c's own */
	char text[DSTOR_TEXT_LEN];
};

enum dstor_latency {
	DSTOR_LATENCY_READ,
	DSTOR_LATENCY_WRITE,
	DSTOR_LATENCIES,
};

/* Counters of an export or a device; netlink and sysfs name them alike. */
struct dstor_stats {
	u64 reads;
	u64 writes;
	u64 flushes;
	u64 discards;
	u64 read_bytes;
	u64 write_bytes;
	u64 errors;
	u64 resends;
	u64 reconnects;
	u64 fenced;
	u64 replayed;
	u64 checksum_errors;
	u64 auth_failures;
	/* devices: see DSTOR_LATENCY_BUCKETS */
	u64 latency[DSTOR_LATENCIES][DSTOR_LATENCY_BUCKETS + 1];
};

/* In powers of two; the last one has all that took longer. */
static inline unsigned int dstor_latency_bucket(u64 ns)
{
	return min_t(unsigned int, fls64(ns >> 10), DSTOR_LATENCY_BUCKETS - 1);
}

/* stats.c. Any context; @sum is overwritten. Counters of one CPU are read as they run. */
void dstor_stats_sum(const struct dstor_stats __percpu *stats, struct dstor_stats *sum);

struct dstor_export_config {
	char name[DST_NAME_LEN];
	const char *path;
	u8 uuid[DST_ID_LEN];
	u8 instance[DST_ID_LEN];
	u32 flags;			/* enum dstor_export_flags */
	u64 max_inflight;		/* bytes */
	u64 writer_token;		/* 0: not known */
	const char *lease_file;		/* path; NULL: who may write is forgotten with us */
	u32 crypto_threads;
	char checksums[DST_ALGO_LIST_LEN];
	char ciphers[DST_ALGO_LIST_LEN];
	unsigned int n_listen;
	unsigned int n_rules;
	const struct dstor_address *listen;
	const struct dstor_rule *rules;
};

struct dstor_export_change {
	const char *evict;		/* name, id (32 hex digits) or address text; NULL: nobody */
	u64 max_inflight;		/* 0: unchanged */
	const u32 *crypto_threads;	/* NULL: unchanged */
	unsigned int n_rules;		/* 0: unchanged */
	const struct dstor_rule *rules;
};

struct dstor_client_info {
	char name[DST_NAME_LEN];
	u8 id[DST_ID_LEN];
	u8 session[DST_ID_LEN];
	struct sockaddr_storage addr;	/* of its newest connection */
	u32 addr_len;
	u8 access;			/* enum dstor_access */
	u32 connections;
	u32 in_flight;
	u32 silent_ms;
	char key[DSTOR_TEXT_LEN];	/* name of the key, or empty */
};

struct dstor_export_info {
	char name[DST_NAME_LEN];
	char *path;
	u8 uuid[DST_ID_LEN];
	u8 instance[DST_ID_LEN];
	u32 flags;
	u64 size;
	u64 max_inflight;
	u64 writer_token;
	u32 in_flight;
	u32 crypto_threads;
	char checksums[DST_ALGO_LIST_LEN];
	char ciphers[DST_ALGO_LIST_LEN];
	unsigned int n_listen;
	unsigned int n_rules;
	unsigned int n_clients;
	struct dstor_address *listen;
	struct dstor_rule *rules;	/* keys are zero */
	struct dstor_client_info *clients;
	struct dstor_stats stats;
};

/* export.c. -EEXIST name taken, -ENOENT path, -EBUSY path in use, -EACCES no rule, ... */
int dstor_export_add(struct net *net, const struct dstor_export_config *c,
		     struct dstor_error *err);
/*
 * -ENOENT; -EBUSY when it has clients and not @force. Drains, flushes the disk,
 * tells the clients. Returns when the disk is closed.
 */
int dstor_export_del(const char *name, bool force, struct dstor_error *err);
int dstor_export_set(const char *name, const struct dstor_export_change *c,
		     struct dstor_error *err);
/*
 * The export @name, or with @next the first one whose name sorts behind @name
 * ("" for the first). -ENOENT when there is none. Free with dstor_export_info_free().
 */
int dstor_export_info(const char *name, bool next, struct dstor_export_info *info);
void dstor_export_info_free(struct dstor_export_info *info);

struct dstor_device_config {
	char name[DST_NAME_LEN];	/* without "dst-" */
	char export[DST_NAME_LEN];
	const char *uri;
	u8 client_id[DST_ID_LEN];
	char client_name[DST_NAME_LEN];
	u32 timeout_ms;
	u32 retries;
	u32 ping_ms;
	u32 connections;
	u32 queue_depth;
	u32 max_io;			/* bytes */
	bool read_only;
	bool has_key;
	u8 key[DST_KEY_LEN];
	u32 crypto_threads;
	char checksums[DST_ALGO_LIST_LEN];
	char ciphers[DST_ALGO_LIST_LEN];
	unsigned int n_addresses;
	const struct dstor_address *addresses;	/* tried in turn */
};

struct dstor_device_change {
	const u32 *timeout_ms;		/* NULL: unchanged; so are the next */
	const u32 *retries;
	const u32 *ping_ms;
	const u32 *crypto_threads;
	const char *uri;
	const char *export;
	unsigned int n_addresses;	/* 0: unchanged */
	const struct dstor_address *addresses;
};

struct dstor_device_info {
	char name[DST_NAME_LEN];
	char export[DST_NAME_LEN];
	char *uri;
	u8 uuid[DST_ID_LEN];
	u64 size;
	u32 timeout_ms;
	u32 retries;
	u32 ping_ms;
	u32 connections;
	u32 queue_depth;
	u32 max_io;
	bool read_only;
	u32 crypto_threads;
	char checksum[DST_ALGO_LEN];
	char cipher[DST_ALGO_LEN];
	u8 state;			/* enum dstor_device_state */
	char reason[DSTOR_ERROR_LEN];
	u32 in_flight;
	u32 retry;			/* of the oldest transaction */
	u32 oldest_io_ms;
	u32 next_ms;			/* until the next reconnection */
	u32 live;
	u32 major;
	u32 minor;
	struct dstor_stats stats;
};

/* device.c. Returns when the disk is there; major and minor are in @info. */
int dstor_device_add(struct net *net, const struct dstor_device_config *c,
		     struct dstor_device_info *info, struct dstor_error *err);
/* -ENOENT; -EBUSY when it is open and not @force. With @force at most 5 s. */
int dstor_device_del(const char *name, bool force, struct dstor_error *err);
int dstor_device_set(const char *name, const struct dstor_device_change *c,
		     struct dstor_error *err);
int dstor_device_info(const char *name, bool next, struct dstor_device_info *info);
void dstor_device_info_free(struct dstor_device_info *info);

/* netlink.c; called by main.c */
int dstor_netlink_init(void);
void dstor_netlink_exit(void);

/* sysfs.c: group "dst" under the disk, for device_add_disk() */
struct attribute_group;
extern const struct attribute_group *dstor_device_groups[];

#endif
