// SPDX-License-Identifier: GPL-2.0
/*
 * A client that comes back (P3): does the exporter still remember it, and is
 * its memory as new as what it has done? A virtual machine that was restored
 * with its memory would go on with sequence numbers that are used already, and
 * an answer remembered for the old write would ack a new one.
 *
 * Two signs tell it apart. Each welcome has a new cookie, which the next hello
 * of the queue shows; and a hello names the highest sequence number its queue
 * has used, which is never below what has arrived.
 */
#include "id.h"
#include "rejoin.h"

enum dstor_rejoin dstor_rejoin_session(const struct dstor_hello *h, const u8 life[DSTOR_ID_LEN],
				       bool known)
{
	/* A reader has done nothing that could be done twice. */
	if (h->flags & DSTOR_HELLO_READ_ONLY)
		return DSTOR_REJOIN_OK;
	if (!known && h->flags & DSTOR_HELLO_RESUME && dstor_id_equal(h->life, life))
		return DSTOR_REJOIN_FORGOTTEN;
	return DSTOR_REJOIN_OK;
}

enum dstor_rejoin dstor_rejoin_queue(const struct dstor_hello *h,
				     const struct dstor_queue_past *past)
{
	u64 cookie = le64_to_cpu(h->cookie);

	/* No frame yet: the client may not have seen a welcome of this life. */
	if (!past->used)
		return DSTOR_REJOIN_OK;
	if (le64_to_cpu(h->last_seq) < past->last_seq)
		return DSTOR_REJOIN_ROLLED_BACK;
	if (cookie && (cookie == past->cookie || cookie == past->former))
		return DSTOR_REJOIN_OK;
	return DSTOR_REJOIN_ROLLED_BACK;
}

void dstor_rejoin_welcomed(struct dstor_queue_past *past, const struct dstor_hello *h, u64 cookie)
{
	past->former = le64_to_cpu(h->cookie);
	past->cookie = cookie;
}

const char *dstor_rejoin_text(enum dstor_rejoin r)
{
	switch (r) {
	case DSTOR_REJOIN_OK:
		return "welcome back";
	case DSTOR_REJOIN_FORGOTTEN:
		return "the exporter has forgotten this session";
	case DSTOR_REJOIN_ROLLED_BACK:
		return "this client was restored to an earlier state of its memory";
	}
	return "unknown";
}
