// SPDX-License-Identifier: GPL-2.0
/*
 * Compares the configuration file with what runs, option by option of the table
 * in options.c. An option that is not in the file stands for its default, except
 * where that differs between machines, or the exporter decides it, too
 * (OPTION_FREE). Called by up; unit-tested.
 */
#include <stdlib.h>

#include "plan.h"

/* A section that is compared with its object, and the result so far. */
struct comparing {
	const struct config *config;
	const struct config_section *section;
	struct plan_step *step;
	struct reason *why;
};

/* It differs, and cannot change in place. */
static int plan_refuse(const struct comparing *c, const struct option_spec *o,
		       const struct text_list *has)
{
	const struct option_value *given = options_get(&c->section->values, o->name);
	const char *kind = object_name(c->section->kind), *name = c->section->name;

	return refuse(c->why,
		      "%.150s:%d: %s: %s \"%s\" has %.100s%s, which cannot change in place: %s %s first",
		      c->config->file, given ? given->line : c->section->line, o->name, kind,
		      name, has->n ? has->text[0] : "none", has->n > 1 ? " and more" : "",
		      c->section->kind == OBJECT_EXPORT ? "dst unexport" : "dst detach", name);
}

static void plan_change(struct plan_step *step, const struct option_spec *o,
			const struct text_list *wanted, const struct text_list *has)
{
	size_t i;

	for (i = 0; i < wanted->n; i++)
		text_list_add(&step->set, "%s=%s", o->name, wanted->text[i]);
	for (i = 0; i < has->n; i++)
		text_list_add(&step->undo, "%s=%s", o->name, has->text[i]);
}

/* @object: struct export_info or device_info */
static int plan_option(const struct comparing *c, const struct option_spec *o, const void *object)
{
	struct text_list wanted = { }, has = { };
	int ret = 0;

	if (o->flags & (OPTION_COMMAND | OPTION_ACTION | OPTION_UNSEEN) ||
	    (o->flags & OPTION_FREE && !options_get(&c->section->values, o->name)) ||
	    !option_applies(o, object))
		return 0;
	options_texts(&c->section->values, o, &wanted);
	option_shown(o, object, &has);
	if (!o->type->same(o, &wanted, &has)) {
		if (o->flags & OPTION_LIVE)
			plan_change(c->step, o, &wanted, &has);
		else
			ret = plan_refuse(c, o, &has);
	}
	text_list_free(&wanted);
	text_list_free(&has);
	return ret;
}

static int plan_section(struct plan *p, struct comparing *c, const struct info *info)
{
	const struct config_section *s = c->section;
	const struct option_spec *o = NULL;
	const void *object;
	int ret = 0;

	object = s->kind == OBJECT_EXPORT ? (const void *)info_export(info, s->name) :
					    (const void *)info_device(info, s->name);
	p->steps = grow(p->steps, p->n, sizeof(*p->steps));
	c->step = &p->steps[p->n++];
	c->step->section = s;
	c->step->what = object ? PLAN_CHANGE : PLAN_ADD;
	while (!ret && object && (o = option_next(o, s->kind)))
		ret = plan_option(c, o, object);
	/* It is as it should be. */
	if (!ret && c->step->what == PLAN_CHANGE && !c->step->set.n)
		p->n--;
	return ret;
}

int plan_make(const struct config *c, const struct config_section *only, const struct info *info,
	      struct plan *p, struct reason *why)
{
	struct comparing now = { .config = c, .why = why };
	enum object_kind kind;
	size_t i;

	*p = (struct plan){ };
	for (kind = OBJECT_EXPORT; kind <= OBJECT_DEVICE; kind <<= 1) {
		for (i = 0; i < c->n; i++) {
			now.section = &c->sections[i];
			if (now.section->kind != kind || (only && only != now.section))
				continue;
			if (plan_section(p, &now, info))
				return -1;
		}
	}
	return 0;
}

void plan_free(struct plan *p)
{
	size_t i;

	for (i = 0; i < p->n; i++) {
		text_list_free(&p->steps[i].set);
		text_list_free(&p->steps[i].undo);
	}
	free(p->steps);
	*p = (struct plan){ };
}
