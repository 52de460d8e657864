// SPDX-License-Identifier: GPL-2.0
/*
 * dst up: applies the configuration file. plan.c decides on all steps before
 * the first is done; if a step fails, those before it are undone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "arguments.h"
#include "child.h"
#include "choice.h"

#define WAIT_MS 1000	/* between attempts */
#define WORD_MIN 4	/* shorter values may be in a message by chance */

const char help_up[] =
"Exports and attaches what the configuration file says (/etc/dst/dst.conf), and\n"
"changes what differs, in place. Either all of it is done or nothing is. What\n"
"is not in the file is left alone. Prints what it did.\n"
"\n"
"  --dry-run        only print what would be done: + new, ~ changed\n"
"  --export NAME    only the section of this export\n"
"  --device NAME    only the section of this device\n"
"  --wait TIME|forever\n"
"                   how long to try again what fails, once each second\n";

static u64 up_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ULL + t.tv_nsec / 1000000;
}

/* The option that says where the disk is. */
static const char *up_operand(const struct config_section *s)
{
	return s->kind == OBJECT_EXPORT ? "path" : "uri";
}

static void up_print_step(const struct plan_step *step)
{
	const struct config_section *s = step->section;
	size_t i;

	printf("%c %s %s", step->what == PLAN_ADD ? '+' : '~', object_name(s->kind), s->name);
	if (step->what == PLAN_ADD)
		printf(" %s", options_text(&s->values, up_operand(s), ""));
	for (i = 0; i < step->set.n; i++)
		printf(" %s", step->set.text[i]);
	putchar('\n');
}

static int up_set(const struct plan_step *step, const struct text_list *values, struct reason *why)
{
	struct text_list args = { };
	size_t i;
	int ret;

	text_list_add(&args, "%s", step->section->name);
	for (i = 0; i < values->n; i++)
		text_list_add(&args, "%s", values->text[i]);
	ret = child_run(cmd_set, "set", &args, why);
	text_list_free(&args);
	return ret;
}

static int up_do_step(const struct plan_step *step, struct reason *why)
{
	struct text_list args = { };
	int ret;

	if (step->what == PLAN_CHANGE)
		return up_set(step, &step->set, why);
	arguments_make(step->section->kind, step->section->name, &step->section->values, &args);
	if (step->section->kind == OBJECT_EXPORT)
		ret = child_run(cmd_export, "export", &args, why);
	else
		ret = child_run(cmd_attach, "attach", &args, why);
	text_list_free(&args);
	return ret;
}

static int up_undo_step(const struct plan_step *step, struct reason *why)
{
	struct text_list args = { };
	int ret;

	if (step->what == PLAN_CHANGE)
		return up_set(step, &step->undo, why);
	text_list_add(&args, "%s", step->section->name);
	if (step->section->kind == OBJECT_EXPORT) {
		/* A client may have found it already; it waits, as after any outage. */
		text_list_add(&args, "--force");
		ret = child_run(cmd_unexport, "unexport", &args, why);
	} else {
		ret = child_run(cmd_detach, "detach", &args, why);
	}
	text_list_free(&args);
	return ret;
}

/*
 * Names the file's line of the option whose value stands in the message, or
 * else of the operand.
 */
static int up_where(const struct config *c, const struct plan_step *step, const struct reason *what,
		    struct reason *why)
{
	const struct config_section *s = step->section;
	const struct option_value *v = NULL;
	size_t i;

	for (i = 0; i < s->values.n && !v; i++)
		if (strlen(s->values.value[i].text) >= WORD_MIN &&
		    strstr(what->text, s->values.value[i].text))
			v = &s->values.value[i];
	if (!v)
		v = options_get(&s->values, up_operand(s));
	return refuse(why, "%.150s:%d: %s: %.300s", c->file, v->line, v->option->name, what->text);
}

static void up_undo(const struct plan *p, size_t n, struct reason *why)
{
	struct reason what, first = *why;

	while (n--)
		if (up_undo_step(&p->steps[n], &what))
			refuse(why, "%.300s; and %s %s stays: %.120s", first.text,
			       object_name(p->steps[n].section->kind),
			       p->steps[n].section->name, what.text);
}

/* A step that may be repeated until it succeeds or the time is over. */
static int up_insist(const struct choice *c, const struct plan_step *step, u64 start,
		     struct reason *what)
{
	static const struct timespec pause = { .tv_nsec = WAIT_MS % 1000 * 1000000L,
					       .tv_sec = WAIT_MS / 1000 };
	struct reason said = { "" };

	for (;;) {
		int ret = up_do_step(step, what);

		if (ret != DST_EXIT_FAILED || !c->wait ||
		    (c->wait_ms != UINT32_MAX && up_now_ms() - start >= c->wait_ms))
			return ret;
		if (strcmp(said.text, what->text))
			fail("waiting for %s \"%s\": %s", object_name(step->section->kind),
			     step->section->name, what->text);
		said = *what;
		nanosleep(&pause, NULL);
	}
}

static int up_apply(const struct choice *c, const struct config *config, const struct plan *p,
		    struct reason *why)
{
	u64 start = up_now_ms();
	struct reason what;
	size_t i;

	for (i = 0; i < p->n; i++) {
		if (!c->dry_run && up_insist(c, &p->steps[i], start, &what)) {
			up_where(config, &p->steps[i], &what, why);
			up_undo(p, i, why);
			return -1;
		}
	}
	for (i = 0; i < p->n; i++)
		up_print_step(&p->steps[i]);
	return 0;
}

static int up_do(const struct choice *c, struct reason *why)
{
	const struct config_section *only;
	struct info info = { };
	struct config config;
	struct plan plan = { };
	struct netlink nl;
	int ret;

	ret = choice_load(c, &config, &only, why);
	/* The module is loaded once, here, and only if there is something to do. */
	if (!ret && config.n && !c->dry_run) {
		ret = netlink_open(&nl, why);
		if (!ret)
			netlink_close(&nl);
	}
	if (!ret)
		ret = choice_running(&info, why);
	if (!ret)
		ret = plan_make(&config, only, &info, &plan, why);
	if (!ret)
		ret = up_apply(c, &config, &plan, why);
	plan_free(&plan);
	info_free(&info);
	config_free(&config);
	return ret;
}

int cmd_up(int argc, char **argv)
{
	struct reason why;
	struct choice c;
	int ret = choice_take(&c, argc, argv, "DW");

	if (ret)
		return ret;
	return up_do(&c, &why) ? fail("%s", why.text) : 0;
}
