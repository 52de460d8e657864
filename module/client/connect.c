// SPDX-License-Identifier: GPL-2.0
/*
 * One attempt of a queue to get a connection: address after address, until one answers.
 *
 *    CONNECT ---> GREETING ---> WELCOME ---> DONE
 *       ^            |             ^  |
 *       |            +--> DRAIN ---+  | any failure but an answer
 *       +-----------------------------+ (the next address)
 *
 * DRAIN: only where a live connection is replaced (renewal.c). No step waits: the socket
 * wakes the attempt when the other side has answered. So an exporter that says nothing,
 * or WAIT for hours, keeps no worker from other devices.
 *
 * Context: the work of the queue's link, or an attach, which waits here. dev->lock is
 * taken to copy an address, q->lock where budgets stand still.
 */
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/wait.h>
#include <net/sock.h>

#include "client/handshake.h"
#include "conn/transport.h"
#include "core/work.h"
#include "wire/hello.h"

#define LOOK_MS 200		/* how soon an attach notices that it is called off */
#define POLL_MS 20		/* where the socket wakes nobody */
#define POLL_DOUBTFUL_MS 100	/* where it may not wake us each time */
#define CONNECT_MIN_MS 200
#define CONNECT_MAX_MS 2000
#define ANSWER_MIN_MS 5000	/* patience with an exporter in the handshake */
#define STEPS_MAX 32		/* in one go; an exporter could say WAIT without end */
#define WITHDRAW_MS 1500	/* for the exporter to see that an attach is called off */
#define GIVE_BACK_MS 1500	/* to get a grant again that is to be given back */

/* Any context, under the lock of the socket's wait queue. */
static int connect_woken(wait_queue_entry_t *entry, unsigned int mode, int flags, void *key)
{
	struct dstor_handshake *s = container_of(entry, struct dstor_handshake, entry);

	if (!s->waits) {
		mod_delayed_work(dstor_link_wq, &s->queue->link, 0);
	} else {
		WRITE_ONCE(s->woken, true);
		wake_up(&s->waiter);
	}
	return 0;
}

static void connect_watch(struct dstor_handshake *s)
{
	struct sock *sk = s->grant->sock->sk;

	/* SMC may take another socket for this one in the middle. */
	if (dstor_transport_of(sk)->file)
		return;
	init_waitqueue_func_entry(&s->entry, connect_woken);
	s->head = sk_sleep(sk);
	add_wait_queue(s->head, &s->entry);
}

static void connect_unwatch(struct dstor_handshake *s)
{
	if (s->head)
		remove_wait_queue(s->head, &s->entry);
	s->head = NULL;
}

/* The step ended with @ret, where -EAGAIN is "not yet". */
static int connect_patience(const struct dstor_handshake *s, int ret)
{
	if (ret != -EAGAIN)
		return ret;
	return time_before(jiffies, s->until) ? -EINPROGRESS : -ETIMEDOUT;
}

static void connect_expect(struct dstor_handshake *s, int step)
{
	u32 ms = max_t(u32, s->queue->dev->config.policy.timeout_ms, ANSWER_MIN_MS);

	s->step = step;
	s->got = 0;
	s->until = jiffies + msecs_to_jiffies(ms);
}

static const char *connect_text(int ret)
{
	switch (ret) {
	case -ECONNREFUSED:
	case -ECONNRESET:
		return "connection refused: nothing listens there";
	case -ETIMEDOUT:
		return "no answer";
	case -ENETUNREACH:
	case -EHOSTUNREACH:
		return "no route to it";
	case -EAFNOSUPPORT:
	case -EPROTONOSUPPORT:
		return "this kernel has no such transport";
	case -ENOENT:
		return "no such socket";
	default:
		return NULL;
	}
}

/* Steps: 0 or, when there is nothing to do yet, -EINPROGRESS; else the attempt has failed. */

static int step_connect(struct dstor_handshake *s, struct dstor_error *err)
{
	struct dstor_grant *g = s->grant;
	const char *text;
	int ret = 0;

	if (!g->sock) {
		ret = dstor_socket_connect(s->queue->dev->net, &s->address, CONNECT_MAX_MS,
					   &g->sock);
		if (!ret)
			connect_watch(s);
	}
	ret = connect_patience(s, ret ?: dstor_socket_connected(g->sock));
	if (ret == -EINPROGRESS)
		return ret;
	text = connect_text(ret);
	if (ret && text)
		return dstor_fail(err, ret, "%s", text);
	if (ret)
		return dstor_fail(err, ret, "cannot connect, error %d", -ret);
	ret = dstor_handshake_greet(s, err);
	if (!ret)
		connect_expect(s, HANDSHAKE_GREETING);
	return ret;
}

static int send_encrypted_hello(struct dstor_handshake *s, struct dstor_error *err)
{
	int ret = dstor_handshake_send_encrypted(s, err);

	if (!ret)
		connect_expect(s, HANDSHAKE_WELCOME);
	return ret;
}

static int step_greeting(struct dstor_handshake *s, struct dstor_error *err)
{
	int ret = connect_patience(s, dstor_socket_read(s->grant->sock, &s->answer,
							sizeof(s->answer), &s->got));

	if (ret == -EINPROGRESS)
		return ret;
	if (ret)
		return dstor_fail(err, ret, ret == -ETIMEDOUT ? "the exporter does not answer" :
				  "the connection was closed in the handshake");
	ret = dstor_handshake_judge(s, err);
	if (ret)
		return ret;
	if (!s->queue->dev->config.has_key) {
		connect_expect(s, HANDSHAKE_WELCOME);
		return 0;
	}
	if (!s->grant->planned)
		return send_encrypted_hello(s, err);
	s->step = HANDSHAKE_DRAIN;
	return dstor_renewal_hold(s->queue, &s->until, err);
}

static int step_drain(struct dstor_handshake *s, struct dstor_error *err)
{
	int ret = dstor_renewal_drained(s->queue, s->grant, s->until, err);

	if (ret == -EAGAIN)
		return -EINPROGRESS;
	return ret ?: send_encrypted_hello(s, err);
}

/*
 * The exporter says WAIT, or OK and @waiting is 0: has it got on with what was sent
 * before the outage (R9.16)?
 */
static void connect_note_wait(struct dstor_handshake *s, u32 waiting)
{
	u64 now = dstor_now_ms();

	if (s->waited_ms && waiting < s->waiting)
		dstor_link_stood_still(s->queue, min_t(u64, now - s->waited_ms, U32_MAX));
	s->waited_ms = now;
	s->waiting = waiting;
}

static int step_welcome(struct dstor_handshake *s, struct dstor_error *err)
{
	struct dstor_welcome *w = &s->grant->welcome;
	int ret = connect_patience(s, dstor_handshake_read_welcome(s));
	const char *why;

	if (ret == -EINPROGRESS)
		return ret;
	if (ret)
		return dstor_fail(err, ret, "the connection ended in the handshake");
	if (!dstor_welcome_check(w, &s->out.clear, &why))
		return dstor_fail(err, -EPROTO, "%s", why);
	if (w->status == DSTOR_WELCOME_WAIT) {
		connect_note_wait(s, le32_to_cpu(w->waiting));
		connect_expect(s, HANDSHAKE_WELCOME);
		return 0;
	}
	s->step = HANDSHAKE_DONE;
	if (w->status != DSTOR_WELCOME_OK)
		return dstor_handshake_refusal(w, err);
	connect_note_wait(s, 0);
	return 0;
}

static int connect_step(struct dstor_handshake *s, struct dstor_error *err)
{
	switch (s->step) {
	case HANDSHAKE_CONNECT:
		return step_connect(s, err);
	case HANDSHAKE_GREETING:
		return step_greeting(s, err);
	case HANDSHAKE_DRAIN:
		return step_drain(s, err);
	case HANDSHAKE_WELCOME:
		return step_welcome(s, err);
	default:
		return 0;
	}
}

/* The addresses may be replaced while we wait. */
static int copy_address(struct dstor_device *dev, unsigned int i, struct dstor_address *a)
{
	int ret = -ENOENT;

	mutex_lock(&dev->lock);
	if (i < dev->config.n_addresses) {
		*a = dev->config.addresses[i];
		ret = dev->config.n_addresses;
	}
	mutex_unlock(&dev->lock);
	if (ret > 0)
		dstor_address_find_scope(a, dev->net);
	return ret;
}

/* At an address. False: there is none. */
static bool connect_aim(struct dstor_handshake *s)
{
	struct dstor_device *dev = s->queue->dev;
	u32 ms = clamp_t(u32, dev->config.policy.timeout_ms, CONNECT_MIN_MS, CONNECT_MAX_MS);
	int n = copy_address(dev, s->index, &s->address);

	if (n < 0) {
		s->index = 0;
		n = copy_address(dev, s->index, &s->address);
	}
	if (n < 0)
		return false;
	s->n_addresses = n;
	s->waited_ms = 0;
	s->step = HANDSHAKE_CONNECT;
	s->until = jiffies + msecs_to_jiffies(ms);
	memset(&s->grant->welcome, 0, sizeof(s->grant->welcome));
	return true;
}

static bool is_called_off(const struct dstor_device *dev)
{
	return READ_ONCE(dev->stopping) || READ_ONCE(dev->dead);
}

/* It failed with @ret where it was. False: there is nowhere else to go. */
static bool connect_aim_elsewhere(struct dstor_handshake *s, int ret)
{
	/* An answer is an answer, good or bad. */
	if (s->grant->welcome.status || ret == -ECANCELED) {
		s->queue->address = s->index;
		return false;
	}
	if (++s->tried >= s->n_addresses || s->grant->planned || is_called_off(s->queue->dev))
		return false;
	s->index = (s->index + 1) % s->n_addresses;
	return connect_aim(s);
}

static void connect_close(struct dstor_handshake *s)
{
	connect_unwatch(s);
	if (s->grant->sock)
		dstor_socket_abort(s->grant->sock);
	s->grant->sock = NULL;
}

static void connect_free(struct dstor_handshake *s)
{
	connect_unwatch(s);
	s->grant->shake = NULL;
	kfree_sensitive(s);
}

void dstor_connect_end(struct dstor_grant *g)
{
	if (g->shake)
		connect_free(g->shake);
	if (g->sock)
		dstor_socket_abort(g->sock);
	g->sock = NULL;
}

int dstor_connect_begin(struct dstor_queue *q, struct dstor_grant *g, const u8 *takeover,
			struct dstor_error *err)
{
	struct dstor_handshake *s = kzalloc(sizeof(*s), GFP_NOIO);

	if (!s)
		return dstor_fail(err, -ENOMEM, "out of memory");
	s->queue = q;
	s->grant = g;
	if (takeover)
		memcpy(s->takeover, takeover, DSTOR_ID_LEN);
	init_waitqueue_head(&s->waiter);
	mutex_lock(&q->dev->lock);
	g->epoch = q->dev->recovery.epoch;
	g->moves = q->dev->config.moves;
	mutex_unlock(&q->dev->lock);
	g->shake = s;
	s->index = q->address;
	if (connect_aim(s))
		return 0;
	connect_free(s);
	return dstor_fail(err, -EDESTADDRREQ, "no address");
}

/* Jiffies until the attempt looks again, if nothing wakes it. */
static unsigned long connect_pause(const struct dstor_handshake *s)
{
	unsigned long left = time_after(s->until, jiffies) ? s->until - jiffies : 1;

	if (s->step == HANDSHAKE_DRAIN)
		return 1;
	if (!s->head)
		return min(left, msecs_to_jiffies(POLL_MS));
	if (!dstor_transport_of(s->grant->sock->sk)->segments)
		return min(left, msecs_to_jiffies(POLL_DOUBTFUL_MS));
	return left;
}

int dstor_connect_go_on(struct dstor_queue *q, struct dstor_grant *g, unsigned long *wait,
			struct dstor_error *err)
{
	struct dstor_handshake *s = g->shake;
	struct dstor_error inner = { };
	unsigned int i;
	int ret;

	for (i = 0; i < STEPS_MAX; i++) {
		ret = connect_step(s, &inner);
		if (ret == -EINPROGRESS) {
			*wait = connect_pause(s);
			/* An attach looks by itself: see dstor_link_connect(). */
			if (s->waits || !is_called_off(q->dev))
				return ret;
			ret = dstor_fail(&inner, -ECANCELED, "the attempt was called off");
		}
		if (!ret && s->step == HANDSHAKE_DONE) {
			q->address = s->index;
			connect_free(s);
			return 0;
		}
		if (!ret)
			continue;
		dstor_fail(err, ret, "exporter %s: %s", s->address.text, inner.text);
		connect_close(s);
		if (!connect_aim_elsewhere(s, ret)) {
			connect_free(s);
			return ret;
		}
	}
	*wait = 1;
	return -EINPROGRESS;
}

/* One go of an attach, which waits between two. */
static int connect_go_on_waiting(struct dstor_queue *q, struct dstor_grant *g,
				 unsigned long *wait, struct dstor_error *err)
{
	/* As in a reconnect: requests take the lock of the socket, too. */
	unsigned int noio = memalloc_noio_save();
	int ret;

	WRITE_ONCE(g->shake->woken, false);
	ret = dstor_connect_go_on(q, g, wait, err);
	memalloc_noio_restore(noio);
	return ret;
}

/*
 * Called off in the handshake. An exporter that has not granted it sees that nothing
 * more will come, and forgets it. One that has answered OK before: its answer can be
 * read. So both ends know, and no grant crosses the end. True: it was granted.
 */
static bool connect_withdraw(struct dstor_handshake *s)
{
	unsigned long until = jiffies + msecs_to_jiffies(WITHDRAW_MS);
	struct dstor_error unsaid = { };
	unsigned int noio;
	int ret;

	if (s->step == HANDSHAKE_CONNECT || !s->grant->sock ||
	    kernel_sock_shutdown(s->grant->sock, SHUT_WR))
		return false;
	do {
		WRITE_ONCE(s->woken, false);
		noio = memalloc_noio_save();
		ret = connect_step(s, &unsaid);
		memalloc_noio_restore(noio);
		if (ret == -EINPROGRESS)
			wait_event_timeout(s->waiter, READ_ONCE(s->woken),
					   min(connect_pause(s), msecs_to_jiffies(LOOK_MS)));
	} while ((ret == -EINPROGRESS || (!ret && s->step != HANDSHAKE_DONE)) &&
		 time_before(jiffies, until));
	if (ret || s->step != HANDSHAKE_DONE)
		return false;
	/* Whoever gives it back begins there, and may have no time for another. */
	s->queue->address = s->index;
	return true;
}

/* A grant that was made and cannot be used: gets it anew, for the caller to give it back. */
static void connect_again_for_bye(struct dstor_queue *q, struct dstor_grant *g)
{
	unsigned long until = jiffies + msecs_to_jiffies(GIVE_BACK_MS);
	struct dstor_error unsaid = { };
	unsigned long wait;

	if (dstor_connect_begin(q, g, NULL, &unsaid))
		return;
	g->shake->waits = true;
	while (time_before(jiffies, until)) {
		if (connect_go_on_waiting(q, g, &wait, &unsaid) != -EINPROGRESS)
			return;
		wait_event_timeout(g->shake->waiter, READ_ONCE(g->shake->woken),
				   min(wait, msecs_to_jiffies(LOOK_MS)));
	}
	dstor_connect_end(g);
}

int dstor_link_connect(struct dstor_queue *q, struct dstor_grant *g, const u8 *takeover,
		       struct dstor_error *err)
{
	int ret = dstor_connect_begin(q, g, takeover, err);
	unsigned long wait;
	bool granted;

	if (ret)
		return ret;
	g->shake->waits = true;
	do {
		ret = connect_go_on_waiting(q, g, &wait, err);
		if (ret != -EINPROGRESS)
			return ret;
		wait = min(wait, msecs_to_jiffies(LOOK_MS));
		wait_event_interruptible_timeout(g->shake->waiter, READ_ONCE(g->shake->woken),
						 wait);
	} while (!signal_pending(current) && !is_called_off(q->dev));
	granted = connect_withdraw(g->shake);
	dstor_connect_end(g);
	if (granted)
		connect_again_for_bye(q, g);
	/* Netlink sends no answer to a command that returns -EINTR. */
	return dstor_fail(err, -ECANCELED, "interrupted");
}
