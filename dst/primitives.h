/* SPDX-License-Identifier: GPL-2.0 */
/*
 * primitives.c - the cryptography that wire/ needs, and SHA-256 for ids derived
 * from other ids, by libsodium.
 */
#ifndef DST_PRIMITIVES_H
#define DST_PRIMITIVES_H

#include "noise.h"

extern const struct dstor_primitives primitives;

void sha256(const void *data, size_t len, u8 digest[DSTOR_HASH_LEN]);

#endif
