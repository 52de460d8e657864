// SPDX-License-Identifier: GPL-2.0
/* replay.c and replay_gate.c: kept writes are sent again, and others wait for it. */
#include "unit.h"
#include "replay.h"
#include "replay_gate.h"

#define REGION 0x10000U
#define BLOCK 512U

static struct dstor_kept *buckets[8];
static struct dstor_kept pool[32];
static u32 used;

static struct dstor_keep keep_new(void)
{
	struct dstor_keep k;

	used = 0;
	memset(pool, 0, sizeof(pool));
	dstor_keep_init(&k, buckets, COUNT(buckets), REGION, 1 << 30);
	return k;
}

static struct dstor_kept *sent(struct dstor_keep *k, u8 op, u64 offset, u32 bytes)
{
	struct dstor_kept *r = &pool[used++];

	*r = (struct dstor_kept){ .offset = offset, .bytes = bytes, .op = op,
				  .data = op == DSTOR_OP_WRITE };
	assert_int_equal(dstor_keep_add(k, r), DSTOR_KEEP_SEND);
	r->sent = true;
	return r;
}

static struct dstor_kept *acked(struct dstor_keep *k, u8 op, u64 offset, u32 bytes)
{
	struct dstor_kept *r = sent(k, op, offset, bytes);

	dstor_keep_acked(k, r, 1);
	return r;
}

static struct dstor_kept *durable(struct dstor_keep *k, u64 offset, u32 bytes)
{
	struct dstor_kept *r = sent(k, DSTOR_OP_WRITE, offset, bytes);

	r->durable = true;
	r->data = false;
	dstor_keep_acked(k, r, 1);
	return r;
}

static struct dstor_welcome welcome(void)
{
	struct dstor_welcome w = good_welcome();

	w.disk_flags = cpu_to_le32(DSTOR_DISK_VOLATILE);
	w.grant_flags = cpu_to_le16(DSTOR_GRANT_LEASE_KEPT | DSTOR_GRANT_REPLAY);
	w.max_io = cpu_to_le32(0x10000);
	w.max_discard = cpu_to_le32(0x100000);
	w.max_write_zeroes = cpu_to_le32(0x8000);
	return w;
}

static struct dstor_replay begun(struct dstor_keep *k, const struct dstor_welcome *w)
{
	struct dstor_replay p = {0};

	dstor_keep_crashed(k);
	dstor_replay_begin(&p, k, w, 0);
	return p;
}

#define assert_piece(p, r, at, n)						\
	do {									\
		struct dstor_replay_piece got_;					\
										\
		assert_true(dstor_replay_next(p, &got_));			\
		assert_ptr_equal(got_.record, r);				\
		assert_int_equal(got_.offset, at);				\
		assert_int_equal(got_.bytes, n);				\
		assert_int_equal(got_.skip, got_.offset - got_.record->offset);	\
	} while (0)

static void assert_no_piece(struct dstor_replay *p)
{
	struct dstor_replay_piece piece;

	assert_false(dstor_replay_next(p, &piece));
	assert_false(dstor_replay_next(p, &piece));
}

/* --- may it? --- */

static void replay_is_for_the_proven_writer(void **state)
{
	struct dstor_welcome before = welcome(), w = welcome(), now;
	struct dstor_replay_past past;
	struct dstor_replay none = {0};

	dstor_replay_remember(&past, &before);
	assert_int_equal(dstor_replay_check(&past, &none, &w), DSTOR_REPLAY_NONE);
	w.instance[15]++;
	assert_int_equal(dstor_replay_check(&past, &none, &w), DSTOR_REPLAY_GO);
	now = w;
	now.access = DSTOR_ACCESS_READ;
	assert_int_equal(dstor_replay_check(&past, &none, &now), DSTOR_REPLAY_READ_ONLY);
	now = w;
	now.disk_flags = cpu_to_le32(DSTOR_DISK_VOLATILE | DSTOR_DISK_SHARED);
	assert_int_equal(dstor_replay_check(&past, &none, &now), DSTOR_REPLAY_SHARED);
	now = w;
	now.grant_flags = cpu_to_le16(DSTOR_GRANT_LEASE_KEPT);
	assert_int_equal(dstor_replay_check(&past, &none, &now), DSTOR_REPLAY_REFUSED);
	before.grant_flags = cpu_to_le16(DSTOR_GRANT_REPLAY);
	dstor_replay_remember(&past, &before);
	assert_int_equal(dstor_replay_check(&past, &none, &w), DSTOR_REPLAY_LEASE_NOT_KEPT);
}

static void replay_goes_on_with_its_instance(void **state)
{
	struct dstor_welcome before = welcome(), w = welcome();
	struct dstor_keep k = keep_new();
	struct dstor_replay_past past;
	struct dstor_replay p;

	dstor_replay_remember(&past, &before);
	w.instance[0]++;
	p = begun(&k, &w);
	assert_int_equal(dstor_replay_check(&past, &p, &w), DSTOR_REPLAY_GOES_ON);
	w.grant_flags = 0;
	assert_int_equal(dstor_replay_check(&past, &p, &w), DSTOR_REPLAY_REFUSED);
	w = welcome();
	w.instance[1]++;
	assert_int_equal(dstor_replay_check(&past, &p, &w), DSTOR_REPLAY_GO);
	assert_true(dstor_replay_end(&p, 2));
	memcpy(w.instance, p.instance, DSTOR_ID_LEN);
	assert_int_equal(dstor_replay_check(&past, &p, &w), DSTOR_REPLAY_GO);
}

static void verdicts_have_texts(void **state)
{
	for (int v = DSTOR_REPLAY_NONE; v <= DSTOR_REPLAY_REFUSED; v++)
		assert_string_not_equal(dstor_replay_text(v), "unknown");
	assert_string_equal(dstor_replay_text(DSTOR_REPLAY_REFUSED + 1), "unknown");
}

/* --- the plan --- */

static void newest_of_each_sector(void **state)
{
	struct dstor_welcome w = welcome();
	struct dstor_keep k = keep_new();
	struct dstor_kept *a = acked(&k, DSTOR_OP_WRITE, 0, 8 * BLOCK),
			  *b = acked(&k, DSTOR_OP_WRITE, 2 * BLOCK, BLOCK),
			  *c = acked(&k, DSTOR_OP_WRITE, 7 * BLOCK, 2 * BLOCK);
	struct dstor_replay p = begun(&k, &w);

	assert_piece(&p, a, 0, 2 * BLOCK);
	assert_piece(&p, a, 3 * BLOCK, 4 * BLOCK);
	assert_piece(&p, b, 2 * BLOCK, BLOCK);
	assert_piece(&p, c, 7 * BLOCK, 2 * BLOCK);
	assert_no_piece(&p);
	assert_true(dstor_replay_end(&p, 5));
	assert_null(dstor_keep_flushed(&k, 4));
	assert_non_null(dstor_keep_flushed(&k, 5));
}

/* Two that overlap each other hide one that is older than both. */
static void newest_of_three(void **state)
{
	struct dstor_welcome w = welcome();
	struct dstor_keep k = keep_new();
	struct dstor_kept *a = acked(&k, DSTOR_OP_WRITE, 0, 9 * BLOCK),
			  *b = acked(&k, DSTOR_OP_WRITE, 1 * BLOCK, 4 * BLOCK),
			  *c = acked(&k, DSTOR_OP_WRITE, 3 * BLOCK, 4 * BLOCK);
	struct dstor_replay p = begun(&k, &w);

	assert_piece(&p, a, 0, BLOCK);
	assert_piece(&p, a, 7 * BLOCK, 2 * BLOCK);
	assert_piece(&p, b, 1 * BLOCK, 2 * BLOCK);
	assert_piece(&p, c, 3 * BLOCK, 4 * BLOCK);
	assert_no_piece(&p);
}

static void durable_hides_and_is_not_sent(void **state)
{
	struct dstor_welcome w = welcome();
	struct dstor_keep k = keep_new();
	struct dstor_kept *a = acked(&k, DSTOR_OP_WRITE, 0, 4 * BLOCK);
	struct dstor_replay p;

	durable(&k, 0, BLOCK);
	p = begun(&k, &w);
	assert_piece(&p, a, BLOCK, 3 * BLOCK);
	assert_no_piece(&p);
	assert_true(dstor_replay_end(&p, 1));
}

static void pieces_fit_the_new_limits(void **state)
{
	struct dstor_welcome w = welcome();
	struct dstor_keep k = keep_new();
	struct dstor_kept *a = acked(&k, DSTOR_OP_WRITE, 0, 0x18000),
			  *d = acked(&k, DSTOR_OP_DISCARD, 1 << 20, 0x180000),
			  *z = acked(&k, DSTOR_OP_WRITE_ZEROES, 1 << 23, 0xa000);
	struct dstor_replay p = begun(&k, &w);
	struct dstor_replay_piece piece;

	assert_piece(&p, a, 0, 0x10000);
	assert_piece(&p, a, 0x10000, 0x8000);
	assert_piece(&p, d, 1 << 20, 0x100000);
	assert_piece(&p, d, 2 << 20, 0x80000);
	assert_piece(&p, z, 1 << 23, 0x8000);
	assert_piece(&p, z, (1 << 23) + 0x8000, 0x2000);
	assert_no_piece(&p);
	/* a limit that is no multiple of the block, no discards, no zeroes */
	w.max_io = cpu_to_le32(0x11000 - 1);
	w.max_discard = 0;
	w.max_write_zeroes = 0;
	p = begun(&k, &w);
	assert_piece(&p, a, 0, 0x11000 - BLOCK);
	assert_piece(&p, a, 0x11000 - BLOCK, 0x7000 + BLOCK);
	assert_true(dstor_replay_next(&p, &piece));
	assert_ptr_equal(piece.record, z);
	assert_int_equal(piece.op, DSTOR_OP_WRITE);
	assert_true(piece.zeroes);
	assert_no_piece(&p);
	assert_true(dstor_replay_end(&p, 1));
}

static void kinds_and_what_is_no_loss(void **state)
{
	struct dstor_welcome w = welcome();
	struct dstor_keep k = keep_new();
	struct dstor_replay_piece piece;
	struct dstor_kept *failed;
	struct dstor_replay p;

	sent(&k, DSTOR_OP_WRITE, 0, BLOCK);
	acked(&k, DSTOR_OP_WRITE, BLOCK, BLOCK);
	acked(&k, DSTOR_OP_DISCARD, 2 * BLOCK, BLOCK);
	acked(&k, DSTOR_OP_WRITE_ZEROES, 3 * BLOCK, BLOCK);
	failed = sent(&k, DSTOR_OP_WRITE, 4 * BLOCK, BLOCK);
	dstor_keep_failed(&k, failed, DSTOR_KEPT_GIVEN_UP, 1);
	p = begun(&k, &w);
	/* one that was under way first: it may have been read, and may fail yet */
	assert_true(dstor_replay_next(&p, &piece));
	assert_true(piece.offset == 0 && piece.op == DSTOR_OP_WRITE && piece.optional);
	assert_true(dstor_replay_next(&p, &piece));
	assert_true(piece.op == DSTOR_OP_WRITE && !piece.optional && !piece.zeroes);
	assert_true(dstor_replay_next(&p, &piece));
	assert_true(piece.op == DSTOR_OP_DISCARD && piece.optional);
	assert_true(dstor_replay_next(&p, &piece));
	assert_true(piece.op == DSTOR_OP_WRITE_ZEROES && !piece.optional && !piece.zeroes);
	assert_true(dstor_replay_next(&p, &piece));
	assert_true(piece.record == failed && piece.optional);
	assert_no_piece(&p);
}

/* Of a sector the newest alone is sent: if it was not acked, and fails, the older is lost. */
static void not_acked_stands_for_the_acked(void **state)
{
	struct dstor_welcome w = welcome();
	struct dstor_keep k = keep_new();
	struct dstor_replay_piece piece;
	struct dstor_kept *failed;
	struct dstor_replay p;
	u32 pieces = 0;

	acked(&k, DSTOR_OP_WRITE, 0, BLOCK);
	acked(&k, DSTOR_OP_WRITE, 2 * BLOCK, BLOCK);
	acked(&k, DSTOR_OP_WRITE, 3 * BLOCK, 2 * BLOCK);
	durable(&k, 4 * BLOCK, 2 * BLOCK);
	acked(&k, DSTOR_OP_DISCARD, 6 * BLOCK, BLOCK);
	acked(&k, DSTOR_OP_WRITE, 8 * BLOCK, 2 * BLOCK);
	sent(&k, DSTOR_OP_WRITE, 0, 2 * BLOCK);
	failed = sent(&k, DSTOR_OP_WRITE, 2 * BLOCK, BLOCK);
	dstor_keep_failed(&k, failed, DSTOR_KEPT_DECIDED, 1);
	sent(&k, DSTOR_OP_WRITE, 5 * BLOCK, BLOCK);
	sent(&k, DSTOR_OP_WRITE, 6 * BLOCK, BLOCK);
	acked(&k, DSTOR_OP_DISCARD, 9 * BLOCK, BLOCK);
	p = begun(&k, &w);
	for (; dstor_replay_next(&p, &piece); pieces++)
		assert_int_equal(piece.optional, piece.offset == 5 * BLOCK ||
				 piece.offset == 6 * BLOCK || piece.offset == 9 * BLOCK);
	assert_int_equal(pieces, 7);
	assert_true(dstor_replay_end(&p, 1));
}

/* The disk does not know it any more. */
static void discard_that_is_not_sent(void **state)
{
	struct dstor_welcome w = welcome();
	struct dstor_keep k = keep_new();
	struct dstor_replay p;

	w.max_discard = 0;
	acked(&k, DSTOR_OP_DISCARD, 0, BLOCK);
	sent(&k, DSTOR_OP_DISCARD, 2 * BLOCK, BLOCK);
	p = begun(&k, &w);
	assert_no_piece(&p);
	assert_true(dstor_replay_end(&p, 1));
	acked(&k, DSTOR_OP_WRITE, 4 * BLOCK, BLOCK);
	sent(&k, DSTOR_OP_DISCARD, 4 * BLOCK, BLOCK);
	p = begun(&k, &w);
	assert_no_piece(&p);
	assert_false(dstor_replay_end(&p, 1));
}

/* Some were never sent, and of those under way some have no copy. */
static void not_sent_does_not_hide(void **state)
{
	struct dstor_welcome w = welcome();
	struct dstor_keep k = keep_new();
	struct dstor_kept *a = acked(&k, DSTOR_OP_WRITE, 0, BLOCK), *f, *r = &pool[used++];
	struct dstor_kept *b = acked(&k, DSTOR_OP_WRITE, BLOCK, BLOCK);
	struct dstor_replay p;

	f = sent(&k, DSTOR_OP_WRITE, 0, BLOCK);
	f->data = false;
	*r = (struct dstor_kept){ .bytes = BLOCK, .op = DSTOR_OP_WRITE, .data = true };
	assert_int_equal(dstor_keep_add(&k, r), DSTOR_KEEP_WAIT);
	sent(&k, DSTOR_OP_WRITE, BLOCK, BLOCK)->sent = false;
	p = begun(&k, &w);
	assert_piece(&p, a, 0, BLOCK);
	assert_piece(&p, b, BLOCK, BLOCK);
	assert_no_piece(&p);
	assert_true(dstor_replay_end(&p, 1));
}

static void under_way_hides_the_older(void **state)
{
	struct dstor_welcome w = welcome();
	struct dstor_keep k = keep_new();
	struct dstor_kept *f;
	struct dstor_replay p;

	acked(&k, DSTOR_OP_WRITE, 0, BLOCK);
	f = sent(&k, DSTOR_OP_WRITE, 0, BLOCK);
	p = begun(&k, &w);
	assert_piece(&p, f, 0, BLOCK);
	assert_no_piece(&p);
	assert_true(dstor_replay_end(&p, 1));
}

/* What it left on the disk nobody has, and the older must not come back over it. */
static void failed_without_a_copy_is_a_loss(void **state)
{
	struct dstor_welcome w = welcome();
	struct dstor_keep k = keep_new();
	struct dstor_kept *a = acked(&k, DSTOR_OP_WRITE, 0, 2 * BLOCK), *f;
	struct dstor_replay p;

	f = sent(&k, DSTOR_OP_WRITE, 0, BLOCK);
	f->durable = true;
	f->data = false;
	assert_true(dstor_keep_failed(&k, f, DSTOR_KEPT_DECIDED, 1));
	p = begun(&k, &w);
	assert_piece(&p, a, BLOCK, BLOCK);
	assert_no_piece(&p);
	assert_false(dstor_replay_end(&p, 1));
	assert_null(dstor_keep_flushed(&k, 1));
}

static void second_crash_begins_anew(void **state)
{
	struct dstor_welcome w = welcome();
	struct dstor_keep k = keep_new();
	struct dstor_kept *a = acked(&k, DSTOR_OP_WRITE, 0, BLOCK),
			  *b = acked(&k, DSTOR_OP_WRITE, BLOCK, BLOCK);
	struct dstor_replay p = begun(&k, &w);

	assert_piece(&p, a, 0, BLOCK);
	dstor_keep_crashed(&k);
	dstor_replay_begin(&p, &k, &w, 0);
	assert_piece(&p, a, 0, BLOCK);
	assert_piece(&p, b, BLOCK, BLOCK);
	assert_no_piece(&p);
	assert_true(dstor_replay_end(&p, 3));
	/* and so does one after it was over, as long as no flush was */
	p = begun(&k, &w);
	assert_piece(&p, a, 0, BLOCK);
}

static void records_may_end_meanwhile(void **state)
{
	struct dstor_welcome w = welcome();
	struct dstor_keep k = keep_new();
	struct dstor_kept *f = sent(&k, DSTOR_OP_WRITE, 0, 4 * BLOCK),
			  *g = sent(&k, DSTOR_OP_WRITE, 8 * BLOCK, BLOCK),
			  *a = acked(&k, DSTOR_OP_WRITE, 16 * BLOCK, BLOCK);
	struct dstor_replay p = begun(&k, &w);

	assert_false(dstor_keep_failed(&k, f, DSTOR_KEPT_REFUSED, 1));
	assert_piece(&p, g, 8 * BLOCK, BLOCK);
	p = begun(&k, &w);
	/* it moves behind the acked, where it is seen again */
	dstor_keep_failed(&k, g, DSTOR_KEPT_DECIDED, 1);
	assert_piece(&p, a, 16 * BLOCK, BLOCK);
	assert_piece(&p, g, 8 * BLOCK, BLOCK);
	assert_no_piece(&p);
	p = begun(&k, &w);
	assert_int_equal(dstor_keep_drop(&k)->state, DSTOR_KEPT_NONE);
	assert_no_piece(&p);
}

/* --- time --- */

static void budget_stands_still_for_new_bytes_only(void **state)
{
	struct dstor_welcome w = welcome();
	struct dstor_keep k = keep_new();
	struct dstor_replay p = {0};

	dstor_replay_begin(&p, &k, &w, 1000);
	assert_int_equal(dstor_replay_progress(&p, 4096, 1500), 500);
	assert_int_equal(dstor_replay_progress(&p, 4096, 1700), 200);
	assert_int_equal(dstor_replay_progress(&p, 0, 1900), 0);
	/* a clock that was read before */
	assert_int_equal(dstor_replay_progress(&p, 512, 1600), 0);
	/* once more: what was acked before counts only after that */
	dstor_replay_begin(&p, &k, &w, 5000);
	assert_int_equal(dstor_replay_progress(&p, 4096, 6000), 0);
	assert_int_equal(dstor_replay_progress(&p, 4096 + 512, 7000), 0);
	assert_int_equal(dstor_replay_progress(&p, 512, 7500), 2500);
	/* another replay, after this one succeeded */
	assert_true(dstor_replay_end(&p, 1));
	dstor_replay_begin(&p, &k, &w, 8000);
	assert_int_equal(dstor_replay_progress(&p, 512, 8100), 100);
}

/* --- others wait --- */

static const u8 first[DSTOR_ID_LEN] = { 1 }, second[DSTOR_ID_LEN] = { 2 },
		third[DSTOR_ID_LEN] = { 3 };

static struct dstor_replay_gate gate_of(bool keeps)
{
	struct dstor_replay_gate g;

	dstor_replay_gate_holder(&g, keeps, false, first);
	return g;
}

static void readers_wait_for_the_replay(void **state)
{
	struct dstor_replay_gate g = gate_of(true);

	assert_int_equal(dstor_replay_gate_ask(&g, 0), DSTOR_GATE_OPEN);
	dstor_replay_gate_new_life(&g, second, 60000, 1000);
	assert_true(dstor_replay_gate_grants(&g));
	assert_int_equal(dstor_replay_gate_ask(&g, 1000), DSTOR_GATE_HOLDS);
	assert_true(dstor_replay_gate_done(&g, second));
	assert_false(dstor_replay_gate_done(&g, second));
	assert_int_equal(dstor_replay_gate_ask(&g, 1000), DSTOR_GATE_OPEN);
	/* a restart without a crash */
	dstor_replay_gate_new_life(&g, second, 60000, 2000);
	assert_int_equal(dstor_replay_gate_ask(&g, 2000), DSTOR_GATE_OPEN);
}

static void readers_wait_for_nobody_else(void **state)
{
	struct dstor_replay_gate g = gate_of(false);

	dstor_replay_gate_new_life(&g, second, 60000, 0);
	assert_int_equal(dstor_replay_gate_ask(&g, 0), DSTOR_GATE_OPEN);
	assert_false(dstor_replay_gate_grants(&g));
	g = gate_of(true);
	dstor_replay_gate_new_life(&g, second, 60000, 0);
	dstor_replay_gate_holder(&g, true, false, second);
	assert_int_equal(dstor_replay_gate_ask(&g, 0), DSTOR_GATE_OPEN);
}

/* A restart in order does not end the wait: the disk is still not whole. */
static void unfinished_replay_outlives_a_life(void **state)
{
	struct dstor_replay_gate g = gate_of(true);

	dstor_replay_gate_new_life(&g, second, 60000, 0);
	dstor_replay_gate_new_life(&g, second, 60000, 5000);
	assert_int_equal(dstor_replay_gate_ask(&g, 5000), DSTOR_GATE_HOLDS);
}

static void readers_wait_to_a_bound(void **state)
{
	struct dstor_replay_gate g = gate_of(true);

	dstor_replay_gate_new_life(&g, second, ~0ULL, 1000);
	assert_int_equal(dstor_replay_gate_ask(&g, 30999), DSTOR_GATE_HOLDS);
	/* not while the replay moves */
	dstor_replay_gate_progress(&g, 20000);
	assert_int_equal(dstor_replay_gate_ask(&g, 49999), DSTOR_GATE_HOLDS);
	assert_int_equal(dstor_replay_gate_ask(&g, 50000), DSTOR_GATE_CLOSES);
	assert_int_equal(dstor_replay_gate_ask(&g, 50000), DSTOR_GATE_OPEN);
	g = gate_of(true);
	dstor_replay_gate_new_life(&g, second, 500, 1000);
	assert_int_equal(dstor_replay_gate_ask(&g, 1499), DSTOR_GATE_HOLDS);
	assert_int_equal(dstor_replay_gate_ask(&g, 1500), DSTOR_GATE_CLOSES);
}

static void too_late_once_a_reader_was_served(void **state)
{
	struct dstor_replay_gate g = gate_of(true);

	dstor_replay_gate_new_life(&g, second, 500, 0);
	assert_int_equal(dstor_replay_gate_ask(&g, 500), DSTOR_GATE_CLOSES);
	assert_false(dstor_replay_gate_grants(&g));
	/* a further crash does not make it forget */
	dstor_replay_gate_new_life(&g, third, 500, 1000);
	assert_false(dstor_replay_gate_grants(&g));
	assert_int_equal(dstor_replay_gate_ask(&g, 1000), DSTOR_GATE_OPEN);
	/* the writer knows of it: from now on it keeps as before */
	assert_true(dstor_replay_gate_done(&g, third));
	assert_true(dstor_replay_gate_grants(&g));
	dstor_replay_gate_new_life(&g, first, 500, 2000);
	assert_int_equal(dstor_replay_gate_ask(&g, 2000), DSTOR_GATE_HOLDS);
}

/* An administrator says that somebody has changed the disk. */
static void what_was_kept_is_refused(void **state)
{
	struct dstor_replay_gate g = gate_of(true);

	dstor_replay_gate_new_life(&g, second, 60000, 0);
	assert_true(dstor_replay_gate_refuse(&g));
	assert_false(dstor_replay_gate_grants(&g));
	assert_int_equal(dstor_replay_gate_ask(&g, 0), DSTOR_GATE_OPEN);
	assert_false(dstor_replay_gate_refuse(&g));
	assert_true(dstor_replay_gate_done(&g, second));
	assert_true(dstor_replay_gate_grants(&g));
	g = gate_of(false);
	assert_false(dstor_replay_gate_refuse(&g));
	assert_false(g.late);
}

static void lease_that_was_free_is_too_late(void **state)
{
	struct dstor_replay_gate g = gate_of(true);

	dstor_replay_gate_holder(&g, false, false, first);
	assert_false(dstor_replay_gate_grants(&g));
	dstor_replay_gate_holder(&g, true, true, second);
	assert_false(dstor_replay_gate_grants(&g));
	assert_true(dstor_replay_gate_done(&g, second));
	assert_true(dstor_replay_gate_grants(&g));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replay_is_for_the_proven_writer),
		cmocka_unit_test(replay_goes_on_with_its_instance),
		cmocka_unit_test(verdicts_have_texts),
		cmocka_unit_test(newest_of_each_sector),
		cmocka_unit_test(newest_of_three),
		cmocka_unit_test(durable_hides_and_is_not_sent),
		cmocka_unit_test(pieces_fit_the_new_limits),
		cmocka_unit_test(kinds_and_what_is_no_loss),
		cmocka_unit_test(not_acked_stands_for_the_acked),
		cmocka_unit_test(discard_that_is_not_sent),
		cmocka_unit_test(not_sent_does_not_hide),
		cmocka_unit_test(under_way_hides_the_older),
		cmocka_unit_test(failed_without_a_copy_is_a_loss),
		cmocka_unit_test(second_crash_begins_anew),
		cmocka_unit_test(records_may_end_meanwhile),
		cmocka_unit_test(budget_stands_still_for_new_bytes_only),
		cmocka_unit_test(readers_wait_for_the_replay),
		cmocka_unit_test(readers_wait_for_nobody_else),
		cmocka_unit_test(unfinished_replay_outlives_a_life),
		cmocka_unit_test(readers_wait_to_a_bound),
		cmocka_unit_test(too_late_once_a_reader_was_served),
		cmocka_unit_test(what_was_kept_is_refused),
		cmocka_unit_test(lease_that_was_free_is_too_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
