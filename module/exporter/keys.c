// SPDX-License-Identifier: GPL-2.0
/*
 * Keys in the handshake, on the exporter: which key a greeting means, whether the
 * peer may try one now, what is told to somebody who has none. In the peer's work;
 * takes the lock of the exports and each export->lock in turn.
 */
#include <linux/random.h>
#include <linux/slab.h>

#include "exporter/export.h"
#include "exporter/keys.h"
#include "exporter/limiter.h"
#include "exporter/peer.h"
#include "exporter/session.h"

/* Keys that are tried for one greeting; each costs two hashes. */
#define KEYS_TRIED_MAX 4096

struct search {
	struct dstor_peer *peer;
	const struct dstor_greeting *greeting;
	unsigned int tried;
	bool found;
	u8 key[DSTOR_KEY_LEN];
	u8 fingerprint[DSTOR_ID_LEN];
};

/* Every key is looked at, whether the right one was found or not. */
static void try_keys(struct dstor_export *e, void *arg)
{
	struct search *s = arg;
	unsigned int i;

	mutex_lock(&e->lock);
	for (i = 0; i < e->n_rules && s->tried < KEYS_TRIED_MAX; i++) {
		const struct dstor_rule *r = &e->rules[i];

		if (!r->has_key)
			continue;
		s->tried++;
		if (!dstor_channel_names(&dstor_primitives, r->key, s->greeting))
			continue;
		s->found = true;
		memcpy(s->key, r->key, sizeof(s->key));
		memcpy(s->fingerprint, r->fingerprint, sizeof(s->fingerprint));
	}
	mutex_unlock(&e->lock);
}

/* Whom was it about? Nobody knows, so each export with a key counts it. */
static void count_failure(struct dstor_export *e, void *arg)
{
	unsigned int i;

	mutex_lock(&e->lock);
	for (i = 0; i < e->n_rules; i++)
		if (e->rules[i].has_key)
			break;
	if (i < e->n_rules)
		this_cpu_inc(e->stats->auth_failures);
	mutex_unlock(&e->lock);
}

void dstor_handshake_failed(struct dstor_peer *p, const char *why)
{
	pr_warn_ratelimited("dstor: client %s: authentication failed: %s\n", p->address, why);
	dstor_export_each(p->listener, count_failure, NULL);
}

static void admits_in_the_clear(struct dstor_export *e, void *arg)
{
	unsigned int *n = arg, i;

	mutex_lock(&e->lock);
	n[0]++;
	for (i = 0; i < e->n_rules; i++)
		if (!e->rules[i].has_key)
			break;
	n[1] += i < e->n_rules;
	mutex_unlock(&e->lock);
}

/* A client in the clear: is there an export that admits any? */
static u8 status_in_the_clear(struct dstor_peer *p)
{
	unsigned int n[2] = { 0, 0 };

	dstor_export_each(p->listener, admits_in_the_clear, n);
	if (!n[0] || n[1])
		return DSTOR_GREETING_OK;
	dstor_handshake_failed(p, "it has no key");
	return DSTOR_GREETING_KEY_REQUIRED;
}

/* The failure is the same for every reason. */
static bool accept_key(struct dstor_peer *p, const struct dstor_greeting *g,
		       struct dstor_greeting *answer, struct dstor_channel *channel)
{
	struct search s = { .peer = p, .greeting = g };
	u8 ephemeral[DSTOR_KEY_LEN];
	bool ok;

	dstor_export_each(p->listener, try_keys, &s);
	get_random_bytes(ephemeral, sizeof(ephemeral));
	ok = s.found && dstor_channel_accept(channel, &dstor_primitives, s.key, ephemeral, g,
					     answer);
	if (ok) {
		p->peer_id.has_key = true;
		memcpy(p->peer_id.fingerprint, s.fingerprint, sizeof(p->peer_id.fingerprint));
	}
	memzero_explicit(ephemeral, sizeof(ephemeral));
	memzero_explicit(&s, sizeof(s));
	return ok;
}

/* Completes @answer, whose status is OK; the channel in mode NOISE, if it stays so. */
struct dstor_channel *dstor_handshake(struct dstor_peer *p, const struct dstor_greeting *g,
				      struct dstor_greeting *answer)
{
	struct dstor_channel *channel;

	answer->mode = g->mode;
	if (g->mode == DSTOR_MODE_PLAIN) {
		answer->status = status_in_the_clear(p);
		return NULL;
	}
	channel = kzalloc(sizeof(*channel), GFP_NOIO);
	if (!channel || !dstor_limiter_take(p->place.host)) {
		answer->status = DSTOR_GREETING_BUSY;
	} else if (!accept_key(p, g, answer, channel)) {
		answer->status = DSTOR_GREETING_REFUSED;
		dstor_handshake_failed(p, "no rule has its key");
	}
	if (answer->status == DSTOR_GREETING_OK)
		return channel;
	/* A refusal carries nothing of an attempt that got half-way. */
	memset(answer->noise, 0, sizeof(answer->noise));
	kfree_sensitive(channel);
	return NULL;
}
