// SPDX-License-Identifier: GPL-2.0
/*
 * How often a stranger may try a key: a token bucket for each host, by a secret hash.
 * Who succeeds gets the token back. One spinlock, taken alone; process context.
 */
#include <linux/jiffies.h>
#include <linux/siphash.h>
#include <linux/spinlock.h>

#include "core/address.h"
#include "exporter/limiter.h"

#define BURST 256		/* tries at once, more than connections of a session */
#define PER_SECOND 32		/* tries in the long run */

static struct bucket {
	unsigned long filled;	/* jiffies */
	u32 taken;
} buckets[DSTOR_HOSTS];

static DEFINE_SPINLOCK(limiter_lock);
static siphash_key_t seed;

u16 dstor_limiter_host(const struct sockaddr_storage *addr, u32 uid)
{
	struct dstor_host host = dstor_sockaddr_host(addr);
	u64 hash;

	get_random_once(&seed, sizeof(seed));
	hash = siphash(host.at, host.len, &seed);
	/* Users of a machine are as hosts of a network. */
	if (addr->ss_family == AF_UNIX)
		hash = siphash_1u32(uid, &seed);
	return hash % DSTOR_HOSTS;
}

bool dstor_limiter_take(u16 host)
{
	struct bucket *b = &buckets[host];
	unsigned long back;
	bool ok;

	spin_lock(&limiter_lock);
	back = (jiffies - b->filled) * PER_SECOND / HZ;
	if (back) {
		b->taken -= min_t(unsigned long, back, b->taken);
		b->filled = jiffies;
	}
	ok = b->taken < BURST;
	b->taken += ok;
	spin_unlock(&limiter_lock);
	return ok;
}

void dstor_limiter_give(u16 host)
{
	struct bucket *b = &buckets[host];

	spin_lock(&limiter_lock);
	b->taken -= !!b->taken;
	spin_unlock(&limiter_lock);
}
