// SPDX-License-Identifier: GPL-2.0
/*
 * Admission of peers: a hello joins a session, the fence between generations (P2),
 * the lease of the one writer (P15). The decisions are wire/'s; this file
 * applies them, all under export->lock.
 *
 * A peer joins (hello), and is granted once older peers of its session queue have retired.
 */
#include "core/point.h"
#include "core/work.h"
#include "exporter/account.h"
#include "exporter/admission.h"
#include "exporter/export.h"
#include "exporter/export_event.h"
#include "exporter/gate.h"
#include "exporter/lease_file.h"
#include "exporter/peer.h"
#include "exporter/poll.h"
#include "exporter/rules.h"
#include "exporter/session.h"
#include "wire/id.h"
#include "wire/rejoin.h"
#include "wire/resume.h"
#include "wire/retry.h"

/* Commands that older peers of the session queue still have on the disk, for people. */
static unsigned int session_commands_left(const struct dstor_export *e)
{
	return max(1, atomic_read(&e->in_flight));
}

__printf(3, 4) static bool refuse(struct dstor_welcome *w, u8 status, const char *fmt, ...)
{
	va_list args;

	memset(w, 0, sizeof(*w));
	w->status = status;
	va_start(args, fmt);
	vsnprintf(w->reason, sizeof(w->reason), fmt, args);
	va_end(args);
	return false;
}

/* Is @id among the last of @ever that the ring of @size holds? */
static bool in_ring(const u8 ring[][DSTOR_ID_LEN], unsigned int size, unsigned int ever,
		    const u8 id[DSTOR_ID_LEN])
{
	unsigned int i;

	for (i = 0; i < min(ever, size); i++)
		if (dstor_id_equal(ring[i], id))
			return true;
	return false;
}

static bool same_session(const struct dstor_session *s, const struct dstor_peer *p)
{
	const struct dstor_hello *h = &p->hello;

	/* The id of a session is not enough: a key of its client is needed, too. */
	return dstor_rules_same_client(&s->peer_id, &p->peer_id) &&
	       dstor_id_equal(s->client, h->client) && s->n_queues == le16_to_cpu(h->queues) &&
	       s->slots == le16_to_cpu(h->slots) && s->max_io == le32_to_cpu(h->max_io);
}

/* Was the older peer @old cut off? Not where its client replaces it in order (renewal). */
static bool is_fenced(const struct dstor_peer *old, const struct dstor_hello *h)
{
	return old->counted && (!(h->flags & DSTOR_HELLO_RENEWAL) ||
				atomic_read(&old->commands.in_flight));
}

/* The newer generation takes the session queue; the older peer has to go. */
static void session_take_queue(struct dstor_peer *p, struct dstor_session *s, u8 access,
			       const struct dstor_welcome *w)
{
	struct dstor_session_queue *queue = &s->queues[le16_to_cpu(p->hello.queue)];

	if (queue->peer) {
		if (is_fenced(queue->peer, &p->hello))
			this_cpu_inc(p->export->stats->fenced);
		dstor_conn_lose(&queue->peer->conn);
	}
	queue->generation = p->generation;
	queue->peer = p;
	queue->access = access;
	kref_get(&s->kref);
	p->session = s;
	p->queue = queue;
	s->peer_id = p->peer_id;
	strscpy(s->address, p->address, sizeof(s->address));
	strscpy(s->cipher, w->cipher, sizeof(s->cipher));
	strscpy(s->checksum, w->checksum, sizeof(s->checksum));
	s->timeout_ms = p->timeout_ms;
	s->retries = le32_to_cpu(p->hello.retries);
	s->account->n_peers++;
	WRITE_ONCE(p->export->n_peers, p->export->n_peers + 1);
}

/* A key encrypts every byte or, if both sides choose that, makes a keyed checksum. */
static bool choose_protection(struct dstor_peer *p, struct dstor_welcome *w)
{
	const struct dstor_export *e = p->export;
	const struct dstor_hello *h = &p->hello;
	bool keyed = p->peer_id.has_key;

	if (keyed && dstor_cipher_choose(h->ciphers, e->config.ciphers, w->cipher))
		return refuse(w, DSTOR_WELCOME_ALGORITHM,
			      "no cipher in common: client offers %.60s, exporter %.60s",
			      h->ciphers[0] ? h->ciphers : "nothing", e->config.ciphers);
	if (keyed && strcmp(w->cipher, "none"))
		return true;
	if ((keyed || h->checksums[0]) &&
	    dstor_digest_choose(h->checksums, e->config.checksums, keyed, w->checksum))
		return refuse(w, DSTOR_WELCOME_ALGORITHM,
			      "no checksum %sin common: client offers %.60s, exporter %.60s",
			      keyed ? "with a key " : "", h->checksums, e->config.checksums);
	return true;
}

/* Why a session that was ended by this exporter is not let in again. */
static bool refuse_ended(struct dstor_export *e, const u8 id[DSTOR_ID_LEN], struct dstor_welcome *w)
{
	if (in_ring(e->sessions.evicted, DSTOR_EVICTED_MAX, e->sessions.n_evicted, id))
		return refuse(w, DSTOR_WELCOME_EVICTED, "this client was evicted from \"%s\"",
			      e->name);
	return refuse(w, DSTOR_WELCOME_EXPIRED, "another client became the writer of \"%s\"",
		      e->name);
}

/*
 * A lease of a former life belongs to a session that is not here yet. Whoever else
 * comes with its id, to read for instance, would be in its way.
 */
static bool takes_holders_id(struct dstor_export *e, const struct dstor_peer *p)
{
	const struct dstor_hello *h = &p->hello;
	u64 token = le64_to_cpu(h->writer_token);

	if (!e->lease.held || !dstor_id_equal(h->session, e->lease.session))
		return false;
	if (token && (token == e->lease.token || token == e->lease.former))
		return false;
	dstor_rules_name_client(e, &e->holder.peer_id);
	return !dstor_rules_same_client(&e->holder.peer_id, &p->peer_id) ||
	       !dstor_id_equal(h->client, e->lease.client);
}

static bool join_locked(struct dstor_peer *p, struct dstor_welcome *w)
{
	struct dstor_export *e = p->export;
	const struct dstor_hello *h = &p->hello;
	enum dstor_rejoin rejoin;
	struct dstor_session *s;
	u8 access = dstor_access_of(e, &p->peer_id);

	dstor_rules_name_client(e, &p->peer_id);
	if (access == DSTOR_ACCESS_NONE) {
		this_cpu_inc(e->stats->auth_failures);
		pr_warn_ratelimited("dstor: export %s: client %s is not admitted: no rule matches\n",
				    e->name, p->address);
		/* Its reason is hello.c's: it must not show that there is such an export. */
		return refuse(w, DSTOR_WELCOME_DENIED, "no rule matches");
	}
	if (e->stopping)
		return refuse(w, DSTOR_WELCOME_STOPPING, "export \"%s\" is being stopped", e->name);
	s = dstor_session_find(e, h->session);
	if ((s && s->ended) ||
	    in_ring(e->sessions.ended, DSTOR_ENDED_MAX, e->sessions.n_ended, h->session) ||
	    in_ring(e->sessions.evicted, DSTOR_EVICTED_MAX, e->sessions.n_evicted, h->session))
		return refuse_ended(e, h->session, w);
	rejoin = dstor_rejoin_session(h, e->life, s);
	if (rejoin != DSTOR_REJOIN_OK)
		return refuse(w, DSTOR_WELCOME_EXPIRED, "%s", dstor_rejoin_text(rejoin));
	if (!choose_protection(p, w))
		return false;
	if (s ? !same_session(s, p) : takes_holders_id(e, p))
		return refuse(w, DSTOR_WELCOME_MALFORMED, "the session was made otherwise");
	if (s && le64_to_cpu(h->generation) <=
		 s->queues[le16_to_cpu(h->queue)].generation)
		return refuse(w, DSTOR_WELCOME_STALE, "a newer connection of this session exists");
	if (!s && dstor_session_make_room(p))
		s = dstor_session_new(p);
	if (!s)
		return refuse(w, DSTOR_WELCOME_BUSY, "too many sessions on \"%s\"", e->name);
	if (!dstor_session_open_queue(s, &s->queues[le16_to_cpu(h->queue)])) {
		if (!s->established && !dstor_session_has_peer(s))
			dstor_session_forget(s);
		return refuse(w, DSTOR_WELCOME_BUSY, "too many connections or slots on \"%s\"",
			      e->name);
	}
	/* A client of another disk must learn that, and not that this one has a writer. */
	if (h->flags & DSTOR_HELLO_READ_ONLY || dstor_resume_elsewhere(h, e->config.uuid))
		access = DSTOR_ACCESS_READ;
	s->dormant = false;
	session_take_queue(p, s, access, w);
	return true;
}

bool dstor_session_join(struct dstor_peer *p, struct dstor_welcome *w)
{
	bool ret;

	mutex_lock(&p->export->lock);
	ret = join_locked(p, w);
	mutex_unlock(&p->export->lock);
	return ret;
}

/* Granting ----------------------------------------------------------------- */

static void refresh_lease(struct dstor_export *e)
{
	struct dstor_session *s = dstor_session_writer(e);

	if (!s)
		return;
	e->lease.connected = dstor_session_connections(s) > 0;
	e->lease.heard_ms = dstor_now_ms() - dstor_session_silent_ms(s);
}

static void fill_grant(struct dstor_peer *p, struct dstor_welcome *w)
{
	const struct dstor_export *e = p->export;
	const struct dstor_geometry *g = &e->disk.geometry;
	const struct dstor_session *s = p->session;

	w->status = DSTOR_WELCOME_OK;
	w->access = p->queue->access;
	w->queues = cpu_to_le16(DSTOR_QUEUES_MAX);
	w->slots = cpu_to_le16(s->slots);
	w->max_io = cpu_to_le32(s->max_io);
	w->disk_flags = cpu_to_le32(g->disk_flags);
	if (p->queue->access == DSTOR_ACCESS_WRITE && !(e->config.flags & DSTOR_EXPORT_SHARED))
		w->grant_flags = cpu_to_le16(dstor_gate_flags(e));
	memcpy(w->uuid, e->config.uuid, DSTOR_ID_LEN);
	memcpy(w->instance, e->config.instance, DSTOR_ID_LEN);
	w->size = cpu_to_le64(g->size);
	w->logical_block = cpu_to_le32(g->logical_block);
	w->physical_block = cpu_to_le32(g->physical_block);
	w->io_min = cpu_to_le32(g->io_min);
	w->io_opt = cpu_to_le32(g->io_opt);
	w->discard_granularity = cpu_to_le32(g->discard_granularity);
	w->discard_alignment = cpu_to_le32(g->discard_alignment);
	w->max_discard = cpu_to_le32(g->max_discard);
	w->max_write_zeroes = cpu_to_le32(g->max_write_zeroes);
	memcpy(w->exporter, e->config.exporter, DSTOR_ID_LEN);
	memcpy(w->life, e->life, DSTOR_ID_LEN);
	w->cookie = cpu_to_le64(dstor_session_new_token());
	dstor_rejoin_welcomed(&p->queue->past, &p->hello, le64_to_cpu(w->cookie));
	choose_protection(p, w);
	p->bounds = (struct dstor_bounds) {
		.size = g->size,
		.block = g->logical_block,
		.max_io = s->max_io,
		.slots = s->slots,
		.read_only = p->queue->access != DSTOR_ACCESS_WRITE,
		.features = p->features,
	};
}

/* @at: its address in parentheses, or empty. False: it is cut off at the end. */
static bool say_in_use(const struct dstor_export *e, const char *who, const char *at,
		       struct dstor_welcome *w)
{
	if (e->lease.connected)
		refuse(w, DSTOR_WELCOME_IN_USE, "export \"%s\" is in use by %s%s", e->name, who,
		       at);
	else
		refuse(w, DSTOR_WELCOME_IN_USE,
		       "export \"%s\" is in use by %s%s, silent for %llu s (evict it there: dst set %s evict=%s)",
		       e->name, who, at, div_u64(dstor_now_ms() - e->lease.heard_ms, MSEC_PER_SEC),
		       e->name, who);
	return strlen(w->reason) < sizeof(w->reason) - 1;
}

/* What its successor is to know: who it is, whether it still speaks, and the way out. */
static bool in_use(struct dstor_export *e, const struct dstor_lease_request *r,
		   struct dstor_welcome *w)
{
	const struct dstor_session *holder = dstor_session_writer(e);
	const char *name = holder ? holder->client_name : e->holder.name;
	const char *where = holder ? holder->address : e->holder.address;
	const char *who = name[0] ? name : where[0] ? where : "another client";
	char at[DSTOR_TEXT_LEN + 4] = "";

	if (who == name && where[0])
		snprintf(at, sizeof(at), " (%s)", where);
	/* Its end is a command, which must be whole. */
	if (!say_in_use(e, who, at, w))
		say_in_use(e, who, "", w);
	if (r->same_client && dstor_id_equal(e->lease.client, r->client))
		memcpy(w->holder, e->lease.session, DSTOR_ID_LEN);
	return true;
}

/* Without the holder's id: the client would only ask again. */
static bool in_use_by_twin(struct dstor_export *e, const struct dstor_peer *p,
			   struct dstor_welcome *w)
{
	const struct dstor_session *holder = dstor_session_writer(e);
	const char *where = holder ? holder->address : e->holder.address;

	refuse(w, DSTOR_WELCOME_IN_USE,
	       "export \"%s\" is in use by another machine with the same machine-id, at %s",
	       e->name, where);
	pr_warn_ratelimited("dstor: export %s: %s is refused: its writer is another machine with the same machine-id, at %s\n",
			    e->name, p->session->address, where);
	return true;
}

static const char lease_is_saved[] = "the lease is being saved";

static void fill_holder(const struct dstor_session *s, struct dstor_export_holder *h)
{
	strscpy(h->name, s->client_name, sizeof(h->name));
	strscpy(h->address, s->address, sizeof(h->address));
	h->peer_id = s->peer_id;
}

/* Kept before anybody is told. False: *wait says so. */
static bool give_lease(struct dstor_peer *p, const struct dstor_lease_request *r,
		       struct dstor_welcome *w, const char **wait)
{
	struct dstor_export *e = p->export;
	struct dstor_lease before = e->lease;
	struct dstor_export_holder holder_before = e->holder;
	u64 token = dstor_lease_grant(&e->lease, r, dstor_session_new_token(), dstor_now_ms());
	bool resumes = before.held && dstor_id_equal(before.session, e->lease.session);
	bool same = resumes && before.token == token &&
		    before.budget_ms == e->lease.budget_ms &&
		    before.silence_ms == e->lease.silence_ms &&
		    dstor_id_equal(e->holder.peer_id.fingerprint, p->peer_id.fingerprint) &&
		    !strcmp(e->holder.peer_id.client, p->peer_id.client);

	if (dstor_gate_granted(p, resumes) || !same) {
		fill_holder(p->session, &e->holder);
		if (dstor_lease_file_grant(e, p->session, &before, &holder_before)) {
			*wait = lease_is_saved;
			return false;
		}
	}
	p->session->writer = true;
	p->session->downgraded = false;
	w->writer_token = cpu_to_le64(token);
	return true;
}

static void fill_request(const struct dstor_peer *p, const struct dstor_session *holder,
			 struct dstor_lease_request *r)
{
	struct dstor_export *e = p->export;

	memset(r, 0, sizeof(*r));
	memcpy(r->session, p->hello.session, DSTOR_ID_LEN);
	memcpy(r->client, p->hello.client, DSTOR_ID_LEN);
	memcpy(r->takeover, p->hello.takeover, DSTOR_ID_LEN);
	r->token = le64_to_cpu(p->hello.writer_token);
	r->asked_ms = dstor_now_ms() - jiffies_to_msecs(jiffies - p->since);
	r->budget_ms = dstor_lease_ms(p->timeout_ms, le32_to_cpu(p->hello.retries));
	r->silence_ms = dstor_silence_ms(p->ping_ms, p->timeout_ms);
	r->has_key = p->peer_id.has_key;
	/* Another's key: the holder is not its own former session, also of a former life. */
	dstor_rules_name_client(e, &e->holder.peer_id);
	r->same_client = dstor_rules_same_client(holder ? &holder->peer_id : &e->holder.peer_id,
						 &p->peer_id);
}

/* True: it has gone. */
static bool expel_holder(struct dstor_export *e, struct dstor_session *holder)
{
	if (!holder)
		return true;
	/* It waits for the same commands as we do: it is not silent, it has nothing to say. */
	if (!dstor_session_is_waiting(holder))
		dstor_session_end(holder);
	return !e->lease.held;
}

/* The lease for a session that wants to write. True: @w is a refusal or *wait says why. */
static bool lease_stands_in_the_way(struct dstor_peer *p, struct dstor_welcome *w,
				    const char **wait)
{
	struct dstor_export *e = p->export;
	struct dstor_session *holder = dstor_session_writer(e);
	struct dstor_lease_request r;

	if (e->lease_file.granting) {
		*wait = lease_is_saved;
		return true;
	}
	if (p->session->unsaved) {
		p->session->unsaved = false;
		return !refuse(w, DSTOR_WELCOME_BUSY,
			       "the exporter cannot keep the lease of \"%s\"", e->name);
	}
	fill_request(p, holder, &r);
	refresh_lease(e);
	switch (dstor_lease_ask(&e->lease, &r, dstor_now_ms())) {
	case DSTOR_LEASE_HELD:
		return in_use(e, &r, w);
	case DSTOR_LEASE_ALIVE:
		return in_use_by_twin(e, p, w);
	case DSTOR_LEASE_EXPIRED:
		return !refuse_ended(e, p->hello.session, w);
	case DSTOR_LEASE_WAIT:
		*wait = "is the former session of this client still heard?";
		return true;
	case DSTOR_LEASE_AFTER_FENCE:
		if (expel_holder(e, holder))
			break;
		*wait = "writes of the former writer are still draining";
		return true;
	case DSTOR_LEASE_GRANTED:
		break;
	}
	return !give_lease(p, &r, w, wait);
}

/*
 * The writer of a former life comes back, and the rules of this one let it only read: it
 * has drained with that life, and would stand in the way of others for nothing. A
 * read-only export has no other writers: there it keeps the lease.
 */
static void give_former_lease_back(struct dstor_peer *p)
{
	struct dstor_export *e = p->export;
	u64 token = le64_to_cpu(p->hello.writer_token);
	bool proved = p->peer_id.has_key ||
		      (token && (token == e->lease.token || token == e->lease.former));

	if (!proved || !e->lease.held || p->session->writer ||
	    e->config.flags & DSTOR_EXPORT_READ_ONLY ||
	    !dstor_id_equal(p->session->id, e->lease.session) ||
	    dstor_access_of_client(e, &p->peer_id) == DSTOR_ACCESS_WRITE)
		return;
	dstor_lease_release(&e->lease);
	dstor_gate_released(e);
	dstor_lease_file_save(e);
}

static bool grant_locked(struct dstor_peer *p, struct dstor_welcome *w)
{
	struct dstor_export *e = p->export;
	struct dstor_session_queue *queue = p->queue;
	const char *wait = queue->busy > 0 ? "older writes are still draining" : NULL;
	enum dstor_rejoin rejoin;

	memset(w, 0, sizeof(*w));
	if (queue->peer != p || queue->generation != p->generation)
		return !refuse(w, DSTOR_WELCOME_STALE, "a newer connection of this session exists");
	if (e->stopping)
		return !refuse(w, DSTOR_WELCOME_STOPPING, "export \"%s\" is being stopped",
			       e->name);
	if (p->session->ended)
		return !refuse_ended(e, p->session->id, w);
	/*
	 * Older peers have retired: before, they could still change what is
	 * known of the queue.
	 */
	rejoin = wait ? DSTOR_REJOIN_OK : dstor_rejoin_queue(&p->hello, &queue->past);
	if (rejoin != DSTOR_REJOIN_OK)
		return !refuse(w, DSTOR_WELCOME_EXPIRED, "%s", dstor_rejoin_text(rejoin));
	if (!wait && queue->access == DSTOR_ACCESS_WRITE &&
	    !(e->config.flags & DSTOR_EXPORT_SHARED) &&
	    lease_stands_in_the_way(p, w, &wait) && !wait)
		return true;
	if (wait) {
		refuse(w, DSTOR_WELCOME_WAIT, "%s", wait);
		/* Saving the lease waits for no command, and rarely takes longer than a moment. */
		if (wait != lease_is_saved)
			w->waiting = cpu_to_le32(session_commands_left(e));
		return false;
	}
	dstor_point(FENCE_BEFORE_GRANT);
	give_former_lease_back(p);
	fill_grant(p, w);
	queue->busy++;
	p->counted = true;
	p->admitting = true;
	atomic_inc(&e->admitting);
	p->session->established = true;
	if (!p->session->joined)
		dstor_event_client(p, DSTOR_EVENT_CLIENT_JOINED, NULL);
	p->session->joined = true;
	dstor_peer_set_state(p, DSTOR_PEER_LIVE);
	return true;
}

bool dstor_session_grant(struct dstor_peer *p, struct dstor_welcome *w)
{
	bool ret;

	mutex_lock(&p->export->lock);
	dstor_export_excuse(p->export);
	ret = grant_locked(p, w);
	mutex_unlock(&p->export->lock);
	return ret;
}
