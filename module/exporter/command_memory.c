// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of commands: pages for their data, charged to their client.
 *
 * Locks: conn.tx.lock. Pages kept for the next commands are the peer's work's own.
 */
#include <linux/ioprio.h>

#include "exporter/account.h"
#include "exporter/command.h"
#include "exporter/command_memory.h"
#include "exporter/export.h"
#include "exporter/peer.h"
#include "exporter/progress.h"

#define CHUNK_ORDER 4	/* data of a command comes in pieces of up to 64 KiB */

static void uncharge_memory(struct dstor_command *cmd)
{
	if (!cmd->charged)
		return;
	dstor_account_uncharge(cmd->peer, cmd->charged);
	cmd->charged = 0;
}

static void free_pages_of(struct page **pages, unsigned int n)
{
	while (n)
		put_page(pages[--n]);
}

/*
 * A page that is still in the processor's cache is worth more than one of the
 * allocator's. The newest is free when it was a write's, the oldest when it was a
 * read's: by then the socket has let go of it.
 */
static struct page *command_take_spare_page(struct dstor_peer_memory *m)
{
	unsigned int newest = (m->first_spare + m->n_spares - 1) % DSTOR_SPARE_PAGES;
	struct page *page;

	if (!m->n_spares)
		return NULL;
	page = m->spare_pages[newest];
	if (page_count(page) == 1) {
		m->n_spares--;
		return page;
	}
	page = m->spare_pages[m->first_spare];
	if (page_count(page) != 1)
		return NULL;
	m->first_spare = (m->first_spare + 1) % DSTOR_SPARE_PAGES;
	m->n_spares--;
	return page;
}

/*
 * Others may still read a spare page, none writes to it. It is reused when we
 * have the only reference.
 */
static void command_keep_spare_page(struct dstor_peer_memory *m, struct page *page)
{
	if (m->n_spares == DSTOR_SPARE_PAGES)
		put_page(page);
	else
		m->spare_pages[(m->first_spare + m->n_spares++) % DSTOR_SPARE_PAGES] = page;
}

void dstor_command_drop_spares(struct dstor_peer *p)
{
	struct dstor_peer_memory *m = &p->memory;

	if (p->commands.n)
		return;
	while (m->n_spares)
		put_page(m->spare_pages[(m->first_spare + --m->n_spares) % DSTOR_SPARE_PAGES]);
	dstor_compat_drain_heads(&m->heads);
	if (dstor_conn_is_open(&p->conn) && dstor_tx_idle(&p->conn))
		dstor_cipher_trim(&p->conn);
}

/* Fills m->scratch; the number of pieces, or 0. */
static unsigned int get_pages(struct dstor_peer_memory *m, u32 bytes)
{
	unsigned int n = 0, order = CHUNK_ORDER;

	if (bytes <= PAGE_SIZE) {
		m->scratch[0] = command_take_spare_page(m);
		if (m->scratch[0])
			return 1;
	}
	while (bytes) {
		struct page *page = NULL;

		order = min_t(unsigned int, order, ilog2(max_t(u32, bytes >> PAGE_SHIFT, 1)));
		if (order)
			page = alloc_pages(GFP_NOWAIT | __GFP_NOWARN | __GFP_NORETRY | __GFP_COMP,
					   order);
		if (!page) {
			order = 0;
			page = alloc_page(GFP_NOIO | __GFP_NOWARN);
		}
		if (!page) {
			free_pages_of(m->scratch, n);
			return 0;
		}
		m->scratch[n++] = page;
		bytes -= min_t(u32, bytes, PAGE_SIZE << order);
	}
	return n;
}

static void command_sent(struct dstor_conn *c, struct dstor_message *m)
{
	dstor_command_free(container_of(m, struct dstor_command, message));
}

static struct dstor_command *new_command(struct dstor_peer *p, const struct dstor_frame *f,
					 u32 data)
{
	struct dstor_peer_memory *m = &p->memory;
	struct dstor_export *e = p->export;
	unsigned int n = 0, i;
	struct dstor_command *cmd;
	struct bio *bio;

	if (data) {
		n = get_pages(m, data);
		if (!n)
			return NULL;
	}
	bio = bio_alloc_bioset(e->disk.bdev.bdev, n, 0, GFP_NOWAIT | __GFP_NOWARN,
			       &e->disk.commands);
	if (!bio) {
		free_pages_of(m->scratch, n);
		return NULL;
	}
	cmd = container_of(bio, struct dstor_command, bio);
	memset(cmd, 0, offsetof(struct dstor_command, bio));
	cmd->message.sent = command_sent;
	cmd->peer = p;
	cmd->seq = le64_to_cpu(f->seq);
	cmd->offset = le64_to_cpu(f->offset);
	cmd->bytes = le32_to_cpu(f->bytes);
	cmd->slot = le16_to_cpu(f->slot);
	cmd->flags = le16_to_cpu(f->flags);
	cmd->op = f->op;
	cmd->charged = data;
	p->commands.n++;
	bio->bi_ioprio = le16_to_cpu(f->status);
	if (IOPRIO_PRIO_CLASS(bio->bi_ioprio) > IOPRIO_CLASS_IDLE)
		bio->bi_ioprio = 0;
	/* Real time would be before others of the disk; there it needs CAP_SYS_ADMIN. */
	if (IOPRIO_PRIO_CLASS(bio->bi_ioprio) == IOPRIO_CLASS_RT)
		bio->bi_ioprio = IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 0);
	for (i = 0; i < n; i++) {
		u32 len = min_t(u32, data, page_size(m->scratch[i]));

		/* Pieces stay apart: each is freed by its own reference. */
		__bio_add_page(bio, m->scratch[i], len, 0);
		data -= len;
	}
	return cmd;
}

struct dstor_command *dstor_command_new(struct dstor_peer *p, const struct dstor_frame *f,
					u32 data)
{
	struct dstor_command *cmd;

	if (data && !dstor_account_charge(p, data))
		return NULL;
	cmd = new_command(p, f, data);
	if (cmd)
		return cmd;
	if (data)
		dstor_account_uncharge(p, data);
	/* Its tick tries again. */
	dstor_conn_pause(&p->conn, DSTOR_PAUSE_MEMORY);
	return NULL;
}

void dstor_command_free_data(struct dstor_command *cmd)
{
	unsigned int i;

	if (cmd->bio.bi_vcnt == 1 && cmd->bytes <= PAGE_SIZE) {
		command_keep_spare_page(&cmd->peer->memory, cmd->bio.bi_io_vec[0].bv_page);
		cmd->bio.bi_vcnt = 0;
	}
	for (i = 0; i < cmd->bio.bi_vcnt; i++)
		put_page(cmd->bio.bi_io_vec[i].bv_page);
	cmd->bio.bi_vcnt = 0;
	uncharge_memory(cmd);
}

void dstor_command_free(struct dstor_command *cmd)
{
	struct dstor_peer *p = cmd->peer;

	dstor_command_free_data(cmd);
	if (cmd->message.head)
		page_frag_free(cmd->message.head);
	bio_put(&cmd->bio);
	p->commands.n--;
	dstor_peer_answered(p);
}
