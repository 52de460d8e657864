/* SPDX-License-Identifier: GPL-2.0 */
/*
 * export_state.c - the records of exports that are away, one file for each
 * name: the identity of the exporter, the UUIDs of its disks, the instance,
 * whether it ended in order.
 */
#ifndef DST_EXPORT_STATE_H
#define DST_EXPORT_STATE_H

#include "disk.h"
#include "machine.h"

#define STATE_FOLDER "/var/lib/dst"
#define STATE_DISKS_MAX 8	/* that were exported under one name; the oldest is forgotten */
#define STATE_TEXT_MAX 4096
#define STATE_FRESH_LEN (2 * DSTOR_ID_LEN)

struct state_disk {
	u8 uuid[DSTOR_ID_LEN];
	u64 token;		/* of the last writer, from an orderly end; 0: not known */
	char identity[DISK_IDENTITY_LEN];
};

struct state {
	u8 exporter[DSTOR_ID_LEN];	/* random, made once: it travels with the file */
	char hardware[HARDWARE_ID_LEN];	/* of the machine that wrote it last, or "" */
	char boot[BOOT_ID_LEN];
	u8 instance[DSTOR_ID_LEN];
	bool clean;		/* drained and flushed since */
	unsigned int n;
	struct state_disk disks[STATE_DISKS_MAX];	/* last exported first */
};

/* The inputs: plain values, so that tests can choose them. */
struct state_start {
	const char *name;
	const char *identity;
	const char *boot;
	const char *hardware;		/* what the machine says of itself, or "" */
	u8 fresh[STATE_FRESH_LEN];	/* random */
};

/*
 * The export begins: chooses the exporter's identity, once, the instance, and the
 * disk's UUID, now in disks[0].
 * *@token is what the module is to be told; the state itself forgets it, because
 * after a crash it would be the token of a writer before the last.
 */
void state_begin(struct state *s, const struct state_start *start, u64 *token);
/* Was the state written by another machine? Then it was moved here, or copied. */
bool state_is_foreign(const struct state *s, const char *hardware);
/* It ended in order. */
void state_end(struct state *s, u64 token);
/*
 * Its last flush may fail, and a disk tells of it once: unless state_end()
 * follows, the next instance is another.
 */
void state_lost(struct state *s);
int state_parse(char *text, struct state *s, struct reason *why);
void state_format(const struct state *s, char text[STATE_TEXT_MAX]);

/* While it is open, no other process changes the record of this name. */
struct state_file {
	int folder;
	int lock;
	char path[PATH_MAX];	/* for messages */
	char name[DSTOR_NAME_LEN + 8];
};

int state_open(struct state_file *f, const char *folder, const char *name, struct reason *why);
void state_close(struct state_file *f);
/* 1: there is one, 0: not yet, -1: it cannot be read */
int state_load(struct state_file *f, struct state *s, struct reason *why);
int state_save(struct state_file *f, const struct state *s, struct reason *why);
int state_remove(struct state_file *f);
/* The file in which the module keeps who may write: made in one step, if there is none. */
int state_make_lease(struct state_file *f, struct reason *why);
/* Its path. */
void state_lease_path(const char *name, char path[PATH_MAX]);

#endif
