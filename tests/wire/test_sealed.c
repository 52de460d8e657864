// SPDX-License-Identifier: GPL-2.0
/*
 * Vectors of mode NOISE at its limits: the next key (rekey.txt), public keys
 * that X25519 must refuse or reduce (points.txt), and streams that lack bytes or
 * have too many at the edge of a segment (edges.txt).
 */
#include "primitives.h"
#include "blocks.h"
#include "channel.h"

#define P (&primitives)
#define HEADER DSTOR_FRAME_LEN
#define DATA 512

static FILE *open_blocks(const char *name)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "docs/vectors/%s.txt", name);
	file = fopen(path, "r");
	assert_non_null(file);
	return file;
}

static void check_next_key(struct values *v, struct dstor_stream *before)
{
	struct dstor_stream s = { .most = DSTOR_REKEY_USES };
	const u8 *header = get(v, "header", HEADER);
	u8 out[HEADER + DSTOR_TAG_LEN + DATA + DSTOR_TAG_LEN], back[DATA];
	size_t len = length_of(v, "data"), sealed = length_of(v, "sealed");

	memcpy(s.key, get(v, "key", DSTOR_KEY_LEN), sizeof(s.key));
	s.nonce = get_number(v, "nonce");
	s.bytes = get_number(v, "bytes");
	/* Blocks of one direction and limit follow from one another. */
	if (before->most) {
		assert_int_equal(s.nonce, before->nonce);
		assert_int_equal(s.bytes, before->bytes);
		assert_memory_equal(s.key, before->key, sizeof(s.key));
	}
	assert_int_equal(dstor_stream_begin(&s, P), get_number(v, "replaced"));
	assert_memory_equal(s.key, get(v, "sealed_key", DSTOR_KEY_LEN), sizeof(s.key));
	P->encrypt(out, header, HEADER, NULL, 0, dstor_stream_next(&s, HEADER), s.key);
	if (len)
		P->encrypt(out + HEADER + DSTOR_TAG_LEN, get(v, "data", DATA), len, header, HEADER,
			   dstor_stream_next(&s, len), s.key);
	assert_int_equal(sealed, HEADER + DSTOR_TAG_LEN + (len ? len + DSTOR_TAG_LEN : 0));
	assert_memory_equal(out, get(v, "sealed", sealed), sealed);
	assert_true(P->decrypt(back, out, HEADER + DSTOR_TAG_LEN, NULL, 0,
			       s.nonce - (len ? 2 : 1), s.key));
	*before = s;
}

static void the_next_key_at_both_limits(void **state)
{
	FILE *file = open_blocks("rekey");
	struct dstor_stream s = { };
	struct values *v = test_malloc(sizeof(*v));
	unsigned int blocks = 0, replaced = 0;

	while (read_block(file, v, true)) {
		if (blocks++ % 3 == 0)
			memset(&s, 0, sizeof(s));
		check_next_key(v, &s);
		replaced += get_number(v, "replaced");
	}
	assert_int_equal(blocks, 12);
	assert_int_equal(replaced, 4);
	test_free(v);
	fclose(file);
}

static void check_point(struct values *v)
{
	bool good = !strcmp(get_text(v, "expect"), "ok");
	const u8 *secret = get(v, "secret", DSTOR_KEY_LEN);
	u8 shared[DSTOR_KEY_LEN] = { };
	struct dstor_greeting ask, answer;
	struct dstor_channel c;

	assert_int_equal(P->x25519(shared, secret, get(v, "point", DSTOR_KEY_LEN)), good);
	if (good)
		assert_memory_equal(shared, get(v, "shared", DSTOR_KEY_LEN), sizeof(shared));
	memcpy(&ask, get(v, "ask", sizeof(ask)), sizeof(ask));
	assert_true(dstor_greeting_is_ours(&ask));
	assert_true(dstor_channel_names(P, get(v, "psk", DSTOR_KEY_LEN), &ask));
	dstor_greeting_init(&answer, DSTOR_MODE_NOISE, 0);
	assert_int_equal(dstor_channel_accept(&c, P, get(v, "psk", DSTOR_KEY_LEN), secret, &ask,
					      &answer), good);
	if (!good) {
		struct dstor_channel dead = { };

		assert_memory_equal(&c, &dead, sizeof(c));
		return;
	}
	assert_memory_equal(&answer, get(v, "answer", sizeof(answer)), sizeof(answer));
	assert_memory_equal(c.hash, get(v, "hash", DSTOR_HASH_LEN), DSTOR_HASH_LEN);
	dstor_channel_wipe(&c);
}

static void points_of_low_order_and_non_canonical(void **state)
{
	FILE *file = open_blocks("points");
	struct values *v = test_malloc(sizeof(*v));
	unsigned int blocks = 0, good = 0;

	for (; read_block(file, v, true); blocks++) {
		check_point(v);
		good += !strcmp(get_text(v, "expect"), "ok");
	}
	assert_int_equal(blocks, 24);
	assert_int_equal(good, 10);
	test_free(v);
	fclose(file);
}

/* Opens segment after segment, as a receiver does; *@opened of them were whole and right. */
static const char *open_stream(const u8 *key, const u8 *in, size_t len, unsigned int *opened)
{
	struct dstor_stream s = { .most = DSTOR_REKEY_USES };
	u8 header[HEADER], data[DATA];

	memcpy(s.key, key, sizeof(s.key));
	for (*opened = 0; len; ++*opened) {
		bool is_data = *opened & 1;
		size_t size = is_data ? DATA : HEADER;

		/* A cut-off segment is never right, whoever asks. */
		if (len < size + DSTOR_TAG_LEN) {
			assert_false(P->decrypt(data, in, len, is_data ? header : NULL,
						is_data ? HEADER : 0, s.nonce, s.key));
			return "end";
		}
		if (!is_data)
			assert_false(dstor_stream_begin(&s, P));
		if (!P->decrypt(is_data ? data : header, in, size + DSTOR_TAG_LEN,
				is_data ? header : NULL, is_data ? HEADER : 0,
				dstor_stream_next(&s, size), s.key))
			return "close";
		in += size + DSTOR_TAG_LEN;
		len -= size + DSTOR_TAG_LEN;
	}
	return "ok";
}

static void bytes_missing_or_too_many_at_each_edge(void **state)
{
	FILE *file = open_blocks("edges");
	struct values *whole = test_malloc(sizeof(*whole)), *v = test_malloc(sizeof(*v));
	size_t len = 2 * (HEADER + DATA + 2 * DSTOR_TAG_LEN);
	unsigned int blocks = 1, opened;
	const u8 *key, *stream;
	u8 edited[ROOM];

	assert_true(read_block(file, whole, true));
	key = get(whole, "key", DSTOR_KEY_LEN);
	stream = get(whole, "stream", len);
	assert_string_equal(open_stream(key, stream, len, &opened), "ok");
	assert_int_equal(opened, 4);
	for (; read_block(file, v, true); blocks++) {
		size_t at = get_number(v, "at"), remove = get_number(v, "remove");
		size_t insert = length_of(v, "insert");

		assert_true(at + remove <= len);
		memcpy(edited, stream, at);
		if (insert)
			memcpy(edited + at, get(v, "insert", insert), insert);
		memcpy(edited + at + insert, stream + at + remove, len - at - remove);
		assert_string_equal(open_stream(key, edited, len - remove + insert, &opened),
				    get_text(v, "expect"));
		assert_int_equal(opened, get_number(v, "opened"));
	}
	assert_int_equal(blocks, 66);
	test_free(whole);
	test_free(v);
	fclose(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_next_key_at_both_limits),
		cmocka_unit_test(points_of_low_order_and_non_canonical),
		cmocka_unit_test(bytes_missing_or_too_many_at_each_edge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
