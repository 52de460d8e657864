/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the rules of an export are asked with.
 */
#ifndef DSTOR_RULES_H
#define DSTOR_RULES_H

#include <linux/socket.h>
#include <linux/types.h>

#include "wire/protocol.h"

struct dstor_export;

/* What a peer has shown of itself, for the rules. */
struct dstor_who {
	struct sockaddr_storage addr;
	u32 addr_len;
	bool has_key;
	u8 print[DST_ID_LEN];		/* of its key */
};

/* Under export->lock. An enum dstor_access. */
u8 dstor_access_of(struct dstor_export *e, const struct dstor_who *who);

#endif
