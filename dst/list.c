// SPDX-License-Identifier: GPL-2.0
/*
 * dst list: the exports of an exporter, and the access to each. Works without
 * the module.
 */
#include <getopt.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "exporter.h"
#include "key.h"
#include "values.h"

const char help_list[] =
"Shows what an exporter would let this machine attach. The kernel module is not\n"
"needed.\n"
"\n"
"  URI          dst://HOST[:PORT], or another transport; an /EXPORT is ignored\n"
"  --json       for programs\n"
"  --key FILE   authenticate with this key, and list the access of its clients\n";

enum { OPT_JSON = 256, OPT_KEY };

static const struct option options[] = {
	{ "json", no_argument, NULL, OPT_JSON },
	{ "key", required_argument, NULL, OPT_KEY },
	{ }
};

static const char *access_name(u8 access)
{
	static const char * const names[] = {
		[DSTOR_ACCESS_NONE] = "none",
		[DSTOR_ACCESS_READ] = "read",
		[DSTOR_ACCESS_WRITE] = "write",
	};

	return names[access];	/* dstor_entry_check() saw to the range */
}

static void print_json(const struct dstor_entry *e, int n)
{
	struct json_object *top = json_object_new_object(), *list = json_object_new_array();
	int i;

	for (i = 0; i < n; i++, e++) {
		struct json_object *o = json_object_new_object();
		u32 flags = le32_to_cpu(e->disk_flags);

		json_object_object_add(o, "name", json_object_new_string(e->name));
		json_object_object_add(o, "uuid", json_object_new_string(uuid_text(e->uuid).s));
		json_object_object_add(o, "size", json_object_new_uint64(le64_to_cpu(e->size)));
		json_object_object_add(o, "access",
				       json_object_new_string(access_name(e->access)));
		json_object_object_add(o, "read_only",
				       json_object_new_boolean(flags & DSTOR_DISK_READ_ONLY));
		json_object_object_add(o, "shared",
				       json_object_new_boolean(flags & DSTOR_DISK_SHARED));
		json_object_array_add(list, o);
	}
	json_object_object_add(top, "exports", list);
	puts(json_object_to_json_string_ext(top, JSON_C_TO_STRING_PRETTY |
						 JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(top);
}

static void print_table(const struct dstor_entry *e, int n)
{
	int i, width = strlen("EXPORT");

	for (i = 0; i < n; i++)
		if ((int)strlen(e[i].name) > width)
			width = strlen(e[i].name);
	printf("%-*s  %8s  %-6s  %s\n", width, "EXPORT", "SIZE", "ACCESS", "UUID");
	for (i = 0; i < n; i++)
		printf("%-*s  %8s  %-6s  %s\n", width, e[i].name,
		       size_text(le64_to_cpu(e[i].size)).s, access_name(e[i].access),
		       uuid_text(e[i].uuid).s);
}

int cmd_list(int argc, char **argv)
{
	struct dstor_entry *entries;
	struct exporter x;
	struct reason why;
	const char *key_file = NULL;
	u8 key[DSTOR_KEY_LEN];
	struct uri u;
	bool json = false;
	int c, n;

	while ((c = next_option(argc, argv, options)) != -1) {
		if (c == '?')
			return DST_EXIT_USAGE;
		if (c == OPT_JSON)
			json = true;
		else
			key_file = optarg;
	}
	if (argc - optind != 1)
		return bad_usage("one URI is needed (dst list --help)");
	if (uri_parse(argv[optind], &u, &why))
		return bad_usage("%s", why.text);
	if (key_file && key_read(key_file, key, &why))
		return fail("%s", why.text);
	n = exporter_dial(&u, DSTOR_HELLO_LIST, key_file ? key : NULL, &x, &why);
	explicit_bzero(key, sizeof(key));
	if (n)
		return fail("%s", why.text);
	n = exporter_list(&x, &entries, &why);
	exporter_close(&x);
	if (n < 0)
		return fail("%s", why.text);
	if (json)
		print_json(entries, n);
	else
		print_table(entries, n);
	free(entries);
	return 0;
}
