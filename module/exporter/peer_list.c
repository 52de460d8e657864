// SPDX-License-Identifier: GPL-2.0
/*
 * All peers: those that nobody knows yet, and the end of some or all of them. Strangers
 * have few places. When there are too many, the host with the most of them loses its
 * oldest: no host takes the places of all others.
 *
 * Locks: peers_lock protects the lists and their numbers; a peer's tx.lock may be held.
 */
#include <linux/delay.h>

#include "core/work.h"
#include "exporter/exporter.h"
#include "exporter/limiter.h"
#include "exporter/listener.h"
#include "exporter/peer.h"
#include "exporter/peer_list.h"

#define HANDSHAKING_MAX 256	/* peers without a session */
#define PINGING_MAX 64		/* connections for PING */

/* Peers that share a number of places. */
struct crowd {
	struct list_head list;		/* oldest first */
	unsigned int n;
	unsigned int most;
	u16 of_host[DSTOR_HOSTS];	/* how many of them: by peer->place.host */
};

static LIST_HEAD(peers);
static DEFINE_SPINLOCK(peers_lock);
static struct crowd handshaking = {
	.list = LIST_HEAD_INIT(handshaking.list), .most = HANDSHAKING_MAX,
};

static struct crowd pinging = {
	.list = LIST_HEAD_INIT(pinging.list), .most = PINGING_MAX,
};

static atomic_t n_peers = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(peers_gone);

/* NULL: a client that is known, or nobody any more. */
static struct crowd *crowd_of(enum dstor_peer_state state)
{
	switch (state) {
	case DSTOR_PEER_GREETING:
	case DSTOR_PEER_HELLO:
	case DSTOR_PEER_ENDING:
		return &handshaking;
	case DSTOR_PEER_PING:
		return &pinging;
	default:
		return NULL;
	}
}

static void lose_one_of(struct crowd *crowd)
{
	struct dstor_peer *p, *old = NULL;

	list_for_each_entry(p, &crowd->list, place.crowd)
		if (!dstor_conn_lost(&p->conn) &&
		    (!old || crowd->of_host[p->place.host] > crowd->of_host[old->place.host]))
			old = p;
	if (old)
		dstor_conn_lose(&old->conn);
}

static void move_to(struct dstor_peer *p, struct crowd *from, struct crowd *to)
{
	if (from) {
		list_del(&p->place.crowd);
		from->n--;
		from->of_host[p->place.host]--;
	}
	if (to) {
		list_add_tail(&p->place.crowd, &to->list);
		to->n++;
		to->of_host[p->place.host]++;
		if (to->n > to->most)
			lose_one_of(to);
	}
}

void dstor_peer_set_state(struct dstor_peer *p, enum dstor_peer_state state)
{
	struct crowd *from = crowd_of(p->state), *to = crowd_of(state);

	spin_lock(&peers_lock);
	WRITE_ONCE(p->state, state);
	if (from != to)
		move_to(p, from, to);
	spin_unlock(&peers_lock);
	p->since = jiffies;
}

void dstor_peer_enlist(struct dstor_peer *p)
{
	spin_lock(&peers_lock);
	list_add_tail(&p->entry, &peers);
	move_to(p, NULL, crowd_of(p->state));
	/* From here on it is its work's, which may end it as soon as it gets the lock. */
	queue_work(dstor_greet_wq, &p->run.work);
	spin_unlock(&peers_lock);
}

void dstor_peer_delist(struct dstor_peer *p)
{
	spin_lock(&peers_lock);
	list_del_init(&p->entry);
	spin_unlock(&peers_lock);
}

void dstor_peers_count(void)
{
	atomic_inc(&n_peers);
}

void dstor_peers_uncount(void)
{
	if (atomic_dec_and_test(&n_peers))
		wake_up_all(&peers_gone);
}

void dstor_peers_end_of(struct dstor_listener *l)
{
	struct dstor_peer *p;

	spin_lock(&peers_lock);
	list_for_each_entry(p, &peers, entry)
		if ((!l || p->listener == l) && (!l || !p->session))
			dstor_conn_lose(&p->conn);
	spin_unlock(&peers_lock);
}

/* Ends the connections of peers in @net. True: there were some. */
static bool lose_peers_in(struct net *net)
{
	struct dstor_peer *p;
	bool some = false;

	spin_lock(&peers_lock);
	list_for_each_entry(p, &peers, entry) {
		if (!dstor_listener_is_in(p->listener, net) ||
		    READ_ONCE(p->state) == DSTOR_PEER_CLOSED)
			continue;
		dstor_conn_lose(&p->conn);
		some = true;
	}
	spin_unlock(&peers_lock);
	return some;
}

void dstor_peers_leave(struct net *net)
{
	while (lose_peers_in(net))
		usleep_range(500, 1000);
}

void dstor_peers_end(void)
{
	dstor_peers_end_of(NULL);
	wait_event(peers_gone, !atomic_read(&n_peers));
}
