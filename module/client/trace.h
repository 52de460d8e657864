/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints of the client, the life of a transaction: submit, send, receive, ack
 * or fail, and resend. docs/tracing.md shows what to do with them.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM dstor

#if !defined(DSTOR_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define DSTOR_TRACE_H

#include <linux/tracepoint.h>

#include "client/device.h"

#define dstor_trace_ops						\
	__print_symbolic(__entry->op,				\
			 { DSTOR_OP_READ, "read" },		\
			 { DSTOR_OP_WRITE, "write" },		\
			 { DSTOR_OP_FLUSH, "flush" },		\
			 { DSTOR_OP_DISCARD, "discard" },	\
			 { DSTOR_OP_WRITE_ZEROES, "write_zeroes" })

#define DSTOR_TRACE_FORMAT \
	"%d,%d queue=%u slot=%u seq=%llu %s sector=%llu bytes=%u resends=%u age_us=%llu error=%d"

DECLARE_EVENT_CLASS(dstor_transaction,
		    TP_PROTO(const struct dstor_transaction *t, u64 sector, u32 bytes, int error),
		    TP_ARGS(t, sector, bytes, error),
		    TP_STRUCT__entry(__field(dev_t, dev)
				     __field(u16, queue)
				     __field(u16, slot)
				     __field(u64, seq)
				     __field(u64, sector)
				     __field(u32, bytes)
				     __field(u32, resends)
				     __field(u64, age_us)
				     __field(int, error)
				     __field(u8, op)
		    ),
		    TP_fast_assign(__entry->dev = disk_devt(t->queue->dev->disk);
				   __entry->queue = t->queue->index;
				   __entry->slot = t->slot;
				   __entry->seq = t->seq;
				   __entry->sector = sector;
				   __entry->bytes = bytes;
				   __entry->resends = t->attempt.resends;
				   __entry->age_us = div_u64(ktime_get_ns() - t->started_ns, 1000);
				   __entry->error = error;
				   __entry->op = t->op;
		    ),
		    TP_printk(DSTOR_TRACE_FORMAT,
			      MAJOR(__entry->dev), MINOR(__entry->dev), __entry->queue,
			      __entry->slot, __entry->seq, dstor_trace_ops, __entry->sector,
			      __entry->bytes, __entry->resends, __entry->age_us, __entry->error)
);

#define DSTOR_TRANSACTION_EVENT(name)						\
DEFINE_EVENT(dstor_transaction, name,						\
	     TP_PROTO(const struct dstor_transaction *t, u64 sector, u32 bytes, int error),	\
	     TP_ARGS(t, sector, bytes, error))

/* The block layer gave it to us. */
DSTOR_TRANSACTION_EVENT(dstor_submit);
/* The socket has all of it. */
DSTOR_TRANSACTION_EVENT(dstor_send);
/* Its answer begins to arrive. */
DSTOR_TRANSACTION_EVENT(dstor_receive);
/* It has ended well. */
DSTOR_TRANSACTION_EVENT(dstor_ack);
/* It goes out once more. */
DSTOR_TRANSACTION_EVENT(dstor_resend);
/* It has ended with an error. */
DSTOR_TRANSACTION_EVENT(dstor_fail);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH client
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
