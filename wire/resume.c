// SPDX-License-Identifier: GPL-2.0
/*
 * The same disk (P6): a session begins only on the export that was named, if one
 * was, and resumes only on the export it was on, with at least what the block
 * device was promised.
 */
#include "id.h"
#include "resume.h"

static bool is_wanted(const u8 wanted[DSTOR_ID_LEN], const u8 is[DSTOR_ID_LEN])
{
	return dstor_id_is_zero(wanted) || dstor_id_equal(wanted, is);
}

enum dstor_resume dstor_resume_pinned(const struct dstor_identity *mine,
				      const struct dstor_welcome *w)
{
	if (!is_wanted(mine->exporter, w->exporter))
		return DSTOR_RESUME_OTHER_EXPORTER;
	if (!is_wanted(mine->uuid, w->uuid))
		return DSTOR_RESUME_OTHER_DISK;
	return DSTOR_RESUME_OK;
}

enum dstor_resume dstor_resume_check(const struct dstor_identity *mine,
				     const struct dstor_welcome *w)
{
	enum dstor_resume r = dstor_resume_pinned(mine, w);

	if (r != DSTOR_RESUME_OK)
		return r;
	if (le64_to_cpu(w->size) < mine->size)
		return DSTOR_RESUME_SMALLER;
	if (le32_to_cpu(w->logical_block) > mine->block)
		return DSTOR_RESUME_OTHER_BLOCK;
	if (le16_to_cpu(w->slots) < mine->slots || le32_to_cpu(w->max_io) < mine->max_io)
		return DSTOR_RESUME_LESS;
	return DSTOR_RESUME_OK;
}

bool dstor_resume_is_over(const struct dstor_identity *mine, const struct dstor_welcome *w,
			  u64 shown, u64 token)
{
	if (!is_wanted(mine->exporter, w->exporter))
		return false;
	return w->status == DSTOR_WELCOME_EVICTED ||
	       (w->status == DSTOR_WELCOME_EXPIRED && shown == token);
}

bool dstor_resume_elsewhere(const struct dstor_hello *h, const u8 uuid[DSTOR_ID_LEN])
{
	return h->flags & DSTOR_HELLO_RESUME && !dstor_id_equal(h->uuid, uuid);
}

const char *dstor_resume_text(enum dstor_resume r)
{
	switch (r) {
	case DSTOR_RESUME_OK:
		return "same disk";
	case DSTOR_RESUME_OTHER_EXPORTER:
		return "another exporter answers there (other identity)";
	case DSTOR_RESUME_OTHER_DISK:
		return "the exporter now offers a different disk (other UUID) under this name";
	case DSTOR_RESUME_SMALLER:
		return "the exporter's disk is smaller than before";
	case DSTOR_RESUME_OTHER_BLOCK:
		return "the exporter's disk has a larger logical block size than before";
	case DSTOR_RESUME_LESS:
		return "the exporter now grants fewer slots or a smaller I/O than are in use";
	}
	return "unknown";
}
