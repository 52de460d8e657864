// SPDX-License-Identifier: GPL-2.0
/* keep.c: the life of a kept write, the order of those that overlap, and the bound. */
#include "unit.h"
#include "keep.h"

#define REGION 0x10000U
#define LIMIT 0x40000U

static struct dstor_kept *buckets[8];
static struct dstor_kept pool[64];
static u32 used;

static struct dstor_keep keep_new(void)
{
	struct dstor_keep k;

	used = 0;
	memset(pool, 0, sizeof(pool));
	dstor_keep_init(&k, buckets, COUNT(buckets), REGION, LIMIT);
	return k;
}

static struct dstor_kept *record(u8 op, u64 offset, u32 bytes)
{
	struct dstor_kept *r = &pool[used++];

	assert_true(used <= COUNT(pool));
	*r = (struct dstor_kept){ .offset = offset, .bytes = bytes, .op = op,
				  .cost = op == DSTOR_OP_WRITE ? bytes : 0,
				  .data = op == DSTOR_OP_WRITE };
	return r;
}

static struct dstor_kept *write_at(u64 offset, u32 bytes)
{
	return record(DSTOR_OP_WRITE, offset, bytes);
}

static struct dstor_kept *fua_at(u64 offset, u32 bytes)
{
	struct dstor_kept *r = write_at(offset, bytes);

	r->durable = true;
	return r;
}

static struct dstor_kept *sent(struct dstor_keep *k, struct dstor_kept *r)
{
	assert_int_equal(dstor_keep_add(k, r), DSTOR_KEEP_SEND);
	assert_int_equal(r->state, DSTOR_KEPT_FLIES);
	r->sent = true;
	return r;
}

static struct dstor_kept *acked(struct dstor_keep *k, struct dstor_kept *r, u64 mark)
{
	sent(k, r);
	assert_null(dstor_keep_acked(k, r, mark));
	assert_int_equal(r->state, DSTOR_KEPT_ACKED);
	return r;
}

static u32 chain_length(const struct dstor_kept *r)
{
	u32 n = 0;

	for (; r; r = r->next) {
		assert_int_equal(r->state, DSTOR_KEPT_NONE);
		n++;
	}
	return n;
}

/* --- life --- */

static void kept_until_a_flush_that_began_after_the_ack(void **state)
{
	struct dstor_keep k = keep_new();
	struct dstor_kept *a = acked(&k, write_at(0, 4096), 1);
	struct dstor_kept *b = acked(&k, write_at(4096, 4096), 2);
	struct dstor_kept *f = sent(&k, write_at(8192, 4096));

	assert_true(dstor_keep_owes(&k));
	assert_null(dstor_keep_flushed(&k, 0));
	assert_ptr_equal(dstor_keep_flushed(&k, 1), a);
	assert_int_equal(b->state, DSTOR_KEPT_ACKED);
	assert_int_equal(chain_length(dstor_keep_flushed(&k, 9)), 1);
	assert_int_equal(f->state, DSTOR_KEPT_FLIES);
	assert_false(dstor_keep_owes(&k));
	assert_int_equal(k.used, 4096);
	assert_int_equal(k.used_acked, 0);
}

static void flushed_in_steps(void **state)
{
	struct dstor_keep k = keep_new();
	int i;

	for (i = 0; i < 5; i++)
		acked(&k, write_at(i * 4096, 4096), 1);
	acked(&k, write_at(5 * 4096, 4096), 2);
	assert_true(dstor_keep_is_covered(&k, 1));
	assert_int_equal(chain_length(dstor_keep_flushed_few(&k, 1, 3)), 3);
	assert_true(dstor_keep_is_covered(&k, 1));
	assert_int_equal(chain_length(dstor_keep_flushed_few(&k, 1, 3)), 2);
	assert_false(dstor_keep_is_covered(&k, 1));
	assert_null(dstor_keep_flushed_few(&k, 1, 3));
	/* A crash comes in between. */
	dstor_keep_crashed(&k);
	assert_false(dstor_keep_is_covered(&k, 2));
	assert_null(dstor_keep_flushed_few(&k, 2, 3));
}

static void flush_of_the_old_instance_drops_nothing(void **state)
{
	struct dstor_keep k = keep_new();
	struct dstor_kept *a = acked(&k, write_at(0, 4096), 1);

	dstor_keep_crashed(&k);
	assert_null(dstor_keep_flushed(&k, 1));
	assert_null(dstor_keep_flushed(&k, 1000000));
	dstor_keep_replayed(&k, 7);
	assert_null(dstor_keep_flushed(&k, 6));
	assert_ptr_equal(dstor_keep_flushed(&k, 7), a);
}

static void newer_covers_older(void **state)
{
	struct dstor_keep k = keep_new();
	struct dstor_kept *part = acked(&k, write_at(4096, 8192), 1);
	struct dstor_kept *whole = acked(&k, write_at(0, 4096), 1);
	struct dstor_kept *r = sent(&k, write_at(0, 8192));

	assert_ptr_equal(dstor_keep_acked(&k, r, 1), whole);
	assert_int_equal(whole->state, DSTOR_KEPT_NONE);
	assert_null(whole->next);
	assert_int_equal(part->state, DSTOR_KEPT_ACKED);
	assert_int_equal(r->state, DSTOR_KEPT_ACKED);
	assert_int_equal(k.used, 8192 + 8192);
}

static void durable_stays_only_over_an_older(void **state)
{
	struct dstor_keep k = keep_new();
	struct dstor_kept *old, *r = sent(&k, fua_at(0, 4096));

	assert_ptr_equal(dstor_keep_acked(&k, r, 1), r);
	assert_int_equal(r->state, DSTOR_KEPT_NONE);
	old = acked(&k, write_at(0, 8192), 1);
	r = acked(&k, fua_at(0, 4096), 3);
	assert_true(dstor_keep_owes(&k));
	assert_int_equal(chain_length(dstor_keep_flushed(&k, 1)), 1);
	assert_int_equal(old->state, DSTOR_KEPT_NONE);
	/* alone it is no loss */
	assert_false(dstor_keep_owes(&k));
	assert_ptr_equal(dstor_keep_flushed(&k, 3), r);
	/* and one that covers all of the older goes with it */
	old = acked(&k, write_at(0, 4096), 5);
	r = sent(&k, fua_at(0, 8192));
	assert_int_equal(chain_length(dstor_keep_acked(&k, r, 5)), 2);
	assert_int_equal(k.used, 0);
}

static void zeroes_and_discards_are_kept(void **state)
{
	struct dstor_keep k = keep_new();
	struct dstor_kept *old = acked(&k, write_at(0, 4096), 1), *chain;

	acked(&k, record(DSTOR_OP_DISCARD, 1 << 30, 0xfffff000U), 1);
	chain = dstor_keep_acked(&k, sent(&k, record(DSTOR_OP_WRITE_ZEROES, 0, 4096)), 1);
	assert_ptr_equal(chain, old);
	assert_int_equal(chain_length(dstor_keep_flushed(&k, 1)), 2);
}

static void stopped_in_order_leaves_nothing_to_send(void **state)
{
	struct dstor_keep k = keep_new();
	struct dstor_kept *a = acked(&k, write_at(0, 4096), 1);
	struct dstor_kept *b = write_at(4096, 4096);
	struct dstor_kept *failed = sent(&k, write_at(8192, 4096));

	b->queue = 1;
	acked(&k, b, 1);
	assert_true(dstor_keep_failed(&k, failed, DSTOR_KEPT_DECIDED, 1));
	dstor_keep_durable(&k, 0);
	assert_true(a->durable);
	assert_false(b->durable);
	assert_false(failed->durable);
	assert_true(dstor_keep_owes(&k));
	dstor_keep_durable(&k, 1);
	assert_false(dstor_keep_owes(&k));
	assert_int_equal(chain_length(dstor_keep_flushed(&k, 1)), 3);
}

static void drop_leaves_what_has_no_answer(void **state)
{
	struct dstor_keep k = keep_new();
	struct dstor_kept *f = sent(&k, write_at(0, 4096));

	acked(&k, write_at(4096, 4096), 1);
	acked(&k, write_at(8192, 4096), 2);
	dstor_keep_crashed(&k);
	assert_int_equal(chain_length(dstor_keep_drop(&k)), 2);
	assert_int_equal(f->state, DSTOR_KEPT_FLIES);
	assert_int_equal(k.used, 4096);
}

/* --- order --- */

static void overlaps_are_sent_one_after_another(void **state)
{
	struct dstor_keep k = keep_new();
	struct dstor_kept *a = sent(&k, write_at(0, 8192)), *b = write_at(4096, 8192),
			  *c = write_at(8192, 4096), *d = write_at(16384, 4096);

	assert_int_equal(dstor_keep_add(&k, b), DSTOR_KEEP_WAIT);
	assert_int_equal(dstor_keep_add(&k, c), DSTOR_KEEP_WAIT);
	sent(&k, d);
	assert_null(dstor_keep_woken(&k, 0, ~0ULL));
	assert_null(dstor_keep_acked(&k, a, 1));
	assert_ptr_equal(dstor_keep_woken(&k, a->offset, a->bytes), b);
	assert_int_equal(b->state, DSTOR_KEPT_FLIES);
	assert_null(dstor_keep_woken(&k, a->offset, a->bytes));
	assert_null(dstor_keep_woken(&k, c->offset, c->bytes));
	dstor_keep_acked(&k, b, 1);
	assert_ptr_equal(dstor_keep_woken(&k, b->offset, b->bytes), c);
}

static void oldest_is_woken_first(void **state)
{
	struct dstor_keep k = keep_new();
	struct dstor_kept *a = sent(&k, write_at(0, 16384)), *b = write_at(0, 4096),
			  *c = write_at(8192, 4096);

	dstor_keep_add(&k, b);
	dstor_keep_add(&k, c);
	dstor_keep_acked(&k, a, 1);
	assert_ptr_equal(dstor_keep_woken(&k, a->offset, a->bytes), b);
	assert_ptr_equal(dstor_keep_woken(&k, a->offset, a->bytes), c);
	assert_null(dstor_keep_woken(&k, a->offset, a->bytes));
}

static void neighbours_do_not_overlap(void **state)
{
	struct dstor_keep k = keep_new();

	sent(&k, write_at(4096, 4096));
	sent(&k, write_at(0, 4096));
	sent(&k, write_at(8192, 4096));
	sent(&k, record(DSTOR_OP_DISCARD, 12288, 0xfffff000U));
	sent(&k, record(DSTOR_OP_DISCARD, ~0ULL - 4095, 4095));
	assert_int_equal(dstor_keep_add(&k, write_at(8191, 1)), DSTOR_KEEP_WAIT);
}

static void overlaps_are_found_across_regions(void **state)
{
	struct dstor_keep k = keep_new();

	/* begins in the region before */
	sent(&k, write_at(5 * REGION - 512, 1024));
	assert_int_equal(dstor_keep_add(&k, write_at(5 * REGION, 512)), DSTOR_KEEP_WAIT);
	/* as long as a region */
	sent(&k, write_at(8 * REGION + 512, REGION));
	assert_int_equal(dstor_keep_add(&k, write_at(9 * REGION, 1024)), DSTOR_KEEP_WAIT);
	/* longer: in any region */
	sent(&k, record(DSTOR_OP_DISCARD, 20 * REGION, 20 * REGION));
	assert_int_equal(dstor_keep_add(&k, write_at(40 * REGION - 512, 512)), DSTOR_KEEP_WAIT);
	/* looked for by a range of more regions than there are buckets */
	assert_int_equal(dstor_keep_add(&k, record(DSTOR_OP_DISCARD, 0, 6 * REGION)),
			 DSTOR_KEEP_WAIT);
	/* another region of the same bucket */
	sent(&k, write_at(5 * REGION + COUNT(buckets) * REGION, 512));
}

/* --- failure --- */

static void refused_is_forgotten(void **state)
{
	struct dstor_keep k = keep_new();
	struct dstor_kept *a = sent(&k, write_at(0, 4096)), *b = write_at(0, 4096);

	dstor_keep_add(&k, b);
	assert_false(dstor_keep_failed(&k, b, DSTOR_KEPT_GIVEN_UP, 1));	/* never sent */
	assert_false(dstor_keep_failed(&k, a, DSTOR_KEPT_REFUSED, 1));
	assert_int_equal(k.used, 0);
}

static void undecided_blocks_until_its_queue_is_fenced(void **state)
{
	struct dstor_keep k = keep_new();
	struct dstor_kept *a = write_at(0, 4096), *b = write_at(0, 4096);

	a->queue = 3;
	sent(&k, a);
	assert_true(dstor_keep_failed(&k, a, DSTOR_KEPT_GIVEN_UP, 1));
	assert_int_equal(a->state, DSTOR_KEPT_UNDECIDED);
	assert_int_equal(dstor_keep_add(&k, b), DSTOR_KEEP_WAIT);
	dstor_keep_fenced(&k, 2, 4);
	assert_null(dstor_keep_woken(&k, 0, ~0ULL));
	dstor_keep_fenced(&k, 3, 4);
	assert_ptr_equal(dstor_keep_woken(&k, 0, ~0ULL), b);
	/* kept from then on, though its loss is none */
	assert_int_equal(a->state, DSTOR_KEPT_ACKED);
	assert_false(dstor_keep_owes(&k));
	assert_null(dstor_keep_flushed(&k, 3));
	assert_ptr_equal(dstor_keep_flushed(&k, 4), a);
}

static void crash_fences_all(void **state)
{
	struct dstor_keep k = keep_new();
	struct dstor_kept *a = sent(&k, write_at(0, 4096));

	dstor_keep_failed(&k, a, DSTOR_KEPT_GIVEN_UP, 1);
	dstor_keep_crashed(&k);
	assert_int_equal(a->state, DSTOR_KEPT_ACKED);
	assert_null(dstor_keep_flushed(&k, 100));
	dstor_keep_replayed(&k, 2);
	assert_ptr_equal(dstor_keep_flushed(&k, 2), a);
}

static void disk_error_is_decided_at_once(void **state)
{
	struct dstor_keep k = keep_new();
	struct dstor_kept *a = acked(&k, write_at(0, 8192), 1), *b = sent(&k, write_at(0, 8192));

	assert_true(dstor_keep_failed(&k, b, DSTOR_KEPT_DECIDED, 2));
	assert_int_equal(b->state, DSTOR_KEPT_ACKED);
	/* it hides the older, and does not end it */
	assert_int_equal(a->state, DSTOR_KEPT_ACKED);
	assert_int_equal(k.used_acked, 2 * 8192);
	assert_int_equal(chain_length(dstor_keep_flushed(&k, 2)), 2);
}

/* --- the bound --- */

static void bound_parks_and_a_flush_makes_room(void **state)
{
	struct dstor_keep k = keep_new();
	struct dstor_kept *more = write_at(LIMIT, 4096), *fua;
	u32 n;

	for (n = 0; n < 4; n++)
		acked(&k, write_at(n * LIMIT / 4, LIMIT / 4), 1);
	assert_int_equal(dstor_keep_add(&k, more), DSTOR_KEEP_PARK);
	assert_int_equal(more->state, DSTOR_KEPT_NONE);
	/* what is durable by itself needs no room, unless it would have to be remembered */
	fua = sent(&k, fua_at(2 * LIMIT, 4096));
	assert_ptr_equal(dstor_keep_acked(&k, fua, 1), fua);
	assert_int_equal(dstor_keep_add(&k, fua_at(0, 4096)), DSTOR_KEEP_PARK);
	assert_int_equal(chain_length(dstor_keep_flushed(&k, 1)), 4);
	sent(&k, more);
	sent(&k, fua_at(0, 4096));
}

static void too_large_for_the_limit(void **state)
{
	struct dstor_keep k = keep_new();
	struct dstor_kept *r = write_at(0, LIMIT + 4096);

	assert_int_equal(dstor_keep_add(&k, r), DSTOR_KEEP_TOO_LARGE);
	r->durable = true;
	sent(&k, r);
	r = write_at(4 * LIMIT, LIMIT);
	assert_int_equal(dstor_keep_add(&k, r), DSTOR_KEEP_PARK);
}

static void flushes_near_half(void **state)
{
	struct dstor_keep k = keep_new();

	assert_false(dstor_keep_wants_flush(&k, false, true));
	acked(&k, write_at(0, LIMIT / 2 - 4096), 1);
	sent(&k, write_at(LIMIT, LIMIT / 4));
	assert_false(dstor_keep_wants_flush(&k, false, false));
	assert_true(dstor_keep_wants_flush(&k, false, true));
	acked(&k, write_at(LIMIT / 2, 4096), 1);
	assert_true(dstor_keep_wants_flush(&k, false, false));
	assert_false(dstor_keep_wants_flush(&k, true, true));
}

static void walk_sees_each_once(void **state)
{
	struct dstor_keep k = keep_new();
	struct dstor_keep_walk w;
	u32 seen = 0;

	for (u32 n = 0; n < 20; n++)
		acked(&k, write_at((u64)n * REGION, 512), 1);
	acked(&k, record(DSTOR_OP_DISCARD, 100 * REGION, 2 * REGION), 1);
	dstor_keep_walk_begin(&w, &k, 0, ~0ULL);
	while (dstor_keep_walk_next(&w))
		seen++;
	assert_int_equal(seen, 21);
	dstor_keep_walk_begin(&w, &k, 2 * REGION, 1);
	assert_ptr_equal(dstor_keep_walk_next(&w), &pool[2]);
	assert_null(dstor_keep_walk_next(&w));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kept_until_a_flush_that_began_after_the_ack),
		cmocka_unit_test(flushed_in_steps),
		cmocka_unit_test(flush_of_the_old_instance_drops_nothing),
		cmocka_unit_test(newer_covers_older),
		cmocka_unit_test(durable_stays_only_over_an_older),
		cmocka_unit_test(zeroes_and_discards_are_kept),
		cmocka_unit_test(stopped_in_order_leaves_nothing_to_send),
		cmocka_unit_test(drop_leaves_what_has_no_answer),
		cmocka_unit_test(overlaps_are_sent_one_after_another),
		cmocka_unit_test(oldest_is_woken_first),
		cmocka_unit_test(neighbours_do_not_overlap),
		cmocka_unit_test(overlaps_are_found_across_regions),
		cmocka_unit_test(refused_is_forgotten),
		cmocka_unit_test(undecided_blocks_until_its_queue_is_fenced),
		cmocka_unit_test(crash_fences_all),
		cmocka_unit_test(disk_error_is_decided_at_once),
		cmocka_unit_test(bound_parks_and_a_flush_makes_room),
		cmocka_unit_test(too_large_for_the_limit),
		cmocka_unit_test(flushes_near_half),
		cmocka_unit_test(walk_sees_each_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
