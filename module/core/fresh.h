/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How long a connection keeps the X25519 keys of its handshake. In a build with
 * CONFIG_DST_DEBUG a test writes other limits to /sys/kernel/debug/dst/fresh_ms and
 * fresh_bytes. Any context, no locks.
 */
#ifndef DSTOR_FRESH_H
#define DSTOR_FRESH_H

#include <linux/bits.h>
#include <linux/types.h>

#define DSTOR_FRESH_MS (24 * 60 * 60 * 1000U)
#define DSTOR_FRESH_BYTES BIT_ULL(40)	/* both directions together */

#ifdef DSTOR_DEBUG
extern u32 dstor_fresh_ms;
extern u64 dstor_fresh_bytes;
#else
static const u32 dstor_fresh_ms = DSTOR_FRESH_MS;
static const u64 dstor_fresh_bytes = DSTOR_FRESH_BYTES;
#endif

#endif
