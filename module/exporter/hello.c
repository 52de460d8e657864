// SPDX-License-Identifier: GPL-2.0
/*
 * A peer's handshake: what is said before the first frame, in the clear or
 * through its channel. Runs in the peer's work, under conn.tx.lock.
 */
#include "core/feature.h"
#include "core/point.h"
#include "exporter/admission.h"
#include "exporter/export.h"
#include "exporter/hello.h"
#include "exporter/keys.h"
#include "exporter/limiter.h"
#include "exporter/peer.h"
#include "exporter/rules.h"
#include "exporter/session.h"
#include "wire/hello.h"

#define WAIT_MS 1000		/* between two WAIT */

/* A message of the handshake; encrypted where there is a channel. */
static void *new_message(struct dstor_peer *p, size_t len)
{
	return dstor_peer_new_message(p, len + (p->channel ? DSTOR_TAG_LEN : 0), true);
}

static void send_message(struct dstor_peer *p, void *data, size_t len)
{
	if (p->channel)
		dstor_channel_encrypt(p->channel, data, len);
	dstor_peer_send_message(p, data);
}

static void send_welcome(struct dstor_peer *p, const struct dstor_welcome *w)
{
	struct dstor_welcome *copy = new_message(p, sizeof(*copy));

	if (!copy)
		return;
	*copy = *w;
	/* A refusal counts only when it comes from the client's own exporter. */
	if (p->export)
		memcpy(copy->exporter, p->export->config.exporter, DSTOR_ID_LEN);
	dstor_welcome_set_crc(copy);
	send_message(p, copy, sizeof(*copy));
	if (w->status != DSTOR_WELCOME_OK && w->status != DSTOR_WELCOME_WAIT)
		dstor_peer_set_state(p, DSTOR_PEER_ENDING);
}

enum dstor_rx_verdict dstor_peer_greeting(struct dstor_peer *p)
{
	const struct dstor_greeting *g = dstor_conn_message(&p->conn);
	struct dstor_greeting *answer;
	u64 unknown;

	if (!dstor_greeting_is_ours(g))
		return DSTOR_RX_CLOSE;
	answer = dstor_peer_new_message(p, sizeof(*answer), true);
	if (!answer)
		return DSTOR_RX_CLOSE;
	dstor_greeting_init(answer, DSTOR_MODE_PLAIN, dstor_features_exporter);
	answer->status = dstor_greeting_check(g, dstor_features_exporter, &unknown);
	p->features = dstor_features_agreed(g, dstor_features_exporter);
	if (answer->status == DSTOR_GREETING_OK)
		p->channel = dstor_handshake(p, g, answer);
	else if (answer->status == DSTOR_GREETING_FEATURE)
		answer->features_required = cpu_to_le64(unknown);
	dstor_greeting_set_crc(answer);
	if (answer->status == DSTOR_GREETING_OK) {
		dstor_peer_set_state(p, DSTOR_PEER_HELLO);
		dstor_conn_expect(&p->conn, sizeof(struct dstor_hello) +
				  (p->channel ? DSTOR_TAG_LEN : 0));
	} else {
		dstor_peer_set_state(p, DSTOR_PEER_ENDING);
	}
	dstor_peer_send_message(p, answer);
	return DSTOR_RX_NEXT;
}

/* What a peer may know of the exports of its listener. */
struct knowledge {
	const struct dstor_peer *peer;
	bool admitted;			/* to one of them at least */
	u8 exporter[DSTOR_ID_LEN];
};

static void know_export(struct dstor_export *e, void *arg)
{
	struct knowledge *k = arg;

	mutex_lock(&e->lock);
	k->admitted |= dstor_access_of(e, &k->peer->peer_id) != DSTOR_ACCESS_NONE;
	mutex_unlock(&e->lock);
	memcpy(k->exporter, e->config.exporter, DSTOR_ID_LEN);
}

static bool is_admitted(const struct dstor_peer *p)
{
	struct knowledge k = { .peer = p };

	dstor_export_each(p->listener, know_export, &k);
	return k.admitted;
}

/* A long address may cut it off at the end. */
__printf(2, 3) static void hello_say(struct dstor_welcome *w, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(w->reason, sizeof(w->reason), fmt, args);
	va_end(args);
}

/*
 * A peer that no rule of the export admits is told the same as if there were no such
 * export: names are for those who may use them.
 */
static void send_denied(struct dstor_peer *p)
{
	struct dstor_welcome w = { .status = DSTOR_WELCOME_DENIED };
	const char *with = p->peer_id.has_key ? "with this key" : "without a key";
	struct knowledge k = { .peer = p };

	if (p->export)
		dstor_export_put(p->export);
	p->export = NULL;
	dstor_export_each(p->listener, know_export, &k);
	memcpy(w.exporter, k.exporter, DSTOR_ID_LEN);
	if (k.admitted) {
		w.status = DSTOR_WELCOME_NO_EXPORT;
		hello_say(&w, "there is no export \"%s\" for %s %s", p->hello.export, p->address,
			  with);
	} else {
		hello_say(&w, "export \"%s\" does not admit %s %s (no --allow rule matches)",
			  p->hello.export, p->address, with);
	}
	send_welcome(p, &w);
}

struct list_arg {
	struct dstor_peer *peer;
	struct dstor_entry *entries;
	unsigned int n;
	unsigned int most;
};

static void count_entry(struct dstor_export *e, void *arg)
{
	struct list_arg *a = arg;

	a->most += a->most < DSTOR_ENTRIES_MAX;
}

static void add_entry(struct dstor_export *e, void *arg)
{
	struct list_arg *a = arg;
	struct dstor_entry *entry = &a->entries[a->n];
	u8 access;

	if (a->n == a->most)
		return;
	mutex_lock(&e->lock);
	access = e->stopping ? DSTOR_ACCESS_NONE :
		 dstor_access_of(e, &a->peer->peer_id);
	mutex_unlock(&e->lock);
	/* A peer that is not admitted does not learn the name either. */
	if (access == DSTOR_ACCESS_NONE)
		return;
	strscpy(entry->name, e->name, sizeof(entry->name));
	memcpy(entry->uuid, e->config.uuid, DSTOR_ID_LEN);
	entry->size = cpu_to_le64(e->disk.geometry.size);
	entry->disk_flags = cpu_to_le32(e->disk.geometry.disk_flags);
	entry->access = access;
	dstor_entry_set_crc(entry);
	a->n++;
}

static void hello_list(struct dstor_peer *p)
{
	struct dstor_welcome w = { .status = DSTOR_WELCOME_OK };
	struct list_arg a = { .peer = p };
	unsigned int i;

	dstor_export_each(p->listener, count_entry, &a);
	a.entries = kvcalloc(max(a.most, 1U), sizeof(*a.entries), GFP_KERNEL);
	if (!a.entries) {
		dstor_conn_lose(&p->conn);
		return;
	}
	dstor_export_each(p->listener, add_entry, &a);
	w.entries = cpu_to_le32(a.n);
	send_welcome(p, &w);
	for (i = 0; i < a.n; i++) {
		void *entry = new_message(p, sizeof(*a.entries));

		if (!entry)
			break;
		memcpy(entry, a.entries + i, sizeof(*a.entries));
		send_message(p, entry, sizeof(*a.entries));
	}
	kvfree(a.entries);
	dstor_peer_set_state(p, DSTOR_PEER_ENDING);
}

/* Sets the protection of the frames that follow. */
static int hello_protect(struct dstor_peer *p, const struct dstor_welcome *w, u32 max_io,
			 struct dstor_threads *threads)
{
	struct dstor_protection protection = { };
	int ret = dstor_protection_make(&protection, &p->conn, w, p->channel, max_io, threads) ?:
		  dstor_protection_set_keys(&protection, p->channel);

	if (ret)
		dstor_protection_free(&protection);
	else
		dstor_protection_install(&protection, &p->conn);
	kfree_sensitive(p->channel);
	p->channel = NULL;
	return ret;
}

void dstor_peer_try_grant(struct dstor_peer *p)
{
	struct dstor_welcome w;
	bool settled = dstor_session_grant(p, &w);

	if (!settled) {
		if (!p->notified ||
		    (dstor_tx_idle(&p->conn) &&
		     time_after_eq(jiffies, p->notified + msecs_to_jiffies(WAIT_MS)))) {
			p->notified = jiffies ? jiffies : 1;
			send_welcome(p, &w);
		}
		return;
	}
	send_welcome(p, &w);
	if (w.status != DSTOR_WELCOME_OK)
		return;
	p->since = jiffies;
	p->notified = jiffies;
	p->progress.since = jiffies;
	/* While it waited for us its silence meant nothing. */
	dstor_conn_forgive(&p->conn);
	p->memory.scratch = kcalloc(DSTOR_IO_MAX / PAGE_SIZE, sizeof(*p->memory.scratch),
				    GFP_KERNEL);
	if (!p->memory.scratch || hello_protect(p, &w, le32_to_cpu(w.max_io), &p->export->threads))
		dstor_conn_lose(&p->conn);
	else
		dstor_conn_begin_frames(&p->conn);
}

void dstor_peer_attach(struct dstor_peer *p)
{
	const struct dstor_hello *h = &p->hello;
	struct dstor_welcome w = { 0 };

	p->generation = le64_to_cpu(h->generation);
	p->ping_ms = le32_to_cpu(h->ping_ms);
	p->timeout_ms = le32_to_cpu(h->timeout_ms);
	p->export = dstor_export_find(p->listener, h->export);
	if (!p->export || !dstor_session_join(p, &w)) {
		if (!p->export || w.status == DSTOR_WELCOME_DENIED)
			send_denied(p);
		else
			send_welcome(p, &w);
		return;
	}
	dstor_peer_set_state(p, DSTOR_PEER_DRAINING);
	dstor_point(PEER_JOINED);
	dstor_peer_try_grant(p);
}

enum dstor_rx_verdict dstor_peer_hello(struct dstor_peer *p)
{
	struct dstor_welcome w = { 0 };
	void *message = dstor_conn_message(&p->conn);
	const char *why;

	if (p->channel) {
		if (!dstor_channel_decrypt(p->channel, message, sizeof(p->hello))) {
			dstor_handshake_failed(p, "its hello was altered");
			return DSTOR_RX_CLOSE;
		}
		dstor_limiter_give(p->place.host);
	}
	memcpy(&p->hello, message, sizeof(p->hello));
	w.status = dstor_hello_check(&p->hello, &why);
	if (w.status != DSTOR_WELCOME_OK) {
		strscpy(w.reason, why, sizeof(w.reason));
		send_welcome(p, &w);
	} else if (p->hello.kind != DSTOR_HELLO_ATTACH && !is_admitted(p)) {
		w.status = DSTOR_WELCOME_DENIED;
		hello_say(&w, "no export admits %s (no --allow rule matches)", p->address);
		send_welcome(p, &w);
	} else if (p->hello.kind == DSTOR_HELLO_LIST) {
		hello_list(p);
	} else if (p->hello.kind == DSTOR_HELLO_PING) {
		send_welcome(p, &w);
		strscpy(w.cipher, DSTOR_CIPHER_PING, sizeof(w.cipher));
		dstor_peer_set_state(p, DSTOR_PEER_PING);
		if (hello_protect(p, &w, 0, NULL))
			return DSTOR_RX_CLOSE;
		dstor_conn_begin_frames(&p->conn);
	} else {
		/* The work goes on with the hello, because here the socket's lock is held. */
		dstor_peer_set_state(p, DSTOR_PEER_DRAINING);
		dstor_conn_pause(&p->conn, DSTOR_PAUSE_HELLO);
		return DSTOR_RX_PAUSE;
	}
	return DSTOR_RX_NEXT;
}

