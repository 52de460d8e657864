// SPDX-License-Identifier: GPL-2.0
/*
 * The configuration file: INI, one section for each export and each device.
 * libinih takes the lines apart. It counts none, and cuts what is too long, so
 * what it reads goes through config_next_line(), which does the first and refuses the
 * second. Called by up, down, save; unit-tested.
 */
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "config.h"
#include "values.h"

struct reading {
	FILE *f;
	struct config *config;
	struct reason *why;
	int line;
	bool failed;
};

static int config_complain(struct reading *r, const char *fmt, ...) __printf(2, 3);
static int config_complain(struct reading *r, const char *fmt, ...)
{
	struct reason what;
	va_list args;

	if (r->failed)
		return -1;
	va_start(args, fmt);
	vsnprintf(what.text, sizeof(what.text), fmt, args);
	va_end(args);
	r->failed = true;
	return refuse(r->why, "%.200s:%d: %.280s", r->config->file, r->line, what.text);
}

/* "[export NAME]" or "[device NAME]" */
static int config_begin_section(struct reading *r, const char *line)
{
	struct config *c = r->config;
	struct config_section *s;
	enum object_kind kind;
	char text[DSTOR_NAME_LEN + 1], name[DSTOR_NAME_LEN];
	struct reason why;
	char what[16];
	int end = 0;

	if (sscanf(line, "[%15[a-z] %64[^] \t]] %n", what, text, &end) != 2 || !end ||
	    (line[end] && line[end] != ';' && line[end] != '#'))
		return config_complain(r, "a section is [export NAME] or [device NAME]");
	if (!strcmp(what, "export"))
		kind = OBJECT_EXPORT;
	else if (!strcmp(what, "device"))
		kind = OBJECT_DEVICE;
	else
		return config_complain(r, "\"%s\": a section is [export NAME] or [device NAME]",
				       what);
	if (export_name(text, name, &why))
		return config_complain(r, "%s", why.text);
	if (config_find(c, kind, name))
		return config_complain(r, "%s \"%s\" was there before, in line %d", what, name,
				       config_find(c, kind, name)->line);
	c->sections = grow(c->sections, c->n, sizeof(*c->sections));
	s = &c->sections[c->n++];
	s->kind = kind;
	s->line = r->line;
	copy_text(s->name, sizeof(s->name), name);
	return 0;
}

/* libinih takes an indented line for more of the one before, and so would surprise. */
static void config_strip(char *text)
{
	size_t n = strlen(text), skip = strspn(text, " \t");

	while (n > skip && isspace((u8)text[n - 1]))
		n--;
	memmove(text, text + skip, n - skip);
	text[n - skip] = '\0';
}

static char *config_next_line(char *text, int size, void *arg)
{
	struct reading *r = arg;

	if (r->failed || !fgets(text, size, r->f))
		return NULL;
	r->line++;
	if (!strchr(text, '\n') && !feof(r->f)) {
		config_complain(r, "the line is longer than %d characters", size - 2);
		return NULL;
	}
	config_strip(text);
	if (*text != '[')
		return text;
	if (config_begin_section(r, text))
		return NULL;
	/* It knows of one, whose name is short. */
	copy_text(text, size, "[section]");
	return text;
}

static bool config_has(const struct option_spec *o)
{
	return !(o->flags & (OPTION_COMMAND | OPTION_ACTION));
}

static int config_on_setting(void *arg, const char *section, const char *name, const char *value)
{
	const struct option_value *before;
	const struct option_spec *o;
	struct reading *r = arg;
	struct config_section *s;
	struct reason why;

	if (r->failed)
		return 0;
	if (!r->config->n)
		return config_complain(r, "%.40s: it stands before the first section", name), 0;
	s = &r->config->sections[r->config->n - 1];
	o = option_find(name, s->kind);
	if (!o || !config_has(o))
		return config_complain(r,
				       "%.60s: unknown key of %s \"%s\" (man dst.conf lists them)",
				       name, object_name(s->kind), s->name), 0;
	before = options_get(&s->values, name);
	if (before && !(o->flags & OPTION_REPEATS))
		return config_complain(r, "%s: it was there before, in line %d", name,
				       before->line), 0;
	if (options_add(&s->values, o, value, r->line, &why) ||
	    (o->type->check_in_file && o->type->check_in_file(value, &why)))
		return config_complain(r, "%s: %.200s", name, why.text), 0;
	return 1;
}

static int config_check_section(struct reading *r, const struct config_section *s)
{
	const struct option_spec *o = NULL;
	char device[DSTOR_NAME_LEN];

	r->line = s->line;
	while ((o = option_next(o, s->kind)))
		if (o->flags & OPTION_NEEDED && !options_get(&s->values, o->name))
			return config_complain(r, "%s \"%s\" needs the key %s",
					       object_name(s->kind), s->name, o->name);
	/* The name has to be the one that attach would give. */
	if (s->kind == OBJECT_DEVICE && (device_name(s->name, device, NULL) ||
					 strcmp(device, s->name)))
		return config_complain(r, "a device's name here is without \"dst-\"");
	return 0;
}

int config_read(FILE *f, const char *file, struct config *c, struct reason *why)
{
	struct reading r = { .f = f, .config = c, .why = why };
	size_t i;
	int ret;

	*c = (struct config){ .file = file };
	ret = ini_parse_stream(config_next_line, &r, config_on_setting, &r);
	if (ret > 0 && !r.failed) {
		/* The number is libinih's own count of what it was given: the same. */
		r.line = ret;
		config_complain(&r, "this is neither a section nor KEY = VALUE");
	}
	if (ret < 0)
		config_complain(&r, "out of memory");
	if (ferror(f))
		config_complain(&r, "cannot read on: %s", strerror(errno));
	for (i = 0; !r.failed && i < c->n; i++)
		config_check_section(&r, &c->sections[i]);
	return r.failed ? -1 : 0;
}

int config_load(const char *file, struct config *c, struct reason *why)
{
	FILE *f = fopen(file, "re");
	struct stat st;
	int ret;

	*c = (struct config){ .file = file };
	if (!f && errno == ENOENT)
		return refuse(why, "cannot open %.300s (%s); \"dst save\" writes one", file,
			      strerror(errno));
	if (!f || fstat(fileno(f), &st) || S_ISDIR(st.st_mode)) {
		refuse_errno(why, f ? EISDIR : errno, "cannot read %.300s", file);
		if (f)
			fclose(f);
		return -1;
	}
	ret = config_read(f, file, c, why);
	fclose(f);
	return ret;
}

void config_free(struct config *c)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		options_free(&c->sections[i].values);
	free(c->sections);
	*c = (struct config){ };
}

const struct config_section *config_find(const struct config *c, enum object_kind kind,
					 const char *name)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		if (c->sections[i].kind == kind && !strcmp(c->sections[i].name, name))
			return &c->sections[i];
	return NULL;
}
