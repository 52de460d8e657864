// SPDX-License-Identifier: GPL-2.0
/*
 * CRC-32C (Castagnoli polynomial, reflected, RFC 3720 B.4) of the few hundred
 * bytes of a handshake, four bits at a time.
 */
#include "crc32c.h"

#define POLY 0x82f63b78U
#define STEP(c) (((c) & 1) ? ((c) >> 1) ^ POLY : (c) >> 1)
#define NIBBLE(n) STEP(STEP(STEP(STEP((u32)(n)))))

static const u32 nibbles[16] = {
	NIBBLE(0),  NIBBLE(1),	NIBBLE(2),  NIBBLE(3),
	NIBBLE(4),  NIBBLE(5),	NIBBLE(6),  NIBBLE(7),
	NIBBLE(8),  NIBBLE(9),	NIBBLE(10), NIBBLE(11),
	NIBBLE(12), NIBBLE(13), NIBBLE(14), NIBBLE(15),
};

u32 dstor_crc32c(const void *data, size_t len)
{
	const u8 *p = data;
	u32 crc = ~0U;

	while (len--) {
		crc ^= *p++;
		crc = (crc >> 4) ^ nibbles[crc & 15];
		crc = (crc >> 4) ^ nibbles[crc & 15];
	}
	return ~crc;
}
