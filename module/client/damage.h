/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Data that arrived damaged, and copies of writes that nobody can change.
 */
#ifndef DSTOR_DAMAGE_H
#define DSTOR_DAMAGE_H

#include <linux/list.h>
#include <linux/spinlock.h>

#include "conn/connection.h"
#include "core/bio_buffer.h"

struct dstor_device;
struct dstor_queue;
struct dstor_transaction;

/* Room for the data of one write. */
struct dstor_copy {
	struct list_head entry;		/* in the list of the free */
	struct dstor_bio_buffer *buffer;
};

/* The copies of a device: one for each queue, of max_io bytes. */
struct dstor_copies {
	spinlock_t lock;		/* free */
	struct list_head free;		/* the one that was used last is the last */
	unsigned int n;			/* made; 0: the device needs none */
};

/*
 * Called once, when max_io is known. Sleeps. 0 or -ENOMEM; dstor_copies_free()
 * follows anyway.
 */
int dstor_copies_alloc(struct dstor_device *dev);
/* No transaction has one. Sleeps. */
void dstor_copies_free(struct dstor_device *dev);
/* @t has ended: its copy, if it has one, is another's. Any context. */
void dstor_copies_give_back(struct dstor_transaction *t);

/*
 * The data of @t, of its request or of its answer, arrived damaged. The queue's
 * work sends it again. In the receiving context.
 */
enum dstor_rx_verdict dstor_transaction_damaged(struct dstor_transaction *t);
/* The socket has taken its last byte after that. Under tx.lock. */
void dstor_transaction_sent_damaged(struct dstor_transaction *t);
/* Resends requests whose data arrived damaged. In the queue's work, under tx.lock. */
void dstor_queue_repeat_damaged(struct dstor_queue *q);

#endif
