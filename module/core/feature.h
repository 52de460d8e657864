/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Features of the protocol that an end of this module speaks. Only a build with
 * CONFIG_DST_DEBUG can speak others than DSTOR_FEATURES_KNOWN: a test writes them, in
 * hexadecimal, to /sys/kernel/debug/dst/features_client and features_exporter, and
 * so one machine has an older and a newer end. Any context, no locks.
 */
#ifndef DSTOR_FEATURE_H
#define DSTOR_FEATURE_H

#include <linux/atomic.h>

#include "wire/protocol.h"

#ifdef DSTOR_DEBUG

extern u64 dstor_features_client;
extern u64 dstor_features_exporter;
/* Requests that carried DSTOR_REQ_TEST; features_seen shows it. */
extern atomic_t dstor_features_seen;

static inline void dstor_feature_count(u16 request_flags)
{
	if (request_flags & DSTOR_REQ_TEST)
		atomic_inc(&dstor_features_seen);
}

/* The flag that a client adds where @features has the one for tests. */
static inline u16 dstor_feature_flags(u64 features)
{
	return features & DSTOR_FEATURE_TEST ? DSTOR_REQ_TEST : 0;
}

/* @flags of a request that is sent again, on a connection with @features. */
static inline u16 dstor_feature_resent(u16 flags, u64 features)
{
	return (flags & ~DSTOR_REQ_TEST) | dstor_feature_flags(features);
}

#else

#define dstor_features_client	DSTOR_FEATURES_KNOWN
#define dstor_features_exporter	DSTOR_FEATURES_KNOWN

static inline void dstor_feature_count(u16 request_flags)
{
}

static inline u16 dstor_feature_flags(u64 features)
{
	return 0;
}

static inline u16 dstor_feature_resent(u16 flags, u64 features)
{
	return flags;
}

#endif

#endif
