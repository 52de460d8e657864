// SPDX-License-Identifier: GPL-2.0
/*
 * One attempt of a queue to get a connection: an address, a socket, the greeting
 * with a key, hello and welcome.
 *
 * Context: the work of the queue's link, or attach. It holds no lock while it
 * waits for the network; dev->lock is taken to copy an address.
 */
#include <linux/random.h>

#include "client/device.h"
#include "core/feature.h"
#include "conn/transport.h"
#include "wire/hello.h"

#define READ_SLICE_MS 200		/* how soon a detach is noticed */
#define CONNECT_MAX_MS 2000
#define ANSWER_MIN_MS 5000		/* patience with an exporter in the handshake */

static void fill_hello(struct dstor_queue *q, struct dstor_hello *h, const u8 *takeover,
		       bool looking)
{
	struct dstor_device *dev = q->dev;

	memset(h, 0, sizeof(*h));
	h->kind = DSTOR_HELLO_ATTACH;
	h->flags = dev->config.read_only || looking ? DSTOR_HELLO_READ_ONLY : 0;
	h->queue = cpu_to_le16(q->index);
	h->queues = cpu_to_le16(dev->n_queues);
	h->slots = cpu_to_le16(dev->geometry.depth);
	h->max_io = cpu_to_le32(dev->geometry.max_io);
	h->generation = cpu_to_le64(++q->generation);
	memcpy(h->session, dev->recovery.session, DSTOR_ID_LEN);
	memcpy(h->client, dev->config.client_id, DSTOR_ID_LEN);
	if (takeover)
		memcpy(h->takeover, takeover, DSTOR_ID_LEN);
	if (dev->geometry.identity.size) {
		h->flags |= DSTOR_HELLO_RESUME;
		memcpy(h->uuid, dev->geometry.identity.uuid, DSTOR_ID_LEN);
		h->writer_token = cpu_to_le64(dev->recovery.writer_token);
		memcpy(h->life, dev->recovery.life, DSTOR_ID_LEN);
		h->cookie = cpu_to_le64(q->cookie);
		h->last_seq = cpu_to_le64(atomic64_read(&q->seq));
	}
	h->ping_ms = cpu_to_le32(dev->config.ping_ms);
	h->timeout_ms = cpu_to_le32(dev->config.policy.timeout_ms);
	h->retries = cpu_to_le32(dev->config.policy.retries);
	strscpy(h->export, dev->config.export, sizeof(h->export));
	strscpy(h->client_name, dev->config.client_name, sizeof(h->client_name));
	strscpy(h->checksums, dev->config.checksums, sizeof(h->checksums));
	strscpy(h->ciphers, dev->config.ciphers, sizeof(h->ciphers));
	dstor_hello_set_crc(h);
}

/* Reads all of @len bytes; gives up when the exporter is silent for too long. */
static int read_all(struct dstor_queue *q, struct socket *sock, void *data, size_t len)
{
	u32 patience = max_t(u32, q->dev->config.policy.timeout_ms, ANSWER_MIN_MS);
	unsigned long until = jiffies + msecs_to_jiffies(patience);
	size_t got = 0;
	int ret;

	do {
		ret = dstor_socket_read(sock, data, len, &got, READ_SLICE_MS);
		/*
		 * -ECANCELED, because netlink sends no answer to a command that
		 * returns -EINTR.
		 */
		if (READ_ONCE(q->dev->stopping) || READ_ONCE(q->dev->dead) ||
		    signal_pending(current))
			return -ECANCELED;
	} while (ret == -EAGAIN && time_before(jiffies, until));
	return ret == -EAGAIN ? -ETIMEDOUT : ret;
}

/* @g has the status OK. */
static int handshake_check_greeting(const struct dstor_greeting *g, u8 mode,
				    struct dstor_error *err)
{
	enum dstor_greeting_status status;
	u64 unknown;

	status = dstor_greeting_check(g, dstor_features_client, &unknown);
	if (status == DSTOR_GREETING_FEATURE && unknown)
		return dstor_fail(err, -EPROTO, "the exporter requires unknown features %#llx",
				  unknown);
	if (status != DSTOR_GREETING_OK || g->mode != mode)
		return dstor_fail(err, -EPROTO, "the exporter speaks another version");
	return 0;
}

static int handshake_unauthenticated(struct dstor_queue *q, const char *why,
				     struct dstor_error *err)
{
	this_cpu_inc(q->dev->stats->auth_failures);
	pr_warn_ratelimited("dstor: dst-%s: authentication failed: %s\n", q->dev->name, why);
	return dstor_fail(err, -EKEYREJECTED, "authentication failed: %s", why);
}

/* A device with a key accepts only a peer that proves to have the same key. */
static int handshake_read_greeting(struct dstor_queue *q, struct dstor_grant *grant,
				   struct dstor_error *err)
{
	u8 mode = q->dev->config.has_key ? DSTOR_MODE_NOISE : DSTOR_MODE_PLAIN;
	struct dstor_greeting *g;
	int ret = -ENOMEM;

	g = kmalloc(sizeof(*g), GFP_NOIO);
	if (!g)
		return dstor_fail(err, ret, "out of memory");
	ret = read_all(q, grant->sock, g, sizeof(*g));
	if (ret == -ETIMEDOUT)
		dstor_fail(err, ret, "the exporter does not answer");
	else if (ret)
		dstor_fail(err, ret, "the connection was closed in the handshake");
	else if (!dstor_greeting_is_ours(g))
		ret = dstor_fail(err, -EPROTO, "what answers there is not a DST exporter");
	else if (g->status == DSTOR_GREETING_REFUSED)
		ret = handshake_unauthenticated(q, "it has no rule with this key", err);
	else if (g->status == DSTOR_GREETING_KEY_REQUIRED)
		ret = dstor_fail(err, -ENOKEY,
				 "it admits only clients with a key: give it with --key");
	else if (g->status != DSTOR_GREETING_OK)
		ret = dstor_fail(err, -ECONNREFUSED, "%s", dstor_greeting_text(g->status));
	else
		ret = handshake_check_greeting(g, mode, err);
	if (!ret && mode == DSTOR_MODE_NOISE && !dstor_channel_confirm(&grant->channel, g))
		ret = handshake_unauthenticated(q, "the exporter does not have this key", err);
	if (!ret)
		grant->features = dstor_features_agreed(g, dstor_features_client);
	kfree(g);
	return ret;
}

static int handshake_refusal(struct dstor_welcome *w, struct dstor_error *err)
{
	static const int codes[] = {
		[DSTOR_WELCOME_MALFORMED] = -EINVAL,
		[DSTOR_WELCOME_NO_EXPORT] = -ENOENT,
		[DSTOR_WELCOME_DENIED] = -EACCES,
		[DSTOR_WELCOME_IN_USE] = -EBUSY,
		[DSTOR_WELCOME_STALE] = -ESTALE,
		[DSTOR_WELCOME_EXPIRED] = -EOWNERDEAD,
		[DSTOR_WELCOME_EVICTED] = -EOWNERDEAD,
		[DSTOR_WELCOME_ALGORITHM] = -ENOPROTOOPT,
		[DSTOR_WELCOME_STOPPING] = -EAGAIN,
		[DSTOR_WELCOME_BUSY] = -EAGAIN,
	};

	return dstor_fail(err, codes[w->status], "%s", dstor_welcome_reason(w));
}

static int read_welcome(struct dstor_queue *q, struct dstor_grant *g)
{
	int ret;

	if (!q->dev->config.has_key)
		return read_all(q, g->sock, &g->welcome, sizeof(g->welcome));
	ret = read_all(q, g->sock, g->encrypted, sizeof(g->encrypted));
	if (ret)
		return ret;
	if (!dstor_channel_decrypt(&g->channel, g->encrypted, sizeof(g->welcome))) {
		this_cpu_inc(q->dev->stats->auth_failures);
		pr_warn_ratelimited("dstor: dst-%s: authentication failed: the exporter's welcome was altered\n",
				    q->dev->name);
		return -EBADMSG;
	}
	memcpy(&g->welcome, g->encrypted, sizeof(g->welcome));
	return 0;
}

static int handshake_await_welcome(struct dstor_queue *q, struct dstor_grant *g,
				   const struct dstor_hello *h, struct dstor_error *err)
{
	const char *why;
	int ret;

	do {
		ret = read_welcome(q, g);
		if (ret)
			return dstor_fail(err, ret, "the connection ended in the handshake");
		if (!dstor_welcome_check(&g->welcome, h, &why))
			return dstor_fail(err, -EPROTO, "%s", why);
		q->draining = g->welcome.status == DSTOR_WELCOME_WAIT;
	} while (q->draining);
	return g->welcome.status == DSTOR_WELCOME_OK ? 0 : handshake_refusal(&g->welcome, err);
}

struct outgoing {
	struct dstor_greeting greeting;
	struct dstor_hello hello;
	u8 tag[DSTOR_TAG_LEN];
	struct dstor_hello clear;	/* what the hello said before it was encrypted */
};

static void make_hello(struct dstor_queue *q, struct dstor_grant *g, struct outgoing *out,
		       const u8 *takeover)
{
	fill_hello(q, &out->hello, takeover, g->looking);
	out->clear = out->hello;
	g->token = le64_to_cpu(out->hello.writer_token);
}

static int greet_with_key(struct dstor_queue *q, struct dstor_grant *g,
			  struct dstor_greeting *greeting)
{
	struct dstor_device *dev = q->dev;
	u8 ephemeral[DSTOR_KEY_LEN], key[DSTOR_KEY_LEN];
	int ret = get_random_bytes_wait(ephemeral, sizeof(ephemeral));

	mutex_lock(&dev->lock);
	memcpy(key, dev->config.key, sizeof(key));
	g->key_number = dev->renewal.key_number;
	mutex_unlock(&dev->lock);
	if (!ret && !dstor_channel_ask(&g->channel, &dstor_primitives, key, ephemeral, greeting))
		ret = -EIO;
	memzero_explicit(ephemeral, sizeof(ephemeral));
	memzero_explicit(key, sizeof(key));
	return ret;
}

/* In the clear both messages go at once; an encrypted hello needs the exporter's greeting. */
static int handshake_send_hello(struct dstor_queue *q, struct dstor_grant *g, struct outgoing *out,
				const u8 *takeover, struct dstor_error *err)
{
	struct dstor_device *dev = q->dev;
	size_t first = sizeof(out->greeting);
	int ret;

	dstor_greeting_init(&out->greeting, dev->config.has_key ? DSTOR_MODE_NOISE :
			    DSTOR_MODE_PLAIN, dstor_features_client);
	dstor_greeting_set_crc(&out->greeting);
	if (dev->config.has_key) {
		ret = greet_with_key(q, g, &out->greeting);
		if (ret)
			return dstor_fail(err, ret, "the handshake cannot begin");
	} else {
		make_hello(q, g, out, takeover);
		first += sizeof(out->hello);
	}
	ret = dstor_socket_write(g->sock, out, first);
	if (ret)
		return dstor_fail(err, ret, "the connection was closed in the handshake");
	ret = handshake_read_greeting(q, g, err);
	if (ret || !dev->config.has_key)
		return ret;
	if (g->planned)
		ret = dstor_renewal_drain(q, err);
	if (ret)
		return ret;
	/* The hello names the highest sequence number that was sent, so it is made last. */
	make_hello(q, g, out, takeover);
	dstor_channel_encrypt(&g->channel, &out->hello, sizeof(out->hello));
	ret = dstor_socket_write(g->sock, &out->hello, sizeof(out->hello) + DSTOR_TAG_LEN);
	return ret ? dstor_fail(err, ret, "the connection was closed in the handshake") : 0;
}

static int shake_hands(struct dstor_queue *q, struct dstor_grant *g, const u8 *takeover,
		       struct dstor_error *err)
{
	struct outgoing *out = kzalloc(sizeof(*out), GFP_NOIO);
	int ret;

	if (!out)
		return dstor_fail(err, -ENOMEM, "out of memory");
	ret = handshake_send_hello(q, g, out, takeover, err) ?:
	      handshake_await_welcome(q, g, &out->clear, err);
	q->draining = false;
	kfree(out);
	return ret;
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

static int connect_to(struct dstor_queue *q, const struct dstor_address *a, struct dstor_grant *g,
		      const u8 *takeover, struct dstor_error *err)
{
	struct dstor_device *dev = q->dev;
	u32 wait = clamp_t(u32, dev->config.policy.timeout_ms, READ_SLICE_MS, CONNECT_MAX_MS);
	struct dstor_error inner;
	int ret = dstor_socket_connect(dev->net, a, wait, &g->sock);
	const char *text = connect_text(ret);

	if (ret && text)
		return dstor_fail(err, ret, "exporter %s: %s", a->text, text);
	if (ret)
		return dstor_fail(err, ret, "exporter %s: cannot connect, error %d", a->text, -ret);
	ret = shake_hands(q, g, takeover, &inner);
	if (ret) {
		dstor_socket_abort(g->sock);
		g->sock = NULL;
		return dstor_fail(err, ret, "exporter %s: %s", a->text, inner.text);
	}
	return 0;
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
	return ret;
}

int dstor_link_connect(struct dstor_queue *q, struct dstor_grant *g, const u8 *takeover,
		       struct dstor_error *err)
{
	struct dstor_address *a = kmalloc(sizeof(*a), GFP_NOIO);
	unsigned int i, tried;
	int n, ret = -ENOMEM;

	if (!a)
		return dstor_fail(err, ret, "out of memory");
	mutex_lock(&q->dev->lock);
	g->epoch = q->dev->recovery.epoch;
	g->moves = q->dev->config.moves;
	mutex_unlock(&q->dev->lock);
	ret = dstor_fail(err, -EDESTADDRREQ, "no address");
	i = q->address;
	for (tried = 0; tried < DSTOR_ADDRESSES_MAX; tried++) {
		n = copy_address(q->dev, i, a);
		if (n < 0) {
			i = 0;
			n = copy_address(q->dev, i, a);
			if (n < 0)
				break;
		}
		memset(&g->welcome, 0, sizeof(g->welcome));
		ret = connect_to(q, a, g, takeover, err);
		/* An answer is an answer, good or bad. */
		if (!ret || g->welcome.status || ret == -ECANCELED) {
			q->address = i;
			break;
		}
		if (tried + 1 >= n || g->planned || READ_ONCE(q->dev->stopping) ||
		    READ_ONCE(q->dev->dead))
			break;
		i = (i + 1) % n;
	}
	kfree(a);
	return ret;
}
