// SPDX-License-Identifier: GPL-2.0
/*
 * The client's words in the handshake, and its judgement of the exporter's: the greeting
 * with a key, hello and welcome. connect.c says when.
 *
 * Context: the work of the queue's link, or an attach. dev->lock is taken to copy what
 * the hello says.
 */
#include <linux/random.h>

#include "client/handshake.h"
#include "conn/transport.h"
#include "core/feature.h"
#include "wire/hello.h"

static void fill_hello(struct dstor_queue *q, const struct dstor_grant *g, struct dstor_hello *h,
		       const u8 takeover[DSTOR_ID_LEN])
{
	struct dstor_device *dev = q->dev;

	memset(h, 0, sizeof(*h));
	h->kind = DSTOR_HELLO_ATTACH;
	h->flags = dev->config.read_only || g->looking ? DSTOR_HELLO_READ_ONLY : 0;
	if (dev->config.keep_bytes && !(h->flags & DSTOR_HELLO_READ_ONLY))
		h->flags |= DSTOR_HELLO_KEEPS;
	h->queue = cpu_to_le16(q->index);
	h->queues = cpu_to_le16(dev->n_queues);
	h->slots = cpu_to_le16(dev->geometry.depth);
	h->max_io = cpu_to_le32(dev->geometry.max_io);
	h->generation = cpu_to_le64(++q->hello.generation);
	memcpy(h->session, dev->recovery.session, DSTOR_ID_LEN);
	memcpy(h->client, dev->config.client_id, DSTOR_ID_LEN);
	memcpy(h->takeover, takeover, DSTOR_ID_LEN);
	if (dev->geometry.identity.size) {
		h->flags |= DSTOR_HELLO_RESUME | (g->drained ? DSTOR_HELLO_RENEWAL : 0);
		memcpy(h->uuid, dev->geometry.identity.uuid, DSTOR_ID_LEN);
		h->writer_token = cpu_to_le64(dev->recovery.writer_token);
		memcpy(h->life, dev->recovery.life, DSTOR_ID_LEN);
		h->cookie = cpu_to_le64(q->hello.cookie);
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
int dstor_handshake_judge(struct dstor_handshake *s, struct dstor_error *err)
{
	struct dstor_queue *q = s->queue;
	u8 mode = q->dev->config.has_key ? DSTOR_MODE_NOISE : DSTOR_MODE_PLAIN;
	const struct dstor_greeting *g = &s->answer;
	int ret;

	if (!dstor_greeting_is_ours(g))
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
	if (!ret && mode == DSTOR_MODE_NOISE && !dstor_channel_confirm(&s->grant->channel, g))
		ret = handshake_unauthenticated(q, "the exporter does not have this key", err);
	if (!ret)
		s->grant->features = dstor_features_agreed(g, dstor_features_client);
	return ret;
}

int dstor_handshake_refusal(struct dstor_welcome *w, struct dstor_error *err)
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

int dstor_handshake_read_welcome(struct dstor_handshake *s)
{
	struct dstor_device *dev = s->queue->dev;
	struct dstor_grant *g = s->grant;
	int ret;

	if (!dev->config.has_key)
		return dstor_socket_read(g->sock, &g->welcome, sizeof(g->welcome), &s->got);
	ret = dstor_socket_read(g->sock, g->encrypted, sizeof(g->encrypted), &s->got);
	if (ret)
		return ret;
	if (!dstor_channel_decrypt(&g->channel, g->encrypted, sizeof(g->welcome))) {
		this_cpu_inc(dev->stats->auth_failures);
		pr_warn_ratelimited("dstor: dst-%s: authentication failed: the exporter's welcome was altered\n",
				    dev->name);
		return -EBADMSG;
	}
	memcpy(&g->welcome, g->encrypted, sizeof(g->welcome));
	return 0;
}

static void make_hello(struct dstor_handshake *s)
{
	struct dstor_queue *q = s->queue;

	mutex_lock(&q->dev->lock);
	fill_hello(q, s->grant, &s->out.hello, s->takeover);
	mutex_unlock(&q->dev->lock);
	s->out.clear = s->out.hello;
	s->grant->token = le64_to_cpu(s->out.hello.writer_token);
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
int dstor_handshake_greet(struct dstor_handshake *s, struct dstor_error *err)
{
	struct dstor_queue *q = s->queue;
	bool has_key = q->dev->config.has_key;
	size_t first = sizeof(s->out.greeting);
	int ret;

	dstor_greeting_init(&s->out.greeting, has_key ? DSTOR_MODE_NOISE : DSTOR_MODE_PLAIN,
			    dstor_features_client);
	dstor_greeting_set_crc(&s->out.greeting);
	if (has_key) {
		ret = greet_with_key(q, s->grant, &s->out.greeting);
		if (ret)
			return dstor_fail(err, ret, "the handshake cannot begin");
	} else {
		make_hello(s);
		first += sizeof(s->out.hello);
	}
	ret = dstor_socket_write(s->grant->sock, &s->out, first);
	return ret ? dstor_fail(err, ret, "the connection was closed in the handshake") : 0;
}

/* The hello names the highest sequence number that was sent, so it is made last. */
int dstor_handshake_send_encrypted(struct dstor_handshake *s, struct dstor_error *err)
{
	int ret;

	make_hello(s);
	dstor_channel_encrypt(&s->grant->channel, &s->out.hello, sizeof(s->out.hello));
	ret = dstor_socket_write(s->grant->sock, &s->out.hello,
				 sizeof(s->out.hello) + DSTOR_TAG_LEN);
	return ret ? dstor_fail(err, ret, "the connection was closed in the handshake") : 0;
}
