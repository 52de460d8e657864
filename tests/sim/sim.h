/* SPDX-License-Identifier: GPL-2.0 */
/* What each file of the simulator offers to the others. */
#ifndef DST_SIM_H
#define DST_SIM_H

#include <stdio.h>
#include <stdlib.h>

#include "world.h"

/* engine.c - chance, time, and what is said about it */
u32 below(u32 n);			/* 0 to n - 1 */
u32 between(u32 low, u32 high);		/* both included */
bool chance(u32 percent);
void make_id(u8 id[DSTOR_ID_LEN]);
void at(u64 when, enum event_type type, u16 index, u8 sub, u32 stamp);
static inline void after(u64 ms, enum event_type type, u16 index, u8 sub, u32 stamp)
{
	at(w.now + ms, type, index, sub, stamp);
}

bool next_event(struct event *e);
void seed_world(u64 seed);
extern bool history_on;
extern char line[160];
void history_add(void);				/* the line */
void history_print(u32 lines);
void promise_broken(const char *promise);	/* the line says how */

#define say(...)							\
	do {								\
		if (history_on) {					\
			snprintf(line, sizeof(line), __VA_ARGS__);	\
			history_add();					\
		}							\
	} while (0)

#define violated(promise, ...)						\
	do {								\
		snprintf(line, sizeof(line), __VA_ARGS__);		\
		promise_broken(promise);				\
	} while (0)

const char *op_name(u8 op);

/* net.c */
struct conn *conn_open(struct machine *m, u8 queue, u64 gen);
struct item *item_new(enum item_kind kind);
void item_send(struct conn *c, enum direction way, struct item *i);
void frame_send(struct conn *c, enum direction way, const struct dstor_frame *f, struct txn *t);
const struct dstor_greeting *sealed_greeting(void);
struct item *message_new(enum item_kind kind);
/* The local end is gone, its queue is purged, the peer may hear of it. */
void conn_abort(struct conn *c, enum direction towards);
/* What is queued still goes out, then the peer sees the end. */
void conn_finish(struct conn *c, enum direction towards);
void conn_stream(struct conn *c, enum direction way);
void conn_reset(struct conn *c, bool client_sees, bool exporter_sees);
void conn_hold(struct conn *c, enum direction way, u64 ms);
void conn_release(struct conn *c);
void conn_delay(struct conn *c, enum direction way, u64 ms);
void conn_heal(struct conn *c, enum direction way);
u64 conn_frozen_until(const struct conn *c, enum direction way);
void net_exporter_died(struct exporter *x);
void net_machine_died(struct machine *m);

/* disk.c */
struct bio *disk_submit(struct exporter *x, struct request *r, enum bio_kind kind);
void disk_done(struct bio *b);
void disk_power_cut(struct exporter *x, bool cache_lost);
u32 disk_running(const struct exporter *x);
void disk_grow(struct disk *d);

/* exporter.c - frames and requests */
/* Has somebody on the way changed a byte? */
bool is_damaged(void);
void exporter_receive(struct conn *c, struct item *i);
void exporter_closed(struct conn *c);
void exporter_timer(struct conn *c);
void request_copied(struct request *r);
void request_submit(struct request *r);
void request_done(struct request *r, struct bio *b);
void request_free(struct request *r);
void requests_drop(struct conn *c);

/* stop.c */
void exporter_change(struct exporter *x, u16 flags, u64 size);
void exporter_stop(struct exporter *x, bool powers_off);
void exporter_stop_step(struct exporter *x);
void exporter_crash(struct exporter *x, bool cache_lost);
void exporter_start(struct exporter *x);

/* attach.c - hellos and their answers */
void attach_hello(struct conn *c, const struct message *m);
void attach_wait(struct conn *c);
void attach_step_all(struct exporter *x);

/* session.c - sessions of an exporter; lease.c - the one writer */
void queue_lost(struct conn *c);
void session_heard(struct conn *c);
void session_frame(struct conn *c, u64 seq);
void session_bye(struct conn *c);
/* May the exporter accept this cookie, or have no means to refuse it? */
bool session_may_know(struct exporter *x, const u8 id[DSTOR_ID_LEN], u8 queue, u64 cookie);
void session_evict(struct exporter *x, struct record *r);
void session_dormant(struct exporter *x, struct record *r);
void session_settle(struct exporter *x, struct record *r);
u32 record_running(const struct record *r);
/* The rules of @x for the client @m change: may it write, or only read? */
void lease_rule(struct exporter *x, const struct machine *m, bool only_reads);
/* Something that @queue had submitted is done. */
void lease_drained(struct exporter *x, struct record *r, u8 queue);

/* client.c - a device and its connections */
void device_attach(struct machine *m);
void device_detach(struct machine *m);
void device_force(struct machine *m);
void device_crash(struct machine *m);
void device_fail(struct machine *m, const char *why);
void client_hello(struct machine *m, u8 queue, struct conn *c);
void client_connect(struct machine *m, u8 queue);
void client_receive(struct conn *c, struct item *i);
void client_closed(struct conn *c);
void client_timer(struct machine *m, u8 queue);
void client_lost(struct machine *m, u8 queue);

/* renewal.c - connections that are made anew */
void device_rotate(struct machine *m);
void renewal_next(struct machine *m);
void renewal_step(struct machine *m, u8 queue);
/* Gives it up. Before its hello nothing is lost: the old connection @goes_on. */
void renewal_drop(struct machine *m, u8 queue, bool goes_on);
/* Its machine is no more. */
void renewal_forget(struct queue *q);
void renewal_receive(struct conn *c, const struct item *i);
/* True: the end of @c is no loss. */
bool renewal_closed(struct machine *m, struct conn *c);

/* transaction.c - transactions of a device */
struct txn *txn_submit(struct machine *m, u8 queue, u8 op, bool fua, u8 first, u8 count);
struct txn *txn_revive(struct machine *m, const struct txn *saved, u64 later_ms);
void txns_unsent(struct machine *m, u8 queue);
/* The connection is newer than the one it was sent on: no answer will come, and no copy. */
bool txn_is_fenced(const struct machine *m, const struct txn *t);
void txn_resend_all(struct machine *m, u8 queue);
void txn_resend(struct machine *m, struct txn *t);
/* Of the client's own: a flush, or a piece of @of, in the slot behind the others. */
struct txn *txn_internal(struct machine *m, u8 queue, u8 op, u8 first, u8 count, u16 of);
/* Such a one has no meaning any more, and nothing waits for its answer. */
void txn_cancel(struct machine *m, struct txn *t);
void txn_response(struct conn *c, const struct dstor_frame *f);
void txn_data(struct conn *c, const struct item *i);
void txn_state(struct conn *c, const struct dstor_frame *f);
void txn_scan(struct machine *m);
void device_reopened(struct machine *m);
void txn_fail_all(struct machine *m, const char *why);
u32 txns_in_flight(const struct machine *m);

/* keep.c - a device that keeps its writes */
void keep_attach(struct machine *m);
void keep_first_welcome(struct machine *m, const struct dstor_welcome *a);
void keep_welcomed(struct machine *m, u8 queue, const struct dstor_welcome *a);
void keep_end(struct machine *m);
bool keep_is_live(const struct machine *m);
bool keep_may_send(const struct machine *m, const struct txn *t);
void keep_submit(struct machine *m, struct txn *t);
void keep_acked(struct machine *m, struct txn *t);
void keep_failed(struct machine *m, struct txn *t);
void keep_flush(struct machine *m);
void keep_flush_begun(struct machine *m, const struct txn *t);
void keep_flushed(struct machine *m, const struct txn *t);
void keep_flush_answered(struct machine *m, struct txn *t, u8 status);
void keep_piece_answered(struct machine *m, struct txn *t, u8 status);
void keep_piece_ended(struct machine *m);

/* oracle.c, oracle_exporter.c, oracle_keep.c - the promises */
u16 oracle_session(struct machine *m);
void oracle_submitted(struct txn *t);
void oracle_acked(struct txn *t, const u32 *data);
void oracle_failed(struct txn *t, bool excused);
void oracle_reopened(const struct machine *m);
void oracle_executed(struct exporter *x, struct request *r);
void oracle_applied(struct bio *b, u8 i);
void oracle_heard(struct conn *c);
void oracle_answered(struct conn *c);
void oracle_granted(struct exporter *x, u16 session, const struct dstor_lease_request *q);
void oracle_released(struct exporter *x, u16 session);
void oracle_session_over(struct exporter *x, u16 session);
void oracle_cache_lost(struct disk *d);
bool oracle_promised(const struct txn *t);
void oracle_replay_owed(struct disk *d);
void oracle_excused(u16 session, struct disk *d);
void oracle_restored(struct machine *m, const u8 instance[DSTOR_ID_LEN]);
/* @why: NULL at the end of a device. */
void oracle_gave_up(struct machine *m, const char *why);
void oracle_gate_closed(struct exporter *x);
void oracle_reader_served(struct exporter *x);
void oracle_life_over(struct exporter *x);
void oracle_device_failed(struct machine *m);
void oracle_client_crashed(struct machine *m);
void oracle_arrived(struct conn *c, struct txn *t);
void oracle_rolled_back(const struct machine *m, const struct snapshot *s);
void oracle_audit(void);
void oracle_end(void);
u64 txn_bound_ms(const struct machine *m);

/* rollback.c - a client machine restored with its memory */
void machine_snapshot(struct machine *m);
void machine_restore(struct machine *m);

/* faults.c */
void weather_next(void);
void weather_disk(struct exporter *x);

/* seed.c - the character of a seed */
void draw_policy(struct machine *m);
void weather_begin(void);

/* app.c - applications */
void app_step(struct machine *m);

/* heal.c - the end of a run */
void weather_heal(void);
void settle_step(struct machine *m);
bool run_is_over(void);

#endif
