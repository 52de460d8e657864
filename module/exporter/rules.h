/* SPDX-License-Identifier: GPL-2.0 */
/* The rules of an export, and the identity of a peer that they are applied to. */
#ifndef DSTOR_RULES_H
#define DSTOR_RULES_H

#include <linux/socket.h>
#include <linux/types.h>

#include "core/address.h"
#include "wire/protocol.h"

struct dstor_export;
struct dstor_rule;

/* The identity of a peer, for the rules. */
struct dstor_peer_id {
	struct sockaddr_storage addr;
	u32 addr_len;
	bool has_key;
	u8 fingerprint[DSTOR_ID_LEN];	/* of its key */
	char client[DSTOR_NAME_LEN];	/* as the rule names it that its key passed, or empty */
};

/* Under export->lock. An enum dstor_access. */
u8 dstor_access_of(struct dstor_export *e, const struct dstor_peer_id *peer_id);
/* The same, with whichever key its client has. */
u8 dstor_access_of_client(struct dstor_export *e, const struct dstor_peer_id *peer_id);
/*
 * Sets the name of the client, by the first matching rule that has one; without an
 * address by its key alone. Under export->lock. Unchanged when no rule matches the key:
 * what was known stays.
 */
void dstor_rules_name_client(struct dstor_export *e, struct dstor_peer_id *peer_id);
/* One name, or the same key where none is named. True for two peers in the clear. */
bool dstor_rules_same_client(const struct dstor_peer_id *a, const struct dstor_peer_id *b);
/* A copy with the fingerprint of each key, for kfree_sensitive(); NULL: no memory. */
struct dstor_rule *dstor_rules_copy(const struct dstor_rule *rules, unsigned int n);
bool dstor_rules_have_key(const struct dstor_rule *rules, unsigned int n);
/* A key is called as the first rule that has it calls its file. Unchanged: it has none. */
void dstor_rules_name_key(const struct dstor_export *e, const struct dstor_peer_id *peer_id,
			  char name[DSTOR_TEXT_LEN]);

#endif
