/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The few names wire/ needs from whoever compiles it: fixed-size integers,
 * little-endian types and conversions, memcpy/memset/memcmp. In the kernel
 * they are the kernel's own; in userspace they come from the compiler and the
 * kernel's uapi headers. Nothing else of the host is visible to wire/.
 */
#ifndef DSTOR_WIRE_HOST_H
#define DSTOR_WIRE_HOST_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/string.h>
#include <linux/build_bug.h>
#include <asm/byteorder.h>
#else
#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <linux/types.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

/* sparse: here, and nowhere else, a little-endian type becomes another. */
#ifdef __CHECKER__
#define DSTOR_FORCE __attribute__((force))
#else
#define DSTOR_FORCE
#endif
#define cpu_to_le16(x) ((DSTOR_FORCE __le16)htole16(x))
#define cpu_to_le32(x) ((DSTOR_FORCE __le32)htole32(x))
#define cpu_to_le64(x) ((DSTOR_FORCE __le64)htole64(x))
#define le16_to_cpu(x) le16toh((DSTOR_FORCE uint16_t)(x))
#define le32_to_cpu(x) le32toh((DSTOR_FORCE uint32_t)(x))
#define le64_to_cpu(x) le64toh((DSTOR_FORCE uint64_t)(x))
#define static_assert _Static_assert
#endif

#endif
