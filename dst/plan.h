/* SPDX-License-Identifier: GPL-2.0 */
/*
 * plan.c - the steps by which a machine comes to have the objects of its
 * configuration file. Pure, but for following the links of an export's path.
 */
#ifndef DST_PLAN_H
#define DST_PLAN_H

#include "config.h"
#include "info.h"

enum plan_what {
	PLAN_ADD,	/* it is not there */
	PLAN_CHANGE,	/* it is, and some values differ that can change in place */
};

struct plan_step {
	enum plan_what what;
	const struct config_section *section;
	struct text_list set, undo;	/* for dst set */
};

struct plan {
	struct plan_step *steps;	/* exports first: a machine may use its own */
	size_t n;
};

/*
 * 0, or -1 when something differs that only a detach or unexport changes. With
 * @only, of its section alone.
 */
int plan_make(const struct config *c, const struct config_section *only, const struct info *info,
	      struct plan *p, struct reason *why);
void plan_free(struct plan *p);

#endif
