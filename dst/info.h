/* SPDX-License-Identifier: GPL-2.0 */
/*
 * info.c - exports and devices as the module shows them, as plain values.
 */
#ifndef DST_INFO_H
#define DST_INFO_H

#include <limits.h>

#include "netlink.h"
#include "options.h"

#define ID_TEXT_LEN 40	/* as of struct text */

struct stats_info {
	u64 value[DSTOR_STATS_MAX + 1];	/* by enum dstor_stats_attr */
};

/* Buckets in powers of two, as the module counts them. */
struct latency_info {
	u64 bucket[DSTOR_LATENCY_BUCKETS];
	u64 sum_ns;
};

struct client_info {
	char name[DSTOR_NAME_LEN];
	char address[DSTOR_TEXT_LEN];
	u8 id[DSTOR_ID_LEN];	/* of the machine */
	u8 session[DSTOR_ID_LEN];
	u8 access;		/* enum dstor_access */
	char key[DSTOR_TEXT_LEN];	/* empty: in the clear */
	char rule_client[DSTOR_NAME_LEN];	/* as its rule names it, or empty */
	char checksum[DSTOR_ALGO_LEN];
	char cipher[DSTOR_ALGO_LEN];	/* "none": a key, and no encryption; empty: no key */
	u32 connections;
	u32 in_flight;
	u32 silent_ms;
};

struct export_info {
	char name[DSTOR_NAME_LEN];
	char path[PATH_MAX];
	u8 uuid[DSTOR_ID_LEN];
	u8 exporter[DSTOR_ID_LEN];
	u32 flags;
	u64 size;
	u64 max_inflight;
	u64 max_bandwidth;
	u32 max_iops;
	u64 token;
	u32 in_flight;
	u32 readers_wait_ms;	/* for a writer that restores the disk; 0: none does */
	u32 crypto_threads;
	char checksums[DSTOR_ALGO_LIST_LEN];
	char ciphers[DSTOR_ALGO_LIST_LEN];
	struct text_list listen;	/* without repetitions */
	struct text_list rules;
	struct client_info *clients;
	size_t n_clients;
	struct stats_info stats;
};

struct device_info {
	char name[DSTOR_NAME_LEN];
	char export[DSTOR_NAME_LEN];
	char uri[DSTOR_URI_LEN];
	char uuid[ID_TEXT_LEN];
	char exporter[ID_TEXT_LEN];	/* insisted on; empty: the next one */
	u64 size;
	u64 keep_bytes;		/* wanted; what follows is 0 if nothing can be kept */
	bool keeps, replaying;
	u64 kept_bytes, replayed_bytes, replay_bytes;
	u32 timeout_ms, retries, ping_ms;
	u32 connections, queue_depth, max_io, crypto_threads;
	bool read_only;
	char checksum[DSTOR_ALGO_LEN];
	char cipher[DSTOR_ALGO_LEN];
	u8 state;		/* enum dstor_device_state */
	char reason[256];
	u32 in_flight, retry, oldest_io_ms, next_ms, live;
	struct stats_info stats;
	struct latency_info read, write;
};

struct info {
	struct export_info *exports;
	size_t n_exports;
	struct device_info *devices;
	size_t n_devices;
};

/* All objects, or only those called @name. 0 or -1; likewise. */
int info_load(struct netlink *nl, const char *name, struct info *info, struct reason *why);
/* One export, which must be there. 0 or -1; @info is to be freed in either case. */
int info_load_export(struct netlink *nl, const char *name, struct info *info,
		     struct reason *why);
/* An object of @info by its name, or NULL. */
const struct export_info *info_export(const struct info *info, const char *name);
const struct device_info *info_device(const struct info *info, const char *name);
/* An object with cipher "none" has a key and no encryption. @object: as for options_take() */
bool info_has_key(enum object_kind kind, const void *object);
bool info_encrypted(enum object_kind kind, const void *object);
/* How a connection with these two is protected, in words. */
const char *protection_text(const char *cipher, const char *checksum, char *text, size_t size);
void info_free(struct info *info);
const char *stats_name(int attr);
const char *state_name(u8 state);	/* enum dstor_device_state */
void info_take_client(struct client_info *c, struct nlattr *nest);

#endif
