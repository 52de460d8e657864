/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Requests to the exporter and its replies, for netlink and main.c: plain
 * values, copied on the way in and out. All functions below sleep, are called
 * from process context without locks, and return 0 or a negative errno with a
 * sentence in @err.
 */
#ifndef DSTOR_EXPORTER_H
#define DSTOR_EXPORTER_H

#include <linux/dstor.h>

#include "core/address.h"
#include "core/error.h"
#include "core/stats.h"
#include "wire/protocol.h"

struct net;

struct dstor_rule {
	u32 family;		/* 0: any peer */
	u32 offset;
	u32 bits;
	u8 bytes[16];
	bool read_only;
	bool has_key;
	u8 key[DSTOR_KEY_LEN];
	u8 fingerprint[DSTOR_ID_LEN];	/* of the key, rules.c's own */
	char client[DSTOR_NAME_LEN];	/* who has the key, which may have others; or empty */
	char text[DSTOR_TEXT_LEN];
};

struct dstor_export_config {
	char name[DSTOR_NAME_LEN];
	const char *path;
	u8 uuid[DSTOR_ID_LEN];
	u8 instance[DSTOR_ID_LEN];
	u8 exporter[DSTOR_ID_LEN];	/* which exporter of the export this is */
	u32 flags;			/* enum dstor_export_flags */
	u64 max_inflight;		/* bytes */
	u64 max_bandwidth;		/* of each client, bytes per second; 0: no limit */
	u32 max_iops;			/* likewise, requests */
	u64 writer_token;		/* 0: not known */
	const char *lease_file;		/* path; NULL: who may write is forgotten with us */
	u32 crypto_threads;
	char checksums[DSTOR_ALGO_LIST_LEN];
	char ciphers[DSTOR_ALGO_LIST_LEN];
	unsigned int n_listen;
	unsigned int n_rules;
	const struct dstor_address *listen;
	const struct dstor_rule *rules;
};

struct dstor_export_change {
	const char *evict;		/* name, id (32 hex digits) or address text; NULL: nobody */
	u32 wait_ms;			/* how long for what was evicted to drain */
	u64 max_inflight;		/* 0: unchanged */
	const u64 *max_bandwidth;	/* NULL: unchanged */
	const u32 *max_iops;		/* likewise */
	const u32 *crypto_threads;	/* NULL: unchanged */
	unsigned int n_rules;		/* 0: unchanged */
	const struct dstor_rule *rules;
};

struct dstor_client_info {
	char name[DSTOR_NAME_LEN];
	u8 id[DSTOR_ID_LEN];
	u8 session[DSTOR_ID_LEN];
	struct sockaddr_storage addr;	/* of its newest connection */
	u32 addr_len;
	u8 access;			/* enum dstor_access */
	u32 connections;
	u32 in_flight;
	u32 silent_ms;
	char key[DSTOR_TEXT_LEN];	/* name of the key, or of two that are in use; or empty */
	char rule_client[DSTOR_NAME_LEN];	/* as its rule names it, or empty */
	char cipher[DSTOR_ALGO_LEN];	/* of its newest connection; so is the next */
	char checksum[DSTOR_ALGO_LEN];
};

struct dstor_export_info {
	char name[DSTOR_NAME_LEN];
	char *path;
	u8 uuid[DSTOR_ID_LEN];
	u8 instance[DSTOR_ID_LEN];
	u8 exporter[DSTOR_ID_LEN];
	u32 flags;
	u64 size;
	u64 max_inflight;
	u64 max_bandwidth;
	u32 max_iops;
	u64 writer_token;
	u32 in_flight;
	u32 readers_wait_ms;		/* for a writer that restores the disk; 0: none does */
	u32 crypto_threads;
	char checksums[DSTOR_ALGO_LIST_LEN];
	char ciphers[DSTOR_ALGO_LIST_LEN];
	unsigned int n_listen;
	unsigned int n_rules;
	unsigned int n_clients;
	struct dstor_address *listen;
	struct dstor_rule *rules;	/* keys are zero */
	struct dstor_client_info *clients;
	struct dstor_stats stats;
};

/* -EEXIST name taken, -ENOENT path, -EBUSY path in use, -EACCES no rule, ... */
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

/* The machine goes down: clients hear of an orderly end. */
void dstor_exports_shutdown(void);
/*
 * Ends all that has a socket in @net, which nobody can use any more; when it
 * returns there is none. Sleeps.
 */
void dstor_exports_leave(struct net *net);
void dstor_peers_leave(struct net *net);	/* as dstor_exports_leave(), after it */
void dstor_peers_end(void);	/* module exit: ends all and waits */

#endif
