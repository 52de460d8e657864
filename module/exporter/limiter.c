// SPDX-License-Identifier: GPL-2.0
/*
 * How often a stranger may try a key: a token bucket for each hash of an address
 * (IPv6: of its network of 64 bits). Who succeeds gets the token back. One
 * spinlock, taken alone; process context.
 */
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/jiffies.h>
#include <linux/siphash.h>
#include <linux/spinlock.h>
#include <net/ipv6.h>

#include "exporter/limiter.h"

#define BUCKETS 256
#define BURST 256		/* tries at once, more than connections of a session */
#define PER_SECOND 32		/* tries in the long run */

static struct bucket {
	unsigned long filled;	/* jiffies */
	u32 taken;
} buckets[BUCKETS];

static DEFINE_SPINLOCK(limiter_lock);
static siphash_key_t seed;

static struct bucket *bucket_of(const struct sockaddr_storage *addr)
{
	const void *from = &addr->ss_family;
	size_t len = sizeof(addr->ss_family);

	get_random_once(&seed, sizeof(seed));
	if (addr->ss_family == AF_INET) {
		from = &((const struct sockaddr_in *)addr)->sin_addr;
		len = sizeof(struct in_addr);
	} else if (addr->ss_family == AF_INET6) {
		const struct in6_addr *a = &((const struct sockaddr_in6 *)addr)->sin6_addr;
		bool v4 = ipv6_addr_v4mapped(a);

		from = v4 ? &a->s6_addr32[3] : a->s6_addr32;
		len = v4 ? sizeof(struct in_addr) : sizeof(u64);
	}
	return &buckets[siphash(from, len, &seed) % BUCKETS];
}

bool dstor_limiter_take(const struct sockaddr_storage *addr)
{
	struct bucket *b = bucket_of(addr);
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

void dstor_limiter_give(const struct sockaddr_storage *addr)
{
	struct bucket *b = bucket_of(addr);

	spin_lock(&limiter_lock);
	b->taken -= !!b->taken;
	spin_unlock(&limiter_lock);
}
