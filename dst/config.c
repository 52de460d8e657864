// SPDX-License-Identifier: GPL-2.0
/*
 * The configuration file: INI, one section for each export and each device.
 * libinih takes the lines apart. It counts none, and cuts what is too long, so
 * what it reads goes through next_line(), which does the first and refuses the
 * second. Called by up, down, save; unit-tested.
 */
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdlib.h>

#include "config.h"
#include "rule.h"
#include "uri.h"
#include "values.h"

#define CRYPTO_THREADS_MAX 1024

struct reading {
	FILE *f;
	struct config *config;
	struct reason *why;
	int line;
	bool failed;
};

static int is_switch(const char *value, struct reason *why)
{
	if (strcmp(value, "yes") && strcmp(value, "no"))
		return refuse(why, "\"%.80s\" is neither yes nor no", value);
	return 0;
}

static int is_path(const char *value, struct reason *why)
{
	if (*value != '/')
		return refuse(why, "\"%.80s\" is no absolute path", value);
	return 0;
}

static int is_rule(const char *value, struct reason *why)
{
	struct rule r;

	if (rule_parse(value, &r, why))
		return -1;
	return r.key_file[0] ? is_path(r.key_file, why) : 0;
}

static int is_listen(const char *value, struct reason *why)
{
	struct uri u;

	if (uri_parse(value, &u, why))
		return -1;
	if (u.export[0])
		return refuse(why, "\"%.80s\": leave out the export, one port serves all", value);
	return 0;
}

static int is_uri(const char *value, struct reason *why)
{
	struct uri u;

	if (uri_parse(value, &u, why))
		return -1;
	if (!u.export[0])
		return refuse(why, "\"%.80s\" names no export", value);
	return 0;
}

static int is_inflight(const char *value, struct reason *why)
{
	u64 bytes;

	if (parse_size(value, &bytes, why))
		return -1;
	return bytes < DST_IO_MAX ? refuse(why, "at least 1M, the largest request") : 0;
}

static int is_max_io(const char *value, struct reason *why)
{
	u64 bytes;

	if (parse_size(value, &bytes, why))
		return -1;
	if (bytes < DST_IO_MIN || bytes > DST_IO_MAX || bytes % DST_IO_MIN)
		return refuse(why, "a multiple of 4K, from 4K to 1M");
	return 0;
}

static int is_time(const char *value, struct reason *why)
{
	u32 ms;

	return parse_time(value, &ms, why);
}

static int is_retries(const char *value, struct reason *why)
{
	u32 n;

	return parse_retries(value, &n, why);
}

static int is_connections(const char *value, struct reason *why)
{
	u32 n;

	return parse_number(value, 1, DST_QUEUES_MAX, &n, why);
}

static int is_depth(const char *value, struct reason *why)
{
	u32 n;

	return parse_number(value, 1, DST_SLOTS_MAX, &n, why);
}

static int is_threads(const char *value, struct reason *why)
{
	u32 n;

	return parse_number(value, 0, CRYPTO_THREADS_MAX, &n, why);
}

static int is_algorithms(const char *value, struct reason *why)
{
	char list[DST_ALGO_LIST_LEN];

	return parse_algorithms(value, list, why);
}

#define BOTH (CONFIG_EXPORT | CONFIG_DEVICE)

static const struct config_key keys[] = {
	{ "path", CONFIG_EXPORT, CONFIG_NEEDED | CONFIG_OPERAND, is_path },
	{ "uri", CONFIG_DEVICE, CONFIG_NEEDED | CONFIG_OPERAND, is_uri },
	{ "allow", CONFIG_EXPORT, CONFIG_NEEDED | CONFIG_REPEATS, is_rule },
	{ "listen", CONFIG_EXPORT, CONFIG_REPEATS, is_listen },
	{ "read-only", BOTH, CONFIG_SWITCH, is_switch },
	{ "shared", CONFIG_EXPORT, CONFIG_SWITCH, is_switch },
	{ "write-through", CONFIG_EXPORT, CONFIG_SWITCH, is_switch },
	{ "max-inflight", CONFIG_EXPORT, 0, is_inflight },
	{ "timeout", CONFIG_DEVICE, 0, is_time },
	{ "retries", CONFIG_DEVICE, 0, is_retries },
	{ "ping", CONFIG_DEVICE, 0, is_time },
	{ "connections", CONFIG_DEVICE, 0, is_connections },
	{ "queue-depth", CONFIG_DEVICE, 0, is_depth },
	{ "max-io", CONFIG_DEVICE, 0, is_max_io },
	{ "key", CONFIG_DEVICE, 0, is_path },
	{ "checksum", BOTH, 0, is_algorithms },
	{ "cipher", BOTH, 0, is_algorithms },
	{ "crypto-threads", BOTH, 0, is_threads },
};

const char *config_kind_name(enum config_kind kind)
{
	return kind == CONFIG_EXPORT ? "export" : "device";
}

static int complain(struct reading *r, const char *fmt, ...) __printf(2, 3);
static int complain(struct reading *r, const char *fmt, ...)
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
static int begin_section(struct reading *r, const char *line)
{
	struct config *c = r->config;
	struct config_section *s;
	enum config_kind kind;
	char text[DST_NAME_LEN + 1], name[DST_NAME_LEN];
	struct reason why;
	char what[16];
	int end = 0;

	if (sscanf(line, "[%15[a-z] %64[^] \t]] %n", what, text, &end) != 2 || !end ||
	    (line[end] && line[end] != ';' && line[end] != '#'))
		return complain(r, "a section is [export NAME] or [device NAME]");
	if (!strcmp(what, "export"))
		kind = CONFIG_EXPORT;
	else if (!strcmp(what, "device"))
		kind = CONFIG_DEVICE;
	else
		return complain(r, "\"%s\": a section is [export NAME] or [device NAME]", what);
	if (export_name(text, name, &why))
		return complain(r, "%s", why.text);
	if (config_find(c, kind, name))
		return complain(r, "%s \"%s\" was there before, in line %d", what, name,
				config_find(c, kind, name)->line);
	c->sections = grow(c->sections, c->n, sizeof(*c->sections));
	s = &c->sections[c->n++];
	s->kind = kind;
	s->line = r->line;
	copy_text(s->name, sizeof(s->name), name);
	return 0;
}

/* libinih takes an indented line for more of the one before, and so would surprise. */
static void strip(char *text)
{
	size_t n = strlen(text), skip = strspn(text, " \t");

	while (n > skip && isspace((u8)text[n - 1]))
		n--;
	memmove(text, text + skip, n - skip);
	text[n - skip] = '\0';
}

static char *next_line(char *text, int size, void *arg)
{
	struct reading *r = arg;

	if (r->failed || !fgets(text, size, r->f))
		return NULL;
	r->line++;
	if (!strchr(text, '\n') && !feof(r->f)) {
		complain(r, "the line is longer than %d characters", size - 2);
		return NULL;
	}
	strip(text);
	if (*text != '[')
		return text;
	if (begin_section(r, text))
		return NULL;
	/* It knows of one, whose name is short. */
	copy_text(text, size, "[section]");
	return text;
}

static const struct config_key *find_key(const char *name, enum config_kind kind)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (!strcmp(keys[i].name, name) && keys[i].kinds & (int)kind)
			return &keys[i];
	return NULL;
}

static int on_setting(void *arg, const char *section, const char *name, const char *value)
{
	const struct config_setting *before;
	const struct config_key *key;
	struct config_setting *new;
	struct reading *r = arg;
	struct config_section *s;
	struct reason why;

	if (r->failed)
		return 0;
	if (!r->config->n)
		return complain(r, "%.40s: it stands before the first section", name), 0;
	s = &r->config->sections[r->config->n - 1];
	key = find_key(name, s->kind);
	if (!key)
		return complain(r, "%.60s: unknown key of %s \"%s\" (man dst.conf lists them)",
				name, config_kind_name(s->kind), s->name), 0;
	before = config_setting(s, name);
	if (before && !(key->flags & CONFIG_REPEATS))
		return complain(r, "%s: it was there before, in line %d", name, before->line), 0;
	if (key->check(value, &why))
		return complain(r, "%s: %.200s", name, why.text), 0;
	s->settings = grow(s->settings, s->n, sizeof(*s->settings));
	new = &s->settings[s->n++];
	*new = (struct config_setting){ .key = key, .value = strdup(value), .line = r->line };
	if (!new->value)
		exit(fail("out of memory"));
	return 1;
}

static int check_section(struct reading *r, const struct config_section *s)
{
	char device[DST_NAME_LEN];
	size_t i;

	r->line = s->line;
	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].kinds & (int)s->kind && keys[i].flags & CONFIG_NEEDED &&
		    !config_setting(s, keys[i].name))
			return complain(r, "%s \"%s\" needs the key %s", config_kind_name(s->kind),
					s->name, keys[i].name);
	/* As attach would call it. */
	if (s->kind == CONFIG_DEVICE && (device_name(s->name, device, NULL) ||
					 strcmp(device, s->name)))
		return complain(r, "a device's name here is without \"dst-\"");
	return 0;
}

int config_read(FILE *f, const char *file, struct config *c, struct reason *why)
{
	struct reading r = { .f = f, .config = c, .why = why };
	size_t i;
	int ret;

	*c = (struct config){ .file = file };
	ret = ini_parse_stream(next_line, &r, on_setting, &r);
	if (ret > 0 && !r.failed) {
		/* The number is libinih's own count of what it was given: the same. */
		r.line = ret;
		complain(&r, "this is neither a section nor KEY = VALUE");
	}
	if (ret < 0)
		complain(&r, "out of memory");
	if (ferror(f))
		complain(&r, "cannot read on: %s", strerror(errno));
	for (i = 0; !r.failed && i < c->n; i++)
		check_section(&r, &c->sections[i]);
	return r.failed ? -1 : 0;
}

int config_load(const char *file, struct config *c, struct reason *why)
{
	FILE *f = fopen(file, "re");
	int ret;

	*c = (struct config){ .file = file };
	if (!f)
		return refuse(why, "cannot open %.300s: %s", file, strerror(errno));
	ret = config_read(f, file, c, why);
	fclose(f);
	return ret;
}

void config_free(struct config *c)
{
	size_t i, j;

	for (i = 0; i < c->n; i++) {
		for (j = 0; j < c->sections[i].n; j++)
			free(c->sections[i].settings[j].value);
		free(c->sections[i].settings);
	}
	free(c->sections);
	*c = (struct config){ };
}

const struct config_section *config_find(const struct config *c, enum config_kind kind,
					 const char *name)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		if (c->sections[i].kind == kind && !strcmp(c->sections[i].name, name))
			return &c->sections[i];
	return NULL;
}

const struct config_setting *config_setting(const struct config_section *s, const char *key)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (!strcmp(s->settings[i].key->name, key))
			return &s->settings[i];
	return NULL;
}

const char *config_value(const struct config_section *s, const char *key, const char *otherwise)
{
	const struct config_setting *t = config_setting(s, key);

	return t ? t->value : otherwise;
}

bool config_switch(const struct config_section *s, const char *key)
{
	return !strcmp(config_value(s, key, "no"), "yes");
}
