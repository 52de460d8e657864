/* SPDX-License-Identifier: GPL-2.0 */
/*
 * CRC-32C of the messages of the handshake. Pure: any context, no locks.
 */
#ifndef DSTOR_WIRE_CRC32C_H
#define DSTOR_WIRE_CRC32C_H

#include "host.h"

/*
 * CRC-32C (Castagnoli polynomial, RFC 3720 B.4) of @len bytes at @data, in the
 * order of the host. Any @len is allowed, 0 too. There is no error.
 */
u32 dstor_crc32c(const void *data, size_t len);

#endif
