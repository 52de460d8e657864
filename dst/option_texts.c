// SPDX-License-Identifier: GPL-2.0
/*
 * Types of options whose values are texts: lists of algorithms, files, rules,
 * addresses, names. Used through the table in options.c.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "key.h"
#include "netlink.h"
#include "options.h"
#include "transport.h"
#include "values.h"

#define LISTEN_TEXT_MAX 127	/* of the module */

static unsigned int count_attributes(struct nl_msg *msg, int attr)
{
	struct nlattr *a;
	unsigned int n = 0;
	int rem;

	nlmsg_for_each_attr(a, nlmsg_hdr(msg), GENL_HDRLEN, rem)
		n += nla_type(a) == attr;
	return n;
}

static bool has_text(const struct text_list *l, const char *text)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (!strcmp(l->text[i], text))
			return true;
	return false;
}

static bool texts_within(const struct text_list *few, const struct text_list *many)
{
	size_t i;

	for (i = 0; i < few->n; i++)
		if (!has_text(many, few->text[i]))
			return false;
	return true;
}

static void add_new_text(struct text_list *l, struct nlattr *a)
{
	char text[DSTOR_TEXT_LEN] = "";

	if (a && nla_len(a) > 0)
		nla_strlcpy(text, a, sizeof(text));
	if (!has_text(l, text))
		text_list_add(l, "%s", text);
}

/* Order and repetitions are no difference. */
static bool texts_same(const struct option_spec *o, const struct text_list *wanted,
		       const struct text_list *has)
{
	return texts_within(wanted, has) && texts_within(has, wanted);
}

static int path_check_in_file(const char *text, struct reason *why)
{
	if (*text != '/')
		return refuse(why, "\"%.80s\" is no absolute path", text);
	return 0;
}

/* Lists of algorithms ------------------------------------------------------ */

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

static int list_check(const struct option_spec *o, const char *text, struct reason *why)
{
	char list[DSTOR_ALGO_LIST_LEN];

	return parse_algorithms(text, list, why);
}

static int text_put(struct nl_msg *msg, const struct option_spec *o, const char *text,
		    struct reason *why)
{
	put_text(msg, o->attr, text);
	return 0;
}

static void text_take(const struct option_spec *o, struct nlattr *a, void *member)
{
	if (nla_len(a) > 0)
		nla_strlcpy(member, a, o->size);
}

/* The module uses, or accepts, those words of the wanted list that it knows. */
static bool list_same(const struct option_spec *o, const struct text_list *wanted,
		      const struct text_list *has)
{
	return !has->n || has_word(wanted->text[0], "auto", strlen("auto")) ||
	       words_within(has->text[0], wanted->text[0]);
}

const struct option_type option_list = {
	.value = "LIST", .check = list_check, .put = text_put, .take = text_take,
	.same = list_same,
};

/* Key files ---------------------------------------------------------------- */

static int key_file_check(const struct option_spec *o, const char *text, struct reason *why)
{
	return *text ? 0 : refuse(why, "the name of a file is needed");
}

static int key_file_put(struct nl_msg *msg, const struct option_spec *o, const char *text,
			struct reason *why)
{
	u8 key[DSTOR_KEY_LEN];
	int ret = key_read(text, key, why);

	if (!ret)
		put_bytes(msg, o->attr, key, sizeof(key));
	explicit_bzero(key, sizeof(key));
	return ret;
}

static char *key_file_absolute(const char *text)
{
	return realpath(text, NULL);
}

const struct option_type option_key_file = {
	.value = "FILE", .check = key_file_check, .check_in_file = path_check_in_file,
	.absolute = key_file_absolute,
	.put = key_file_put, .same = texts_same,
};

/* Rules -------------------------------------------------------------------- */

static int rule_check(const struct option_spec *o, const char *text, struct reason *why)
{
	struct rule r;

	return rule_parse(text, &r, why);
}

static int rule_check_in_file(const char *text, struct reason *why)
{
	struct rule r;

	if (rule_parse(text, &r, why))
		return -1;
	return r.key_file[0] ? path_check_in_file(r.key_file, why) : 0;
}

/* The rule as it was given, with an absolute name of its file. */
static char *rule_absolute(const char *text)
{
	const char *key = strncmp(text, "key=", 4) ? strstr(text, ",key=") : text;
	char *absolute = NULL, *path;
	struct rule r;

	if (!key || rule_parse(text, &r, NULL) || *r.key_file == '/')
		return NULL;
	key += key == text ? strlen("key=") : strlen(",key=");
	path = realpath(r.key_file, NULL);
	if (path && asprintf(&absolute, "%.*s%s%s", (int)(key - text), text, path,
			     key + strlen(r.key_file)) < 0)
		exit(fail("out of memory"));
	free(path);
	return absolute;
}

static int rule_put(struct nl_msg *msg, const struct option_spec *o, const char *text,
		    struct reason *why)
{
	u8 key[DSTOR_KEY_LEN];
	struct rule r;
	int ret = rule_parse(text, &r, why);

	if (!ret && r.key_file[0])
		ret = key_read(r.key_file, key, why);
	if (!ret)
		put_rule(msg, &r, r.key_file[0] ? key : NULL);
	explicit_bzero(key, sizeof(key));
	if (!ret && count_attributes(msg, o->attr) > o->times)
		return refuse(why, "more than %u rules, where an IPv4 network counts twice",
			      o->times);
	return ret;
}

/* An IPv4 rule is two for the module, with one text. */
static void rule_take(const struct option_spec *o, struct nlattr *a, void *member)
{
	struct nlattr *tb[DSTOR_RULE_MAX + 1];

	if (!nla_parse_nested(tb, DSTOR_RULE_MAX, a, NULL))
		add_new_text(member, tb[DSTOR_RULE_TEXT]);
}

const struct option_type option_rule = {
	.value = "RULE", .check = rule_check, .check_in_file = rule_check_in_file,
	.absolute = rule_absolute,
	.put = rule_put, .take = rule_take, .same = texts_same,
};

/* Addresses to listen on --------------------------------------------------- */

static int listen_check(const struct option_spec *o, const char *text, struct reason *why)
{
	struct uri u;

	if (strlen(text) > LISTEN_TEXT_MAX)
		return refuse(why, "\"%.40s...\" is too long", text);
	if (uri_parse(text, &u, why))
		return -1;
	if (u.export[0])
		return refuse(why, "\"%.80s\": leave out the export, one port serves all", text);
	return 0;
}

static int listen_put(struct nl_msg *msg, const struct option_spec *o, const char *text,
		      struct reason *why)
{
	struct address a[DSTOR_ADDRESSES_MAX];
	struct uri u;
	int i, n;

	if (uri_parse(text, &u, why) || transport_sweep(&u, why))
		return -1;
	n = uri_resolve(&u, a, why);
	for (i = 0; i < n && count_attributes(msg, o->attr) < o->times; i++)
		put_address(msg, o->attr, &a[i], text);
	return n < 0 ? -1 : 0;
}

/* A host may have two addresses, with one text. */
static void listen_take(const struct option_spec *o, struct nlattr *a, void *member)
{
	struct nlattr *tb[DSTOR_ADDRESS_MAX + 1];

	if (!nla_parse_nested(tb, DSTOR_ADDRESS_MAX, a, NULL))
		add_new_text(member, tb[DSTOR_ADDRESS_TEXT]);
}

const struct option_type option_listen = {
	.value = "URI", .check = listen_check, .put = listen_put, .take = listen_take,
	.same = texts_same,
};

/* Operands and names ------------------------------------------------------- */

static int uri_check(const struct option_spec *o, const char *text, struct reason *why)
{
	struct uri u;

	if (uri_parse(text, &u, why))
		return -1;
	if (!u.export[0])
		return refuse(why,
			      "\"%.100s\" names no export; \"dst list %.100s\" shows what there is",
			      text, text);
	return 0;
}

static int uri_put(struct nl_msg *msg, const struct option_spec *o, const char *text,
		   struct reason *why)
{
	struct address a[DSTOR_ADDRESSES_MAX];
	struct uri u;
	int i, n;

	if (uri_parse(text, &u, why))
		return -1;
	n = uri_resolve(&u, a, why);
	for (i = 0; i < n; i++)
		put_address(msg, DSTOR_A_ADDRESS, &a[i], a[i].text);
	put_text(msg, o->attr, text);
	put_text(msg, DSTOR_A_EXPORT, u.export);
	return n < 0 ? -1 : 0;
}

const struct option_type option_uri = {
	.value = "URI", .check = uri_check, .put = uri_put, .take = text_take,
	.same = texts_same,
};

static int path_check(const struct option_spec *o, const char *text, struct reason *why)
{
	return *text ? 0 : refuse(why, "a path is needed");
}

/* The module has the path without symbolic links. */
static bool path_same(const struct option_spec *o, const struct text_list *wanted,
		      const struct text_list *has)
{
	char real[PATH_MAX];

	return texts_same(o, wanted, has) ||
	       (realpath(wanted->text[0], real) && !strcmp(real, has->text[0]));
}

const struct option_type option_path = {
	.value = "PATH", .check = path_check, .check_in_file = path_check_in_file,
	.take = text_take, .same = path_same,
};

static int name_check(const struct option_spec *o, const char *text, struct reason *why)
{
	char name[DSTOR_NAME_LEN];

	return device_name(text, name, why);
}

const struct option_type option_name = {
	.value = "DEV", .check = name_check,
};

static int client_check(const struct option_spec *o, const char *text, struct reason *why)
{
	return *text ? 0 : refuse(why, "the name, address or id of a client is needed");
}

const struct option_type option_client = {
	.value = "CLIENT", .check = client_check,
};
