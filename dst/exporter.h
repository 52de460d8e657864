/* SPDX-License-Identifier: GPL-2.0 */
/*
 * exporter.c - speaks the protocol with an exporter, as far as list and ping
 * need it, without the module. docs/protocol.md describes it.
 */
#ifndef DST_EXPORTER_H
#define DST_EXPORTER_H

#include "address.h"
#include "channel.h"
#include "dst.h"

#define EXPORTER_PATIENCE_MS 5000	/* for each answer */

struct exporter {
	int fd;
	char text[DSTOR_TEXT_LEN];	/* its address */
	u64 connect_us;		/* how long connecting and the handshake took */
	u64 handshake_us;
	struct dstor_welcome welcome;
	bool closed_channel;	/* with a key; so are the next */
	struct dstor_channel channel;
	struct dstor_stream send, receive;
};

/*
 * Connects and gets a welcome with status OK, or says why not. @kind: LIST or PING;
 * @key: NULL in the clear
 */
int exporter_dial(const struct uri *u, enum dstor_hello_kind kind, const u8 *key,
		  struct exporter *x, struct reason *why);
/* After dialling for LIST: the entries, allocated; their number or -1. */
int exporter_list(struct exporter *x, struct dstor_entry **entries, struct reason *why);
/* After dialling for PING: one round trip. */
int exporter_ping(struct exporter *x, u64 seq, u64 *us, struct reason *why);
void exporter_close(struct exporter *x);

u64 now_us(void);

#endif
