// SPDX-License-Identifier: GPL-2.0
/*
 * The test vectors of docs/vectors: each is parsed (do the fields say what the
 * file says?), built from its fields (are the bytes the same?) and judged (is
 * the verdict the expected one?). Argument: the directory.
 */
#include "unit.h"
#include "crc32c.h"
#include "frame.h"
#include "hello.h"

enum kind { NUMBER, BYTES, TEXT };

struct field {
	const char *name;
	size_t offset, size;
	enum kind kind;
};

#define F(type, member, kind) { #member, offsetof(struct dstor_##type, member), \
	sizeof(((struct dstor_##type *)0)->member), kind }

static const struct field greeting_fields[] = {
	F(greeting, magic, TEXT), F(greeting, version, NUMBER),
	F(greeting, version_min, NUMBER), F(greeting, mode, NUMBER),
	F(greeting, status, NUMBER), F(greeting, features_required, NUMBER),
	F(greeting, features_optional, NUMBER), F(greeting, key_id, BYTES),
	F(greeting, noise, BYTES), F(greeting, crc, NUMBER), {0}
};

static const struct field hello_fields[] = {
	F(hello, kind, NUMBER), F(hello, flags, NUMBER), F(hello, queue, NUMBER),
	F(hello, queues, NUMBER), F(hello, slots, NUMBER), F(hello, max_io, NUMBER),
	F(hello, generation, NUMBER), F(hello, session, BYTES),
	F(hello, client, BYTES), F(hello, takeover, BYTES), F(hello, uuid, BYTES),
	F(hello, writer_token, NUMBER), F(hello, ping_ms, NUMBER),
	F(hello, timeout_ms, NUMBER), F(hello, retries, NUMBER),
	F(hello, export, TEXT), F(hello, client_name, TEXT),
	F(hello, checksums, TEXT), F(hello, ciphers, TEXT), F(hello, life, BYTES),
	F(hello, cookie, NUMBER), F(hello, last_seq, NUMBER), F(hello, crc, NUMBER), {0}
};

static const struct field welcome_fields[] = {
	F(welcome, status, NUMBER), F(welcome, access, NUMBER),
	F(welcome, queues, NUMBER), F(welcome, slots, NUMBER),
	F(welcome, grant_flags, NUMBER), F(welcome, max_io, NUMBER), F(welcome, disk_flags, NUMBER),
	F(welcome, uuid, BYTES), F(welcome, instance, BYTES),
	F(welcome, size, NUMBER), F(welcome, logical_block, NUMBER),
	F(welcome, physical_block, NUMBER), F(welcome, io_min, NUMBER),
	F(welcome, io_opt, NUMBER), F(welcome, discard_granularity, NUMBER),
	F(welcome, discard_alignment, NUMBER), F(welcome, max_discard, NUMBER),
	F(welcome, max_write_zeroes, NUMBER), F(welcome, writer_token, NUMBER),
	F(welcome, holder, BYTES), F(welcome, waiting, NUMBER),
	F(welcome, entries, NUMBER), F(welcome, cookie, NUMBER), F(welcome, checksum, TEXT),
	F(welcome, cipher, TEXT), F(welcome, reason, TEXT), F(welcome, exporter, BYTES),
	F(welcome, life, BYTES), F(welcome, dma_alignment, NUMBER),
	F(welcome, alignment_offset, NUMBER), F(welcome, atomic_max, NUMBER),
	F(welcome, atomic_boundary, NUMBER), F(welcome, atomic_unit_min, NUMBER),
	F(welcome, atomic_unit_max, NUMBER), F(welcome, unique_id, BYTES),
	F(welcome, unique_id_type, NUMBER), F(welcome, unique_id_len, NUMBER),
	F(welcome, crc, NUMBER),
	{0}
};

static const struct field entry_fields[] = {
	F(entry, name, TEXT), F(entry, uuid, BYTES), F(entry, size, NUMBER),
	F(entry, disk_flags, NUMBER), F(entry, access, NUMBER),
	F(entry, crc, NUMBER), {0}
};

static const struct field frame_fields[] = {
	F(frame, type, NUMBER), F(frame, op, NUMBER), F(frame, flags, NUMBER),
	F(frame, slot, NUMBER), F(frame, status, NUMBER), F(frame, length, NUMBER),
	F(frame, bytes, NUMBER), F(frame, seq, NUMBER), F(frame, offset, NUMBER), {0}
};

static const struct message {
	const char *name;
	size_t size;
	const struct field *fields;
} messages[] = {
	{ "greeting", DSTOR_GREETING_LEN, greeting_fields },
	{ "hello", DSTOR_HELLO_LEN, hello_fields },
	{ "welcome", DSTOR_WELCOME_LEN, welcome_fields },
	{ "entry", DSTOR_ENTRY_LEN, entry_fields },
	{ "frame", DSTOR_FRAME_LEN, frame_fields },
};

#define RAW_MAX 4096

union any {
	u8 raw[DSTOR_HELLO_LEN];
	struct dstor_greeting greeting;
	struct dstor_hello hello;
	struct dstor_welcome welcome;
	struct dstor_entry entry;
	struct dstor_frame frame;
};

struct vector {
	char name[64], expect[32], hello[32], sender[32];
	const struct message *message;
	union any built;		/* from the fields */
	bool seen[48];			/* which fields the file names */
	bool digest;
	u8 hex[RAW_MAX], data[RAW_MAX];
	size_t hex_len, data_len;
};

static unsigned int vectors;

static void set_number(u8 *p, size_t size, u64 n)
{
	for (; size--; n >>= 8)
		*p++ = n & 0xff;
	assert_int_equal(n, 0);
}

static u64 get_number(const u8 *p, size_t size)
{
	u64 n = 0;

	while (size--)
		n = n << 8 | p[size];
	return n;
}

static void set_field(struct vector *v, const char *key, const char *value)
{
	const struct field *f = v->message->fields;
	u8 *p;

	while (f->name && strcmp(f->name, key))
		f++;
	if (!f->name)
		fail_msg("%s: no field \"%s\"", v->name, key);
	p = v->built.raw + f->offset;
	v->seen[f - v->message->fields] = true;
	if (f->kind == NUMBER) {
		set_number(p, f->size, strtoull(value, NULL, 0));
	} else if (f->kind == TEXT) {
		assert_true(strlen(value) <= f->size);
		memcpy(p, value, strlen(value));
	} else {
		assert_int_equal(unhex(value, p, f->size), f->size);
	}
}

static void take_line(struct vector *v, const char *key, const char *value)
{
	if (!strcmp(key, "expect"))
		snprintf(v->expect, sizeof(v->expect), "%s", value);
	else if (!strcmp(key, "sender"))
		snprintf(v->sender, sizeof(v->sender), "%s", value);
	else if (!strcmp(key, "hello"))
		snprintf(v->hello, sizeof(v->hello), "%s", value);
	else if (!strcmp(key, "digest"))
		v->digest = !strcmp(value, "crc32c");
	else if (!strcmp(key, "hex"))
		v->hex_len += unhex(value, v->hex + v->hex_len, RAW_MAX - v->hex_len);
	else if (!strcmp(key, "data"))
		v->data_len += unhex(value, v->data + v->data_len, RAW_MAX - v->data_len);
	else
		set_field(v, key, value);
}

/* Every field, named by the file or (being zero) not, is found in the bytes. */
static void parse(const struct vector *v)
{
	const struct field *f = v->message->fields;

	assert_true(v->hex_len >= v->message->size);
	for (; f->name; f++) {
		const u8 *got = v->hex + f->offset, *want = v->built.raw + f->offset;

		if (f->kind == NUMBER && get_number(got, f->size) != get_number(want, f->size))
			fail_msg("%s: %s is %#llx", v->name, f->name,
				 (unsigned long long)get_number(got, f->size));
		assert_memory_equal(got, want, f->size);
		if (!v->seen[f - v->message->fields])
			assert_int_equal(get_number(got, f->size > 8 ? 8 : f->size), 0);
	}
}

static void add_digest(u8 *raw, size_t *len, u32 digest)
{
	__le32 d = cpu_to_le32(digest);

	memcpy(raw + *len, &d, sizeof(d));
	*len += sizeof(d);
}

/* The bytes on the stream from the fields alone; the seal comes from wire/. */
static size_t build(struct vector *v, u8 *raw)
{
	size_t len = v->message->size;
	u8 covered[RAW_MAX];
	__le32 given;

	if (v->message->fields != frame_fields) {
		memcpy(&given, v->built.raw + len - 4, 4);
		memset(v->built.raw + len - 4, 0, 4);
	}
	if (v->message->fields == greeting_fields)
		dstor_greeting_set_crc(&v->built.greeting);
	else if (v->message->fields == hello_fields)
		dstor_hello_set_crc(&v->built.hello);
	else if (v->message->fields == welcome_fields)
		dstor_welcome_set_crc(&v->built.welcome);
	else if (v->message->fields == entry_fields)
		dstor_entry_set_crc(&v->built.entry);
	if (v->message->fields != frame_fields)
		assert_memory_equal(&given, v->built.raw + len - 4, 4);
	memcpy(raw, v->built.raw, len);
	if (v->digest)
		add_digest(raw, &len, dstor_crc32c(raw, len));
	if (v->data_len) {
		memcpy(covered, v->built.raw, DSTOR_FRAME_LEN);
		memcpy(covered + DSTOR_FRAME_LEN, v->data, v->data_len);
		memcpy(raw + len, v->data, v->data_len);
		len += v->data_len;
		if (v->digest)
			add_digest(raw, &len, dstor_crc32c(covered, DSTOR_FRAME_LEN + v->data_len));
	}
	return len;
}

static const char *judge_frame(const struct vector *v, const struct dstor_frame *f)
{
	struct dstor_bounds b = good_bounds();

	if (!strcmp(v->sender, "exporter"))
		return dstor_response_sane(f, &b) ? "ok" : "close";
	assert_string_equal(v->sender, "client");
	if (!dstor_request_sane(f, &b))
		return "close";
	if (f->type != DSTOR_FRAME_REQUEST)
		return "ok";
	switch (dstor_request_check(f, &b)) {
	case DSTOR_STATUS_OK:
		return "ok";
	case DSTOR_STATUS_RANGE:
		return "range";
	case DSTOR_STATUS_INVALID:
		return "invalid";
	default:
		return "another status";
	}
}

static const char *judge(const struct vector *v)
{
	struct dstor_hello h = good_hello();
	const char *why;
	union any m;
	u64 unknown;

	memcpy(m.raw, v->hex, v->message->size);
	if (v->message->fields == greeting_fields) {
		if (!dstor_greeting_is_ours(&m.greeting))
			return "close";
		switch (dstor_greeting_check(&m.greeting, DSTOR_FEATURES_KNOWN, &unknown)) {
		case DSTOR_GREETING_OK:
			return "ok";
		case DSTOR_GREETING_VERSION:
			return "version";
		default:
			return "feature";
		}
	}
	if (v->message->fields == hello_fields)
		return dstor_hello_check(&m.hello, &why) ? "malformed" : "ok";
	if (!strcmp(v->hello, "list"))
		h.kind = DSTOR_HELLO_LIST;
	if (v->message->fields == welcome_fields)
		return dstor_welcome_check(&m.welcome, &h, &why) ? "ok" : "refused";
	if (v->message->fields == entry_fields)
		return dstor_entry_check(&m.entry) ? "ok" : "refused";
	return judge_frame(v, &m.frame);
}

static void check_vector(struct vector *v)
{
	u8 raw[RAW_MAX];

	if (!v->message)
		return;
	parse(v);
	assert_int_equal(build(v, raw), v->hex_len);
	assert_memory_equal(raw, v->hex, v->hex_len);
	if (strcmp(judge(v), v->expect))
		fail_msg("%s: %s, expected %s", v->name, judge(v), v->expect);
	vectors++;
	memset(v, 0, sizeof(*v));
}

static void check_file(const char *path)
{
	FILE *file = fopen(path, "r");
	static struct vector v;
	char line[512], *value;

	assert_non_null(file);
	memset(&v, 0, sizeof(v));
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = 0;
		if (line[0] == '#')
			continue;
		if (!line[0]) {
			check_vector(&v);
			continue;
		}
		value = strstr(line, ": ");
		assert_non_null(value);
		*value = 0;
		value += 2;
		if (!strcmp(line, "vector")) {
			snprintf(v.name, sizeof(v.name), "%s", value);
		} else if (!strcmp(line, "message")) {
			for (size_t i = 0; i < COUNT(messages); i++)
				if (!strcmp(messages[i].name, value))
					v.message = &messages[i];
			assert_non_null(v.message);
		} else {
			assert_non_null(v.message);
			take_line(&v, line, value);
		}
	}
	check_vector(&v);
	fclose(file);
}

static const char *directory;

static void file_of(const char *name, unsigned int at_least)
{
	char path[512];

	vectors = 0;
	snprintf(path, sizeof(path), "%s/%s.txt", directory, name);
	check_file(path);
	assert_true(vectors >= at_least);
}

static void greeting_vectors(void **state)
{
	file_of("greeting", 6);
}

static void hello_vectors(void **state)
{
	file_of("hello", 11);
}

static void welcome_vectors(void **state)
{
	file_of("welcome", 11);
}

static void entry_vectors(void **state)
{
	file_of("entry", 3);
}

static void frame_vectors(void **state)
{
	file_of("frame", 25);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(greeting_vectors),
		cmocka_unit_test(hello_vectors),
		cmocka_unit_test(welcome_vectors),
		cmocka_unit_test(entry_vectors),
		cmocka_unit_test(frame_vectors),
	};

	directory = argc > 1 ? argv[1] : "docs/vectors";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
