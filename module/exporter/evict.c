// SPDX-License-Identifier: GPL-2.0
/*
 * Sessions that are thrown out: by command, or because no rule admits them any
 * more. All of it under export->lock.
 */
#include "exporter/evict.h"
#include "exporter/export.h"
#include "exporter/gate.h"
#include "exporter/lease_file.h"
#include "exporter/rules.h"
#include "exporter/session.h"
#include "wire/resume.h"

static bool is_called(const struct dstor_session *s, const char *client)
{
	char id[2 * DSTOR_ID_LEN + 1];

	snprintf(id, sizeof(id), "%*phN", DSTOR_ID_LEN, s->client);
	if (s->peer_id.client[0] && !strcmp(client, s->peer_id.client))
		return true;
	if (!strcmp(client, s->client_name) || !strcmp(client, s->address) || !strcmp(client, id))
		return true;
	snprintf(id, sizeof(id), "%*phN", DSTOR_ID_LEN, s->id);
	return !strcmp(client, id);
}

static void log_evicted(const struct dstor_export *e, const char *name, const char *address)
{
	pr_info_ratelimited("dstor: export %s: client %s%s%s evicted\n", e->name, name,
			    name[0] ? " " : "", address);
}

static void evict_one(struct dstor_session *s)
{
	struct dstor_export *e = s->export;

	lockdep_assert_held(&e->lock);
	memcpy(e->sessions.evicted[e->sessions.n_evicted++ % DSTOR_EVICTED_MAX], s->id,
	       DSTOR_ID_LEN);
	/* The list of the evicted does not outlive us; the lease does, and says "not held". */
	if (dstor_session_is_writer(s)) {
		dstor_lease_revoke(&e->lease, dstor_session_new_token());
		dstor_lease_file_save(e);
	}
	this_cpu_inc(e->stats->fenced);
	log_evicted(e, s->client_name, s->address);
	dstor_session_end(s);
}

/* What the client may do with whichever of its keys and addresses allows the most. */
static u8 access_left(struct dstor_session *s)
{
	struct dstor_export *e = s->export;
	unsigned int i;
	u8 access;

	dstor_rules_name_client(e, &s->peer_id);
	access = dstor_access_of_client(e, &s->peer_id);
	for (i = 0; i < s->n_queues; i++) {
		struct dstor_peer *p = s->queues[i].peer;

		if (!p)
			continue;
		dstor_rules_name_client(e, &p->peer_id);
		access = max(access, dstor_access_of_client(e, &p->peer_id));
	}
	return access;
}

/* Peers of an older generation, which may have been granted more, still have commands. */
static bool drains_already(const struct dstor_session_queue *queue)
{
	return queue->busy && !(queue->peer && queue->peer->counted);
}

/* Is there a connection, or are there commands of one that is gone, with more than @left? */
static bool has_more_than(const struct dstor_session *s, u8 left)
{
	unsigned int i;

	for (i = 0; i < s->n_queues; i++)
		if (s->queues[i].access > left ||
		    (left < DSTOR_ACCESS_WRITE && drains_already(&s->queues[i])))
			return true;
	return false;
}

/*
 * The session may go on to read. Its connections end, so that no write is admitted any
 * more; it comes back for reading, and the lease is given back when they have drained.
 */
static void downgrade_one(struct dstor_session *s)
{
	unsigned int i;

	s->downgraded = true;
	for (i = 0; i < s->n_queues; i++) {
		struct dstor_session_queue *queue = &s->queues[i];

		if (queue->access <= DSTOR_ACCESS_READ && !drains_already(queue))
			continue;
		queue->access = DSTOR_ACCESS_READ;
		dstor_session_cut(queue);
	}
	dstor_session_give_lease_back(s);
}

/* The client is admitted, but not with each key and from each address that it uses. */
static void lose_former_rights(struct dstor_session *s)
{
	unsigned int i;

	for (i = 0; i < s->n_queues; i++) {
		struct dstor_session_queue *queue = &s->queues[i];

		if (queue->peer &&
		    dstor_access_of(s->export, &queue->peer->peer_id) < queue->access)
			dstor_session_cut(queue);
	}
}

/* It asked to write when the rules did not admit that yet, or not any more. */
static bool may_write_by_now(struct dstor_export *e, const struct dstor_session_queue *queue)
{
	const struct dstor_peer *p = queue->peer;

	return p && queue->access == DSTOR_ACCESS_READ &&
	       !(p->hello.flags & DSTOR_HELLO_READ_ONLY) &&
	       !dstor_resume_elsewhere(&p->hello, e->config.uuid) &&
	       dstor_access_of(e, &p->peer_id) == DSTOR_ACCESS_WRITE;
}

/*
 * Its reading connections end, all at once, and come back to write. Else each would
 * write from its next outage on, and a device would write on some queues and not on others.
 */
static void gain_rights(struct dstor_session *s)
{
	unsigned int i;

	for (i = 0; i < s->n_queues; i++)
		if (may_write_by_now(s->export, &s->queues[i]))
			dstor_conn_lose(&s->queues[i].peer->conn);
}

void dstor_sessions_enforce_rules(struct dstor_export *e)
{
	struct dstor_session *s, *n;

	list_for_each_entry_safe(s, n, &e->sessions.list, entry) {
		u8 left = access_left(s);

		if (left == DSTOR_ACCESS_NONE)
			evict_one(s);
		else if (has_more_than(s, left))
			downgrade_one(s);
		else
			lose_former_rights(s);
		if (left == DSTOR_ACCESS_WRITE)
			gain_rights(s);
	}
}

static bool holder_is_called(const struct dstor_export *e, const char *client)
{
	char id[2 * DSTOR_ID_LEN + 1];

	snprintf(id, sizeof(id), "%*phN", DSTOR_ID_LEN, e->lease.client);
	if (!strcmp(client, e->holder.name) || !strcmp(client, e->holder.peer_id.client) ||
	    !strcmp(client, e->holder.address) || !strcmp(client, id))
		return true;
	snprintf(id, sizeof(id), "%*phN", DSTOR_ID_LEN, e->lease.session);
	return !strcmp(client, id);
}

int dstor_session_evict(struct dstor_export *e, const char *client)
{
	struct dstor_session *s, *n;
	int found = 0;

	lockdep_assert_held(&e->lock);
	/* A client without a name has an empty one, too. */
	if (!client[0])
		return 0;
	list_for_each_entry_safe(s, n, &e->sessions.list, entry) {
		if (!is_called(s, client))
			continue;
		found++;
		evict_one(s);
	}
	/* A writer from before our restart that has not come back. */
	if (e->lease.held && !dstor_session_writer(e) && holder_is_called(e, client)) {
		memcpy(e->sessions.evicted[e->sessions.n_evicted++ % DSTOR_EVICTED_MAX],
		       e->lease.session, DSTOR_ID_LEN);
		dstor_lease_revoke(&e->lease, dstor_session_new_token());
		dstor_lease_release(&e->lease);
		dstor_gate_released(e);
		dstor_lease_file_save(e);
		log_evicted(e, e->holder.name, e->holder.address);
		found++;
	}
	return found;
}
