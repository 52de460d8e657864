// SPDX-License-Identifier: GPL-2.0
/*
 * Every option of the table, through all that is made of it: command line,
 * request, answer of a module (a fake one), JSON, save, file, plan. A new row is
 * tested without a change here, unless its type is new.
 */
#include <fcntl.h>
#include <getopt.h>
#include <json-c/json.h>

#include "fake_module.h"
#include "arguments.h"
#include "show.h"
#include "values.h"

#define BOTH (OBJECT_EXPORT | OBJECT_DEVICE)
#define NOT_A_STATE (OPTION_COMMAND | OPTION_ACTION)

/* Values that no default is, as save writes them. NULL ends them. */
static const char * const *samples(const struct option_spec *o)
{
	static const struct {
		const struct option_type *type;
		const char *text[3];
	} all[] = {
		{ &option_switch, { "yes" } },
		{ &option_number, { "7" } },
		{ &option_time, { "7s", "1500ms" } },
		{ &option_list, { "sample" } },
		{ &option_key_file, { key_path } },
		{ &option_rule, { "from=10.0.0.0/8,ro", "from=fd00::/8" } },
		{ &option_listen, { "dst://127.0.0.1:7711", "dst://[::1]" } },
		{ &option_uri, { "dst://127.0.0.2:7711/other" } },
		{ &option_path, { "/dev/zero" } },
		{ &option_exporter, { "0123456789abcdef0123456789abcdef" } },
		{ &option_uuid, { "01234567-89ab-8def-8123-456789abcdef" } },
	};
	static const char * const bounded_size[] = { "4K", "8K", NULL };
	static const char * const size[] = { "8M", "8388609", NULL };
	size_t i;

	if (o->type == &option_size)
		return o->max ? bounded_size : size;
	for (i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i].type == o->type)
			return all[i].text;
	fail_msg("%s: its type has no sample here", o->name);
	return NULL;
}

/* As export or attach would get them from the shell. */
static struct option_values through_command_line(enum object_kind kind,
						 const struct option_values *v)
{
	struct text_list args = { };
	struct option_values got = { };
	const char *operand = kind == OBJECT_EXPORT ? "path" : "uri";

	text_list_add(&args, "dst");
	arguments_make(kind, "x", v, &args);
	args.text = grow(args.text, args.n, sizeof(*args.text));
	optind = 0;
	assert_int_equal(arguments_take(args.n, args.text, kind, &got), 0);
	add(&got, operand, kind, args.text[args.n - 1]);
	text_list_free(&args);
	return got;
}

/* A file, as somebody would write it. */
static char *file_of(enum object_kind kind, const struct option_values *v)
{
	char *out;
	size_t i, size;
	FILE *f = open_memstream(&out, &size);

	assert_non_null(f);
	fprintf(f, "[%s x]\n", object_name(kind));
	for (i = 0; i < v->n; i++)
		fprintf(f, "%s = %s\n", v->value[i].option->name, v->value[i].text);
	assert_int_equal(fclose(f), 0);
	return out;
}

static bool same_attribute(struct nl_msg *a, struct nl_msg *b, int attr)
{
	struct nlattr *x = attribute(a, attr), *y = attribute(b, attr);

	return x && y && nla_len(x) == nla_len(y) && !memcmp(nla_data(x), nla_data(y), nla_len(x));
}

/* attach, save, up: nothing to do; detach, up: the same request. */
static void survives(const struct option_spec *o, const char *sample)
{
	struct option_values first = wanted(o, o->kind, sample);
	struct option_values v = through_command_line(o->kind, &first);
	struct running *r = run(o->kind, &v);
	struct nl_msg *asked = request(o->kind, &v), *again;
	char *file = saved(r), line[100];
	struct config c;

	snprintf(line, sizeof(line), "\n%s = %s\n", o->name, sample);
	if (!strstr(file, line))
		fail_msg("save loses %s of %s:\n%s", o->name, object_name(o->kind), file);
	if (*up_says(file, r))
		fail_msg("up, after save: %s", up_says(file, r));
	read_config(file, &c);
	again = request(o->kind, &c.sections[0].values);
	if (o->type->put && !same_attribute(asked, again, o->attr))
		fail_msg("%s of %s is another after save and up", o->name, object_name(o->kind));
	netlink_drop(asked);
	netlink_drop(again);
	config_free(&c);
	options_free(&first);
	options_free(&v);
	free(file);
	end(r);
}

static void test_every_option_survives_save_and_up(void **state)
{
	const struct option_spec *o = NULL;
	const char * const *s;

	while ((o = option_next(o, BOTH))) {
		if (o->flags & NOT_A_STATE)
			continue;
		for (s = samples(o); *s; s++)
			survives(o, *s);
		if (o->word && (!o->standard || strcmp(o->word, o->standard)))
			survives(o, o->word);
	}
}

/* up must see that @o differs: it changes it if that is possible in place, or refuses. */
static void sees(const struct option_spec *o, const char *in_file, const char *runs)
{
	struct option_values want = wanted(o, o->kind, in_file), has = wanted(o, o->kind, runs);
	struct running *r = run(o->kind, &has);
	char *file = file_of(o->kind, &want), word[50];
	const char *says = up_says(file, r);

	snprintf(word, sizeof(word), o->flags & OPTION_LIVE ? "set %s=" : ": %s: ", o->name);
	if (!strstr(says, word))
		fail_msg("%s is \"%s\" in the file, \"%s\" runs, up says: \"%s\"", o->name,
			 in_file ? in_file : "absent", runs ? runs : "the default", says);
	options_free(&want);
	options_free(&has);
	free(file);
	end(r);
}

static void test_up_sees_every_option(void **state)
{
	const struct option_spec *o = NULL;

	while ((o = option_next(o, BOTH))) {
		if (o->flags & (NOT_A_STATE | OPTION_UNSEEN))
			continue;
		sees(o, *samples(o), NULL);
		if (!(o->flags & (OPTION_NEEDED | OPTION_FREE | OPTION_GRANTED)))
			sees(o, NULL, *samples(o));
	}
}

/* The member @name of show --json, as text. */
static char *json_of(const struct running *r, const char *name)
{
	struct json_object *top, *list, *value = NULL;
	int out = dup(STDOUT_FILENO), fd = open("json", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char *text;

	assert_true(out >= 0 && fd >= 0);
	fflush(stdout);
	dup2(fd, STDOUT_FILENO);
	show_json(&r->info, false);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	close(fd);
	close(out);
	top = json_object_from_file("json");
	assert_non_null(top);
	list = json_object_object_get(top, r->info.n_exports ? "exports" : "devices");
	json_object_object_get_ex(json_object_array_get_idx(list, 0), name, &value);
	text = strdup(value ? json_object_to_json_string(value) : "absent");
	json_object_put(top);
	return text;
}

static void test_json_shows_every_option(void **state)
{
	const struct option_spec *o = NULL;

	while ((o = option_next(o, BOTH))) {
		struct option_values v, standard;
		struct running *r, *s;
		char *is, *was;

		if (o->flags & (NOT_A_STATE | OPTION_UNSEEN))
			continue;
		assert_non_null(o->json);
		v = wanted(o, o->kind, *samples(o));
		standard = wanted(o, o->kind, NULL);
		r = run(o->kind, &v);
		s = run(o->kind, &standard);
		is = json_of(r, o->json);
		was = json_of(s, o->json);
		if (!strcmp(is, was) || !strcmp(is, "absent"))
			fail_msg("%s: %s, and %s with \"%s\"", o->json, was, is, *samples(o));
		free(is);
		free(was);
		end(r);
		end(s);
		options_free(&v);
		options_free(&standard);
	}
}

static void test_defaults_are_those_of_the_module(void **state)
{
	struct reason why;
	u64 bytes;

	assert_int_equal(parse_size(option_find("max-inflight", OBJECT_EXPORT)->standard, &bytes,
				    &why), 0);
	assert_int_equal(bytes, DSTOR_INFLIGHT_DEFAULT);
}

static void test_every_row_is_complete(void **state)
{
	const struct option_spec *o = NULL, *other;
	struct reason why;

	while ((o = option_next(o, BOTH))) {
		for (other = o; (other = option_next(other, o->kind));)
			assert_true(!o->size || o->offset != other->offset ||
				    (o->bit && other->bit && !(o->bit & other->bit)));
		assert_ptr_equal(option_find(o->name, o->kind), o);
		assert_true(o->help || o->flags & OPTION_OPERAND);
		/* The plan of up has a value to compare with. */
		assert_true(option_standard(o) || o->flags & (OPTION_NEEDED | OPTION_FREE |
			    OPTION_UNSEEN | NOT_A_STATE));
		/* A switch of the command line can only be switched on. */
		assert_true(o->type->value || !strcmp(o->standard, "no"));
		if (o->standard && o->type->check(o, o->standard, &why))
			fail_msg("%s: its default: %s", o->name, why.text);
		if (option_standard(o) && o->type->check(o, option_standard(o), &why))
			fail_msg("%s: its default here: %s", o->name, why.text);
		assert_true(!(o->flags & OPTION_REPEATS) == !o->times);
		/* set does not know which of the two is meant: their values are written alike. */
		other = option_find(o->name, BOTH & ~(int)o->kind);
		assert_true(!other || other->type == o->type);
	}
}

static void refused(const char *name, enum object_kind kind, const char *text, const char *word)
{
	const struct option_spec *o = option_find(name, kind);
	struct option_values v = { };
	struct reason why;

	if (!options_add(&v, o, text, 0, &why))
		fail_msg("%s takes \"%s\"", name, text);
	if (!strstr(why.text, word))
		fail_msg("\"%s\" does not say \"%s\"", why.text, word);
	options_free(&v);
}

static void test_what_is_refused(void **state)
{
	refused("retries", OBJECT_DEVICE, "ever", "forever");
	refused("retries", OBJECT_DEVICE, "4294967295", "forever");
	refused("retries", OBJECT_DEVICE, "", "forever");
	refused("connections", OBJECT_DEVICE, "0", "from 1 to 64");
	refused("max-io", OBJECT_DEVICE, "2M", "from 4K to 1M");
	refused("max-io", OBJECT_DEVICE, "5000", "multiple of 4K");
	refused("max-inflight", OBJECT_EXPORT, "1K", "at least 1M");
	refused("max-bandwidth", OBJECT_EXPORT, "1K", "at least 64K");
	refused("max-bandwidth", OBJECT_EXPORT, "fast", "size");
	refused("max-iops", OBJECT_EXPORT, "0", "off");
	refused("max-iops", OBJECT_EXPORT, "1K", "off");
	refused("key", OBJECT_DEVICE, "", "file");
	refused("uri", OBJECT_DEVICE, "dst://h", "dst list dst://h");
	refused("evict", OBJECT_EXPORT, "", "client");
	refused("exporter", OBJECT_DEVICE, "all", "identity");
	refused("uuid", OBJECT_DEVICE, "any", "identity");
	refused("timeout", OBJECT_DEVICE, "0", "above 0");
}

/* However it is written, the same identity is no change; and "any" is satisfied by each. */
static void test_identities_that_are_the_same(void **state)
{
	static const char * const same[][3] = {
		{ "exporter", "0123456789ABCDEF0123456789ABCDEF",
		  "0123456789abcdef0123456789abcdef" },
		{ "exporter", "any", "0123456789abcdef0123456789abcdef" },
		{ "uuid", "0123456789abcdef0123456789abcdef",
		  "01234567-89ab-cdef-0123-456789abcdef" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(same); i++) {
		const struct option_spec *o = option_find(same[i][0], OBJECT_DEVICE);
		struct option_values want = wanted(o, OBJECT_DEVICE, same[i][1]);
		struct option_values has = wanted(o, OBJECT_DEVICE, same[i][2]);
		struct running *r = run(OBJECT_DEVICE, &has);
		char *file = file_of(OBJECT_DEVICE, &want);

		assert_string_equal(up_says(file, r), "");
		free(file);
		end(r);
		options_free(&want);
		options_free(&has);
	}
}

static void test_values_that_are_given_again(void **state)
{
	const struct option_spec *allow = option_find("allow", OBJECT_EXPORT);
	struct option_values v = { };
	struct reason why;
	unsigned int i;

	add(&v, "ping", OBJECT_DEVICE, "2s");
	add(&v, "ping", OBJECT_DEVICE, "3s");
	assert_int_equal(v.n, 1);
	assert_string_equal(options_text(&v, "ping", ""), "3s");
	for (i = 0; i < allow->times; i++)
		add(&v, "allow", OBJECT_EXPORT, "any");
	assert_int_equal(v.n, 1 + allow->times);
	assert_int_equal(options_add(&v, allow, "any", 0, &why), -1);
	options_free(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_are_those_of_the_module),
		cmocka_unit_test(test_every_row_is_complete),
		cmocka_unit_test(test_every_option_survives_save_and_up),
		cmocka_unit_test(test_up_sees_every_option),
		cmocka_unit_test(test_json_shows_every_option),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_identities_that_are_the_same),
		cmocka_unit_test(test_values_that_are_given_again),
	};

	return cmocka_run_group_tests(tests, setup, leave_folder);
}
