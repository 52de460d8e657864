// SPDX-License-Identifier: GPL-2.0
/*
 * The client: a device, its connections, and what ends it. What travels on
 * them is transaction.c.
 */
#include "sim.h"
#include "frame.h"
#include "hello.h"
#include "id.h"

static u64 silence_ms(const struct machine *m)
{
	return dstor_silence_ms(m->ping_ms, m->policy.timeout_ms);
}

/* --- one connection attempt --- */

static void hello_fill(const struct machine *m, u8 queue, struct dstor_hello *h)
{
	memset(h, 0, sizeof(*h));
	h->kind = DSTOR_HELLO_ATTACH;
	h->flags = (m->only_reads ? DSTOR_HELLO_READ_ONLY : 0) |
		   (w.keepers[m->index].wish ? DSTOR_HELLO_KEEPS : 0);
	h->queue = cpu_to_le16(queue);
	h->queues = cpu_to_le16(m->queues);
	h->slots = cpu_to_le16(m->slots + w.keepers[m->index].wish);
	h->max_io = cpu_to_le32(SPAN * BLOCK);
	h->generation = cpu_to_le64(m->queue[queue].gen);
	memcpy(h->session, m->session_id, DSTOR_ID_LEN);
	memcpy(h->client, m->client, DSTOR_ID_LEN);
	memcpy(h->takeover, m->takeover, DSTOR_ID_LEN);
	h->ping_ms = cpu_to_le32(m->ping_ms);
	h->timeout_ms = cpu_to_le32(m->policy.timeout_ms);
	h->retries = cpu_to_le32(m->policy.retries);
	memcpy(h->export, "data", sizeof("data"));
	memcpy(h->client_name, "node", sizeof("node"));
	memcpy(h->checksums, "crc32c", sizeof("crc32c"));
	if (m->established) {
		h->flags |= DSTOR_HELLO_RESUME;
		memcpy(h->uuid, m->identity.uuid, DSTOR_ID_LEN);
		h->writer_token = cpu_to_le64(m->token);
		memcpy(h->life, m->life, DSTOR_ID_LEN);
		h->cookie = cpu_to_le64(m->queue[queue].cookie);
		h->last_seq = cpu_to_le64(m->queue[queue].seq);
	}
}

void client_hello(struct machine *m, u8 queue, struct conn *c)
{
	struct queue *q = &m->queue[queue];
	struct item *i = message_new(I_HELLO);

	c->gen = ++q->gen;
	c->shown = m->token;
	i->message->greeting = *sealed_greeting();
	hello_fill(m, queue, &i->message->hello);
	dstor_hello_set_crc(&i->message->hello);
	say("M%u: s%u queue %u connects to X%u, gen %llu%s", m->index, m->session, queue,
	    c->x->index, ULL(q->gen), dstor_id_is_zero(m->takeover) ? "" : ", takeover");
	item_send(c, TO_EXPORTER, i);
}

void client_connect(struct machine *m, u8 queue)
{
	struct queue *q = &m->queue[queue];

	if (m->device == D_NONE || m->device == D_FAILED || q->state != Q_IDLE)
		return;
	q->state = Q_HELLO;
	q->heard_ms = w.now;
	q->pinged_ms = w.now;
	q->conn = conn_open(m, queue, q->gen);
	client_hello(m, queue, q->conn);
	after(silence_ms(m), EV_QUEUE_TIMER, m->index, queue, q->conn->stamp);
}

/* Its connection is gone; transactions wait, and the next attempt is set. */
void client_lost(struct machine *m, u8 queue)
{
	struct queue *q = &m->queue[queue];

	renewal_drop(m, queue, false);
	if (q->conn) {
		struct conn *c = q->conn;

		q->conn = NULL;
		c->reading = NULL;
		if (c->open)
			conn_abort(c, TO_EXPORTER);
	}
	txns_unsent(m, queue);
	q->state = Q_IDLE;
	if (m->device == D_NONE || m->device == D_FAILED)
		return;
	after(dstor_reconnect_delay_ms(q->attempts++), EV_CONNECT, m->index, queue, m->session);
}

void client_closed(struct conn *c)
{
	struct machine *m = c->m;

	if (!c->open)
		return;
	say("M%u: s%u queue %u gen %llu is closed", m->index, c->session, c->queue, ULL(c->gen));
	conn_abort(c, TO_EXPORTER);
	if (!renewal_closed(m, c))
		client_lost(m, c->queue);
}

void client_timer(struct machine *m, u8 queue)
{
	struct queue *q = &m->queue[queue];
	struct dstor_frame ping = { .type = DSTOR_FRAME_PING };
	u64 dead = q->heard_ms + silence_ms(m), next = dead;

	if (w.now >= dead) {
		say("M%u: s%u queue %u: silence", m->index, m->session, queue);
		client_lost(m, queue);
		return;
	}
	if (q->state == Q_LIVE) {
		if (w.now >= q->heard_ms + m->ping_ms && w.now >= q->pinged_ms + m->ping_ms) {
			q->pinged_ms = w.now;
			frame_send(q->conn, TO_EXPORTER, &ping, NULL);
		}
		next = (q->heard_ms > q->pinged_ms ? q->heard_ms : q->pinged_ms) + m->ping_ms;
	}
	at(next < dead ? next : dead, EV_QUEUE_TIMER, m->index, queue, q->conn->stamp);
}

/* --- what comes back --- */

static void first_welcome(struct machine *m, const struct exporter *x,
			  const struct dstor_welcome *a)
{
	say("M%u: s%u is attached", m->index, m->session);
	m->established = true;
	m->device = D_UP;
	memcpy(m->identity.exporter, a->exporter, DSTOR_ID_LEN);
	memcpy(m->identity.uuid, a->uuid, DSTOR_ID_LEN);
	m->identity.size = le64_to_cpu(a->size);
	m->identity.block = le32_to_cpu(a->logical_block);
	m->identity.max_io = le32_to_cpu(a->max_io);
	m->identity.slots = le16_to_cpu(a->slots);
	m->is_volatile = le32_to_cpu(a->disk_flags) & DSTOR_DISK_VOLATILE;
	m->only_reads |= a->access == DSTOR_ACCESS_READ && !mutated(READER_ASKS_TO_WRITE);
	memcpy(m->instance, a->instance, DSTOR_ID_LEN);
	m->disk = x->disk - w.disks;
	keep_first_welcome(m, a);
	for (u8 n = 0; n < m->queues; n++)
		if (m->queue[n].state == Q_IDLE)
			after(0, EV_CONNECT, m->index, n, m->session);
}

static bool same_disk(struct machine *m, const struct dstor_welcome *a)
{
	enum dstor_resume r = dstor_resume_check(&m->identity, a);

	if (r == DSTOR_RESUME_OTHER_EXPORTER &&
	    (mutated(EXPORTER_IGNORED) || mutated(UUID_IGNORED))) {
		struct dstor_identity any = m->identity;

		memset(any.exporter, 0, DSTOR_ID_LEN);
		r = dstor_resume_check(&any, a);
	}
	if ((r == DSTOR_RESUME_OTHER_DISK && mutated(UUID_IGNORED)) ||
	    (r == DSTOR_RESUME_SMALLER && mutated(SIZE_IGNORED)))
		r = DSTOR_RESUME_OK;
	m->suspended = r != DSTOR_RESUME_OK;
	if (m->suspended)
		say("M%u: s%u is suspended: %s", m->index, m->session, dstor_resume_text(r));
	if (r == DSTOR_RESUME_OTHER_EXPORTER)
		happened[H_SUSPENDED_EXPORTER]++;
	if (r == DSTOR_RESUME_OTHER_DISK)
		happened[H_SUSPENDED_UUID]++;
	if (r == DSTOR_RESUME_SMALLER)
		happened[H_SUSPENDED_SIZE]++;
	return !m->suspended;
}

/*
 * The exporter's volatile caches are not those of before. Older connections end,
 * whose late acks would be taken for something they are not, and so do older
 * attempts: a late welcome of the former instance would pass for another change.
 * Marks stay until a flush has succeeded.
 */
static void instance_check(struct machine *m, u8 queue, const struct dstor_welcome *a)
{
	if (dstor_id_equal(m->instance, a->instance) || mutated(INSTANCE_IGNORED))
		return;
	memcpy(m->instance, a->instance, DSTOR_ID_LEN);
	for (u8 n = 0; n < m->queues; n++) {
		struct queue *q = &m->queue[n];

		if (n != queue && (q->state == Q_HELLO || q->said) &&
		    !mutated(LATE_WELCOME_TRUSTED))
			client_lost(m, n);
		if (dstor_id_equal(q->instance, a->instance))
			continue;
		if (q->state == Q_LIVE && !mutated(LATE_ACK_TRUSTED))
			client_lost(m, n);
		if (dstor_flush_mark_uncovered(&m->cache, q->mark) && !w.keepers[m->index].on) {
			say("M%u: s%u: acked writes of queue %u may be lost", m->index,
			    m->session, n);
			dstor_flush_mark_lost(&m->cache);
		}
		if (mutated(LATE_WELCOME_TRUSTED))
			q->mark = DSTOR_FLUSH_MARK_CLEAN;
		memset(q->instance, 0, DSTOR_ID_LEN);
	}
}

static void welcomed(struct conn *c, const struct dstor_welcome *a)
{
	struct machine *m = c->m;
	struct queue *q = &m->queue[c->queue];

	if (!m->established) {
		first_welcome(m, c->x, a);
	} else {
		if (!same_disk(m, a)) {
			client_lost(m, c->queue);
			return;
		}
		instance_check(m, c->queue, a);
		if (le64_to_cpu(a->size) > m->identity.size)
			m->identity.size = le64_to_cpu(a->size);
	}
	/* who may only read for now keeps its token: it says whether another wrote since */
	if (a->writer_token || mutated(TOKEN_LOST_BY_READING))
		m->token = le64_to_cpu(a->writer_token);
	if (a->writer_token)
		m->token_life = c->life;
	memcpy(m->life, a->life, DSTOR_ID_LEN);
	q->quiet = false;
	q->cookie = le64_to_cpu(a->cookie);
	memcpy(q->instance, a->instance, DSTOR_ID_LEN);
	q->is_volatile = le32_to_cpu(a->disk_flags) & DSTOR_DISK_VOLATILE;
	q->access = a->access;
	q->state = Q_LIVE;
	q->attempts = 0;
	for (u32 n = 0; n < SLOTS; n++)
		q->barred[n] = false;
	keep_welcomed(m, c->queue, a);
	if (q->conn == c && keep_is_live(m))
		txn_resend_all(m, c->queue);
	if (q->conn == c)
		after(m->ping_ms, EV_QUEUE_TIMER, m->index, c->queue, c->stamp);
	renewal_next(m);
}

static void in_use(struct conn *c, const struct dstor_welcome *a)
{
	struct machine *m = c->m;

	happened[H_IN_USE]++;
	if (m->established) {
		client_lost(m, c->queue);
	} else if (!dstor_id_is_zero(a->holder)) {
		memcpy(m->takeover, a->holder, DSTOR_ID_LEN);
		client_lost(m, c->queue);
	} else {
		say("M%u: s%u: attach refused, in use", m->index, m->session);
		device_force(m);
	}
}

/*
 * A clone with the same UUID knows nothing of this session, but has a writer of its
 * own: it ends nothing that is not its own (README.md, repairs).
 */
static bool of_another(struct conn *c, const struct dstor_welcome *a)
{
	struct machine *m = c->m;
	struct dstor_identity mine = m->identity;
	u64 shown = mutated(EXPIRED_OF_AN_OLD_TOKEN) ? m->token : c->shown;

	if (mutated(CLONE_ENDS_SESSIONS))
		memset(mine.exporter, 0, DSTOR_ID_LEN);
	if (!m->established || dstor_resume_is_over(&mine, a, shown, m->token))
		return false;
	if (dstor_id_equal(m->identity.exporter, a->exporter))
		return true;
	happened[H_SUSPENDED_EXPORTER]++;
	m->suspended = true;
	return true;
}

static void welcome_arrived(struct conn *c, const struct message *msg)
{
	const struct dstor_welcome *a = &msg->welcome;
	struct machine *m = c->m;
	struct dstor_hello h;
	const char *why;

	hello_fill(m, c->queue, &h);
	if (!dstor_welcome_check(a, &h, &why)) {
		violated("hello", "the client refuses a welcome: %s", why);
		return;
	}
	switch (a->status) {
	case DSTOR_WELCOME_OK:
		welcomed(c, a);
		break;
	case DSTOR_WELCOME_WAIT:
		break;
	case DSTOR_WELCOME_IN_USE:
		in_use(c, a);
		break;
	case DSTOR_WELCOME_EXPIRED:
	case DSTOR_WELCOME_EVICTED:
		if (of_another(c, a)) {
			client_lost(m, c->queue);
			break;
		}
		happened[a->status == DSTOR_WELCOME_EXPIRED ? H_EXPIRED : H_EVICTED]++;
		device_fail(m, dstor_welcome_text(a->status));
		break;
	case DSTOR_WELCOME_STALE:
	case DSTOR_WELCOME_STOPPING:
	case DSTOR_WELCOME_BUSY:
	case DSTOR_WELCOME_MALFORMED:	/* mutant */
		client_lost(m, c->queue);
		break;
	default:
		violated("hello", "welcome with status %u", a->status);
	}
}

static void changed(struct conn *c, const struct dstor_frame *f)
{
	struct machine *m = c->m;
	u16 flags = le16_to_cpu(f->flags);

	if (flags & DSTOR_CHANGE_SIZE && le64_to_cpu(f->offset) > m->identity.size) {
		m->identity.size = le64_to_cpu(f->offset);
		happened[H_GREW]++;
	}
	/* nothing was acked on this queue after it, and all before is durable */
	if (flags & DSTOR_CHANGE_FLUSHED)
		m->queue[c->queue].mark = DSTOR_FLUSH_MARK_CLEAN;
	if (flags & DSTOR_CHANGE_EVICTED)
		device_fail(m, "evicted");
	else if (flags & DSTOR_CHANGE_STOPPING)
		client_lost(m, c->queue);
}

static void frame_arrived(struct conn *c, const struct item *i)
{
	struct machine *m = c->m;
	struct dstor_bounds b = { .size = m->identity.size, .block = BLOCK,
				.max_io = SPAN * BLOCK, .slots = SLOTS };
	struct dstor_frame pong = { .type = DSTOR_FRAME_PONG, .seq = i->frame.seq };

	if (!dstor_response_sane(&i->frame, &b)) {
		violated("frame", "the client refuses the header of a frame of type %u",
			 i->frame.type);
		return;
	}
	switch (i->frame.type) {
	case DSTOR_FRAME_RESPONSE:
		txn_response(c, &i->frame);
		break;
	case DSTOR_FRAME_PING:
		frame_send(c, TO_EXPORTER, &pong, NULL);
		break;
	case DSTOR_FRAME_STATE:
		txn_state(c, &i->frame);
		break;
	case DSTOR_FRAME_CHANGE:
		changed(c, &i->frame);
		break;
	}
}

void client_receive(struct conn *c, struct item *i)
{
	struct queue *q = &c->m->queue[c->queue];

	if (q->next == c)
		renewal_receive(c, i);
	if (q->conn != c)
		return;
	q->heard_ms = w.now;
	if (i->kind == I_GREETING) {
		if (!dstor_greeting_is_ours(&i->message->greeting))
			violated("greet", "the client refuses a greeting");
	} else if (i->kind == I_WELCOME && q->state == Q_HELLO) {
		welcome_arrived(c, i->message);
	} else if (i->kind == I_FRAME && q->state == Q_LIVE) {
		frame_arrived(c, i);
	} else if (i->kind == I_DATA && q->state == Q_LIVE) {
		txn_data(c, i);
	} else {
		violated("order", "the client gets item %u in state %u", i->kind, q->state);
	}
}

/* --- a device begins and ends --- */

void device_attach(struct machine *m)
{
	u8 queues = m->queues;

	if (m->device != D_NONE || m->down)
		return;
	memset(m->queue, 0, sizeof(m->queue));
	memset(m->takeover, 0, DSTOR_ID_LEN);
	memset(&m->cache, 0, sizeof(m->cache));
	m->queues = queues;
	keep_attach(m);
	m->established = false;
	m->suspended = false;
	m->only_reads = m->read_only;
	m->token = 0;
	memset(m->life, 0, DSTOR_ID_LEN);
	memset(&m->identity, 0, sizeof(m->identity));
	m->forced_ms = NEVER;
	make_id(m->session_id);
	m->session = oracle_session(m);
	m->device = D_ATTACHING;
	m->attach_gives_up = w.now + between(2000, 20000);
	client_connect(m, 0);
}

static void close_all(struct machine *m)
{
	for (u8 n = 0; n < m->queues; n++)
		client_lost(m, n);
}

/* Somebody else writes now, or an administrator said so. */
void device_fail(struct machine *m, const char *why)
{
	say("M%u: s%u has failed: %s", m->index, m->session, why);
	m->device = D_FAILED;
	oracle_device_failed(m);
	keep_end(m);
	close_all(m);
	txn_fail_all(m, why);
}

/* `dst detach --force`, or an attach that was refused or given up. */
void device_force(struct machine *m)
{
	say("M%u: s%u is detached by force", m->index, m->session);
	if (mutated(FORCED_DETACH_WAITS) && txns_in_flight(m)) {
		m->device = D_DETACHING;
		return;
	}
	m->device = D_NONE;
	keep_end(m);
	happened[H_FORCED]++;
	close_all(m);
	txn_fail_all(m, "forced detach");
	m->forced_ms = NEVER;
}

/* In order: when nothing is in flight, BYE on each connection. */
void device_detach(struct machine *m)
{
	struct dstor_frame bye = { .type = DSTOR_FRAME_BYE };

	m->device = D_DETACHING;
	if (txns_in_flight(m))
		return;		/* called again when the last one has ended */
	m->device = D_NONE;
	m->forced_ms = NEVER;
	keep_end(m);
	happened[H_DETACHED]++;
	say("M%u: s%u is detached", m->index, m->session);
	for (u8 n = 0; n < m->queues; n++) {
		struct queue *q = &m->queue[n];
		struct conn *c = q->conn;
		bool undecided = false;

		for (u32 k = 0; k < SLOTS; k++)
			undecided |= q->barred[k];
		undecided |= q->said;
		renewal_drop(m, n, false);
		if (q->state == Q_LIVE && !undecided) {
			frame_send(c, TO_EXPORTER, &bye, NULL);
			q->conn = NULL;
			q->state = Q_IDLE;
			conn_finish(c, TO_EXPORTER);
		} else {
			client_lost(m, n);
		}
	}
}

void device_crash(struct machine *m)
{
	happened[H_CLIENT_CRASHED]++;
	say("M%u: crashes", m->index);
	net_machine_died(m);
	oracle_client_crashed(m);
	keep_end(m);
	for (u8 n = 0; n < QUEUES; n++) {
		m->queue[n].conn = NULL;
		renewal_forget(&m->queue[n]);
		m->queue[n].state = Q_IDLE;
		memset(m->queue[n].slot, 0, sizeof(m->queue[n].slot));
	}
	m->device = D_NONE;
	m->forced_ms = NEVER;
	m->down = true;
	after(between(100, 20000), EV_REBOOTED, m->index, 0, 0);
}
