// SPDX-License-Identifier: GPL-2.0
/*
 * What is wrong with a device although it connects: found beside the work of the
 * watchdog and the receiver, and shown for a while (dst show --why).
 *
 * No locks: a guess of one CPU may replace that of another.
 */
#include "client/device.h"
#include "client/trouble.h"
#include "conn/liveness.h"

#define LATELY (30 * HZ)
#define STUCK_RETRANSMITS 3	/* in a row, of the same data, by TCP */
#define YOUNG (2 * HZ)		/* and the silence that ends a connection */
#define SILENT_STARTS 2		/* connections in a row that brought no data */

void dstor_trouble_note(struct dstor_device *dev, enum dstor_trouble what)
{
	WRITE_ONCE(dev->report.trouble_at, jiffies);
	if (READ_ONCE(dev->report.trouble) != what)
		WRITE_ONCE(dev->report.trouble, what);
}

/* Did it fall silent as soon as it had been welcomed? */
static bool is_young(const struct dstor_queue *q)
{
	const struct dstor_device_settings *c = &q->dev->config;
	u32 ms = dstor_silence_ms(c->ping_ms, c->policy.timeout_ms);

	return time_before(jiffies, q->lived + msecs_to_jiffies(ms) + YOUNG);
}

void dstor_trouble_look(struct dstor_queue *q)
{
	if (dstor_conn_retransmits(&q->conn) >= STUCK_RETRANSMITS)
		dstor_trouble_note(q->dev, DSTOR_TROUBLE_LARGE_SENT);
	if (dstor_conn_data_received(&q->conn) || !is_young(q))
		q->dev->report.silent_starts = 0;
}

/* A welcome is short. The exporter that sends one and falls silent then has data to send. */
void dstor_trouble_silent(struct dstor_queue *q)
{
	struct dstor_device *dev = q->dev;

	if (dstor_conn_data_received(&q->conn) || !atomic_read(&q->in_flight) || !is_young(q))
		return;
	if (++dev->report.silent_starts >= SILENT_STARTS)
		dstor_trouble_note(dev, DSTOR_TROUBLE_LARGE_RECEIVED);
}

void dstor_trouble_ended(struct dstor_queue *q)
{
	const struct dstor_device_settings *c = &q->dev->config;
	u32 ms = dstor_silence_ms(c->ping_ms, c->policy.timeout_ms);

	if (time_after(jiffies, dstor_conn_heard(&q->conn) + msecs_to_jiffies(ms / 2)))
		dstor_trouble_silent(q);
}

const char *dstor_trouble_text(const struct dstor_device *dev)
{
	static const char * const texts[] = {
		[DSTOR_TROUBLE_DIGESTS] =
			"data arrives damaged, and so does its private copy: look for memory or a network device that alters it",
		[DSTOR_TROUBLE_LARGE_SENT] =
			"small packets reach the exporter and large ones do not: compare the MTU of all links on the way",
		[DSTOR_TROUBLE_LARGE_RECEIVED] =
			"the exporter connects and falls silent when it has data to send: compare the MTU of all links on the way",
		[DSTOR_TROUBLE_DISK_HANGS] =
			"the exporter has the requests and waits for its disk",
		[DSTOR_TROUBLE_DISK_GONE] =
			"the exporter said lately that its disk is gone",
	};
	enum dstor_trouble what = READ_ONCE(dev->report.trouble);
	unsigned long lately = LATELY;

	/* It is asked for once a timeout. */
	if (what == DSTOR_TROUBLE_DISK_HANGS)
		lately = msecs_to_jiffies(READ_ONCE(dev->config.policy.timeout_ms)) + HZ;
	if (what == DSTOR_TROUBLE_NONE ||
	    time_after(jiffies, READ_ONCE(dev->report.trouble_at) + lately))
		return NULL;
	return texts[what];
}
