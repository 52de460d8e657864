// SPDX-License-Identifier: GPL-2.0
/*
 * A client of the protocol in userspace: connect, greeting, hello,
 * welcome, then a list of exports or pings. Whatever the other side sends is
 * checked by wire/ before it is used, and nothing is waited for without end.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"
#include "exporter.h"
#include "frame.h"
#include "hello.h"
#include "machine.h"
#include "primitives.h"
#include "values.h"

#define WAITS_MAX 60		/* one welcome WAIT comes each second */
#define FRAMES_MAX 1000		/* before the pong; no honest exporter sends as many */

u64 now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* 0 when ready, or an errno; @until on the clock of now_us() */
static int wait_for(int fd, short events, u64 until)
{
	struct pollfd p = { .fd = fd, .events = events };
	int ret;

	do {
		u64 now = now_us();

		ret = poll(&p, 1, now < until ? (until - now + 999) / 1000 : 0);
	} while (ret < 0 && errno == EINTR);
	return ret > 0 ? 0 : ret < 0 ? errno : ETIMEDOUT;
}

/* 0, an errno, or EPIPE when the other side has closed */
static int exporter_transfer(int fd, void *data, size_t len, bool out)
{
	u64 until = now_us() + EXPORTER_PATIENCE_MS * 1000;
	const int closed = EPIPE;
	char *p = data;
	ssize_t n;
	int ret;

	while (len) {
		n = out ? send(fd, p, len, MSG_NOSIGNAL) : recv(fd, p, len, 0);
		if (n > 0) {
			p += n;
			len -= n;
			continue;
		}
		if (n == 0)
			return closed;
		if (errno != EAGAIN && errno != EINTR)
			return errno;
		ret = wait_for(fd, out ? POLLOUT : POLLIN, until);
		if (ret)
			return ret;
	}
	return 0;
}

static int exporter_failed(const struct exporter *x, int error, struct reason *why)
{
	switch (error) {
	case ECONNREFUSED:
		return refuse(why, "exporter %s: connection refused (is anything exported there?)",
			      x->text);
	case ETIMEDOUT:
		return refuse(why, "exporter %s does not answer within %d s", x->text,
			      EXPORTER_PATIENCE_MS / 1000);
	case EPIPE:
	case ECONNRESET:
		return refuse(why, "exporter %s closed the connection before it was done",
			      x->text);
	case ENOENT:
		return refuse(why, "exporter %s: there is no such socket", x->text);
	case EBADMSG:
		return refuse(why, "what comes from exporter %s was changed on the way", x->text);
	}
	return refuse(why, "exporter %s cannot be reached: %s", x->text, strerror(error));
}

static int dial_one(const struct address *a, enum transport t, struct exporter *x,
		    struct reason *why)
{
	socklen_t len = sizeof(int);
	int error = 0, on = 1;

	copy_text(x->text, sizeof(x->text), a->text);
	x->fd = socket(a->family, a->type | SOCK_NONBLOCK | SOCK_CLOEXEC, a->protocol);
	if (x->fd < 0)
		return refuse(why, "this kernel has no %s: %s", transport_name(t),
			      strerror(errno));
	/* Round trips are what ping measures; other transports have no such option. */
	setsockopt(x->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(x->fd, (const struct sockaddr *)&a->addr, a->len))
		error = errno;
	if (error == EINPROGRESS) {
		error = wait_for(x->fd, POLLOUT, now_us() + EXPORTER_PATIENCE_MS * 1000);
		if (!error && getsockopt(x->fd, SOL_SOCKET, SO_ERROR, &error, &len))
			error = errno;
	}
	if (!error)
		return 0;
	close(x->fd);
	x->fd = -1;
	return exporter_failed(x, error, why);
}

static int exporter_try_addresses(const struct uri *u, struct exporter *x, struct reason *why)
{
	struct address a[DSTOR_ADDRESSES_MAX];
	int i, n = uri_resolve(u, a, why);

	for (i = 0; i < n; i++)
		if (!dial_one(&a[i], u->transport, x, why))
			return 0;
	return -1;
}

/* A message of the handshake. */
static int exporter_receive(struct exporter *x, void *message, size_t len)
{
	u8 encrypted[DSTOR_WELCOME_LEN + DSTOR_TAG_LEN];
	int error;

	if (!x->closed_channel)
		return exporter_transfer(x->fd, message, len, false);
	error = exporter_transfer(x->fd, encrypted, len + DSTOR_TAG_LEN, false);
	if (!error && !dstor_channel_decrypt(&x->channel, encrypted, len))
		error = EBADMSG;
	if (!error)
		memcpy(message, encrypted, len);
	return error;
}

static void fill_hello(struct dstor_hello *h, enum dstor_hello_kind kind)
{
	memset(h, 0, sizeof(*h));
	h->kind = kind;
	client_name(h->client_name);
	dstor_hello_set_crc(h);
}

static int take_greeting(struct exporter *x, u8 mode, struct reason *why)
{
	struct dstor_greeting g;
	u64 unknown;
	int error = exporter_transfer(x->fd, g.magic, sizeof(g.magic), false);
	bool ours = !error && !memcmp(g.magic, DSTOR_MAGIC, sizeof(g.magic));

	/* A server of another protocol may send less than a greeting, and then wait. */
	if (ours)
		error = exporter_transfer(x->fd, (u8 *)&g + sizeof(g.magic),
					  sizeof(g) - sizeof(g.magic), false);
	if (error)
		return exporter_failed(x, error, why);
	if (!ours || !dstor_greeting_is_ours(&g))
		return refuse(why, "%s does not speak the DST protocol (is it the right port?)",
			      x->text);
	if (g.status == DSTOR_GREETING_VERSION)
		return refuse(why, "exporter %s speaks versions %u to %u of the protocol, not %u",
			      x->text, le16_to_cpu(g.version_min), le16_to_cpu(g.version),
			      DSTOR_VERSION);
	if (g.status == DSTOR_GREETING_REFUSED)
		return refuse(why, "exporter %s: authentication failed, no rule has this key",
			      x->text);
	if (g.status == DSTOR_GREETING_KEY_REQUIRED)
		return refuse(why, "exporter %s admits only clients with a key: give it with --key",
			      x->text);
	if (g.status != DSTOR_GREETING_OK)
		return refuse(why, "exporter %s refuses: %s", x->text,
			      dstor_greeting_text(g.status));
	if (dstor_greeting_check(&g, DSTOR_FEATURES_KNOWN, &unknown) || g.mode != mode ||
	    le16_to_cpu(g.version) != DSTOR_VERSION)
		return refuse(why, "exporter %s chose a mode or version not known here",
			      x->text);
	if (mode == DSTOR_MODE_NOISE && !dstor_channel_confirm(&x->channel, &g))
		return refuse(why, "exporter %s: authentication failed, it does not have this key",
			      x->text);
	x->closed_channel = mode == DSTOR_MODE_NOISE;
	return 0;
}

/* In the clear both messages go at once. */
static int exporter_introduce(struct exporter *x, const struct dstor_hello *h, struct reason *why)
{
	struct {
		struct dstor_greeting g;
		struct dstor_hello h;
	} both;
	int error;

	dstor_greeting_init(&both.g, DSTOR_MODE_PLAIN, DSTOR_FEATURES_KNOWN);
	dstor_greeting_set_crc(&both.g);
	both.h = *h;
	error = exporter_transfer(x->fd, &both, sizeof(both), true);
	return error ? exporter_failed(x, error, why) : take_greeting(x, DSTOR_MODE_PLAIN, why);
}

/* An encrypted hello needs the exporter's greeting. */
static int introduce_with_key(struct exporter *x, const struct dstor_hello *h, const u8 *key,
			      struct reason *why)
{
	u8 ephemeral[DSTOR_KEY_LEN];
	struct dstor_greeting g;
	struct {
		struct dstor_hello h;
		u8 tag[DSTOR_TAG_LEN];
	} encrypted = { .h = *h };
	int error;
	bool ok;

	dstor_greeting_init(&g, DSTOR_MODE_NOISE, DSTOR_FEATURES_KNOWN);
	random_bytes(ephemeral, sizeof(ephemeral));
	ok = dstor_channel_ask(&x->channel, &primitives, key, ephemeral, &g);
	explicit_bzero(ephemeral, sizeof(ephemeral));
	if (!ok)
		return refuse(why, "cannot begin the handshake");
	error = exporter_transfer(x->fd, &g, sizeof(g), true);
	if (error)
		return exporter_failed(x, error, why);
	if (take_greeting(x, DSTOR_MODE_NOISE, why))
		return -1;
	dstor_channel_encrypt(&x->channel, &encrypted, sizeof(encrypted.h));
	error = exporter_transfer(x->fd, &encrypted, sizeof(encrypted), true);
	return error ? exporter_failed(x, error, why) : 0;
}

static int take_welcome(struct exporter *x, const struct dstor_hello *h, struct reason *why)
{
	struct dstor_welcome *w = &x->welcome;
	const char *fault;
	int i, error;

	for (i = 0; i < WAITS_MAX; i++) {
		error = exporter_receive(x, w, sizeof(*w));
		if (error)
			return exporter_failed(x, error, why);
		if (!dstor_welcome_check(w, h, &fault))
			return refuse(why, "exporter %s: %s", x->text, fault);
		if (w->status != DSTOR_WELCOME_WAIT)
			break;
	}
	if (w->status != DSTOR_WELCOME_OK)
		return refuse(why, "exporter %s refuses: %s", x->text, dstor_welcome_reason(w));
	return 0;
}

int exporter_dial(const struct uri *u, enum dstor_hello_kind kind, const u8 *key,
		  struct exporter *x, struct reason *why)
{
	u64 start = now_us(), connected;
	struct dstor_hello h;

	memset(x, 0, sizeof(*x));
	x->fd = -1;
	if (exporter_try_addresses(u, x, why))
		return -1;
	connected = now_us();
	x->connect_us = connected - start;
	fill_hello(&h, kind);
	if ((key ? introduce_with_key(x, &h, key, why) : exporter_introduce(x, &h, why)) ||
	    take_welcome(x, &h, why)) {
		exporter_close(x);
		return -1;
	}
	if (x->closed_channel)
		dstor_channel_frames(&x->channel, DSTOR_CIPHER_PING, &x->send, &x->receive);
	x->handshake_us = now_us() - connected;
	return 0;
}

int exporter_list(struct exporter *x, struct dstor_entry **entries, struct reason *why)
{
	u32 i, n = le32_to_cpu(x->welcome.entries);
	int error;

	*entries = calloc(n + 1, sizeof(**entries));
	if (!*entries)
		return refuse(why, "out of memory");
	for (i = 0; i < n; i++) {
		struct dstor_entry *e = &(*entries)[i];

		error = exporter_receive(x, e, sizeof(*e));
		if (!error && dstor_entry_check(e))
			continue;
		free(*entries);
		*entries = NULL;
		if (error)
			return exporter_failed(x, error, why);
		return refuse(why, "exporter %s: entry %u of its list is damaged", x->text, i + 1);
	}
	return n;
}

static int send_frame(struct exporter *x, const struct dstor_frame *f)
{
	u8 out[DSTOR_FRAME_LEN + DSTOR_TAG_LEN];

	memcpy(out, f, sizeof(*f));
	if (!x->closed_channel)
		return exporter_transfer(x->fd, out, sizeof(*f), true);
	dstor_stream_begin(&x->send, &primitives);
	primitives.encrypt(out, out, sizeof(*f), NULL, 0, dstor_stream_next(&x->send, sizeof(*f)),
			   x->send.key);
	return exporter_transfer(x->fd, out, sizeof(out), true);
}

static int receive_frame(struct exporter *x, struct dstor_frame *f)
{
	u8 in[DSTOR_FRAME_LEN + DSTOR_TAG_LEN];
	const int changed = EBADMSG;
	int error = exporter_transfer(x->fd, in, x->closed_channel ? sizeof(in) : sizeof(*f),
				      false);

	if (error)
		return error;
	if (x->closed_channel) {
		dstor_stream_begin(&x->receive, &primitives);
		if (!primitives.decrypt(in, in, sizeof(in), NULL, 0,
					dstor_stream_next(&x->receive, sizeof(*f)), x->receive.key))
			return changed;
	}
	memcpy(f, in, sizeof(*f));
	return 0;
}

int exporter_ping(struct exporter *x, u64 seq, u64 *us, struct reason *why)
{
	struct dstor_frame ping = { .type = DSTOR_FRAME_PING, .seq = cpu_to_le64(seq) }, f;
	/* There is no disk: nothing but pings, pongs and notices is sane. */
	struct dstor_bounds none = { .block = DSTOR_BLOCK_MIN };
	u64 start = now_us();
	int i, error = send_frame(x, &ping);

	for (i = 0; !error && i < FRAMES_MAX; i++) {
		error = receive_frame(x, &f);
		if (error)
			break;
		if (!dstor_response_sane(&f, &none))
			return refuse(why, "exporter %s sent a malformed frame", x->text);
		if (f.type == DSTOR_FRAME_PONG && f.seq == ping.seq) {
			*us = now_us() - start;
			return 0;
		}
		if (f.type == DSTOR_FRAME_PING) {
			f.type = DSTOR_FRAME_PONG;
			error = send_frame(x, &f);
		}
	}
	if (error)
		return exporter_failed(x, error, why);
	return refuse(why, "exporter %s did not answer the ping", x->text);
}

void exporter_close(struct exporter *x)
{
	explicit_bzero(&x->channel, sizeof(x->channel));
	explicit_bzero(&x->send, sizeof(x->send));
	explicit_bzero(&x->receive, sizeof(x->receive));
	if (x->fd >= 0)
		close(x->fd);
	x->fd = -1;
}
