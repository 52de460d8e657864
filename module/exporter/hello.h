/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The handshake of an accepted connection.
 */
#ifndef DSTOR_HELLO_H
#define DSTOR_HELLO_H

#include "conn/connection.h"

struct dstor_peer;

/* conn.tx.lock is held */
enum dstor_rx_verdict dstor_peer_greeting(struct dstor_peer *p);
enum dstor_rx_verdict dstor_peer_hello(struct dstor_peer *p);
void dstor_peer_attach(struct dstor_peer *p);	/* the hello, where it may sleep */
void dstor_peer_try_grant(struct dstor_peer *p);	/* granted, refused, or still waiting */

#endif
