// SPDX-License-Identifier: GPL-2.0
/* frame.c: which frames are possible, and which requests are permitted. */
#include "unit.h"
#include "frame.h"

static struct dstor_bounds bounds;

static int setup(void **state)
{
	bounds = good_bounds();
	return 0;
}

static bool sane(struct dstor_frame f)
{
	return dstor_request_sane(&f, &bounds);
}

static bool response_sane(struct dstor_frame f)
{
	return dstor_response_sane(&f, &bounds);
}

static int verdict(struct dstor_frame f)
{
	assert_true(sane(f));
	return dstor_request_check(&f, &bounds);
}

#define WITH(frame, change) ({ struct dstor_frame f = (frame); change; f; })

static void which_operations_write(void **state)
{
	assert_false(dstor_op_writes(DSTOR_OP_READ));
	assert_true(dstor_op_writes(DSTOR_OP_WRITE));
	assert_false(dstor_op_writes(DSTOR_OP_FLUSH));
	assert_true(dstor_op_writes(DSTOR_OP_DISCARD));
	assert_true(dstor_op_writes(DSTOR_OP_WRITE_ZEROES));
}

static void request_lengths(void **state)
{
	u32 max = bounds.max_io;

	assert_true(sane(request(DSTOR_OP_WRITE, 0, max)));
	assert_false(sane(request(DSTOR_OP_WRITE, 0, max + 1)));
	assert_false(sane(request(DSTOR_OP_WRITE, 0, 0)));
	assert_false(sane(request(DSTOR_OP_WRITE, 0, 0xffffffff)));
	assert_false(sane(WITH(request(DSTOR_OP_WRITE, 0, 512), f.length = cpu_to_le32(511))));
	assert_false(sane(WITH(request(DSTOR_OP_WRITE, 0, 512), f.bytes = cpu_to_le32(1024))));
	assert_false(sane(WITH(request(DSTOR_OP_WRITE, 0, 512), f.length = 0)));
	assert_true(sane(request(DSTOR_OP_READ, 0, max)));
	assert_false(sane(request(DSTOR_OP_READ, 0, max + 1)));
	assert_false(sane(request(DSTOR_OP_READ, 0, 0)));
	assert_false(sane(WITH(request(DSTOR_OP_READ, 0, 512), f.length = cpu_to_le32(512))));
	assert_true(sane(request(DSTOR_OP_FLUSH, 0, 0)));
	assert_false(sane(request(DSTOR_OP_FLUSH, 0, 512)));
	assert_false(sane(request(DSTOR_OP_FLUSH, 512, 0)));
	assert_false(sane(WITH(request(DSTOR_OP_FLUSH, 0, 0), f.length = cpu_to_le32(1))));
	for (u8 op = DSTOR_OP_DISCARD; op <= DSTOR_OP_WRITE_ZEROES; op++) {
		assert_true(sane(request(op, 0, DSTOR_EXTENT_MAX)));
		assert_false(sane(request(op, 0, 0)));
		assert_false(sane(WITH(request(op, 0, 512), f.length = cpu_to_le32(512))));
	}
}

static void request_fields(void **state)
{
	struct dstor_frame r = request(DSTOR_OP_READ, 0, 512);

	for (int op = DSTOR_OP_MAX + 1; op < 256; op++)
		assert_false(sane(WITH(r, f.op = op)));
	assert_true(sane(WITH(r, f.slot = cpu_to_le16(127))));
	assert_false(sane(WITH(r, f.slot = cpu_to_le16(128))));
	assert_false(sane(WITH(r, f.slot = cpu_to_le16(0xffff))));
	assert_false(sane(WITH(r, f.seq = 0)));
	assert_true(sane(WITH(r, f.seq = cpu_to_le64(~0ULL))));
	for (int bit = 0; bit < 16; bit++)
		assert_true(sane(WITH(r, f.flags = cpu_to_le16(1 << bit))) == (bit < 10));
	/* status is the I/O priority: any */
	assert_true(sane(WITH(r, f.status = cpu_to_le16(0xffff))));
}

static void only_these_types_come_from_a_client(void **state)
{
	for (int type = 0; type < 256; type++) {
		struct dstor_frame f = { .type = type, .seq = cpu_to_le64(1) };
		bool want = type == DSTOR_FRAME_PING || type == DSTOR_FRAME_PONG ||
			    type == DSTOR_FRAME_ASK || type == DSTOR_FRAME_BYE ||
			    type == DSTOR_FRAME_REPLAYED;

		assert_true(sane(f) == want);
	}
}

static void only_these_types_come_from_an_exporter(void **state)
{
	for (int type = 0; type < 256; type++) {
		struct dstor_frame f = { .type = type, .seq = cpu_to_le64(1), .op = 0 };
		bool want = type == DSTOR_FRAME_PING || type == DSTOR_FRAME_PONG ||
			    type == DSTOR_FRAME_STATE;

		assert_true(response_sane(f) == want);
		f.op = DSTOR_OP_WRITE;
		assert_true(response_sane(f) == (type == DSTOR_FRAME_RESPONSE));
	}
}

/* Any field a small frame has no use for is zero, or the stream is lost. */
static void unused_fields_of_small_frames_are_zero(void **state)
{
	static const u8 types[] = { DSTOR_FRAME_PING, DSTOR_FRAME_PONG, DSTOR_FRAME_BYE,
				    DSTOR_FRAME_REPLAYED };

	for (size_t i = 0; i < COUNT(types); i++) {
		struct dstor_frame t = { .type = types[i] };

		for (size_t byte = 1; byte < 16; byte++)
			assert_false(sane(WITH(t, ((u8 *)&f)[byte] = 1)));
		for (size_t byte = 16; byte < 24; byte++)
			assert_true(sane(WITH(t, ((u8 *)&f)[byte] = 1)));
		for (size_t byte = 24; byte < 32; byte++)
			assert_false(sane(WITH(t, ((u8 *)&f)[byte] = 1)));
		if (types[i] == DSTOR_FRAME_BYE || types[i] == DSTOR_FRAME_REPLAYED) {
			assert_false(response_sane(t));
			continue;
		}
		for (size_t byte = 1; byte < 32; byte++)
			assert_true(response_sane(WITH(t, ((u8 *)&f)[byte] = 1)) ==
				    (byte >= 16 && byte < 24));
	}
}

static void ask_and_state(void **state)
{
	struct dstor_frame ask = { .type = DSTOR_FRAME_ASK, .seq = cpu_to_le64(1) };
	struct dstor_frame st = { .type = DSTOR_FRAME_STATE, .seq = cpu_to_le64(1) };

	assert_false(sane(WITH(ask, f.seq = 0)));
	assert_true(sane(WITH(ask, f.slot = cpu_to_le16(127))));
	assert_false(sane(WITH(ask, f.slot = cpu_to_le16(128))));
	assert_false(sane(WITH(ask, f.op = 1)));
	assert_false(sane(WITH(ask, f.flags = cpu_to_le16(1))));
	assert_false(sane(WITH(ask, f.status = cpu_to_le16(1))));
	assert_false(sane(WITH(ask, f.length = cpu_to_le32(1))));
	assert_false(sane(WITH(ask, f.bytes = cpu_to_le32(1))));
	assert_false(sane(WITH(ask, f.offset = cpu_to_le64(1))));
	assert_false(response_sane(WITH(st, f.seq = 0)));
	assert_false(response_sane(WITH(st, f.slot = cpu_to_le16(128))));
	for (int s = 0; s < 0x10000; s++)
		assert_true(response_sane(WITH(st, f.status = cpu_to_le16(s))) ==
			    (s <= DSTOR_STATE_MAX));
	assert_true(response_sane(WITH(st, f.flags = cpu_to_le16(DSTOR_STATE_ALL))));
	for (int bit = 1; bit < 16; bit++)
		assert_false(response_sane(WITH(st, f.flags = cpu_to_le16(1 << bit))));
	assert_false(response_sane(WITH(st, f.offset = cpu_to_le64(1))));
	assert_false(response_sane(WITH(st, f.length = cpu_to_le32(1))));
}

static void change_of_the_disk(void **state)
{
	struct dstor_frame disk = { .type = DSTOR_FRAME_CHANGE,
				  .flags = cpu_to_le16(DSTOR_CHANGE_DISK) };

	for (int s = 0; s < 0x10000; s++)
		assert_true(response_sane(WITH(disk, f.status = cpu_to_le16(s))) ==
			    (s <= DSTOR_DISK_STATE_MAX));
	assert_false(response_sane(WITH(disk, f.flags |= cpu_to_le16(DSTOR_CHANGE_FLUSHED))));
	assert_true(response_sane(WITH(disk, f.flags |= cpu_to_le16(DSTOR_CHANGE_FLUSHED |
								     DSTOR_CHANGE_STOPPING))));
	assert_false(response_sane(WITH(disk, f.flags |= cpu_to_le16(DSTOR_CHANGE_ACCESS))));
}

static void flags_need_their_feature(void **state)
{
	struct dstor_frame f = request(DSTOR_OP_READ, 0, 512);
	struct dstor_bounds old = bounds, new = bounds;

	f.flags = cpu_to_le16(DSTOR_REQ_TEST);
	new.features = DSTOR_FEATURE_TEST;
	assert_false(dstor_request_sane(&f, &old));
	assert_true(dstor_request_sane(&f, &new));
	new.features = ~DSTOR_FEATURE_TEST;
	assert_false(dstor_request_sane(&f, &new));
	/* What no feature names is refused with all features, too. */
	new.features = ~0ULL;
	for (int bit = 10; bit < 15; bit++) {
		f.flags = cpu_to_le16(1 << bit);
		assert_false(dstor_request_sane(&f, &new));
	}
}

static void change(void **state)
{
	struct dstor_frame c = { .type = DSTOR_FRAME_CHANGE,
			       .flags = cpu_to_le16(DSTOR_CHANGE_STOPPING) };
	struct dstor_frame size = { .type = DSTOR_FRAME_CHANGE,
				    .flags = cpu_to_le16(DSTOR_CHANGE_SIZE),
				  .offset = cpu_to_le64(GIB) };
	struct dstor_frame access = { .type = DSTOR_FRAME_CHANGE,
				    .flags = cpu_to_le16(DSTOR_CHANGE_ACCESS) };

	assert_true(response_sane(c));
	assert_true(response_sane(WITH(c, f.flags |= cpu_to_le16(DSTOR_CHANGE_FLUSHED))));
	assert_false(response_sane(WITH(c, f.flags = 0)));
	for (int bit = 6; bit < 16; bit++)
		assert_false(response_sane(WITH(c, f.flags = cpu_to_le16(1 << bit))));
	assert_false(response_sane(WITH(c, f.slot = cpu_to_le16(1))));
	assert_false(response_sane(WITH(c, f.op = 1)));
	assert_false(response_sane(WITH(c, f.length = cpu_to_le32(1))));
	assert_false(response_sane(WITH(c, f.bytes = cpu_to_le32(1))));
	assert_true(response_sane(size));
	assert_false(response_sane(WITH(size, f.offset = 0)));
	assert_true(response_sane(WITH(size, f.offset = cpu_to_le64(DSTOR_SIZE_MAX))));
	assert_false(response_sane(WITH(size, f.offset = cpu_to_le64(DSTOR_SIZE_MAX + 1))));
	assert_false(response_sane(WITH(c, f.status = cpu_to_le16(1))));
	assert_false(response_sane(WITH(c, f.offset = cpu_to_le64(GIB))));
	assert_true(response_sane(WITH(c, f.flags = cpu_to_le16(DSTOR_CHANGE_EVICTED))));
	assert_false(response_sane(WITH(c, f.flags = cpu_to_le16(DSTOR_CHANGE_FLUSHED))));
	assert_false(response_sane(WITH(c, f.flags = cpu_to_le16(DSTOR_CHANGE_EVICTED |
								 DSTOR_CHANGE_FLUSHED))));
	assert_false(response_sane(access));
	assert_true(response_sane(WITH(access, f.status = cpu_to_le16(DSTOR_ACCESS_READ))));
	assert_true(response_sane(WITH(access, f.status = cpu_to_le16(DSTOR_ACCESS_READ);
				       f.flags |= cpu_to_le16(DSTOR_CHANGE_FLUSHED))));
	assert_true(response_sane(WITH(access, f.status = cpu_to_le16(DSTOR_ACCESS_WRITE))));
	assert_false(response_sane(WITH(access, f.status = cpu_to_le16(DSTOR_ACCESS_WRITE + 1))));
	assert_false(sane(c));
}

/* Defect 5 of the original: an error of the disk was answered as success. */
static void defect_5_a_response_carries_a_status(void **state)
{
	struct dstor_frame r = { .type = DSTOR_FRAME_RESPONSE, .op = DSTOR_OP_WRITE,
			       .seq = cpu_to_le64(1) };
	u8 raw[DSTOR_FRAME_LEN];

	for (int s = 0; s < 0x10000; s++)
		assert_true(response_sane(WITH(r, f.status = cpu_to_le16(s))) ==
			    (s <= DSTOR_STATUS_MAX));
	r.status = cpu_to_le16(DSTOR_STATUS_MEDIUM);
	memcpy(raw, &r, sizeof(raw));
	assert_int_equal(raw[6], DSTOR_STATUS_MEDIUM);
	assert_int_equal(raw[7], 0);
	/* and a read that failed brings no data */
	r.op = DSTOR_OP_READ;
	assert_true(response_sane(r));
	assert_false(response_sane(WITH(r, f.length = cpu_to_le32(512))));
}

static void response_fields(void **state)
{
	struct dstor_frame r = { .type = DSTOR_FRAME_RESPONSE, .op = DSTOR_OP_READ,
			       .seq = cpu_to_le64(1), .length = cpu_to_le32(512) };

	assert_true(response_sane(r));
	assert_true(response_sane(WITH(r, f.length = cpu_to_le32(bounds.max_io))));
	assert_false(response_sane(WITH(r, f.length = cpu_to_le32(bounds.max_io + 1))));
	assert_false(response_sane(WITH(r, f.length = 0)));
	assert_false(response_sane(WITH(r, f.seq = 0)));
	assert_false(response_sane(WITH(r, f.slot = cpu_to_le16(128))));
	for (int bit = 0; bit < 16; bit++)
		assert_false(response_sane(WITH(r, f.flags = cpu_to_le16(1 << bit))));
	for (int op = DSTOR_OP_WRITE; op <= DSTOR_OP_MAX; op++) {
		assert_false(response_sane(WITH(r, f.op = op)));
		assert_true(response_sane(WITH(r, f.op = op; f.length = 0)));
	}
	for (int op = DSTOR_OP_MAX + 1; op < 256; op++)
		assert_false(response_sane(WITH(r, f.op = op; f.length = 0)));
}

/* Defect 8 of the original: sector + size was not compared with the disk's size. */
static void defect_8_bounds_are_checked_without_overflow(void **state)
{
	static const u8 ops[] = { DSTOR_OP_READ, DSTOR_OP_WRITE, DSTOR_OP_DISCARD,
				  DSTOR_OP_WRITE_ZEROES };

	for (size_t i = 0; i < COUNT(ops); i++) {
		u8 op = ops[i];

		assert_int_equal(verdict(request(op, 0, 512)), DSTOR_STATUS_OK);
		assert_int_equal(verdict(request(op, GIB - 512, 512)), DSTOR_STATUS_OK);
		assert_int_equal(verdict(request(op, GIB - 512, 1024)), DSTOR_STATUS_RANGE);
		assert_int_equal(verdict(request(op, GIB, 512)), DSTOR_STATUS_RANGE);
		assert_int_equal(verdict(request(op, GIB + 512, 512)), DSTOR_STATUS_RANGE);
		assert_int_equal(verdict(request(op, 1ULL << 63, 512)), DSTOR_STATUS_RANGE);
		assert_int_equal(verdict(request(op, 0ULL - 512, 512)), DSTOR_STATUS_RANGE);
		assert_int_equal(verdict(request(op, 0ULL - 4096, 8192)), DSTOR_STATUS_RANGE);
		assert_int_equal(verdict(request(op, 0ULL - DSTOR_IO_MAX, DSTOR_IO_MAX)),
				 DSTOR_STATUS_RANGE);
	}
	assert_int_equal(verdict(request(DSTOR_OP_DISCARD, 0, GIB)), DSTOR_STATUS_OK);
	assert_int_equal(verdict(request(DSTOR_OP_DISCARD, 512, GIB)), DSTOR_STATUS_RANGE);
	bounds.size = 1ULL << 40;
	assert_int_equal(verdict(request(DSTOR_OP_DISCARD, 0, DSTOR_EXTENT_MAX)), DSTOR_STATUS_OK);
	assert_int_equal(verdict(request(DSTOR_OP_DISCARD, 0, DSTOR_EXTENT_MAX + 512)),
			 DSTOR_STATUS_INVALID);
	bounds.size = 512;
	assert_int_equal(verdict(request(DSTOR_OP_READ, 0, 1024)), DSTOR_STATUS_RANGE);
	assert_int_equal(verdict(request(DSTOR_OP_FLUSH, 0, 0)), DSTOR_STATUS_OK);
}

static void alignment(void **state)
{
	for (u64 offset = 1; offset < 512; offset++)
		assert_int_equal(verdict(request(DSTOR_OP_READ, offset, 512)),
				 DSTOR_STATUS_INVALID);
	for (u32 bytes = 513; bytes < 1024; bytes++)
		assert_int_equal(verdict(request(DSTOR_OP_WRITE, 0, bytes)), DSTOR_STATUS_INVALID);
	bounds.block = 4096;
	assert_int_equal(verdict(request(DSTOR_OP_WRITE, 512, 4096)), DSTOR_STATUS_INVALID);
	assert_int_equal(verdict(request(DSTOR_OP_WRITE, 4096, 512)), DSTOR_STATUS_INVALID);
	assert_int_equal(verdict(request(DSTOR_OP_WRITE, 4096, 4096)), DSTOR_STATUS_OK);
}

static void a_read_only_disk_is_not_written(void **state)
{
	bounds.read_only = true;
	assert_int_equal(verdict(request(DSTOR_OP_READ, 0, 512)), DSTOR_STATUS_OK);
	assert_int_equal(verdict(request(DSTOR_OP_FLUSH, 0, 0)), DSTOR_STATUS_OK);
	assert_int_equal(verdict(request(DSTOR_OP_WRITE, 0, 512)), DSTOR_STATUS_READ_ONLY);
	assert_int_equal(verdict(request(DSTOR_OP_DISCARD, 0, 512)), DSTOR_STATUS_READ_ONLY);
	assert_int_equal(verdict(request(DSTOR_OP_WRITE_ZEROES, 0, 512)), DSTOR_STATUS_READ_ONLY);
}

/* Defect 1 of the original: every second send was byte-swapped. */
static void defect_1_encoding_a_frame_twice_gives_the_same_bytes(void **state)
{
	static const u8 want[DSTOR_FRAME_LEN] = {
		1, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0,
		1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0,
	};
	struct dstor_frame f = request(DSTOR_OP_WRITE, 1 << 20, 512);

	for (int i = 0; i < 4; i++) {
		struct dstor_frame again = request(DSTOR_OP_WRITE, 1 << 20, 512);

		assert_memory_equal(&f, want, sizeof(f));
		assert_memory_equal(&again, want, sizeof(again));
		assert_int_equal(verdict(f), DSTOR_STATUS_OK);
		dstor_request_sane(&f, &bounds);
		dstor_request_check(&f, &bounds);
		dstor_response_sane(&f, &bounds);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(which_operations_write, setup),
		cmocka_unit_test_setup(request_lengths, setup),
		cmocka_unit_test_setup(request_fields, setup),
		cmocka_unit_test_setup(only_these_types_come_from_a_client, setup),
		cmocka_unit_test_setup(only_these_types_come_from_an_exporter, setup),
		cmocka_unit_test_setup(unused_fields_of_small_frames_are_zero, setup),
		cmocka_unit_test_setup(ask_and_state, setup),
		cmocka_unit_test_setup(change, setup),
		cmocka_unit_test_setup(change_of_the_disk, setup),
		cmocka_unit_test_setup(flags_need_their_feature, setup),
		cmocka_unit_test_setup(defect_5_a_response_carries_a_status, setup),
		cmocka_unit_test_setup(response_fields, setup),
		cmocka_unit_test_setup(defect_8_bounds_are_checked_without_overflow, setup),
		cmocka_unit_test_setup(alignment, setup),
		cmocka_unit_test_setup(a_read_only_disk_is_not_written, setup),
		cmocka_unit_test_setup(defect_1_encoding_a_frame_twice_gives_the_same_bytes,
				       setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
