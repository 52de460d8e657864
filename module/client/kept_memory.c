// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of kept writes: records with the pages of their copies, and a few spare records
 * for when there is none. Nothing here waits for memory.
 *
 * Locks: dev->cache_lock, which no caller has.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "client/device.h"
#include "core/work.h"

#define KEPT_FREED_AT_ONCE 64		/* records; more are left to a work */

struct dstor_kept_write *dstor_kept_new(unsigned int n_pages, gfp_t gfp)
{
	struct dstor_kept_write *w = kmalloc(sizeof(*w) + n_pages * sizeof(*w->pages), gfp);

	if (!w)
		return NULL;
	memset(&w->record, 0, sizeof(w->record));
	w->record.cookie = w;
	w->t = NULL;
	w->spare = false;
	w->n_pages = 0;
	w->pages = (struct bio_vec *)(w + 1);
	return w;
}

void dstor_kept_put(struct dstor_device *dev, struct dstor_kept_write *w)
{
	unsigned long irq;

	while (w->n_pages)
		put_page(w->pages[--w->n_pages].bv_page);
	if (likely(!w->spare)) {
		kfree(w);
		return;
	}
	spin_lock_irqsave(&dev->cache_lock, irq);
	memset(&w->record, 0, sizeof(w->record));
	w->record.cookie = w;
	w->record.next = dev->kept.spare;
	dev->kept.spare = &w->record;
	spin_unlock_irqrestore(&dev->cache_lock, irq);
}

struct dstor_kept_write *dstor_kept_spare(struct dstor_device *dev)
{
	struct dstor_kept_write *w = NULL;
	unsigned long irq;

	spin_lock_irqsave(&dev->cache_lock, irq);
	if (dev->kept.spare) {
		w = dev->kept.spare->cookie;
		dev->kept.spare = w->record.next;
		w->record.next = NULL;
	}
	spin_unlock_irqrestore(&dev->cache_lock, irq);
	return w;
}

void dstor_kept_free_chain(struct dstor_device *dev, struct dstor_kept *chain)
{
	unsigned int n = KEPT_FREED_AT_ONCE;
	struct dstor_kept *next;
	unsigned long irq;

	for (; chain && n; chain = next, n--) {
		next = chain->next;
		dstor_kept_put(dev, chain->cookie);
	}
	if (!chain)
		return;
	spin_lock_irqsave(&dev->cache_lock, irq);
	chain->newer = dev->kept.dead;
	dev->kept.dead = chain;
	spin_unlock_irqrestore(&dev->cache_lock, irq);
	queue_work(dstor_io_wq, &dev->kept.tidy);
}

struct dstor_kept *dstor_kept_flushed_locked(struct dstor_device *dev, u64 number)
{
	struct dstor_kept_writes *k = &dev->kept;
	struct dstor_kept *chain = dstor_keep_flushed_few(&k->keep, number, KEPT_FREED_AT_ONCE);

	k->doubted = false;
	if (dstor_keep_is_covered(&k->keep, number)) {
		k->covered = max(k->covered, number);
		k->forgetting = true;
		queue_work(dstor_io_wq, &k->tidy);
	}
	return chain;
}

void dstor_kept_forget(struct dstor_device *dev)
{
	struct dstor_kept_writes *k = &dev->kept;
	struct dstor_kept *chain;

	/* In steps, for interrupts are off in each. */
	do {
		spin_lock_irq(&dev->cache_lock);
		chain = NULL;
		if (k->forgetting)
			chain = dstor_keep_flushed_few(&k->keep, k->covered, KEPT_FREED_AT_ONCE);
		k->forgetting = chain;
		spin_unlock_irq(&dev->cache_lock);
		dstor_kept_free_chain(dev, chain);
		cond_resched();
	} while (chain);
}

void dstor_kept_bury(struct dstor_device *dev)
{
	struct dstor_kept *chain, *other, *next;

	spin_lock_irq(&dev->cache_lock);
	chain = dev->kept.dead;
	dev->kept.dead = NULL;
	spin_unlock_irq(&dev->cache_lock);
	for (; chain; chain = other) {
		other = chain->newer;
		for (; chain; chain = next) {
			next = chain->next;
			dstor_kept_put(dev, chain->cookie);
			cond_resched();
		}
	}
}

void dstor_kept_free(struct dstor_device *dev)
{
	struct dstor_kept_writes *k = &dev->kept;
	struct dstor_kept *chain = NULL, *next;

	if (k->on) {
		spin_lock_irq(&dev->cache_lock);
		dstor_keep_crashed(&k->keep);
		chain = dstor_keep_drop(&k->keep);
		WARN_ON_ONCE(k->keep.used || !list_empty(&k->parked));
		spin_unlock_irq(&dev->cache_lock);
	}
	for (; chain; chain = next) {
		next = chain->next;
		dstor_kept_put(dev, chain->cookie);
	}
	dstor_kept_bury(dev);
	for (chain = k->spare; chain; chain = next) {
		next = chain->next;
		kfree(chain->cookie);
	}
	dstor_bio_buffer_free(k->zeroes);
	kvfree(k->buckets);
}
