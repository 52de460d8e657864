// SPDX-License-Identifier: GPL-2.0
/* Comparison of identities. */
#include "id.h"

bool dstor_id_equal(const u8 a[DSTOR_ID_LEN], const u8 b[DSTOR_ID_LEN])
{
	return memcmp(a, b, DSTOR_ID_LEN) == 0;
}

bool dstor_id_is_zero(const u8 id[DSTOR_ID_LEN])
{
	static const u8 zero[DSTOR_ID_LEN];

	return dstor_id_equal(id, zero);
}
