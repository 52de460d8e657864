/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every unit test of wire/ starts with: cmocka, and messages that are in
 * order, for the tests to spoil.
 */
#ifndef DST_TESTS_UNIT_H
#define DST_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "frame.h"
#include "hello.h"

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define GIB 0x40000000ULL

/* Bytes of hexadecimal digits, at most @room of them; how many. */
static inline size_t unhex(const char *text, u8 *out, size_t room)
{
	char pair[3] = {0}, *end;
	size_t n = 0;

	for (; text[0] && text[1]; text += 2) {
		assert_true(n < room);
		memcpy(pair, text, 2);
		out[n++] = strtoul(pair, &end, 16);
		assert_ptr_equal(end, pair + 2);
	}
	assert_int_equal(text[0], 0);
	return n;
}

static inline void fill_id(u8 id[DSTOR_ID_LEN], u8 first)
{
	for (int i = 0; i < DSTOR_ID_LEN; i++)
		id[i] = first + i;
}

static inline struct dstor_hello good_hello(void)
{
	struct dstor_hello h = {
		.kind = DSTOR_HELLO_ATTACH,
		.queue = cpu_to_le16(1),
		.queues = cpu_to_le16(4),
		.slots = cpu_to_le16(128),
		.max_io = cpu_to_le32(DSTOR_IO_MAX),
		.generation = cpu_to_le64(1),
		.ping_ms = cpu_to_le32(1000),
		.timeout_ms = cpu_to_le32(5000),
		.retries = cpu_to_le32(24),
		.export = "data",
		.client_name = "alpha",
		.checksums = "crc32c",
	};

	fill_id(h.session, 0x10);
	fill_id(h.client, 0x30);
	dstor_hello_set_crc(&h);
	return h;
}

static inline struct dstor_welcome good_welcome(void)
{
	struct dstor_welcome w = {
		.status = DSTOR_WELCOME_OK,
		.access = DSTOR_ACCESS_WRITE,
		.queues = cpu_to_le16(DSTOR_QUEUES_MAX),
		.slots = cpu_to_le16(128),
		.max_io = cpu_to_le32(DSTOR_IO_MAX),
		.disk_flags = cpu_to_le32(DSTOR_DISK_FLAGS_KNOWN),
		.size = cpu_to_le64(GIB),
		.logical_block = cpu_to_le32(512),
		.physical_block = cpu_to_le32(4096),
		.cookie = cpu_to_le64(1),
		.checksum = "crc32c",
		.dma_alignment = cpu_to_le32(511),
	};

	fill_id(w.exporter, 0x90);
	fill_id(w.life, 0xb0);
	fill_id(w.uuid, 0x50);
	fill_id(w.instance, 0x70);
	dstor_welcome_set_crc(&w);
	return w;
}

static inline struct dstor_entry good_entry(void)
{
	struct dstor_entry e = {
		.name = "data",
		.size = cpu_to_le64(GIB),
		.access = DSTOR_ACCESS_WRITE,
	};

	fill_id(e.uuid, 0x50);
	dstor_entry_set_crc(&e);
	return e;
}

/* The bounds of docs/vectors/frame.txt. */
static inline struct dstor_bounds good_bounds(void)
{
	return (struct dstor_bounds){
		.size = GIB, .block = 512, .max_io = DSTOR_IO_MAX, .slots = 128,
	};
}

static inline struct dstor_frame request(u8 op, u64 offset, u32 bytes)
{
	return (struct dstor_frame){
		.type = DSTOR_FRAME_REQUEST,
		.op = op,
		.length = cpu_to_le32(op == DSTOR_OP_WRITE ? bytes : 0),
		.bytes = cpu_to_le32(bytes),
		.seq = cpu_to_le64(1),
		.offset = cpu_to_le64(offset),
	};
}

#endif
