// SPDX-License-Identifier: GPL-2.0
/*
 * Answers *_GET: turns what exports and devices say of themselves into
 * netlink messages, for one name or for all. Keys are never among it.
 *
 * No locks: each object is a copy. A dump remembers the last name it showed,
 * so objects may come and go between its messages. Called by commands and,
 * for dumps, by the networking core in the context of whoever reads.
 */
#include <linux/slab.h>

#include "client/client.h"
#include "control/family.h"
#include "control/netlink.h"
#include "exporter/exporter.h"

/* An export with the most rules and a long path fits, and the allocation is an easy one. */
#define DUMP_BYTES SKB_WITH_OVERHEAD(32768)
/* Headers and padding of an object's attributes, with room to spare. */
#define OBJECT_BYTES 4096
#define NEST_BYTES 128
/* Surely fits into a socket's buffer, with the ack. Clients that do not fit are left out. */
#define ANSWER_BYTES 65536

struct dump {
	char last[DSTOR_NAME_LEN];
	unsigned int clients;	/* of the next export, shown already */
};

static int put_text(struct sk_buff *skb, int attr, const char *text)
{
	return text && text[0] ? nla_put_string(skb, attr, text) : 0;
}

static int put_u64(struct sk_buff *skb, int attr, u64 value)
{
	return nla_put_u64_64bit(skb, attr, value, DSTOR_A_PAD);
}

static int put_flag(struct sk_buff *skb, int attr, bool value)
{
	return value ? nla_put_flag(skb, attr) : 0;
}

static int put_stats(struct sk_buff *skb, const struct dstor_stats *s)
{
	const struct {
		int attr;
		u64 value;
	} counters[] = {
		{ DSTOR_STATS_READS, s->reads },
		{ DSTOR_STATS_WRITES, s->writes },
		{ DSTOR_STATS_FLUSHES, s->flushes },
		{ DSTOR_STATS_DISCARDS, s->discards },
		{ DSTOR_STATS_READ_BYTES, s->read_bytes },
		{ DSTOR_STATS_WRITE_BYTES, s->write_bytes },
		{ DSTOR_STATS_ERRORS, s->errors },
		{ DSTOR_STATS_RESENDS, s->resends },
		{ DSTOR_STATS_RECONNECTS, s->reconnects },
		{ DSTOR_STATS_FENCED, s->fenced },
		{ DSTOR_STATS_REPLAYED, s->replayed },
		{ DSTOR_STATS_CHECKSUM_ERRORS, s->checksum_errors },
		{ DSTOR_STATS_AUTH_FAILURES, s->auth_failures },
		{ DSTOR_STATS_MISMATCHES, s->mismatches },
		{ DSTOR_STATS_COPIED_WRITES, s->copied_writes },
		{ DSTOR_STATS_UNKEPT_WRITES, s->unkept_writes },
		{ DSTOR_STATS_OWN_FLUSHES, s->own_flushes },
		{ DSTOR_STATS_REPLAYS, s->replays },
		{ DSTOR_STATS_KEPT_RESENT, s->kept_resent },
	};
	struct nlattr *nest = nla_nest_start(skb, DSTOR_A_STATS);
	unsigned int i;

	if (!nest)
		return -EMSGSIZE;
	for (i = 0; i < ARRAY_SIZE(counters); i++)
		if (nla_put_u64_64bit(skb, counters[i].attr, counters[i].value, DSTOR_STATS_PAD))
			return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int put_address(struct sk_buff *skb, const struct dstor_address *a)
{
	struct nlattr *nest = nla_nest_start(skb, DSTOR_A_LISTEN);

	if (!nest ||
	    nla_put_u32(skb, DSTOR_ADDRESS_FAMILY, a->family) ||
	    nla_put_u32(skb, DSTOR_ADDRESS_TYPE, a->type) ||
	    nla_put_u32(skb, DSTOR_ADDRESS_PROTOCOL, a->protocol) ||
	    nla_put(skb, DSTOR_ADDRESS_SOCKADDR, a->len, &a->addr) ||
	    put_text(skb, DSTOR_ADDRESS_TEXT, a->text))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int put_rule(struct sk_buff *skb, const struct dstor_rule *r)
{
	struct nlattr *nest = nla_nest_start(skb, DSTOR_A_ALLOW);

	if (!nest ||
	    (r->family && nla_put_u32(skb, DSTOR_RULE_FAMILY, r->family)) ||
	    (r->bits && (nla_put_u32(skb, DSTOR_RULE_OFFSET, r->offset) ||
			 nla_put_u32(skb, DSTOR_RULE_BITS, r->bits) ||
			 nla_put(skb, DSTOR_RULE_BYTES, sizeof(r->bytes), r->bytes))) ||
	    put_flag(skb, DSTOR_RULE_READ_ONLY, r->read_only) ||
	    put_text(skb, DSTOR_RULE_TEXT, r->text) ||
	    put_text(skb, DSTOR_RULE_CLIENT, r->client))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/* All or nothing, so that a message may end before any client. */
static int put_client(struct sk_buff *skb, const struct dstor_client_info *c)
{
	struct nlattr *nest = nla_nest_start(skb, DSTOR_A_CLIENT);

	if (!nest)
		return -EMSGSIZE;
	if (put_text(skb, DSTOR_CLIENT_NAME, c->name) ||
	    (c->addr_len && nla_put(skb, DSTOR_CLIENT_SOCKADDR, c->addr_len, &c->addr)) ||
	    nla_put(skb, DSTOR_CLIENT_ID, sizeof(c->id), c->id) ||
	    nla_put(skb, DSTOR_CLIENT_SESSION, sizeof(c->session), c->session) ||
	    nla_put_u8(skb, DSTOR_CLIENT_ACCESS, c->access) ||
	    put_text(skb, DSTOR_CLIENT_KEY, c->key) ||
	    nla_put_u32(skb, DSTOR_CLIENT_CONNECTIONS, c->connections) ||
	    nla_put_u32(skb, DSTOR_CLIENT_IN_FLIGHT, c->in_flight) ||
	    nla_put_u32(skb, DSTOR_CLIENT_SILENT_MS, c->silent_ms) ||
	    put_text(skb, DSTOR_CLIENT_RULE_CLIENT, c->rule_client) ||
	    put_text(skb, DSTOR_CLIENT_CHECKSUM, c->checksum) ||
	    put_text(skb, DSTOR_CLIENT_CIPHER, c->cipher)) {
		nla_nest_cancel(skb, nest);
		return -EMSGSIZE;
	}
	nla_nest_end(skb, nest);
	return 0;
}

static int fill_export_head(struct sk_buff *skb, const struct dstor_export_info *e)
{
	unsigned int i;

	if (nla_put_string(skb, DSTOR_A_NAME, e->name) ||
	    put_text(skb, DSTOR_A_PATH, e->path) ||
	    nla_put(skb, DSTOR_A_UUID, sizeof(e->uuid), e->uuid) ||
	    nla_put(skb, DSTOR_A_INSTANCE, sizeof(e->instance), e->instance) ||
	    nla_put(skb, DSTOR_A_EXPORTER, sizeof(e->exporter), e->exporter) ||
	    nla_put_u32(skb, DSTOR_A_FLAGS, e->flags) ||
	    put_u64(skb, DSTOR_A_SIZE, e->size) ||
	    put_u64(skb, DSTOR_A_MAX_INFLIGHT, e->max_inflight) ||
	    put_u64(skb, DSTOR_A_MAX_BANDWIDTH, e->max_bandwidth) ||
	    nla_put_u32(skb, DSTOR_A_MAX_IOPS, e->max_iops) ||
	    put_u64(skb, DSTOR_A_WRITER_TOKEN, e->writer_token) ||
	    nla_put_u32(skb, DSTOR_A_IN_FLIGHT, e->in_flight) ||
	    (e->readers_wait_ms &&
	     nla_put_u32(skb, DSTOR_A_READERS_WAIT_MS, e->readers_wait_ms)) ||
	    nla_put_u32(skb, DSTOR_A_CRYPTO_THREADS, e->crypto_threads) ||
	    put_text(skb, DSTOR_A_CHECKSUMS, e->checksums) ||
	    put_text(skb, DSTOR_A_CIPHERS, e->ciphers) ||
	    put_stats(skb, &e->stats))
		return -EMSGSIZE;
	for (i = 0; i < e->n_listen; i++)
		if (put_address(skb, &e->listen[i]))
			return -EMSGSIZE;
	for (i = 0; i < e->n_rules; i++)
		if (put_rule(skb, &e->rules[i]))
			return -EMSGSIZE;
	return 0;
}

/*
 * Puts as much of an export as fits, from client *@done on. Returns 0 when all
 * of it is shown, 1 when clients remain, or -EMSGSIZE when nothing was.
 */
static int fill_export(struct sk_buff *skb, void *hdr, const struct dstor_export_info *e,
		       unsigned int *done)
{
	unsigned int first = *done;
	int ret;

	if (first)
		ret = nla_put_string(skb, DSTOR_A_NAME, e->name);
	else
		ret = fill_export_head(skb, e);
	while (!ret && *done < e->n_clients) {
		ret = put_client(skb, &e->clients[*done]);
		if (!ret)
			++*done;
	}
	if (ret && (*done == first)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return !!ret;
}

static int fill_state(struct sk_buff *skb, const struct dstor_device_info *d)
{
	if (put_text(skb, DSTOR_A_CHECKSUM, d->checksum) ||
	    put_text(skb, DSTOR_A_CIPHER, d->cipher) ||
	    nla_put_u8(skb, DSTOR_A_STATE, d->state) ||
	    put_text(skb, DSTOR_A_REASON, d->reason) ||
	    nla_put_u32(skb, DSTOR_A_IN_FLIGHT, d->in_flight) ||
	    nla_put_u32(skb, DSTOR_A_RETRY, d->retry) ||
	    nla_put_u32(skb, DSTOR_A_OLDEST_IO_MS, d->oldest_io_ms) ||
	    nla_put_u32(skb, DSTOR_A_NEXT_MS, d->next_ms) ||
	    nla_put_u32(skb, DSTOR_A_LIVE, d->live) ||
	    put_stats(skb, &d->stats) ||
	    nla_put(skb, DSTOR_A_READ_LATENCY, sizeof(d->stats.latency[0]),
		    d->stats.latency[DSTOR_LATENCY_READ]) ||
	    nla_put(skb, DSTOR_A_WRITE_LATENCY, sizeof(d->stats.latency[0]),
		    d->stats.latency[DSTOR_LATENCY_WRITE]))
		return -EMSGSIZE;
	return 0;
}

static int fill_kept(struct sk_buff *skb, const struct dstor_device_info *d)
{
	if (put_u64(skb, DSTOR_A_KEEP, d->keep_bytes) ||
	    (d->kept.limit && put_u64(skb, DSTOR_A_KEPT, d->kept.used)) ||
	    (d->kept.replaying && (put_u64(skb, DSTOR_A_REPLAYED, d->kept.replayed) ||
			      put_u64(skb, DSTOR_A_REPLAY, d->kept.total))))
		return -EMSGSIZE;
	return 0;
}

static int fill_device(struct sk_buff *skb, void *hdr, const struct dstor_device_info *d)
{
	if (nla_put_string(skb, DSTOR_A_NAME, d->name) ||
	    nla_put_string(skb, DSTOR_A_EXPORT, d->export) ||
	    put_text(skb, DSTOR_A_URI, d->uri) ||
	    nla_put(skb, DSTOR_A_UUID, sizeof(d->uuid), d->uuid) ||
	    nla_put(skb, DSTOR_A_EXPORTER, sizeof(d->exporter), d->exporter) ||
	    put_u64(skb, DSTOR_A_SIZE, d->size) ||
	    nla_put_u32(skb, DSTOR_A_TIMEOUT_MS, d->timeout_ms) ||
	    nla_put_u32(skb, DSTOR_A_RETRIES, d->retries) ||
	    nla_put_u32(skb, DSTOR_A_PING_MS, d->ping_ms) ||
	    nla_put_u32(skb, DSTOR_A_CONNECTIONS, d->connections) ||
	    nla_put_u32(skb, DSTOR_A_QUEUE_DEPTH, d->queue_depth) ||
	    nla_put_u32(skb, DSTOR_A_MAX_IO, d->max_io) ||
	    put_flag(skb, DSTOR_A_READ_ONLY, d->read_only) ||
	    nla_put_u32(skb, DSTOR_A_CRYPTO_THREADS, d->crypto_threads) ||
	    nla_put_u32(skb, DSTOR_A_MAJOR, d->major) ||
	    nla_put_u32(skb, DSTOR_A_MINOR, d->minor) ||
	    fill_kept(skb, d) || fill_state(skb, d)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

static size_t export_bytes(const struct dstor_export_info *e)
{
	return OBJECT_BYTES + (e->path ? strlen(e->path) : 0) +
	       e->n_listen * (sizeof(*e->listen) + NEST_BYTES) +
	       e->n_rules * (sizeof(*e->rules) + NEST_BYTES) +
	       e->n_clients * (sizeof(*e->clients) + NEST_BYTES);
}

/* All of it but, if there are very many, the last clients. */
static struct sk_buff *export_answer(const struct dstor_export_info *e, struct genl_info *info)
{
	struct sk_buff *skb;
	unsigned int done = 0;
	void *hdr;

	skb = genlmsg_new(min_t(size_t, export_bytes(e), ANSWER_BYTES), GFP_KERNEL);
	if (!skb)
		return NULL;
	hdr = genlmsg_put_reply(skb, info, &dstor_genl_family, 0, DSTOR_CMD_EXPORT_GET);
	if (hdr && fill_export(skb, hdr, e, &done) >= 0)
		return skb;
	nlmsg_free(skb);
	return NULL;
}

int dstor_show_export(const char *name, struct genl_info *info, struct dstor_error *err)
{
	struct dstor_export_info *e = kzalloc(sizeof(*e), GFP_KERNEL);
	struct sk_buff *skb;
	int ret;

	if (!e)
		return -ENOMEM;
	ret = dstor_export_info(name, false, e);
	if (ret == -ENOENT)
		dstor_fail(err, ret, "there is no export \"%s\"", name);
	if (ret)
		goto out;
	skb = export_answer(e, info);
	ret = skb ? genlmsg_reply(skb, info) : -ENOMEM;
	dstor_export_info_free(e);
out:
	kfree(e);
	return ret;
}

int dstor_show_device(const char *name, struct genl_info *info, struct dstor_error *err)
{
	struct dstor_device_info *d = kzalloc(sizeof(*d), GFP_KERNEL);
	struct sk_buff *skb;
	int ret;
	void *hdr;

	if (!d)
		return -ENOMEM;
	ret = dstor_device_info(name, false, d);
	if (ret == -ENOENT)
		dstor_fail(err, ret, "there is no device \"%s\"", name);
	if (ret)
		goto out;
	ret = -ENOMEM;
	skb = genlmsg_new(OBJECT_BYTES + (d->uri ? strlen(d->uri) : 0), GFP_KERNEL);
	hdr = skb ? genlmsg_put_reply(skb, info, &dstor_genl_family, 0, DSTOR_CMD_DEVICE_GET) :
		    NULL;
	if (hdr)
		ret = fill_device(skb, hdr, d);
	if (!ret)
		ret = genlmsg_reply(skb, info);
	else
		nlmsg_free(skb);
	dstor_device_info_free(d);
out:
	kfree(d);
	return ret;
}

/* A dump goes on in later system calls, so its state is allocated: a name is too long for ctx. */
static struct dump **dump_of(struct netlink_callback *cb)
{
	return (struct dump **)cb->ctx;
}

int dstor_dump_start(struct netlink_callback *cb)
{
	struct dump *d;

	if (!netlink_capable(cb->skb, CAP_SYS_ADMIN))
		return -EPERM;
	d = kzalloc(sizeof(*d), GFP_KERNEL);
	if (!d)
		return -ENOMEM;
	*dump_of(cb) = d;
	cb->min_dump_alloc = DUMP_BYTES;
	return 0;
}

int dstor_dump_done(struct netlink_callback *cb)
{
	kfree(*dump_of(cb));
	return 0;
}

static void *dump_header(struct sk_buff *skb, struct netlink_callback *cb, u8 cmd)
{
	return genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			   &dstor_genl_family, NLM_F_MULTI, cmd);
}

/* The return value for netlink's core: there is more, nothing is left, or an error. */
static int dump_result(const struct sk_buff *skb, int ret)
{
	return skb->len || ret == -ENOENT ? skb->len : ret;
}

int dstor_dump_exports(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct dstor_export_info *e = kzalloc(sizeof(*e), GFP_KERNEL);
	struct dump *d = *dump_of(cb);
	int ret = e ? 0 : -ENOMEM;
	void *hdr;

	while (!ret) {
		ret = dstor_export_info(d->last, true, e);
		if (ret)
			break;
		hdr = dump_header(skb, cb, DSTOR_CMD_EXPORT_GET);
		ret = hdr ? fill_export(skb, hdr, e, &d->clients) : -EMSGSIZE;
		if (!ret) {
			strscpy(d->last, e->name, sizeof(d->last));
			d->clients = 0;
		}
		dstor_export_info_free(e);
	}
	kfree(e);
	return dump_result(skb, ret);
}

int dstor_dump_devices(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct dstor_device_info *i = kzalloc(sizeof(*i), GFP_KERNEL);
	struct dump *d = *dump_of(cb);
	int ret = i ? 0 : -ENOMEM;
	void *hdr;

	while (!ret) {
		ret = dstor_device_info(d->last, true, i);
		if (ret)
			break;
		hdr = dump_header(skb, cb, DSTOR_CMD_DEVICE_GET);
		ret = hdr ? fill_device(skb, hdr, i) : -EMSGSIZE;
		if (!ret)
			strscpy(d->last, i->name, sizeof(d->last));
		dstor_device_info_free(i);
	}
	kfree(i);
	return dump_result(skb, ret);
}
