// SPDX-License-Identifier: GPL-2.0
/* hello.c: greeting, hello, welcome. */
#include "unit.h"
#include "hello.h"

/* --- every single bit of a sealed message matters --- */

static void one_flipped_bit_in_a_greeting_is_refused(void **state)
{
	struct dstor_greeting g;

	dstor_greeting_init(&g, DSTOR_MODE_PLAIN, DSTOR_FEATURES_KNOWN);
	dstor_greeting_set_crc(&g);
	assert_true(dstor_greeting_is_ours(&g));
	for (size_t bit = 0; bit < sizeof(g) * 8; bit++) {
		((u8 *)&g)[bit / 8] ^= 1 << bit % 8;
		assert_false(dstor_greeting_is_ours(&g));
		((u8 *)&g)[bit / 8] ^= 1 << bit % 8;
	}
}

static void one_flipped_bit_in_a_hello_is_refused(void **state)
{
	struct dstor_hello h = good_hello();
	const char *why;

	assert_int_equal(dstor_hello_check(&h, &why), DSTOR_WELCOME_OK);
	assert_null(why);
	for (size_t bit = 0; bit < sizeof(h) * 8; bit++) {
		((u8 *)&h)[bit / 8] ^= 1 << bit % 8;
		assert_int_equal(dstor_hello_check(&h, &why), DSTOR_WELCOME_MALFORMED);
		assert_non_null(why);
		((u8 *)&h)[bit / 8] ^= 1 << bit % 8;
	}
}

static void one_flipped_bit_in_a_welcome_is_refused(void **state)
{
	struct dstor_hello h = good_hello();
	struct dstor_welcome w = good_welcome();
	const char *why;

	assert_true(dstor_welcome_check(&w, &h, &why));
	assert_null(why);
	for (size_t bit = 0; bit < sizeof(w) * 8; bit++) {
		((u8 *)&w)[bit / 8] ^= 1 << bit % 8;
		assert_false(dstor_welcome_check(&w, &h, &why));
		assert_non_null(why);
		((u8 *)&w)[bit / 8] ^= 1 << bit % 8;
	}
}

static void one_flipped_bit_in_an_entry_is_refused(void **state)
{
	struct dstor_entry e = good_entry();

	assert_true(dstor_entry_check(&e));
	for (size_t bit = 0; bit < sizeof(e) * 8; bit++) {
		((u8 *)&e)[bit / 8] ^= 1 << bit % 8;
		assert_false(dstor_entry_check(&e));
		((u8 *)&e)[bit / 8] ^= 1 << bit % 8;
	}
}

/* Defect 1 of the original: it swapped the bytes in place at each send. */
static void defect_1_sealing_or_checking_twice_changes_nothing(void **state)
{
	struct dstor_hello h = good_hello(), h0 = h;
	struct dstor_welcome w = good_welcome(), w0 = w;
	struct dstor_greeting g, g0;
	struct dstor_entry e = good_entry(), e0 = e;
	const char *why;
	u64 unknown;

	dstor_greeting_init(&g, DSTOR_MODE_PLAIN, DSTOR_FEATURES_KNOWN);
	dstor_greeting_set_crc(&g);
	g0 = g;
	for (int i = 0; i < 3; i++) {
		dstor_greeting_set_crc(&g);
		dstor_greeting_check(&g, DSTOR_FEATURES_KNOWN, &unknown);
		dstor_hello_set_crc(&h);
		dstor_hello_check(&h, &why);
		dstor_welcome_set_crc(&w);
		dstor_welcome_check(&w, &h, &why);
		dstor_entry_set_crc(&e);
		dstor_entry_check(&e);
		assert_memory_equal(&g, &g0, sizeof(g));
		assert_memory_equal(&h, &h0, sizeof(h));
		assert_memory_equal(&w, &w0, sizeof(w));
		assert_memory_equal(&e, &e0, sizeof(e));
	}
}

/* --- greeting --- */

static enum dstor_greeting_status greet(struct dstor_greeting *g)
{
	u64 unknown;

	return dstor_greeting_check(g, DSTOR_FEATURES_KNOWN, &unknown);
}

static void greeting_versions(void **state)
{
	static const struct {
		u16 newest, oldest;
		enum dstor_greeting_status want;
	} v[] = {
		{ 1, 1, DSTOR_GREETING_OK }, { 2, 1, DSTOR_GREETING_OK },
		{ 0xffff, 0, DSTOR_GREETING_OK }, { 1, 0, DSTOR_GREETING_OK },
		{ 0, 0, DSTOR_GREETING_VERSION }, { 2, 2, DSTOR_GREETING_VERSION },
		{ 1, 2, DSTOR_GREETING_VERSION }, { 0xffff, 0xffff, DSTOR_GREETING_VERSION },
	};
	struct dstor_greeting g;

	for (size_t i = 0; i < COUNT(v); i++) {
		dstor_greeting_init(&g, DSTOR_MODE_PLAIN, DSTOR_FEATURES_KNOWN);
		g.version = cpu_to_le16(v[i].newest);
		g.version_min = cpu_to_le16(v[i].oldest);
		assert_int_equal(greet(&g), v[i].want);
	}
}

static void greeting_names_the_unknown_features(void **state)
{
	struct dstor_greeting g;
	u64 unknown;

	dstor_greeting_init(&g, DSTOR_MODE_PLAIN, DSTOR_FEATURES_KNOWN);
	g.features_optional = cpu_to_le64(~0ULL);
	assert_int_equal(dstor_greeting_check(&g, 0, &unknown), DSTOR_GREETING_OK);
	assert_int_equal(unknown, 0);
	for (int bit = 0; bit < 64; bit++) {
		u64 one = 1ULL << bit;

		g.features_required = cpu_to_le64(one);
		assert_int_equal(dstor_greeting_check(&g, ~one, &unknown), DSTOR_GREETING_FEATURE);
		assert_int_equal(unknown, one);
		assert_int_equal(dstor_greeting_check(&g, one, &unknown), DSTOR_GREETING_OK);
		assert_int_equal(unknown, 0);
	}
	/* Exactly the unknown ones are named. */
	g.features_required = cpu_to_le64(7);
	assert_int_equal(dstor_greeting_check(&g, 2, &unknown), DSTOR_GREETING_FEATURE);
	assert_int_equal(unknown, 5);
}

static void features_are_in_use_when_both_name_them(void **state)
{
	struct dstor_greeting g;

	dstor_greeting_init(&g, DSTOR_MODE_PLAIN, 0x3);
	assert_int_equal(dstor_features_agreed(&g, 0x6), 0x2);
	g.features_required = cpu_to_le64(0x4);
	assert_int_equal(dstor_features_agreed(&g, 0x6), 0x6);
	assert_int_equal(dstor_features_agreed(&g, 0), 0);
	dstor_greeting_init(&g, DSTOR_MODE_PLAIN, 0);
	assert_int_equal(dstor_features_agreed(&g, ~0ULL), 0);
}

static void greeting_reserved_and_mode(void **state)
{
	struct dstor_greeting g;

	dstor_greeting_init(&g, DSTOR_MODE_NOISE, DSTOR_FEATURES_KNOWN);
	assert_int_equal(g.mode, DSTOR_MODE_NOISE);
	assert_int_equal(greet(&g), DSTOR_GREETING_OK);
	for (int mode = DSTOR_MODE_NOISE + 1; mode < 256; mode++) {
		g.mode = mode;
		assert_int_equal(greet(&g), DSTOR_GREETING_FEATURE);
	}
	dstor_greeting_init(&g, DSTOR_MODE_PLAIN, DSTOR_FEATURES_KNOWN);
	g.reserved0 = cpu_to_le16(1);
	assert_int_equal(greet(&g), DSTOR_GREETING_FEATURE);
	for (size_t i = 0; i < sizeof(g.reserved1); i++) {
		dstor_greeting_init(&g, DSTOR_MODE_PLAIN, DSTOR_FEATURES_KNOWN);
		g.reserved1[i] = 0x80;
		assert_int_equal(greet(&g), DSTOR_GREETING_FEATURE);
	}
}

/* --- hello --- */

static enum dstor_welcome_status sealed(struct dstor_hello h)
{
	const char *why;
	enum dstor_welcome_status status;

	dstor_hello_set_crc(&h);
	status = dstor_hello_check(&h, &why);
	assert_true((status == DSTOR_WELCOME_OK) == !why);
	return status;
}

#define HELLO(want, change) do {					\
	struct dstor_hello h = good_hello();				\
	change;								\
	assert_int_equal(sealed(h), want);				\
} while (0)
#define TAKES(change) HELLO(DSTOR_WELCOME_OK, change)
#define REFUSES(change) HELLO(DSTOR_WELCOME_MALFORMED, change)

static void hello_boundaries(void **state)
{
	REFUSES(h.kind = 0);
	TAKES(h.kind = DSTOR_HELLO_PING);
	REFUSES(h.kind = DSTOR_HELLO_PING + 1);
	REFUSES(h.kind = 255);
	TAKES(h.flags = DSTOR_HELLO_FLAGS_KNOWN);
	for (int bit = 4; bit < 8; bit++)
		REFUSES(h.flags = 1 << bit);
	REFUSES(h.flags = DSTOR_HELLO_RENEWAL);
	TAKES(h.flags = DSTOR_HELLO_RENEWAL | DSTOR_HELLO_RESUME);
	TAKES(h.flags = DSTOR_HELLO_KEEPS);
	REFUSES(h.queues = 0; h.queue = 0);
	TAKES(h.queues = cpu_to_le16(1); h.queue = 0);
	TAKES(h.queues = cpu_to_le16(64); h.queue = cpu_to_le16(63));
	REFUSES(h.queues = cpu_to_le16(65));
	REFUSES(h.queues = cpu_to_le16(0xffff));
	REFUSES(h.queue = h.queues);
	REFUSES(h.queue = cpu_to_le16(0xffff));
	REFUSES(h.slots = 0);
	TAKES(h.slots = cpu_to_le16(1));
	TAKES(h.slots = cpu_to_le16(DSTOR_SLOTS_MAX));
	REFUSES(h.slots = cpu_to_le16(DSTOR_SLOTS_MAX + 1));
	REFUSES(h.max_io = 0);
	REFUSES(h.max_io = cpu_to_le32(DSTOR_IO_MIN - 1));
	REFUSES(h.max_io = cpu_to_le32(DSTOR_IO_MIN / 2));
	TAKES(h.max_io = cpu_to_le32(DSTOR_IO_MIN));
	REFUSES(h.max_io = cpu_to_le32(DSTOR_IO_MIN + 512));
	REFUSES(h.max_io = cpu_to_le32(DSTOR_IO_MAX + DSTOR_IO_MIN));
	REFUSES(h.max_io = cpu_to_le32(0xffffffff));
	REFUSES(h.generation = 0);
	TAKES(h.generation = cpu_to_le64(~0ULL));
	REFUSES(memset(h.session, 0, DSTOR_ID_LEN));
	REFUSES(memset(h.client, 0, DSTOR_ID_LEN));
	TAKES(fill_id(h.takeover, 1));
	REFUSES(h.ping_ms = 0);
	REFUSES(h.timeout_ms = 0);
	TAKES(h.ping_ms = cpu_to_le32(1); h.timeout_ms = cpu_to_le32(1));
	TAKES(h.retries = 0);
	TAKES(h.retries = cpu_to_le32(DSTOR_RETRIES_FOREVER));
	REFUSES(h.cookie = cpu_to_le64(1));
	REFUSES(h.last_seq = cpu_to_le64(1));
	REFUSES(h.life[15] = 1);
	TAKES(h.flags = DSTOR_HELLO_RESUME; h.cookie = cpu_to_le64(1); h.last_seq = cpu_to_le64(1);
	      h.life[15] = 1);
	TAKES(h.flags = DSTOR_HELLO_RESUME);
}

static void hello_reserved_bytes(void **state)
{
	REFUSES(h.reserved0 = cpu_to_le32(1));
	REFUSES(h.reserved1 = cpu_to_le32(1U << 31));
	for (size_t i = 0; i < sizeof(((struct dstor_hello *)0)->reserved2); i++)
		REFUSES(h.reserved2[i] = 1);
}

static void hello_texts(void **state)
{
	REFUSES(memset(h.export, 'a', sizeof(h.export)));
	REFUSES(memset(h.client_name, 'a', sizeof(h.client_name)));
	REFUSES(memset(h.checksums, 'a', sizeof(h.checksums)));
	REFUSES(memset(h.ciphers, 'a', sizeof(h.ciphers)));
	TAKES(memset(h.export, 'a', sizeof(h.export) - 1));
	TAKES(memset(h.ciphers, 'a', sizeof(h.ciphers) - 1));
	REFUSES(h.export[0] = 0);
	REFUSES(h.export[0] = '/');
	TAKES(h.client_name[0] = 0);
	REFUSES(h.client_name[0] = '\n');
	REFUSES(memcpy(h.checksums, "crc\033[2J", 8));
	REFUSES(h.ciphers[0] = 0x7f);
	/* LIST and PING name no export, but a text is a text */
	TAKES(h.kind = DSTOR_HELLO_LIST; h.export[0] = 0);
	TAKES(h.kind = DSTOR_HELLO_PING; h.export[0] = 0; h.session[0] = 0);
	REFUSES(h.kind = DSTOR_HELLO_LIST; memset(h.export, 'a', sizeof(h.export)));
	REFUSES(h.kind = DSTOR_HELLO_LIST; h.client_name[0] = '\n');
	REFUSES(h.kind = DSTOR_HELLO_PING; h.reserved0 = cpu_to_le32(1));
}

/* --- welcome --- */

static bool answer_ok(struct dstor_welcome w, struct dstor_hello h)
{
	const char *why;
	bool ok;

	dstor_welcome_set_crc(&w);
	ok = dstor_welcome_check(&w, &h, &why);
	assert_true(ok == !why);
	return ok;
}

#define WELCOME(want, change) do {					\
	struct dstor_hello h = good_hello();				\
	struct dstor_welcome w = good_welcome();				\
	change;								\
	if (answer_ok(w, h) != (want))					\
		fail_msg("%s: not %d", #change, want);			\
} while (0)
#define ACTS_ON(change) WELCOME(true, change)
#define REJECTS(change) WELCOME(false, change)

static void welcome_grant_boundaries(void **state)
{
	REJECTS(w.access = DSTOR_ACCESS_NONE);
	ACTS_ON(w.access = DSTOR_ACCESS_READ);
	REJECTS(w.access = DSTOR_ACCESS_WRITE + 1);
	REJECTS(w.access = 255);
	REJECTS(w.queues = 0);
	ACTS_ON(w.queues = cpu_to_le16(1));
	REJECTS(w.queues = cpu_to_le16(DSTOR_QUEUES_MAX + 1));
	REJECTS(w.slots = 0);
	ACTS_ON(w.slots = cpu_to_le16(1));
	REJECTS(w.slots = cpu_to_le16(129));
	REJECTS(w.max_io = 0);
	ACTS_ON(w.max_io = cpu_to_le32(DSTOR_IO_MIN));
	REJECTS(w.max_io = cpu_to_le32(DSTOR_IO_MIN + 512));
	REJECTS(w.max_io = cpu_to_le32(DSTOR_IO_MIN - 1));
	REJECTS(h.max_io = cpu_to_le32(DSTOR_IO_MAX / 2));
	REJECTS(w.logical_block = 0);
	REJECTS(w.logical_block = cpu_to_le32(256));
	REJECTS(w.logical_block = cpu_to_le32(513));
	REJECTS(w.logical_block = cpu_to_le32(3000));
	ACTS_ON(w.logical_block = cpu_to_le32(4096));
	REJECTS(w.logical_block = cpu_to_le32(8192); w.physical_block = cpu_to_le32(8192));
	REJECTS(w.physical_block = 0);
	REJECTS(w.physical_block = cpu_to_le32(511));
	REJECTS(w.physical_block = cpu_to_le32(3000));
	ACTS_ON(w.physical_block = cpu_to_le32(512));
	REJECTS(w.size = 0);
	REJECTS(w.size = cpu_to_le64(GIB + 1));
	ACTS_ON(w.size = cpu_to_le64(512));
	ACTS_ON(w.size = cpu_to_le64((1ULL << 62) - 512));
	REJECTS(w.size = cpu_to_le64(1ULL << 62));
	REJECTS(w.size = cpu_to_le64(~511ULL));
	REJECTS(memset(w.uuid, 0, DSTOR_ID_LEN));
	REJECTS(memset(w.instance, 0, DSTOR_ID_LEN));
	REJECTS(memset(w.exporter, 0, DSTOR_ID_LEN));
	REJECTS(memset(w.life, 0, DSTOR_ID_LEN));
	REJECTS(w.cookie = 0);
}

static void welcome_limits(void **state)
{
	ACTS_ON(w.dma_alignment = 0);
	ACTS_ON(w.dma_alignment = cpu_to_le32(3));
	ACTS_ON(w.dma_alignment = cpu_to_le32(4095));
	REJECTS(w.dma_alignment = cpu_to_le32(4));
	REJECTS(w.dma_alignment = cpu_to_le32(8191));
	REJECTS(w.dma_alignment = cpu_to_le32(~0U));
	ACTS_ON(w.alignment_offset = cpu_to_le32(3584));
	REJECTS(w.alignment_offset = cpu_to_le32(100));
	ACTS_ON(w.unique_id_type = DSTOR_UNIQUE_ID_NAA; w.unique_id_len = DSTOR_ID_LEN);
	REJECTS(w.unique_id_type = DSTOR_UNIQUE_ID_MAX + 1; w.unique_id_len = 8);
	REJECTS(w.unique_id_type = DSTOR_UNIQUE_ID_T10; w.unique_id_len = DSTOR_ID_LEN + 1);
	REJECTS(w.unique_id_type = DSTOR_UNIQUE_ID_T10);
	REJECTS(w.unique_id_len = 8);
}

#define ATOMIC(maximum, limit, smallest, largest) do {			\
	w.atomic_max = cpu_to_le32(maximum);				\
	w.atomic_boundary = cpu_to_le32(limit);				\
	w.atomic_unit_min = cpu_to_le32(smallest);			\
	w.atomic_unit_max = cpu_to_le32(largest);			\
} while (0)

static void welcome_atomic_limits(void **state)
{
	ACTS_ON(ATOMIC(65536, 0, 512, 65536));
	ACTS_ON(ATOMIC(65536, 131072, 4096, 32768));
	REJECTS(ATOMIC(0, 0, 512, 0));
	REJECTS(ATOMIC(0, 0, 0, 512));
	REJECTS(ATOMIC(0, 512, 0, 0));
	REJECTS(ATOMIC(65536, 0, 0, 65536));
	REJECTS(ATOMIC(65536, 0, 256, 65536));
	REJECTS(ATOMIC(65536, 0, 513, 65536));
	REJECTS(ATOMIC(65536, 0, 512, 65537));
	REJECTS(ATOMIC(65536, 0, 512, 131072));
	REJECTS(ATOMIC(65536, 0, 4096, 512));
	REJECTS(ATOMIC(65537, 0, 512, 512));
	REJECTS(ATOMIC(65536, 32768, 512, 65536));
	REJECTS(ATOMIC(65536, 65537, 512, 512));
}

static void welcome_unknown_bits(void **state)
{
	for (int i = 7; i < 32; i++)
		REJECTS(w.disk_flags = cpu_to_le32(1U << i));
	REJECTS(w.status = DSTOR_WELCOME_STATUS_MAX + 1);
	REJECTS(w.status = 255);
	for (int i = 2; i < 16; i++)
		REJECTS(w.grant_flags = cpu_to_le16(1U << i));
	REJECTS(w.reserved1[0] = 1);
	REJECTS(w.reserved1[1] = 1);
	for (size_t i = 0; i < sizeof(((struct dstor_welcome *)0)->reserved2); i++)
		REJECTS(w.reserved2[i] = 1);
	ACTS_ON(w.entries = cpu_to_le32(DSTOR_ENTRIES_MAX));
	REJECTS(w.entries = cpu_to_le32(DSTOR_ENTRIES_MAX + 1));
	REJECTS(w.entries = cpu_to_le32(~0U));
}

static void welcome_texts(void **state)
{
	REJECTS(memset(w.checksum, 'a', sizeof(w.checksum)));
	REJECTS(memset(w.cipher, 'a', sizeof(w.cipher)));
	REJECTS(memset(w.reason, 'a', sizeof(w.reason)));
	ACTS_ON(memset(w.reason, 'a', sizeof(w.reason) - 1));
	/* an exporter has no business with the terminal of the client's administrator */
	REJECTS(memcpy(w.reason, "\033]0;x\007", 7));
	ACTS_ON(memcpy(w.reason, "caf\xc3\xa9 ~", 8));
}

static void texts_are_cleaned_for_people(void **state)
{
	struct dstor_welcome w = { .status = DSTOR_WELCOME_DENIED };
	char text[2] = "";
	int i;

	for (i = 1; i < 256; i++) {
		text[0] = i;
		dstor_text_clean(text);
		assert_int_equal(text[0], i >= 0x20 && i < 0x7f ? i : '?');
		assert_int_equal(text[1], 0);
	}
	assert_string_equal(dstor_welcome_reason(&w), dstor_welcome_text(w.status));
	/* C1: a CSI in one byte, and in UTF-8; a byte that no UTF-8 has */
	memcpy(w.reason, "a\x9b[2J\xc2\x9b_\xff", 9);
	assert_string_equal(dstor_welcome_reason(&w), "a?[2J??_?");
}

static void welcome_choice_must_have_been_offered(void **state)
{
	REJECTS(memset(w.checksum, 0, sizeof(w.checksum)));
	REJECTS(memcpy(w.checksum, "none", 5));
	REJECTS(memcpy(w.checksum, "crc32", 6); w.checksum[5] = 0);
	ACTS_ON(memcpy(h.checksums, "sha256,crc32c", 14));
	REJECTS(memcpy(h.checksums, "sha256,crc32c", 14); memcpy(w.checksum, "sha256,crc32c", 14));
	REJECTS(memcpy(h.checksums, "sha256,crc32c2", 15));
	ACTS_ON(memset(h.checksums, 0, sizeof(h.checksums)); w.checksum[0] = 0);
	REJECTS(memset(h.checksums, 0, sizeof(h.checksums)));
	REJECTS(memcpy(w.cipher, "null", 5));
	ACTS_ON(memcpy(h.ciphers, "a,b", 4); memcpy(w.cipher, "b", 2));
	ACTS_ON(memcpy(h.ciphers, "a,b", 4); memcpy(w.cipher, "b", 2); w.checksum[0] = 0);
	/* Whoever offers ciphers has a key, and goes on with one of them or not at all. */
	REJECTS(memcpy(h.ciphers, "a,b", 4));
	ACTS_ON(memcpy(h.ciphers, "none", 5); memcpy(w.cipher, "none", 5));
	REJECTS(memcpy(h.ciphers, "none", 5); memcpy(w.cipher, "none", 5); w.checksum[0] = 0);
}

static void welcome_refusal_needs_no_grant(void **state)
{
	for (int s = DSTOR_WELCOME_WAIT; s <= DSTOR_WELCOME_STATUS_MAX; s++)
		ACTS_ON(memset(&w, 0, sizeof(w)); w.status = s);
	REJECTS(memset(&w, 0, sizeof(w)));
	ACTS_ON(memset(&w, 0, sizeof(w)); h.kind = DSTOR_HELLO_LIST; w.entries = cpu_to_le32(2));
	ACTS_ON(memset(&w, 0, sizeof(w)); h.kind = DSTOR_HELLO_PING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_flipped_bit_in_a_greeting_is_refused),
		cmocka_unit_test(one_flipped_bit_in_a_hello_is_refused),
		cmocka_unit_test(one_flipped_bit_in_a_welcome_is_refused),
		cmocka_unit_test(one_flipped_bit_in_an_entry_is_refused),
		cmocka_unit_test(defect_1_sealing_or_checking_twice_changes_nothing),
		cmocka_unit_test(greeting_versions),
		cmocka_unit_test(greeting_names_the_unknown_features),
		cmocka_unit_test(features_are_in_use_when_both_name_them),
		cmocka_unit_test(greeting_reserved_and_mode),
		cmocka_unit_test(hello_boundaries),
		cmocka_unit_test(hello_reserved_bytes),
		cmocka_unit_test(hello_texts),
		cmocka_unit_test(welcome_grant_boundaries),
		cmocka_unit_test(welcome_limits),
		cmocka_unit_test(welcome_atomic_limits),
		cmocka_unit_test(welcome_unknown_bits),
		cmocka_unit_test(welcome_texts),
		cmocka_unit_test(texts_are_cleaned_for_people),
		cmocka_unit_test(welcome_choice_must_have_been_offered),
		cmocka_unit_test(welcome_refusal_needs_no_grant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
