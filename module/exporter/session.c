// SPDX-License-Identifier: GPL-2.0
/*
 * Sessions on the exporter: their lifetime, what is known of them, and the end.
 * All of it under export->lock.
 *
 * A session is in the list of its export until it is forgotten; each peer that
 * has joined it holds a reference, and leaves when it is closed and none of its
 * commands runs any more.
 */
#include <linux/random.h>

#include "core/work.h"
#include "exporter/account.h"
#include "exporter/export.h"
#include "exporter/export_event.h"
#include "exporter/gate.h"
#include "exporter/lease_file.h"
#include "exporter/peer.h"
#include "exporter/session.h"
#include "wire/id.h"
#include "wire/resume.h"

#define SESSIONS_MAX 1024	/* of an export */
#define SESSIONS_OF_CLIENT_MAX 64
#define PEERS_MAX 8192		/* of an export; each has a thread */
#define PEERS_OF_CLIENT_MAX 1024
#define SLOT_BYTES_MAX (128 << 20)	/* of an export */
#define SLOT_BYTES_OF_CLIENT_MAX (8 << 20)	/* five sessions of the largest kind */
#define IDLE_DORMANT_MS (60 * 60 * 1000)	/* of "forever" retries, not the writer's */

static u64 slot_bytes_of_queue(const struct dstor_session *s)
{
	return s->slots * sizeof(struct dstor_slot);
}

static void free_session(struct kref *kref)
{
	struct dstor_session *s = container_of(kref, struct dstor_session, kref);
	u64 bytes = 0;
	unsigned int i;

	for (i = 0; i < s->n_queues; i++) {
		if (s->queues[i].slots)
			bytes += slot_bytes_of_queue(s);
		kvfree(s->queues[i].slots);
	}
	if (s->account) {
		atomic64_sub(bytes, &s->account->slot_bytes);
		atomic64_sub(bytes, &s->export->memory.slot_bytes);
		dstor_account_put(s->export, s->account);
	}
	kvfree(s);
}

void dstor_session_put(struct dstor_session *s)
{
	kref_put(&s->kref, free_session);
}

struct dstor_session *dstor_session_find(struct dstor_export *e, const u8 id[DSTOR_ID_LEN])
{
	struct dstor_session *s;

	list_for_each_entry(s, &e->sessions.list, entry)
		if (dstor_id_equal(s->id, id))
			return s;
	return NULL;
}

bool dstor_session_is_writer(const struct dstor_session *s)
{
	const struct dstor_lease *l = &s->export->lease;

	return s->writer && l->held && dstor_id_equal(l->session, s->id);
}

struct dstor_session *dstor_session_writer(struct dstor_export *e)
{
	struct dstor_session *s = dstor_session_find(e, e->lease.session);

	return s && dstor_session_is_writer(s) ? s : NULL;
}

unsigned int dstor_session_connections(const struct dstor_session *s)
{
	unsigned int i, n = 0;

	for (i = 0; i < s->n_queues; i++)
		n += s->queues[i].peer && s->queues[i].peer->state == DSTOR_PEER_LIVE;
	return n;
}

bool dstor_session_has_peer(const struct dstor_session *s)
{
	unsigned int i;

	for (i = 0; i < s->n_queues; i++)
		if (s->queues[i].peer)
			return true;
	return false;
}

bool dstor_session_is_waiting(const struct dstor_session *s)
{
	unsigned int i;

	for (i = 0; i < s->n_queues; i++) {
		const struct dstor_peer *p = s->queues[i].peer;

		if (p && p->state == DSTOR_PEER_DRAINING && !dstor_conn_lost(&p->conn))
			return true;
	}
	return false;
}

unsigned int dstor_session_busy(const struct dstor_session *s)
{
	unsigned int i, n = 0;

	for (i = 0; i < s->n_queues; i++)
		n += s->queues[i].busy;
	return n;
}

u32 dstor_session_in_flight(const struct dstor_session *s)
{
	unsigned int i, n = 0;

	for (i = 0; i < s->n_queues; i++)
		if (s->queues[i].peer)
			n += atomic_read(&s->queues[i].peer->commands.in_flight);
	return n;
}

static unsigned long last_heard(const struct dstor_session *s)
{
	unsigned long heard = s->heard;
	unsigned int i;

	for (i = 0; i < s->n_queues; i++) {
		const struct dstor_peer *p = s->queues[i].peer;

		if (p && p->counted && time_after(dstor_conn_heard(&p->conn), heard))
			heard = dstor_conn_heard(&p->conn);
	}
	return heard;
}

u32 dstor_session_silent_ms(const struct dstor_session *s)
{
	return jiffies_to_msecs(jiffies - last_heard(s));
}

u64 dstor_session_new_token(void)
{
	u64 token;

	do {
		token = get_random_u64();
	} while (!token);
	return token;
}

static void drop_lease(struct dstor_session *s)
{
	struct dstor_export *e = s->export;

	if (!dstor_session_is_writer(s))
		return;
	dstor_lease_release(&e->lease);
	/* When the export is stopped its writer has not left: it will come back. */
	if (e->stopping)
		return;
	dstor_gate_released(e);
	dstor_lease_file_save(e);
}

void dstor_session_forget(struct dstor_session *s)
{
	struct dstor_export *e = s->export;

	drop_lease(s);
	if (s->ended)
		memcpy(e->sessions.ended[e->sessions.n_ended++ % DSTOR_ENDED_MAX], s->id,
		       DSTOR_ID_LEN);
	list_del_init(&s->entry);
	e->sessions.n--;
	dstor_session_put(s);
}

static void set_draining(struct dstor_session_queue *queue, bool draining)
{
	struct dstor_export_sessions *all = &queue->session->export->sessions;

	if (queue->draining == draining)
		return;
	queue->draining = draining;
	/* dstor_sessions_drained() reads it without the lock */
	WRITE_ONCE(all->n_draining, all->n_draining + (draining ? 1 : -1));
}

void dstor_session_cut(struct dstor_session_queue *queue)
{
	if (queue->busy)
		set_draining(queue, true);
	if (queue->peer)
		dstor_conn_lose(&queue->peer->conn);
}

void dstor_session_give_lease_back(struct dstor_session *s)
{
	unsigned int i;

	if (!s->downgraded)
		return;
	for (i = 0; i < s->n_queues; i++)
		if (s->queues[i].draining)
			return;
	s->downgraded = false;
	drop_lease(s);
}

bool dstor_sessions_drained(const struct dstor_export *e)
{
	return !READ_ONCE(e->sessions.n_draining);
}

void dstor_session_end(struct dstor_session *s)
{
	unsigned int i;

	s->ended = true;
	for (i = 0; i < s->n_queues; i++)
		dstor_session_cut(&s->queues[i]);
	if (!dstor_session_busy(s) && !list_empty(&s->entry))
		dstor_session_forget(s);
}

void dstor_session_end_all(struct dstor_export *e)
{
	struct dstor_session *s, *n;

	lockdep_assert_held(&e->lock);
	list_for_each_entry_safe(s, n, &e->sessions.list, entry)
		dstor_session_end(s);
}

void dstor_session_notify(struct dstor_session *s, enum dstor_notice n)
{
	unsigned int i;

	for (i = 0; i < s->n_queues; i++)
		if (s->queues[i].peer)
			dstor_peer_notify(s->queues[i].peer, n);
}

void dstor_sessions_notify(struct dstor_export *e, enum dstor_notice n)
{
	struct dstor_session *s;

	lockdep_assert_held(&e->lock);
	list_for_each_entry(s, &e->sessions.list, entry)
		dstor_session_notify(s, n);
}

struct dstor_session *dstor_session_new(struct dstor_peer *p)
{
	const struct dstor_hello *h = &p->hello;
	u16 n = le16_to_cpu(h->queues);
	struct dstor_export *e = p->export;
	struct dstor_session *s = kvzalloc(struct_size(s, queues, n), GFP_KERNEL);
	unsigned int i;

	if (!s)
		return NULL;
	kref_init(&s->kref);
	s->export = e;
	s->n_queues = n;
	memcpy(s->id, h->session, DSTOR_ID_LEN);
	memcpy(s->client, h->client, DSTOR_ID_LEN);
	strscpy(s->client_name, h->client_name, sizeof(s->client_name));
	s->slots = le16_to_cpu(h->slots);
	s->max_io = le32_to_cpu(h->max_io);
	s->peer_id = p->peer_id;
	s->heard = jiffies;
	s->account = dstor_account_get(e, &p->peer_id);
	if (!s->account) {
		dstor_session_put(s);
		return NULL;
	}
	for (i = 0; i < n; i++)
		s->queues[i].session = s;
	list_add_tail(&s->entry, &e->sessions.list);
	e->sessions.n++;
	return s;
}

static bool is_idle(const struct dstor_session *s)
{
	return !dstor_session_busy(s) && !dstor_session_has_peer(s) && !dstor_session_is_writer(s);
}

static bool is_of_client(const struct dstor_session *s, const struct dstor_peer *p)
{
	return dstor_rules_same_client(&s->peer_id, &p->peer_id) &&
	       (p->peer_id.has_key || dstor_id_equal(s->client, p->hello.client));
}

/* The later a session was heard, the more likely its client comes back to it. */
static struct dstor_session *session_older(struct dstor_session *a, struct dstor_session *b)
{
	return !a || time_before(b->heard, a->heard) ? b : a;
}

/* A client that is late has lost its place when another needs it. @a: one of that account. */
static bool forget_dormant(struct dstor_export *e, const struct dstor_account *a,
			   const struct dstor_session *but)
{
	struct dstor_session *s, *goes = NULL;

	list_for_each_entry(s, &e->sessions.list, entry)
		if (s != but && s->dormant && is_idle(s) && (!a || s->account == a))
			goes = session_older(goes, s);
	if (goes)
		dstor_session_forget(goes);
	return goes;
}

bool dstor_session_open_queue(struct dstor_session *s, struct dstor_session_queue *queue)
{
	u64 bytes = slot_bytes_of_queue(s);
	struct dstor_export *e = s->export;

	lockdep_assert_held(&e->lock);
	if (s->account->n_peers >= PEERS_OF_CLIENT_MAX || e->n_peers >= PEERS_MAX)
		return false;
	if (queue->slots)
		return true;
	while (atomic64_read(&s->account->slot_bytes) + bytes > SLOT_BYTES_OF_CLIENT_MAX)
		if (!forget_dormant(e, s->account, s))
			return false;
	while (atomic64_read(&e->memory.slot_bytes) + bytes > SLOT_BYTES_MAX)
		if (!forget_dormant(e, NULL, s))
			return false;
	queue->slots = kvcalloc(s->slots, sizeof(struct dstor_slot), GFP_KERNEL);
	if (!queue->slots)
		return false;
	atomic64_add(bytes, &s->account->slot_bytes);
	atomic64_add(bytes, &e->memory.slot_bytes);
	return true;
}

bool dstor_session_make_room(struct dstor_peer *p)
{
	struct dstor_session *s, *own = NULL, *dormant = NULL, *goes = NULL;
	struct dstor_export *e = p->export;
	unsigned int n = 0;

	/* The writer of a former life comes back to a place of its own. */
	if (e->lease.held && dstor_id_equal(p->hello.session, e->lease.session))
		return true;
	list_for_each_entry(s, &e->sessions.list, entry) {
		n += is_of_client(s, p);
		if (!is_idle(s))
			continue;
		if (is_of_client(s, p))
			own = session_older(own, s);
		if (s->dormant)
			dormant = session_older(dormant, s);
	}
	if (n >= SESSIONS_OF_CLIENT_MAX)
		goes = own;
	else if (e->sessions.n >= SESSIONS_MAX)
		goes = dormant;
	else
		return true;
	if (goes)
		dstor_session_forget(goes);
	return goes;
}

void dstor_sessions_retry_grants(struct dstor_export *e)
{
	struct dstor_session *s;
	unsigned int i;

	list_for_each_entry(s, &e->sessions.list, entry)
		for (i = 0; i < s->n_queues; i++)
			if (s->queues[i].peer && s->queues[i].peer->state == DSTOR_PEER_DRAINING)
				dstor_conn_kick(&s->queues[i].peer->conn);
}

void dstor_session_leave(struct dstor_peer *p)
{
	struct dstor_export *e = p->export;
	struct dstor_session *s = p->session;
	struct dstor_session_queue *queue = p->queue;

	mutex_lock(&e->lock);
	if (p->counted) {
		if (!--queue->busy)
			set_draining(queue, false);
		if (time_after(dstor_conn_heard(&p->conn), s->heard))
			s->heard = dstor_conn_heard(&p->conn);
		dstor_session_give_lease_back(s);
	}
	if (queue->peer == p)
		queue->peer = NULL;
	/* A newer connection that waits for this one to end is no absence. */
	if (s->joined && !dstor_session_connections(s) && !dstor_session_has_peer(s)) {
		s->joined = false;
		dstor_event_client(p, DSTOR_EVENT_CLIENT_LEFT,
				   p->bye ? "it detached" :
				   e->stopping ? "the export ends" :
				   s->ended ? "it was evicted or replaced" :
				   "its connection broke");
	}
	if (p->bye)
		s->ended = true;
	if (!dstor_session_busy(s) && !dstor_session_has_peer(s) && !list_empty(&s->entry)) {
		/* A session that was never granted leaves no trace. */
		if (s->ended || !s->established)
			dstor_session_forget(s);
	}
	s->account->n_peers--;
	WRITE_ONCE(e->n_peers, e->n_peers - 1);
	dstor_sessions_retry_grants(e);
	wake_up_all(&e->wait);
	mutex_unlock(&e->lock);
	dstor_session_put(s);
}

void dstor_session_expire(struct dstor_export *e)
{
	struct dstor_session *s;

	lockdep_assert_held(&e->lock);
	list_for_each_entry(s, &e->sessions.list, entry) {
		u64 keep = dstor_memory_ms(s->timeout_ms, s->retries);

		if (s->dormant || dstor_session_busy(s) || dstor_session_has_peer(s))
			continue;
		if (keep == ~0ULL && !dstor_session_is_writer(s))
			keep = IDLE_DORMANT_MS;
		if (keep == ~0ULL || dstor_session_silent_ms(s) <= keep)
			continue;
		/* Its slots stay: a client that comes back after all resumes with them (P3). */
		s->dormant = true;
		drop_lease(s);
	}
}

void dstor_session_settle_lease(struct dstor_export *e)
{
	struct dstor_session *s;
	unsigned int i;

	lockdep_assert_held(&e->lock);
	if (!e->lease.former || !e->lease.held)
		return;
	s = dstor_session_writer(e);
	if (!s)
		return;
	for (i = 0; i < s->n_queues; i++)
		/* The peer's work sets it without a lock, once. */
		if (!READ_ONCE(s->queues[i].past.used))
			return;
	if (dstor_lease_settle(&e->lease))
		dstor_lease_file_save(e);
}

/* The grant that was waiting for it holds, or is taken back. */
static void settle_grant(struct dstor_export *e)
{
	struct dstor_lease_file *f = &e->lease_file;
	struct dstor_session *s = f->granting;

	f->granting = NULL;
	if (f->error && dstor_session_is_writer(s)) {
		/* Unless it was evicted meanwhile: then nobody has the lease after it. */
		if (!e->lease.revoked) {
			e->lease = f->before;
			e->holder = f->holder_before;
		}
		s->writer = f->writer_before;
		s->unsaved = true;
	}
	dstor_session_put(s);
}

void dstor_session_lease_saved(struct dstor_export *e)
{
	lockdep_assert_held(&e->lock);
	if (e->lease_file.granting)
		settle_grant(e);
	dstor_sessions_retry_grants(e);
}
