// SPDX-License-Identifier: GPL-2.0
/* slot.c, resume.c and rejoin.c: what a session remembers. */
#include "unit.h"
#include "id.h"
#include "rejoin.h"
#include "resume.h"
#include "slot.h"

/* --- slots --- */

static enum dstor_admit admit_at(struct dstor_slot *s, u64 seq, u8 op, u64 offset, u32 bytes)
{
	struct dstor_frame f = { .type = DSTOR_FRAME_REQUEST, .op = op, .seq = cpu_to_le64(seq),
				 .offset = cpu_to_le64(offset), .bytes = cpu_to_le32(bytes) };

	return dstor_slot_admit(s, &f);
}

static enum dstor_admit admit(struct dstor_slot *s, u64 seq, u8 op)
{
	return admit_at(s, seq, op, 0, 4096);
}

static void slot_new_then_repeat(void **state)
{
	struct dstor_slot s = {0};

	assert_int_equal(dstor_slot_ask(&s, 1), DSTOR_STATE_UNKNOWN);
	assert_int_equal(admit(&s, 1, DSTOR_OP_WRITE), DSTOR_ADMIT_EXECUTE);
	assert_int_equal(dstor_slot_ask(&s, 1), DSTOR_STATE_BUSY);
	assert_int_equal(admit(&s, 1, DSTOR_OP_WRITE), DSTOR_ADMIT_BUSY);
	dstor_slot_done(&s, 1, DSTOR_STATUS_MEDIUM);
	assert_int_equal(dstor_slot_ask(&s, 1), DSTOR_STATE_DONE);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(admit(&s, 1, DSTOR_OP_WRITE), DSTOR_ADMIT_REPEAT);
		assert_int_equal(s.status, DSTOR_STATUS_MEDIUM);
	}
	assert_int_equal(admit(&s, 2, DSTOR_OP_WRITE), DSTOR_ADMIT_EXECUTE);
	assert_int_equal(s.status, DSTOR_STATUS_OK);
}

static void slot_executes_what_changes_the_disk_once(void **state)
{
	static const u8 once[] = { DSTOR_OP_WRITE, DSTOR_OP_DISCARD, DSTOR_OP_WRITE_ZEROES };

	for (size_t i = 0; i < COUNT(once); i++) {
		struct dstor_slot s = {0};
		int executed = 0;

		for (int n = 0; n < 10; n++)
			if (admit(&s, 7, once[i]) == DSTOR_ADMIT_EXECUTE) {
				executed++;
				dstor_slot_done(&s, 7, DSTOR_STATUS_OK);
			}
		assert_int_equal(executed, 1);
	}
}

static void slot_reads_and_flushes_again(void **state)
{
	static const u8 again[] = { DSTOR_OP_READ, DSTOR_OP_FLUSH };

	for (size_t i = 0; i < COUNT(again); i++) {
		struct dstor_slot s = {0};

		assert_int_equal(admit(&s, 7, again[i]), DSTOR_ADMIT_EXECUTE);
		assert_int_equal(admit(&s, 7, again[i]), DSTOR_ADMIT_BUSY);
		dstor_slot_done(&s, 7, DSTOR_STATUS_IO);
		assert_int_equal(admit(&s, 7, again[i]), DSTOR_ADMIT_EXECUTE);
		assert_int_equal(dstor_slot_ask(&s, 7), DSTOR_STATE_BUSY);
		dstor_slot_done(&s, 7, DSTOR_STATUS_OK);
		assert_int_equal(s.status, DSTOR_STATUS_OK);
	}
}

static void slot_refuses_the_stale(void **state)
{
	struct dstor_slot s = {0};

	admit(&s, 5, DSTOR_OP_WRITE);
	assert_int_equal(admit(&s, 4, DSTOR_OP_WRITE), DSTOR_ADMIT_REFUSE);
	dstor_slot_done(&s, 5, DSTOR_STATUS_OK);
	assert_int_equal(admit(&s, 4, DSTOR_OP_WRITE), DSTOR_ADMIT_REFUSE);
	assert_int_equal(admit(&s, 0, DSTOR_OP_READ), DSTOR_ADMIT_REFUSE);
	assert_int_equal(dstor_slot_ask(&s, 4), DSTOR_STATE_UNKNOWN);
	assert_int_equal(s.seq, 5);
	assert_int_equal(admit(&s, ~0ULL, DSTOR_OP_WRITE), DSTOR_ADMIT_EXECUTE);
	assert_int_equal(admit(&s, 6, DSTOR_OP_WRITE), DSTOR_ADMIT_REFUSE);
}

static void slot_refuses_reuse_while_busy(void **state)
{
	struct dstor_slot s = {0};

	admit(&s, 5, DSTOR_OP_READ);
	assert_int_equal(admit(&s, 6, DSTOR_OP_READ), DSTOR_ADMIT_REFUSE);
	assert_int_equal(s.seq, 5);
	assert_int_equal(s.state, DSTOR_SLOT_BUSY);
	dstor_slot_done(&s, 5, DSTOR_STATUS_OK);
	assert_int_equal(admit(&s, 6, DSTOR_OP_READ), DSTOR_ADMIT_EXECUTE);
}

static void slot_refuses_a_resend_that_became_another_operation(void **state)
{
	struct dstor_slot s = {0};

	admit(&s, 5, DSTOR_OP_READ);
	assert_int_equal(admit(&s, 5, DSTOR_OP_WRITE), DSTOR_ADMIT_REFUSE);
	dstor_slot_done(&s, 5, DSTOR_STATUS_OK);
	assert_int_equal(admit(&s, 5, DSTOR_OP_WRITE), DSTOR_ADMIT_REFUSE);
	assert_int_equal(s.op, DSTOR_OP_READ);
}

static void slot_refuses_a_resend_of_another_place_or_length(void **state)
{
	struct dstor_slot s = {0};

	admit_at(&s, 5, DSTOR_OP_WRITE, 8192, 4096);
	assert_int_equal(admit_at(&s, 5, DSTOR_OP_WRITE, 4096, 4096), DSTOR_ADMIT_REFUSE);
	assert_int_equal(admit_at(&s, 5, DSTOR_OP_WRITE, 8192, 8192), DSTOR_ADMIT_REFUSE);
	assert_int_equal(admit_at(&s, 5, DSTOR_OP_WRITE, 8192, 4096), DSTOR_ADMIT_BUSY);
	dstor_slot_done(&s, 5, DSTOR_STATUS_OK);
	assert_int_equal(admit_at(&s, 5, DSTOR_OP_WRITE, 4096, 4096), DSTOR_ADMIT_REFUSE);
	assert_int_equal(admit_at(&s, 5, DSTOR_OP_WRITE, 8192, 512), DSTOR_ADMIT_REFUSE);
	assert_int_equal(admit_at(&s, 5, DSTOR_OP_WRITE, 8192, 4096), DSTOR_ADMIT_REPEAT);
}

static void slot_dropped_is_executed_again(void **state)
{
	struct dstor_slot s = {0};

	admit(&s, 5, DSTOR_OP_WRITE);
	dstor_slot_drop(&s, 5);
	assert_int_equal(dstor_slot_ask(&s, 5), DSTOR_STATE_UNKNOWN);
	assert_int_equal(admit(&s, 4, DSTOR_OP_WRITE), DSTOR_ADMIT_REFUSE);
	assert_int_equal(admit(&s, 5, DSTOR_OP_WRITE), DSTOR_ADMIT_EXECUTE);
	dstor_slot_done(&s, 5, DSTOR_STATUS_OK);
	/* what is done cannot be dropped */
	dstor_slot_drop(&s, 5);
	assert_int_equal(admit(&s, 5, DSTOR_OP_WRITE), DSTOR_ADMIT_REPEAT);
	/* and a drop frees the slot for the next */
	admit(&s, 6, DSTOR_OP_WRITE);
	dstor_slot_drop(&s, 6);
	assert_int_equal(admit(&s, 7, DSTOR_OP_WRITE), DSTOR_ADMIT_EXECUTE);
}

static void slot_late_news_of_another_seq_changes_nothing(void **state)
{
	struct dstor_slot s = {0};

	admit(&s, 5, DSTOR_OP_WRITE);
	dstor_slot_done(&s, 4, DSTOR_STATUS_IO);
	dstor_slot_done(&s, 6, DSTOR_STATUS_IO);
	dstor_slot_drop(&s, 4);
	dstor_slot_drop(&s, 6);
	assert_int_equal(s.state, DSTOR_SLOT_BUSY);
	dstor_slot_done(&s, 5, DSTOR_STATUS_OK);
	dstor_slot_done(&s, 5, DSTOR_STATUS_IO);
	assert_int_equal(s.status, DSTOR_STATUS_OK);
	/* done after drop: it was not executed, so nothing is remembered */
	admit(&s, 6, DSTOR_OP_WRITE);
	dstor_slot_drop(&s, 6);
	dstor_slot_done(&s, 6, DSTOR_STATUS_OK);
	assert_int_equal(admit(&s, 6, DSTOR_OP_WRITE), DSTOR_ADMIT_EXECUTE);
}

/* --- resume --- */

static void resume_same_disk(void **state)
{
	struct dstor_welcome w = good_welcome();
	struct dstor_identity mine = { .size = GIB, .block = 512, .max_io = DSTOR_IO_MAX,
				     .slots = 128 };

	memcpy(mine.uuid, w.uuid, DSTOR_ID_LEN);
	assert_int_equal(dstor_resume_check(&mine, &w), DSTOR_RESUME_OK);
	w.size = cpu_to_le64(GIB - 512);
	assert_int_equal(dstor_resume_check(&mine, &w), DSTOR_RESUME_SMALLER);
	w.size = cpu_to_le64(GIB + 512);
	assert_int_equal(dstor_resume_check(&mine, &w), DSTOR_RESUME_OK);
	w.logical_block = cpu_to_le32(1024);
	assert_int_equal(dstor_resume_check(&mine, &w), DSTOR_RESUME_OTHER_BLOCK);
	mine.block = 4096;
	assert_int_equal(dstor_resume_check(&mine, &w), DSTOR_RESUME_OK);
	w.slots = cpu_to_le16(127);
	assert_int_equal(dstor_resume_check(&mine, &w), DSTOR_RESUME_LESS);
	w.slots = cpu_to_le16(128);
	w.max_io = cpu_to_le32(DSTOR_IO_MAX / 2);
	assert_int_equal(dstor_resume_check(&mine, &w), DSTOR_RESUME_LESS);
	w.max_io = cpu_to_le32(DSTOR_IO_MAX);
	for (int i = 0; i < DSTOR_ID_LEN; i++) {
		w.uuid[i] ^= 0x80;
		assert_int_equal(dstor_resume_check(&mine, &w), DSTOR_RESUME_OTHER_DISK);
		w.uuid[i] ^= 0x80;
	}
}

/* Which exporter comes first: with another one, its disk says nothing. */
static void resume_same_exporter(void **state)
{
	struct dstor_welcome w = good_welcome();
	struct dstor_identity mine = { .size = GIB, .block = 512, .max_io = DSTOR_IO_MAX,
				     .slots = 128 };

	memcpy(mine.uuid, w.uuid, DSTOR_ID_LEN);
	memcpy(mine.exporter, w.exporter, DSTOR_ID_LEN);
	assert_int_equal(dstor_resume_check(&mine, &w), DSTOR_RESUME_OK);
	for (int i = 0; i < DSTOR_ID_LEN; i++) {
		w.exporter[i] ^= 1;
		assert_int_equal(dstor_resume_check(&mine, &w), DSTOR_RESUME_OTHER_EXPORTER);
		assert_int_equal(dstor_resume_pinned(&mine, &w), DSTOR_RESUME_OTHER_EXPORTER);
		w.exporter[i] ^= 1;
	}
	w.exporter[0] ^= 1;
	w.uuid[0] ^= 1;
	assert_int_equal(dstor_resume_check(&mine, &w), DSTOR_RESUME_OTHER_EXPORTER);
	/* none is insisted on: it is to be learned */
	memset(mine.exporter, 0, DSTOR_ID_LEN);
	assert_int_equal(dstor_resume_check(&mine, &w), DSTOR_RESUME_OTHER_DISK);
}

/* Before the first attach: what was named, and nothing else. */
static void resume_pinned(void **state)
{
	struct dstor_welcome w = good_welcome();
	struct dstor_identity mine = { };

	assert_int_equal(dstor_resume_pinned(&mine, &w), DSTOR_RESUME_OK);
	memcpy(mine.uuid, w.uuid, DSTOR_ID_LEN);
	assert_int_equal(dstor_resume_pinned(&mine, &w), DSTOR_RESUME_OK);
	mine.uuid[DSTOR_ID_LEN - 1] ^= 1;
	assert_int_equal(dstor_resume_pinned(&mine, &w), DSTOR_RESUME_OTHER_DISK);
	memset(mine.uuid, 0, DSTOR_ID_LEN);
	memcpy(mine.exporter, w.exporter, DSTOR_ID_LEN);
	assert_int_equal(dstor_resume_pinned(&mine, &w), DSTOR_RESUME_OK);
	mine.exporter[0] ^= 1;
	assert_int_equal(dstor_resume_pinned(&mine, &w), DSTOR_RESUME_OTHER_EXPORTER);
}

static void resume_elsewhere(void **state)
{
	struct dstor_hello h = good_hello();
	u8 uuid[DSTOR_ID_LEN];

	fill_id(uuid, 0x50);
	/* A first attach has no disk to come back to. */
	assert_false(dstor_resume_elsewhere(&h, uuid));
	h.flags = DSTOR_HELLO_RESUME;
	memcpy(h.uuid, uuid, DSTOR_ID_LEN);
	assert_false(dstor_resume_elsewhere(&h, uuid));
	h.uuid[DSTOR_ID_LEN - 1] ^= 1;
	assert_true(dstor_resume_elsewhere(&h, uuid));
}

static void resume_ended_by_a_refusal(void **state)
{
	struct dstor_identity mine = { .size = 1 };
	struct dstor_welcome w = { .status = DSTOR_WELCOME_EXPIRED };

	fill_id(mine.exporter, 0x60);
	memcpy(w.exporter, mine.exporter, DSTOR_ID_LEN);
	assert_true(dstor_resume_is_over(&mine, &w, 11, 11));
	/* the hello was older than the welcome of another queue */
	assert_false(dstor_resume_is_over(&mine, &w, 11, 22));
	w.status = DSTOR_WELCOME_EVICTED;
	assert_true(dstor_resume_is_over(&mine, &w, 11, 22));
	w.status = DSTOR_WELCOME_IN_USE;
	assert_false(dstor_resume_is_over(&mine, &w, 11, 11));
	w.status = DSTOR_WELCOME_EVICTED;
	w.exporter[DSTOR_ID_LEN - 1] ^= 1;
	assert_false(dstor_resume_is_over(&mine, &w, 11, 11));
	memset(mine.exporter, 0, DSTOR_ID_LEN);
	assert_true(dstor_resume_is_over(&mine, &w, 11, 11));
}

static void resume_texts_differ(void **state)
{
	for (int r = DSTOR_RESUME_OK; r <= DSTOR_RESUME_LESS; r++)
		for (int k = DSTOR_RESUME_OK; k < r; k++)
			assert_string_not_equal(dstor_resume_text(r), dstor_resume_text(k));
	assert_string_equal(dstor_resume_text(DSTOR_RESUME_LESS + 1), "unknown");
}

/* --- a client that comes back --- */

static struct dstor_hello returning(u64 cookie, u64 last_seq)
{
	struct dstor_hello h = good_hello();

	h.flags = DSTOR_HELLO_RESUME;
	fill_id(h.life, 0xb0);
	h.cookie = cpu_to_le64(cookie);
	h.last_seq = cpu_to_le64(last_seq);
	return h;
}

static void rejoin_of_a_forgotten_session(void **state)
{
	struct dstor_hello h = returning(7, 1), first = good_hello();
	u8 life[DSTOR_ID_LEN];

	fill_id(life, 0xb0);
	assert_int_equal(dstor_rejoin_session(&first, life, false), DSTOR_REJOIN_OK);
	assert_int_equal(dstor_rejoin_session(&h, life, true), DSTOR_REJOIN_OK);
	assert_int_equal(dstor_rejoin_session(&h, life, false), DSTOR_REJOIN_FORGOTTEN);
	h.flags |= DSTOR_HELLO_READ_ONLY;
	assert_int_equal(dstor_rejoin_session(&h, life, false), DSTOR_REJOIN_OK);
	h.flags &= ~DSTOR_HELLO_READ_ONLY;
	/* An exporter that restarted has forgotten everybody: that is P7, not the end. */
	for (int i = 0; i < DSTOR_ID_LEN; i++) {
		life[i] ^= 1;
		assert_int_equal(dstor_rejoin_session(&h, life, false), DSTOR_REJOIN_OK);
		life[i] ^= 1;
	}
}

static enum dstor_rejoin rejoins(const struct dstor_queue_past *past, u64 cookie, u64 last_seq)
{
	struct dstor_hello h = returning(cookie, last_seq);

	return dstor_rejoin_queue(&h, past);
}

static void welcome_it(struct dstor_queue_past *past, u64 shown, u64 cookie)
{
	struct dstor_hello h = returning(shown, past->last_seq);

	dstor_rejoin_welcomed(past, &h, cookie);
}

static void rejoin_with_the_newest_cookie_or_the_one_before(void **state)
{
	struct dstor_queue_past past = { 0 };
	struct dstor_hello first = good_hello();

	assert_int_equal(dstor_rejoin_queue(&first, &past), DSTOR_REJOIN_OK);
	dstor_rejoin_welcomed(&past, &first, 10);
	/* The welcome may be lost any number of times. */
	assert_int_equal(dstor_rejoin_queue(&first, &past), DSTOR_REJOIN_OK);
	dstor_rejoin_welcomed(&past, &first, 11);
	dstor_rejoin_frame(&past, 1);
	assert_int_equal(rejoins(&past, 11, 1), DSTOR_REJOIN_OK);
	assert_int_equal(rejoins(&past, 10, 1), DSTOR_REJOIN_ROLLED_BACK);
	assert_int_equal(rejoins(&past, 0, 1), DSTOR_REJOIN_ROLLED_BACK);
	assert_int_equal(dstor_rejoin_queue(&first, &past), DSTOR_REJOIN_ROLLED_BACK);
	welcome_it(&past, 11, 12);
	assert_int_equal(rejoins(&past, 11, 1), DSTOR_REJOIN_OK);
	assert_int_equal(rejoins(&past, 12, 1), DSTOR_REJOIN_OK);
	welcome_it(&past, 11, 13);
	assert_int_equal(rejoins(&past, 11, 1), DSTOR_REJOIN_OK);
	assert_int_equal(rejoins(&past, 12, 1), DSTOR_REJOIN_ROLLED_BACK);
	/* A frame proves that the client has the newest. */
	dstor_rejoin_frame(&past, 0);
	assert_int_equal(rejoins(&past, 11, 1), DSTOR_REJOIN_ROLLED_BACK);
	assert_int_equal(rejoins(&past, 13, 1), DSTOR_REJOIN_OK);
}

static void rejoin_below_what_arrived(void **state)
{
	struct dstor_queue_past past = { 0 };

	welcome_it(&past, 0, 10);
	dstor_rejoin_frame(&past, 5);
	dstor_rejoin_frame(&past, 3);
	assert_int_equal(past.last_seq, 5);
	assert_int_equal(rejoins(&past, 10, 4), DSTOR_REJOIN_ROLLED_BACK);
	assert_int_equal(rejoins(&past, 10, 5), DSTOR_REJOIN_OK);
	assert_int_equal(rejoins(&past, 10, 6), DSTOR_REJOIN_OK);
}

static void rejoin_texts_differ(void **state)
{
	for (int r = DSTOR_REJOIN_OK; r <= DSTOR_REJOIN_ROLLED_BACK; r++)
		for (int k = DSTOR_REJOIN_OK; k < r; k++)
			assert_string_not_equal(dstor_rejoin_text(r), dstor_rejoin_text(k));
	assert_string_equal(dstor_rejoin_text(DSTOR_REJOIN_ROLLED_BACK + 1), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slot_new_then_repeat),
		cmocka_unit_test(slot_executes_what_changes_the_disk_once),
		cmocka_unit_test(slot_reads_and_flushes_again),
		cmocka_unit_test(slot_refuses_the_stale),
		cmocka_unit_test(slot_refuses_reuse_while_busy),
		cmocka_unit_test(slot_refuses_a_resend_that_became_another_operation),
		cmocka_unit_test(slot_refuses_a_resend_of_another_place_or_length),
		cmocka_unit_test(slot_dropped_is_executed_again),
		cmocka_unit_test(slot_late_news_of_another_seq_changes_nothing),
		cmocka_unit_test(resume_same_disk),
		cmocka_unit_test(resume_same_exporter),
		cmocka_unit_test(resume_pinned),
		cmocka_unit_test(resume_elsewhere),
		cmocka_unit_test(resume_ended_by_a_refusal),
		cmocka_unit_test(resume_texts_differ),
		cmocka_unit_test(rejoin_of_a_forgotten_session),
		cmocka_unit_test(rejoin_with_the_newest_cookie_or_the_one_before),
		cmocka_unit_test(rejoin_below_what_arrived),
		cmocka_unit_test(rejoin_texts_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
