/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Greetings with a key, on the exporter.
 */
#ifndef DSTOR_KEYS_H
#define DSTOR_KEYS_H

#include "wire/channel.h"

struct dstor_peer;

struct dstor_channel *dstor_handshake(struct dstor_peer *p, const struct dstor_greeting *g,
				      struct dstor_greeting *answer);
void dstor_handshake_failed(struct dstor_peer *p, const char *why);

#endif
