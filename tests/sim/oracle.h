/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the oracle share: questions about a write, and the lists of a block. */
#ifndef DST_SIM_ORACLE_H
#define DST_SIM_ORACLE_H

#include "sim.h"
#include "frame.h"

static inline bool ended_before(const struct txn *a, const struct txn *b)
{
	return a->ended && a->ended < b->began;
}

static inline bool is_write(const struct txn *t)
{
	return dstor_op_writes(t->op) && !t->of;
}

static inline bool in_flight(const struct txn *t)
{
	return t->state == T_WAITING || t->state == T_SENT;
}

static inline u32 number(const struct txn *t)
{
	return t - w.txns;
}

static inline struct txn *root_of(struct txn *t)
{
	return t->root ? &w.txns[t->root] : t;
}

static inline u64 *dead_at(struct disk *d, u32 block, u16 id)
{
	struct txn *t = &w.txns[id];

	return id ? &t->dead[block - t->first] : &d->dead[block];
}

static inline bool list_has(const u16 *list, u32 n, u32 id)
{
	for (u32 i = 0; i < n; i++)
		if (list[i] == id)
			return true;
	return false;
}

static inline void list_add(u16 *list, u8 *n, u16 id)
{
	if (*n == CANDIDATES) {
		fprintf(stderr, "sim: too many writes of one block\n");
		abort();
	}
	list[(*n)++] = id;
}

static inline void list_remove(u16 *list, u8 *n, u16 id)
{
	for (u32 i = 0; i < *n; i++)
		if (list[i] == id) {
			list[i] = list[--*n];
			return;
		}
}

/* Durable by what the client was told: check the platter. */
void oracle_now_durable(struct txn *t, const char *said);
/* Can no copy of it land any more? */
bool oracle_is_fenced(const struct txn *t);
/* None can. */
void oracle_fence(struct txn *t);

#endif
