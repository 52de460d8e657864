/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A request in execution on the disk.
 */
#ifndef DSTOR_COMMAND_H
#define DSTOR_COMMAND_H

#include <linux/bio.h>

#include "conn/connection.h"

struct dstor_peer;

/* A request in execution. */
struct dstor_command {
	struct dstor_message message;	/* of its response */
	struct list_head entry;
	struct llist_node done;
	struct dstor_peer *peer;
	struct work_struct work;	/* what may block, files above all */
	u64 seq;
	u64 offset;
	u32 bytes;
	u32 charged;			/* bytes of export->memory.used */
	u16 slot;
	u16 flags;			/* enum dstor_request_flags */
	u8 op;
	u8 status;
	bool then_flush;		/* what the disk cannot do with FUA */
	bool broken;			/* its data did not open */
	struct bio bio;			/* last */
};

/* In the peer's work. */
/* Gives back what it keeps for the next commands. */
void dstor_command_drop_spares(struct dstor_peer *p);
enum dstor_rx_verdict dstor_command_receive(struct dstor_peer *p);	/* rx.frame is a REQUEST */
void dstor_command_submit_ready(struct dstor_peer *p);
void dstor_command_drop_ready(struct dstor_peer *p);
/* Takes what the disk completed; queues the responses. Under tx.lock. */
void dstor_command_reap(struct dstor_peer *p);
void dstor_command_free(struct dstor_command *cmd);
void dstor_command_answer(struct dstor_peer *p, struct dstor_command *cmd);
/* Takes the writes that threads have opened. Under tx.lock. */
void dstor_command_take_opened(struct dstor_peer *p);

#endif
