/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Requests to the client and its replies, for netlink and main.c: plain values,
 * copied on the way in and out. All functions below sleep, are called from
 * process context without locks, and return 0 or a negative errno with a
 * sentence in @err.
 */
#ifndef DSTOR_CLIENT_H
#define DSTOR_CLIENT_H

#include <linux/dstor.h>

#include "core/address.h"
#include "core/error.h"
#include "core/stats.h"
#include "wire/protocol.h"

struct net;

struct dstor_device_config {
	char name[DSTOR_NAME_LEN];	/* without "dst-" */
	char export[DSTOR_NAME_LEN];
	const char *uri;
	u8 exporter[DSTOR_ID_LEN];	/* insisted on; zero: the first one; so is the next */
	u8 uuid[DSTOR_ID_LEN];
	u8 client_id[DSTOR_ID_LEN];
	char client_name[DSTOR_NAME_LEN];
	u32 timeout_ms;
	u32 retries;
	u32 ping_ms;
	u32 connections;
	u32 queue_depth;
	u32 max_io;			/* bytes */
	u64 keep_bytes;			/* 0: nothing is kept */
	bool read_only;
	bool has_key;
	u8 key[DSTOR_KEY_LEN];
	u32 crypto_threads;
	char checksums[DSTOR_ALGO_LIST_LEN];
	char ciphers[DSTOR_ALGO_LIST_LEN];
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
	const u8 *exporter;		/* 16 bytes to insist on; zero: the next one */
	const u8 *uuid;			/* 16 bytes, not zero */
	const u8 *key;			/* DSTOR_KEY_LEN bytes */
	bool drop_kept;			/* what is kept is lost */
	unsigned int n_addresses;	/* 0: unchanged */
	const struct dstor_address *addresses;
};

/* Of kept writes. Bytes. */
struct dstor_kept_info {
	u64 limit;			/* 0: none are kept, and so is the rest */
	u64 used;
	bool replaying;
	u64 replayed;			/* by this replay, */
	u64 total;			/* of so many */
};

struct dstor_device_info {
	char name[DSTOR_NAME_LEN];
	char export[DSTOR_NAME_LEN];
	char *uri;
	u8 uuid[DSTOR_ID_LEN];
	u8 exporter[DSTOR_ID_LEN];	/* insisted on; zero: any */
	u64 size;
	u32 timeout_ms;
	u32 retries;
	u32 ping_ms;
	u32 connections;
	u32 queue_depth;
	u32 max_io;
	bool read_only;
	u32 crypto_threads;
	char checksum[DSTOR_ALGO_LEN];
	char cipher[DSTOR_ALGO_LEN];
	u8 state;			/* enum dstor_device_state */
	char reason[DSTOR_ERROR_LEN];
	u32 in_flight;
	u32 retry;			/* of the oldest transaction */
	u32 oldest_io_ms;
	u32 next_ms;			/* until the next reconnection */
	u32 live;
	u32 major;
	u32 minor;
	u64 keep_bytes;			/* wanted for kept writes */
	struct dstor_kept_info kept;
	struct dstor_stats stats;
};

/* Returns when the disk is there; major and minor are in @info. */
int dstor_device_add(struct net *net, const struct dstor_device_config *c,
		     struct dstor_device_info *info, struct dstor_error *err);
/* -ENOENT; -EBUSY when it is open and not @force. With @force at most 5 s. */
int dstor_device_del(const char *name, bool force, struct dstor_error *err);
int dstor_device_set(const char *name, const struct dstor_device_change *c,
		     struct dstor_error *err);
int dstor_device_info(const char *name, bool next, struct dstor_device_info *info);
void dstor_device_info_free(struct dstor_device_info *info);

/* The machine shuts down: I/O of devices without an exporter fails from now on. */
void dstor_devices_shutdown(void);
/*
 * Ends all that has a socket in @net, which nobody can use any more; when it
 * returns there is none. Sleeps.
 */
void dstor_devices_leave(struct net *net);

#endif
