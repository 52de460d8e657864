// SPDX-License-Identifier: GPL-2.0
/*
 * All peers: how many are in the handshake, and the end of some or all of them.
 *
 * Locks: peers_lock protects the list and the number; a peer's tx.lock may be held.
 */
#include <linux/delay.h>

#include "core/work.h"
#include "exporter/exporter.h"
#include "exporter/listener.h"
#include "exporter/peer.h"
#include "exporter/peer_list.h"

#define HANDSHAKING_MAX 256	/* peers without a session; the oldest goes first */

static LIST_HEAD(peers);
static DEFINE_SPINLOCK(peers_lock);
static unsigned int handshaking;
static atomic_t n_peers = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(peers_gone);

static bool is_young(const struct dstor_peer *p)
{
	return p->state <= DSTOR_PEER_HELLO;
}

void dstor_peer_set_state(struct dstor_peer *p, enum dstor_peer_state state)
{
	spin_lock(&peers_lock);
	handshaking -= is_young(p);
	WRITE_ONCE(p->state, state);
	handshaking += is_young(p);
	spin_unlock(&peers_lock);
	p->since = jiffies;
}

void dstor_peer_enlist(struct dstor_peer *p)
{
	struct dstor_peer *old = NULL, *q;

	spin_lock(&peers_lock);
	list_add_tail(&p->entry, &peers);
	handshaking++;
	if (handshaking > HANDSHAKING_MAX) {
		list_for_each_entry(q, &peers, entry) {
			if (is_young(q) && !dstor_conn_lost(&q->conn)) {
				old = q;
				break;
			}
		}
		if (old)
			dstor_conn_lose(&old->conn);
	}
	/* From here on it is its work's, which may end it as soon as it gets the lock. */
	queue_work(dstor_serve_wq, &p->run.work);
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
