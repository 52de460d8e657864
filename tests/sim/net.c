// SPDX-License-Identifier: GPL-2.0
/*
 * Connections: two streams of items in order. An item waits in the sender's
 * socket (`queued`: data there is a reference to the pages of its transaction),
 * leaves when nothing holds it (`flying`: a copy), and arrives. A loopback
 * connection copies nothing on the way: data refers to the pages until the
 * receiver has copied it.
 */
#include "sim.h"
#include "hello.h"

static void list_add(struct list *l, struct item *i)
{
	i->next = NULL;
	if (l->tail)
		l->tail->next = i;
	else
		l->head = i;
	l->tail = i;
}

static struct item *list_take(struct list *l)
{
	struct item *i = l->head;

	if (i) {
		l->head = i->next;
		if (!l->head)
			l->tail = NULL;
	}
	return i;
}

static void item_free(struct item *i)
{
	if (i->message)
		i->message->used = false;
	i->next = w.free_items;
	w.free_items = i;
}

static void list_purge(struct list *l)
{
	struct item *i = list_take(l);

	while (i) {
		item_free(i);
		i = list_take(l);
	}
}

struct item *item_new(enum item_kind kind)
{
	struct item *i = w.free_items;

	if (!i) {
		fprintf(stderr, "sim: too many items\n");
		abort();
	}
	w.free_items = i->next;
	i->kind = kind;
	i->by_reference = false;
	i->count = 0;
	i->txn = NULL;
	i->message = NULL;
	return i;
}

struct item *message_new(enum item_kind kind)
{
	struct item *i = item_new(kind);

	for (u32 n = 0; n < MESSAGES; n++)
		if (!w.messages[n].used) {
			w.messages[n].used = true;
			i->message = &w.messages[n];
			return i;
		}
	fprintf(stderr, "sim: too many messages\n");
	abort();
}

/* All are the same; sealing is what costs. */
const struct dstor_greeting *sealed_greeting(void)
{
	static struct dstor_greeting greeting;

	if (!greeting.crc) {
		dstor_greeting_init(&greeting, DSTOR_MODE_PLAIN, DSTOR_FEATURES_KNOWN);
		dstor_greeting_set_crc(&greeting);
	}
	return &greeting;
}

struct conn *conn_open(struct machine *m, u8 queue, u64 gen)
{
	struct conn *c = NULL;

	for (u32 n = 0; n < CONNS && !c; n++)
		if (!w.conns[n].used)
			c = &w.conns[n];
	if (!c) {
		fprintf(stderr, "sim: too many connections\n");
		abort();
	}
	memset(c, 0, sizeof(*c));
	c->used = true;
	c->stamp = ++w.stamps;
	c->index = c - w.conns;
	c->m = m;
	c->x = m->target;
	c->life = c->x->life;
	c->loopback = m->loopback && m->target == m->home;
	c->session = m->session;
	c->queue = queue;
	c->gen = gen;
	c->key = m->key;
	c->open = true;
	c->way[TO_EXPORTER].event = NEVER;
	c->way[TO_CLIENT].event = NEVER;
	if (c->x->speaks_late_until > w.now && chance(50))
		conn_delay(c, TO_CLIENT, between(500, 3000));
	if (c->loopback && c->x->reads_late_until > w.now)
		conn_delay(c, TO_EXPORTER, c->x->reads_late_until - w.now + below(20));
	return c;
}

/* Nobody refers to it any more. */
void conn_release(struct conn *c)
{
	bool exporter_gone = c->end == E_NONE || c->end == E_CLOSED;

	if (c->used && !c->open && exporter_gone && !c->way[0].queued.head &&
	    !c->way[0].flying.head && !c->way[1].queued.head && !c->way[1].flying.head) {
		c->used = false;
		c->stamp = 0;
	}
}

static u64 leaves_at(const struct conn *c, enum direction way)
{
	u64 cut = c->m->cut_until[c->x->index];
	u64 stall = c->way[way].stalled_until;

	return cut > stall ? cut : stall;
}

static void wake(struct conn *c, enum direction way, u64 when)
{
	struct stream *s = &c->way[way];

	if (when < w.now)
		when = w.now;
	if (s->event <= when)
		return;
	s->event = when;
	at(when, EV_STREAM, c->index, way, c->stamp);
}

/* In flight data is a copy, except on loopback. */
static void take_off(struct conn *c, enum direction way, struct item *i)
{
	struct stream *s = &c->way[way];
	u32 ms = 1 + below(2);

	if (chance(w.slow_percent))
		ms += below(chance(20) ? 8000 : 300);
	if (c->loopback)
		ms = 1;
	i->arrives = w.now + ms > s->last_arrival ? w.now + ms : s->last_arrival;
	s->last_arrival = i->arrives;
	if (i->by_reference && !c->loopback) {
		memcpy(i->data, i->txn->page, sizeof(i->data));
		i->by_reference = false;
	}
	list_add(&s->flying, i);
	wake(c, way, s->flying.head->arrives);
}

static void push_out(struct conn *c, enum direction way)
{
	struct stream *s = &c->way[way];
	u64 leaves = leaves_at(c, way);

	if (!s->queued.head)
		return;
	if (leaves > w.now) {
		wake(c, way, leaves);
		return;
	}
	while (s->queued.head)
		take_off(c, way, list_take(&s->queued));
}

void item_send(struct conn *c, enum direction way, struct item *i)
{
	struct stream *s = &c->way[way];

	list_add(&s->queued, i);
	/* the socket's window is full now and then */
	if (leaves_at(c, way) <= w.now && !c->loopback && chance(2))
		s->stalled_until = w.now + between(1, 50);
	push_out(c, way);
}

void frame_send(struct conn *c, enum direction way, const struct dstor_frame *f, struct txn *t)
{
	struct item *i = item_new(I_FRAME);

	i->frame = *f;
	i->txn = t;
	item_send(c, way, i);
}

u64 conn_frozen_until(const struct conn *c, enum direction way)
{
	return way == TO_EXPORTER ? c->x->frozen_until : c->m->frozen_until;
}

/* A packet for a connection that is no more is answered with a reset. */
static void stray(struct conn *c, enum direction way)
{
	bool answers;

	if (way == TO_EXPORTER)
		answers = c->x->state != X_DOWN && c->m->cut_until[c->x->index] <= w.now;
	else
		answers = !c->m->down && c->m->cut_until[c->x->index] <= w.now;
	if (answers && !chance(10))
		conn_reset(c, way == TO_EXPORTER, way == TO_CLIENT);
}

static void deliver(struct conn *c, enum direction way, struct item *i)
{
	bool alive;

	if (way == TO_EXPORTER) {
		alive = c->x->state != X_DOWN && c->life == c->x->life && c->end != E_CLOSED;
		if (alive && i->kind == I_FIN)
			conn_reset(c, false, true);
		else if (alive)
			exporter_receive(c, i);
		else if (i->kind != I_FIN)
			stray(c, way);
	} else {
		alive = c->open;
		if (alive && i->kind == I_FIN)
			client_closed(c);
		else if (alive)
			client_receive(c, i);
		else if (i->kind != I_FIN)
			stray(c, way);
	}
}

void conn_stream(struct conn *c, enum direction way)
{
	struct stream *s = &c->way[way];
	u32 stamp = c->stamp;

	s->event = NEVER;
	push_out(c, way);
	while (s->flying.head && s->flying.head->arrives <= w.now) {
		struct item *i = list_take(&s->flying);

		deliver(c, way, i);
		item_free(i);
		if (c->stamp != stamp || w.failed)
			return;
		/* the receiver's pass ends anywhere */
		if (s->flying.head && chance(20)) {
			wake(c, way, w.now + below(3));
			break;
		}
	}
	if (s->flying.head)
		wake(c, way, s->flying.head->arrives);
	conn_release(c);
}

/* The socket is dead at once, the thread that serves it looks later. */
static u64 notices_at(const struct conn *c)
{
	u64 soon = w.now + below(chance(20) ? 600 : 4);
	u64 busy = c->loopback ? c->x->reads_late_until + below(10) : 0;

	return soon > busy ? soon : busy;
}

/* A reset packet, or what a middlebox makes of one. Takes effect at once. */
void conn_reset(struct conn *c, bool client_sees, bool exporter_sees)
{
	if (exporter_sees && c->end != E_NONE && c->end != E_CLOSED && c->established) {
		c->established = false;
		list_purge(&c->way[TO_CLIENT].queued);
		at(notices_at(c), EV_EXPORTER_CLOSED, c->index, 0, c->stamp);
	}
	if (client_sees && c->open)
		client_closed(c);
	conn_release(c);
}

void conn_abort(struct conn *c, enum direction towards)
{
	struct stream *s = &c->way[towards];

	list_purge(&s->queued);
	if (towards == TO_EXPORTER) {
		c->open = false;
		if (c->loopback)
			conn_reset(c, false, true);
	} else {
		c->end = E_CLOSED;
		c->established = false;
	}
	/* the reset is lost with the link, overtakes the data, or comes behind it */
	if (leaves_at(c, towards) <= w.now && !chance(15)) {
		if (chance(30))
			conn_reset(c, towards == TO_CLIENT, towards == TO_EXPORTER);
		else
			take_off(c, towards, item_new(I_FIN));
	}
	conn_release(c);
}

void conn_finish(struct conn *c, enum direction towards)
{
	item_send(c, towards, item_new(I_FIN));
	if (towards == TO_EXPORTER) {
		c->open = false;
	} else {
		c->end = E_CLOSED;
		c->established = false;
	}
	conn_release(c);
}

/* Somebody on the way holds what is in flight. */
void conn_hold(struct conn *c, enum direction way, u64 ms)
{
	struct stream *s = &c->way[way];

	for (struct item *i = s->flying.head; i; i = i->next)
		i->arrives += ms;
	if (s->flying.head)
		s->last_arrival = s->flying.tail->arrives;
}

/* What is sent from now on arrives no earlier. */
void conn_delay(struct conn *c, enum direction way, u64 ms)
{
	if (c->way[way].last_arrival < w.now + ms)
		c->way[way].last_arrival = w.now + ms;
}

/* Nobody holds anything any more. */
void conn_heal(struct conn *c, enum direction way)
{
	struct stream *s = &c->way[way];
	u64 soon = w.now + 1;

	for (struct item *i = s->flying.head; i; i = i->next) {
		soon += below(3);
		if (i->arrives > soon)
			i->arrives = soon;
	}
	if (s->last_arrival > soon)
		s->last_arrival = soon;
	s->stalled_until = w.now;
	push_out(c, way);
	if (s->flying.head)
		wake(c, way, s->flying.head->arrives);
}

/* Its ends die without a word; what it had sent is still under way. */
void net_exporter_died(struct exporter *x)
{
	for (u32 n = 0; n < CONNS; n++) {
		struct conn *c = &w.conns[n];

		if (!c->used || c->x != x || c->end == E_CLOSED)
			continue;
		c->end = E_CLOSED;
		c->established = false;
		list_purge(&c->way[TO_CLIENT].queued);
		conn_release(c);
	}
}

void net_machine_died(struct machine *m)
{
	for (u32 n = 0; n < CONNS; n++) {
		struct conn *c = &w.conns[n];

		if (!c->used || c->m != m)
			continue;
		c->open = false;
		list_purge(&c->way[TO_EXPORTER].queued);
		conn_release(c);
	}
}
