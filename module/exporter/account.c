// SPDX-License-Identifier: GPL-2.0
/*
 * Shares of the memory of an export (P11): a client leaves some to others, a connection
 * leaves some to others of its client. Peers that find none wait in a row. Memory that
 * comes back is for whoever waits longest. A peer whose connection has its share is passed
 * over, since others have to do nothing with that; so are all of a client that has its
 * share. Of them none gets more before the first: what the client holds falls until that
 * one finds room, however much it wants.
 *
 * Locks: export->memory.lock protects the row and the list of accounts; any context takes
 * it. The sums are atomic. A peer's own sum is its work's.
 */
#include <linux/slab.h>

#include "core/address.h"
#include "exporter/account.h"
#include "exporter/export.h"
#include "exporter/peer.h"
#include "exporter/session.h"

/* A connection has at most a quarter of the ceiling. */
#define CONNECTION_SHARE 4
/*
 * A client has at most twice of what it leaves: two thirds when it is alone, two fifths
 * beside one that wants as much, and so on. So another always finds some.
 */
#define CLIENT_SHARE 2

enum charge {
	CHARGED,
	CONNECTION_IS_FULL,
	CLIENT_IS_FULL,
	EXPORT_IS_FULL,
};

/* Accounts ----------------------------------------------------------------- */

static bool is_of_host(const struct dstor_peer_id *a, const struct dstor_peer_id *b)
{
	struct dstor_host of_a = dstor_sockaddr_host(&a->addr);
	struct dstor_host of_b = dstor_sockaddr_host(&b->addr);

	return of_a.len == of_b.len && !memcmp(of_a.at, of_b.at, of_a.len);
}

static struct dstor_account *account_find(struct dstor_export *e, const struct dstor_peer_id *id)
{
	struct dstor_account *a;

	list_for_each_entry(a, &e->memory.accounts, entry)
		if (dstor_rules_same_client(&a->peer_id, id) &&
		    (id->has_key || is_of_host(&a->peer_id, id)))
			return a;
	return NULL;
}

struct dstor_account *dstor_account_get(struct dstor_export *e, const struct dstor_peer_id *id)
{
	struct dstor_account *fresh = kzalloc(sizeof(*fresh), GFP_KERNEL);
	struct dstor_account *a;
	unsigned long irq;

	spin_lock_irqsave(&e->memory.lock, irq);
	a = account_find(e, id);
	if (!a && fresh) {
		a = fresh;
		fresh = NULL;
		a->peer_id = *id;
		spin_lock_init(&a->rate_lock);
		list_add_tail(&a->entry, &e->memory.accounts);
	}
	if (a)
		a->users++;
	spin_unlock_irqrestore(&e->memory.lock, irq);
	kfree(fresh);
	return a;
}

void dstor_account_put(struct dstor_export *e, struct dstor_account *a)
{
	unsigned long irq;

	spin_lock_irqsave(&e->memory.lock, irq);
	if (--a->users)
		a = NULL;
	else
		list_del(&a->entry);
	spin_unlock_irqrestore(&e->memory.lock, irq);
	kfree(a);
}

/* Memory ------------------------------------------------------------------- */

static struct dstor_account *account_of(const struct dstor_peer *p)
{
	return p->session->account;
}

static enum charge try_charge(struct dstor_peer *p, u32 bytes)
{
	struct dstor_account *a = account_of(p);
	struct dstor_export *e = p->export;
	u64 max = atomic64_read(&e->memory.max);
	u64 mine = READ_ONCE(p->memory.used);
	u64 all, theirs, left;

	/* One command always goes, however low the ceiling is. */
	if (mine && mine + bytes > max / CONNECTION_SHARE)
		return CONNECTION_IS_FULL;
	all = atomic64_fetch_add(bytes, &e->memory.used);
	if (all && all + bytes > max) {
		atomic64_sub(bytes, &e->memory.used);
		return EXPORT_IS_FULL;
	}
	left = max > all + bytes ? max - all - bytes : 0;
	theirs = atomic64_fetch_add(bytes, &a->used);
	if (theirs && theirs + bytes > CLIENT_SHARE * left) {
		atomic64_sub(bytes, &a->used);
		atomic64_sub(bytes, &e->memory.used);
		return CLIENT_IS_FULL;
	}
	return CHARGED;
}

/* Memory came back, or a peer joined the row: who may go on? Under memory.lock. */
static void serve_waiting(struct dstor_export *e)
{
	u64 scan = ++e->memory.scans;
	struct dstor_peer *p, *n;

	list_for_each_entry_safe(p, n, &e->memory.waiting, memory.waiting) {
		enum charge got;

		if (account_of(p)->full_at == scan)
			continue;
		got = try_charge(p, p->memory.wanted);
		if (got == EXPORT_IS_FULL)
			return;
		if (got == CLIENT_IS_FULL)
			account_of(p)->full_at = scan;
		if (got != CHARGED)
			continue;
		list_del_init(&p->memory.waiting);
		p->memory.granted = p->memory.wanted;
		dstor_conn_resume(&p->conn, DSTOR_PAUSE_MEMORY);
		dstor_conn_kick(&p->conn);
	}
}

static void account_give_back(struct dstor_peer *p, u32 bytes)
{
	struct dstor_export *e = p->export;
	unsigned long irq;

	atomic64_sub(bytes, &account_of(p)->used);
	atomic64_sub(bytes, &e->memory.used);
	smp_mb__after_atomic(); /* pairs with dstor_account_charge() */
	if (list_empty_careful(&e->memory.waiting))
		return;
	spin_lock_irqsave(&e->memory.lock, irq);
	serve_waiting(e);
	spin_unlock_irqrestore(&e->memory.lock, irq);
}

/*
 * What the row has granted is the peer's, if it is for this request: the one that waited
 * may ask for other memory by now, since its disk has grown.
 */
static bool take_granted(struct dstor_peer *p, u32 bytes)
{
	u32 granted = READ_ONCE(p->memory.granted);

	if (!granted)
		return false;
	/* Out of the row, it is the peer's own. */
	p->memory.granted = 0;
	if (granted == bytes)
		return true;
	account_give_back(p, granted);
	return false;
}

/* Joins the row, or stays in it. False: it was granted something. */
static bool account_waits(struct dstor_peer *p, u32 bytes)
{
	struct dstor_export *e = p->export;
	unsigned long irq;
	bool waits;

	spin_lock_irqsave(&e->memory.lock, irq);
	if (!p->memory.granted) {
		p->memory.wanted = bytes;
		if (list_empty(&p->memory.waiting))
			list_add_tail(&p->memory.waiting, &e->memory.waiting);
		dstor_conn_pause(&p->conn, DSTOR_PAUSE_MEMORY);
		smp_mb(); /* pairs with account_give_back() */
		serve_waiting(e);
	}
	waits = !p->memory.granted;
	spin_unlock_irqrestore(&e->memory.lock, irq);
	return waits;
}

bool dstor_account_charge(struct dstor_peer *p, u32 bytes)
{
	struct dstor_export *e = p->export;

	if (!take_granted(p, bytes) &&
	    (!list_empty_careful(&e->memory.waiting) || try_charge(p, bytes) != CHARGED)) {
		do {
			if (account_waits(p, bytes))
				return false;
		} while (!take_granted(p, bytes));
	}
	WRITE_ONCE(p->memory.used, p->memory.used + bytes);
	return true;
}

void dstor_account_uncharge(struct dstor_peer *p, u32 bytes)
{
	WRITE_ONCE(p->memory.used, p->memory.used - bytes);
	account_give_back(p, bytes);
}

void dstor_account_leave(struct dstor_peer *p)
{
	struct dstor_export *e = p->export;
	unsigned long irq;
	u32 granted;

	spin_lock_irqsave(&e->memory.lock, irq);
	list_del_init(&p->memory.waiting);
	granted = p->memory.granted;
	p->memory.granted = 0;
	spin_unlock_irqrestore(&e->memory.lock, irq);
	/* Whoever waited behind it is next, also when nothing is given back. */
	account_give_back(p, granted);
}

bool dstor_account_is_short(const struct dstor_export *e)
{
	return !list_empty_careful(&e->memory.waiting);
}
