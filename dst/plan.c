// SPDX-License-Identifier: GPL-2.0
/*
 * Compares the configuration file with what runs. A key that is not in the file
 * stands for its default, where the default is the same everywhere; what the
 * exporter had a say in (sizes of queues, reading only) may be less than asked
 * for. Called by up; unit-tested.
 */
#include <stdlib.h>

#include "plan.h"
#include "values.h"

/* What is being compared, and with what result so far. */
struct comparing {
	const struct config *config;
	const struct config_section *section;
	struct plan_step *step;
	struct reason *why;
};

/* "crc32c" in "none,crc32c" */
static bool has_word(const char *list, const char *word, size_t n)
{
	for (;; list++) {
		size_t len = strcspn(list, ",");

		if (len == n && !strncmp(list, word, n))
			return true;
		list += len;
		if (!*list)
			return false;
	}
}

/* Every word of @few is in @many. */
static bool words_within(const char *few, const char *many)
{
	for (;; few++) {
		size_t len = strcspn(few, ",");

		if (!has_word(many, few, len))
			return false;
		few += len;
		if (!*few)
			return true;
	}
}

/* It differs, and cannot change in place. */
static int fixed(const struct comparing *c, const char *key, const char *has)
{
	const struct config_setting *t = config_setting(c->section, key);
	const char *kind = config_kind_name(c->section->kind), *name = c->section->name;

	return refuse(c->why,
		      "%.150s:%d: %s: %s \"%s\" has %.100s, which cannot change in place: %s %s first",
		      c->config->file, t ? t->line : c->section->line, key, kind, name, has,
		      c->section->kind == CONFIG_EXPORT ? "dst unexport" : "dst detach", name);
}

static int fixed_number(const struct comparing *c, const char *key, u32 has)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", has);
	return fixed(c, key, text);
}

static void compare_time(const struct comparing *c, const char *key, const char *otherwise, u32 has)
{
	const char *value = config_value(c->section, key, otherwise);
	u32 ms;

	if (parse_time(value, &ms, NULL) || ms == has)
		return;
	text_list_add(&c->step->set, "%s=%s", key, value);
	text_list_add(&c->step->undo, "%s=%ums", key, has);
}

static void compare_retries(const struct comparing *c, u32 has)
{
	const char *value = config_value(c->section, "retries", "24");
	u32 n;

	if (parse_retries(value, &n, NULL) || n == has)
		return;
	text_list_add(&c->step->set, "retries=%s", value);
	if (has == DST_RETRIES_FOREVER)
		text_list_add(&c->step->undo, "retries=forever");
	else
		text_list_add(&c->step->undo, "retries=%u", has);
}

static void compare_threads(const struct comparing *c, u32 has)
{
	const char *value = config_value(c->section, "crypto-threads", NULL);

	if (!value || (u32)strtoul(value, NULL, 10) == has)
		return;
	text_list_add(&c->step->set, "crypto-threads=%s", value);
	text_list_add(&c->step->undo, "crypto-threads=%u", has);
}

static void compare_uri(const struct comparing *c, const char *has)
{
	const char *value = config_value(c->section, "uri", "");

	if (!strcmp(value, has))
		return;
	text_list_add(&c->step->set, "uri=%s", value);
	text_list_add(&c->step->undo, "uri=%s", has);
}

/* What is in use is one of what was wanted. */
static int compare_algorithm(const struct comparing *c, const char *key, const char *has)
{
	const char *wanted = config_value(c->section, key, NULL);

	if (!has[0])
		has = "none";
	if (!wanted || has_word(wanted, has, strlen(has)) || has_word(wanted, "auto", 4))
		return 0;
	return fixed(c, key, has);
}

static int compare_device(const struct comparing *c, const struct device_info *d)
{
	const struct config_section *s = c->section;
	const char *value;
	u64 bytes;
	u32 n;

	compare_uri(c, d->uri);
	compare_time(c, "timeout", "5s", d->timeout_ms);
	compare_retries(c, d->retries);
	compare_time(c, "ping", "1s", d->ping_ms);
	compare_threads(c, d->crypto_threads);
	value = config_value(s, "connections", NULL);
	if (value && !parse_number(value, 1, UINT32_MAX, &n, NULL) && n != d->connections)
		return fixed_number(c, "connections", d->connections);
	value = config_value(s, "queue-depth", NULL);
	if (value && !parse_number(value, 1, UINT32_MAX, &n, NULL) && n < d->queue_depth)
		return fixed_number(c, "queue-depth", d->queue_depth);
	value = config_value(s, "max-io", NULL);
	if (value && !parse_size(value, &bytes, NULL) && bytes < d->max_io)
		return fixed_number(c, "max-io", d->max_io);
	if (config_switch(s, "read-only") && !d->read_only)
		return fixed(c, "read-only", "no");
	if (compare_algorithm(c, "cipher", d->cipher))
		return -1;
	/* A cipher checks by itself. */
	return d->cipher[0] ? 0 : compare_algorithm(c, "checksum", d->checksum);
}

/* The values of a key that repeats, against what the module says; order does not matter. */
static bool same_texts(const struct config_section *s, const char *key, const struct text_list *l)
{
	size_t i, j, n = 0;

	for (i = 0; i < s->n; i++) {
		if (strcmp(s->settings[i].key->name, key))
			continue;
		for (j = 0; j < l->n && strcmp(l->text[j], s->settings[i].value); j++)
			;
		if (j == l->n)
			return false;
		n++;
	}
	/* Repetitions are no difference. */
	return n >= l->n;
}

static void compare_rules(const struct comparing *c, const struct text_list *has)
{
	const struct config_section *s = c->section;
	size_t i;

	if (same_texts(s, "allow", has))
		return;
	for (i = 0; i < s->n; i++)
		if (!strcmp(s->settings[i].key->name, "allow"))
			text_list_add(&c->step->set, "allow=%s", s->settings[i].value);
	for (i = 0; i < has->n; i++)
		text_list_add(&c->step->undo, "allow=%s", has->text[i]);
}

static int compare_listen(const struct comparing *c, const struct text_list *has)
{
	char text[100];

	if (config_setting(c->section, "listen") ? same_texts(c->section, "listen", has) :
	    has->n == 1 && (!strcmp(has->text[0], "dst://[::]") ||
			    !strcmp(has->text[0], "dst://0.0.0.0")))
		return 0;
	snprintf(text, sizeof(text), "%.80s%s", has->n ? has->text[0] : "none",
		 has->n > 1 ? " and more" : "");
	return fixed(c, "listen", text);
}

static int compare_switch(const struct comparing *c, const char *key, bool has)
{
	return config_switch(c->section, key) == has ? 0 : fixed(c, key, has ? "yes" : "no");
}

static int compare_export(const struct comparing *c, const struct export_info *e)
{
	const char *value, *path = config_value(c->section, "path", "");
	char real[PATH_MAX];
	u64 bytes;

	if (strcmp(path, e->path) && (!realpath(path, real) || strcmp(real, e->path)))
		return fixed(c, "path", e->path);
	if (compare_switch(c, "read-only", e->flags & DSTOR_EXPORT_READ_ONLY) ||
	    compare_switch(c, "shared", e->flags & DSTOR_EXPORT_SHARED) ||
	    compare_switch(c, "write-through", e->flags & DSTOR_EXPORT_WRITE_THROUGH) ||
	    compare_listen(c, &e->listen))
		return -1;
	value = config_value(c->section, "checksum", NULL);
	if (value && e->checksums[0] && !words_within(e->checksums, value))
		return fixed(c, "checksum", e->checksums);
	value = config_value(c->section, "cipher", NULL);
	if (value && e->ciphers[0] && !has_word(value, "auto", 4) &&
	    !words_within(e->ciphers, value))
		return fixed(c, "cipher", e->ciphers);
	compare_rules(c, &e->rules);
	value = config_value(c->section, "max-inflight", "64M");
	if (!parse_size(value, &bytes, NULL) && bytes != e->max_inflight) {
		text_list_add(&c->step->set, "max-inflight=%s", value);
		text_list_add(&c->step->undo, "max-inflight=%llu",
			      (unsigned long long)e->max_inflight);
	}
	return 0;
}

static int plan_section(struct plan *p, struct comparing *c, const struct info *info)
{
	const struct config_section *s = c->section;
	const struct export_info *e = NULL;
	const struct device_info *d = NULL;
	int ret = 0;

	if (s->kind == CONFIG_EXPORT)
		e = info_export(info, s->name);
	else
		d = info_device(info, s->name);
	p->steps = grow(p->steps, p->n, sizeof(*p->steps));
	c->step = &p->steps[p->n++];
	c->step->section = s;
	c->step->what = e || d ? PLAN_CHANGE : PLAN_ADD;
	if (e)
		ret = compare_export(c, e);
	else if (d)
		ret = compare_device(c, d);
	/* It is as it should be. */
	if (!ret && c->step->what == PLAN_CHANGE && !c->step->set.n)
		p->n--;
	return ret;
}

int plan_make(const struct config *c, const struct config_section *only, const struct info *info,
	      struct plan *p, struct reason *why)
{
	struct comparing now = { .config = c, .why = why };
	enum config_kind kind;
	size_t i;

	*p = (struct plan){ };
	for (kind = CONFIG_EXPORT; kind <= CONFIG_DEVICE; kind <<= 1) {
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
