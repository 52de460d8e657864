/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One handshake: connect.c goes through its steps, handshake.c says and judges.
 */
#ifndef DSTOR_CLIENT_HANDSHAKE_H
#define DSTOR_CLIENT_HANDSHAKE_H

#include "client/device.h"

struct dstor_outgoing {
	struct dstor_greeting greeting;
	struct dstor_hello hello;
	u8 tag[DSTOR_TAG_LEN];
	struct dstor_hello clear;	/* what the hello said before it was encrypted */
};

struct dstor_handshake {
	struct dstor_queue *queue;
	struct dstor_grant *grant;
	enum {
		HANDSHAKE_CONNECT,
		HANDSHAKE_GREETING,
		HANDSHAKE_DRAIN,
		HANDSHAKE_WELCOME,
		HANDSHAKE_DONE,
	} step;
	u8 takeover[DSTOR_ID_LEN];	/* a former session, or zero */
	struct dstor_address address;
	unsigned int index;		/* of the address */
	unsigned int tried, n_addresses;
	unsigned long until;		/* jiffies: the end of the patience with this step */
	u64 waited_ms;			/* when WAIT came last, or 0 */
	u32 waiting;			/* transactions that were to drain then */
	size_t got;			/* bytes of the message that is being read */
	struct dstor_greeting answer;
	struct dstor_outgoing out;

	bool waits;			/* an attach waits, no work is queued */
	bool woken;
	wait_queue_head_t waiter;
	wait_queue_entry_t entry;	/* where a poll of the socket would wait */
	wait_queue_head_t *head;	/* of entry, or NULL */
};

/* All sleep; 0 or a negative errno, with @err where it is given. */
/* The first messages: in the clear both, an encrypted hello needs the exporter's greeting. */
int dstor_handshake_greet(struct dstor_handshake *s, struct dstor_error *err);
/* s->answer is complete. */
int dstor_handshake_judge(struct dstor_handshake *s, struct dstor_error *err);
int dstor_handshake_send_encrypted(struct dstor_handshake *s, struct dstor_error *err);
/* -EAGAIN: it is not complete. */
int dstor_handshake_read_welcome(struct dstor_handshake *s);
/* @w is a refusal. */
int dstor_handshake_refusal(struct dstor_welcome *w, struct dstor_error *err);

#endif
