// SPDX-License-Identifier: GPL-2.0
/*
 * An honest flush (P5). The client numbers its flushes; each acked write marks
 * its connection with the number of the first flush that will cover it. If the
 * exporter's instance changes while a mark is not yet covered, acked writes may
 * be lost: every flush begun before that was known, and the next one after,
 * fails.
 */
#include "wire.h"

u64 dstor_cache_mark(const struct dstor_cache *c)
{
	return c->flushes + 1;
}

bool dstor_cache_dirty(const struct dstor_cache *c, u64 mark)
{
	return mark != DST_CACHE_CLEAN && mark > c->flushed;
}

u64 dstor_cache_flush_begin(struct dstor_cache *c, u64 *losses)
{
	*losses = c->losses;
	return ++c->flushes;
}

bool dstor_cache_flush_end(struct dstor_cache *c, u64 number, u64 losses)
{
	/*
	 * Begun before the loss was known: it fails, but does not count as the
	 * report, for it may have begun before the lost write was acked.
	 */
	if (losses != c->losses)
		return false;
	if (c->reported != c->losses) {
		c->reported = c->losses;
		return false;
	}
	if (number > c->flushed)
		c->flushed = number;
	return true;
}

void dstor_cache_lost(struct dstor_cache *c)
{
	c->losses++;
}
