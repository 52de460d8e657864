// SPDX-License-Identifier: GPL-2.0
/*
 * An honest flush (P5). The client numbers its flushes; each acked write marks
 * its connection with the number of the first flush that will cover it. If the
 * exporter's instance changes while a mark is not yet covered, acked writes may
 * be lost: every flush begun before that was known, and the next one after,
 * fails.
 *
 * That one may have been asked by somebody who does not look at the answer, as
 * jbd2 before it gives a part of its journal free. So FUA writes, with which
 * file systems commit, tell by themselves: all that begin within DST_FUA_TELLS_MS
 * of the first fail, and are not written, or a journal would be cut off before
 * what it alone still has. Whoever opens the device after all have closed it
 * holds nothing that could be lost.
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
	if (c->flush_told != c->losses) {
		c->flush_told = c->losses;
		return false;
	}
	if (number > c->flushed)
		c->flushed = number;
	return true;
}

bool dstor_cache_fua_begin(struct dstor_cache *c, u64 now_ms, u64 *losses)
{
	*losses = c->losses;
	if (c->fua_told == c->losses)
		return true;
	if (!c->fua_tells)
		c->fua_since_ms = now_ms;
	c->fua_tells = true;
	if (now_ms - c->fua_since_ms < DST_FUA_TELLS_MS)
		return false;
	c->fua_told = c->losses;
	return true;
}

bool dstor_cache_fua_end(const struct dstor_cache *c, u64 losses)
{
	return losses == c->losses;
}

void dstor_cache_lost(struct dstor_cache *c)
{
	c->losses++;
	c->fua_tells = false;
}

bool dstor_cache_tells(const struct dstor_cache *c)
{
	return c->flush_told != c->losses || c->fua_told != c->losses;
}

void dstor_cache_closed(struct dstor_cache *c)
{
	if (c->flush_told != c->losses && c->fua_told != c->losses && !c->fua_tells)
		return;
	c->flush_told = c->losses;
	c->fua_told = c->losses;
}
