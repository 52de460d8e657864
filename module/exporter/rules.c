// SPDX-License-Identifier: GPL-2.0
/*
 * The rules of an export: who may do what, by address and key.
 *
 * Context: under export->lock, where there is an export.
 */
#include <linux/slab.h>
#include <linux/string.h>

#include "exporter/export.h"
#include "exporter/rules.h"
#include "wire/id.h"

struct dstor_rule *dstor_rules_copy(const struct dstor_rule *rules, unsigned int n)
{
	struct dstor_rule *copy = kmemdup(rules, n * sizeof(*rules), GFP_KERNEL);
	unsigned int i;

	for (i = 0; copy && i < n; i++)
		if (copy[i].has_key)
			dstor_key_fingerprint(&dstor_primitives, copy[i].key, copy[i].fingerprint);
	return copy;
}

bool dstor_rules_have_key(const struct dstor_rule *rules, unsigned int n)
{
	while (n)
		if (rules[--n].has_key)
			return true;
	return false;
}

static bool bits_equal(const u8 *a, const u8 *b, u32 bits)
{
	u32 bytes = bits / 8, rest = bits % 8;

	if (memcmp(a, b, bytes))
		return false;
	return !rest || !((a[bytes] ^ b[bytes]) >> (8 - rest));
}

static bool key_matches(const struct dstor_rule *r, const struct dstor_peer_id *peer_id)
{
	return !r->has_key ||
	       (peer_id->has_key &&
		dstor_primitives.same(r->fingerprint, peer_id->fingerprint, DSTOR_ID_LEN));
}

static bool address_matches(const struct dstor_rule *r, const struct dstor_peer_id *peer_id)
{
	if (!r->family)
		return true;
	return r->family == peer_id->addr.ss_family &&
	       r->offset + DIV_ROUND_UP(r->bits, 8) <= peer_id->addr_len &&
	       bits_equal((const u8 *)&peer_id->addr + r->offset, r->bytes, r->bits);
}

static bool rule_matches(const struct dstor_rule *r, const struct dstor_peer_id *peer_id)
{
	return key_matches(r, peer_id) && address_matches(r, peer_id);
}

/* The rule has some key of the client. */
static bool rule_is_of_client(const struct dstor_rule *r, const struct dstor_peer_id *peer_id)
{
	return peer_id->has_key && peer_id->client[0] && !strcmp(r->client, peer_id->client) &&
	       address_matches(r, peer_id);
}

static u8 best_access(struct dstor_export *e, const struct dstor_peer_id *peer_id, bool any_key)
{
	u8 best = DSTOR_ACCESS_NONE;
	unsigned int i;

	lockdep_assert_held(&e->lock);
	for (i = 0; i < e->n_rules; i++) {
		const struct dstor_rule *r = &e->rules[i];
		u8 access = r->read_only ? DSTOR_ACCESS_READ : DSTOR_ACCESS_WRITE;

		if (access > best && (rule_matches(r, peer_id) ||
				      (any_key && rule_is_of_client(r, peer_id))))
			best = access;
	}
	return e->config.flags & DSTOR_EXPORT_READ_ONLY ? min_t(u8, best, DSTOR_ACCESS_READ) : best;
}

u8 dstor_access_of(struct dstor_export *e, const struct dstor_peer_id *peer_id)
{
	return best_access(e, peer_id, false);
}

u8 dstor_access_of_client(struct dstor_export *e, const struct dstor_peer_id *peer_id)
{
	return best_access(e, peer_id, true);
}

void dstor_rules_name_client(struct dstor_export *e, struct dstor_peer_id *peer_id)
{
	const struct dstor_rule *found = NULL;
	unsigned int i;

	lockdep_assert_held(&e->lock);
	for (i = 0; peer_id->has_key && i < e->n_rules; i++) {
		const struct dstor_rule *r = &e->rules[i];

		if (!r->has_key || !key_matches(r, peer_id) ||
		    (peer_id->addr_len && !address_matches(r, peer_id)))
			continue;
		found = r;
		if (r->client[0])
			break;
	}
	if (found)
		memcpy(peer_id->client, found->client, sizeof(peer_id->client));
}

bool dstor_rules_same_client(const struct dstor_peer_id *a, const struct dstor_peer_id *b)
{
	if (a->has_key != b->has_key)
		return false;
	if (a->client[0] || b->client[0])
		return !strcmp(a->client, b->client);
	return dstor_id_equal(a->fingerprint, b->fingerprint);
}

void dstor_rules_name_key(const struct dstor_export *e, const struct dstor_peer_id *peer_id,
			  char name[DSTOR_TEXT_LEN])
{
	unsigned int i;
	char *at;

	for (i = 0; peer_id->has_key && i < e->n_rules; i++) {
		const struct dstor_rule *r = &e->rules[i];

		if (!r->has_key || !dstor_id_equal(r->fingerprint, peer_id->fingerprint))
			continue;
		at = strstr(r->text, "key=");
		strscpy(name, at ? at + strlen("key=") : "a key", DSTOR_TEXT_LEN);
		*strchrnul(name, ',') = 0;
		return;
	}
}
