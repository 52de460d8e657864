// SPDX-License-Identifier: GPL-2.0
/*
 * An honest flush (P5). The client numbers its flushes; each acked write marks
 * its connection with the number of the first flush that will cover it. If the
 * exporter's instance changes while a mark is not yet covered, acked writes may
 * be lost. Every flush that began before the client knew of it fails, and so does
 * the next one after.
 *
 * The submitter of that next flush may ignore the result, as jbd2 does before it
 * frees a part of its journal. File systems commit with FUA writes, so these report
 * the loss as well. All FUA writes that begin within DSTOR_FUA_TELLS_MS of the first
 * one fail and are not sent. Otherwise a journal would drop blocks of which it has
 * the only copy. An opener of the device after the last close has no acked writes
 * that could be lost.
 */
#include "flush_mark.h"

u64 dstor_flush_mark_acked(const struct dstor_flush_marks *m)
{
	return m->flushes + 1;
}

bool dstor_flush_mark_uncovered(const struct dstor_flush_marks *m, u64 mark)
{
	return mark != DSTOR_FLUSH_MARK_CLEAN && mark > m->flushed;
}

u64 dstor_flush_mark_begin(struct dstor_flush_marks *m, u64 *losses)
{
	*losses = m->losses;
	return ++m->flushes;
}

bool dstor_flush_mark_end(struct dstor_flush_marks *m, u64 number, u64 losses)
{
	/*
	 * Begun before the loss was known: it fails, but does not count as the
	 * report, for it may have begun before the lost write was acked.
	 */
	if (losses != m->losses)
		return false;
	if (m->flush_told != m->losses) {
		m->flush_told = m->losses;
		return false;
	}
	if (number > m->flushed)
		m->flushed = number;
	return true;
}

bool dstor_flush_mark_end_background(struct dstor_flush_marks *m, u64 number, u64 losses)
{
	/* Begun before the loss was known: perhaps before a lost write was acked. */
	if (m->losses != losses)
		return false;
	m->flushed = number > m->flushed ? number : m->flushed;
	return true;
}

bool dstor_flush_mark_fua_begin(struct dstor_flush_marks *m, u64 now_ms, u64 *losses)
{
	*losses = m->losses;
	if (m->fua_told == m->losses)
		return true;
	if (!m->fua_tells)
		m->fua_since_ms = now_ms;
	m->fua_tells = true;
	if (now_ms - m->fua_since_ms < DSTOR_FUA_TELLS_MS)
		return false;
	m->fua_told = m->losses;
	return true;
}

bool dstor_flush_mark_fua_end(const struct dstor_flush_marks *m, u64 losses)
{
	return losses == m->losses;
}

void dstor_flush_mark_lost(struct dstor_flush_marks *m)
{
	m->losses++;
	m->fua_tells = false;
}

bool dstor_flush_mark_tells(const struct dstor_flush_marks *m)
{
	return m->flush_told != m->losses || m->fua_told != m->losses;
}

void dstor_flush_mark_closed(struct dstor_flush_marks *m)
{
	if (m->flush_told != m->losses && m->fua_told != m->losses && !m->fua_tells)
		return;
	m->flush_told = m->losses;
	m->fua_told = m->losses;
}
