/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Comparison of identities: sessions, clients, disks (UUID) and instances, of
 * DSTOR_ID_LEN (16) bytes each. Pure: any context, no locks, no error. The time
 * depends on the bytes, so neither function may compare secrets.
 */
#ifndef DSTOR_WIRE_ID_H
#define DSTOR_WIRE_ID_H

#include "protocol.h"

/* All bytes are zero, which means "none" in every field that holds an identity. */
bool dstor_id_is_zero(const u8 id[DSTOR_ID_LEN]);
bool dstor_id_equal(const u8 a[DSTOR_ID_LEN], const u8 b[DSTOR_ID_LEN]);

#endif
