/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A request in execution on the disk.
 */
#ifndef DSTOR_COMMAND_H
#define DSTOR_COMMAND_H

#include <linux/bio.h>

#include "conn/connection.h"

struct dstor_peer;

/* What a block device has to do for one command, in this order. */
enum dstor_step {
	DSTOR_STEP_FLUSH_BEFORE = 1 << 0,
	DSTOR_STEP_OPERATION = 1 << 1,
	DSTOR_STEP_FLUSH_AFTER = 1 << 2,	/* what it cannot do with FUA */
};

/* A request in execution. */
struct dstor_command {
	struct dstor_message message;	/* of its response */
	struct list_head entry;
	struct llist_node done;
	struct dstor_peer *peer;
	struct work_struct work;	/* of a file: in disk.wq */
	u64 seq;
	u64 offset;
	u32 bytes;
	u32 charged;			/* bytes of export->memory.used */
	u16 slot;
	u16 flags;			/* enum dstor_request_flags */
	u8 op;
	u8 status;
	u8 steps;			/* enum dstor_step: what is left to do */
	bool begun;			/* the disk was given the first step */
	bool paid;			/* by its client's rate */
	bool broken;			/* its data was not authentic */
	struct bio bio;			/* last */
};

/* In the peer's work. */
/* In ops->head(), at the header of a REQUEST. @verdict is dstor_request_check()'s. */
enum dstor_rx_verdict dstor_command_receive(struct dstor_peer *p, enum dstor_status verdict);
/* The peer's ops->data(), ops->decrypt_begin() and ops->decrypt_end(), the last in a thread. */
enum dstor_rx_verdict dstor_command_data(struct dstor_conn *c);
/* The data of a write arrived damaged: nothing was done, and its slot is free again. */
void dstor_command_damaged(struct dstor_peer *p);
void *dstor_command_decrypt_begin(struct dstor_conn *c);
void dstor_command_decrypt_end(struct dstor_conn *c, void *owner, bool ok);
/*
 * All that was received in whole is to go to the disk, or is dropped. False: nothing is.
 * Under tx.lock.
 */
bool dstor_command_take_ready(struct dstor_peer *p, struct list_head *batch);
/* Submits it; the disk may keep the caller, who holds no lock. What is left is given back. */
void dstor_command_submit(struct dstor_peer *p, struct list_head *batch);
/* Is submitted later, or dropped. Under tx.lock. */
void dstor_command_give_back(struct dstor_peer *p, struct list_head *batch);
/* Drops what was not submitted; of a lost connection also what is received in part. */
void dstor_command_drop_ready(struct dstor_peer *p);
/* Takes what the disk completed; queues the responses. Under tx.lock. */
void dstor_command_reap(struct dstor_peer *p);

#endif
