// SPDX-License-Identifier: GPL-2.0
/*
 * Types of options whose values are identities: of an exporter and of a disk.
 * Used through the table in options.c.
 */
#include "id.h"
#include "netlink.h"
#include "options.h"
#include "values.h"

#define ANY "any"

static int id_check(const struct option_spec *o, const char *text, struct reason *why)
{
	u8 id[DSTOR_ID_LEN];

	return parse_id(text, id, why);
}

static int exporter_check(const struct option_spec *o, const char *text, struct reason *why)
{
	return strcmp(text, ANY) ? id_check(o, text, why) : 0;
}

/* Converts a checked text; "any" is zero. */
static void id_of(const char *text, u8 id[DSTOR_ID_LEN])
{
	if (!strcmp(text, ANY) || parse_id(text, id, NULL))
		memset(id, 0, DSTOR_ID_LEN);
}

static int id_put(struct nl_msg *msg, const struct option_spec *o, const char *text,
		  struct reason *why)
{
	u8 id[DSTOR_ID_LEN];

	id_of(text, id);
	put_bytes(msg, o->attr, id, sizeof(id));
	return 0;
}

static const u8 *id_shown(struct nlattr *a)
{
	const u8 *id = nla_data(a);

	return nla_len(a) == DSTOR_ID_LEN && !dstor_id_is_zero(id) ? id : NULL;
}

static void exporter_take(const struct option_spec *o, struct nlattr *a, void *member)
{
	if (id_shown(a))
		copy_text(member, o->size, hex_text(id_shown(a)).s);
}

static void uuid_take(const struct option_spec *o, struct nlattr *a, void *member)
{
	if (id_shown(a))
		copy_text(member, o->size, uuid_text(id_shown(a)).s);
}

/* Whichever there is satisfies "any". */
static bool id_same(const struct option_spec *o, const struct text_list *wanted,
		    const struct text_list *has)
{
	u8 want[DSTOR_ID_LEN], is[DSTOR_ID_LEN] = { };

	id_of(wanted->text[0], want);
	if (has->n)
		id_of(has->text[0], is);
	return dstor_id_is_zero(want) || dstor_id_equal(want, is);
}

const struct option_type option_exporter = {
	.value = "ID", .check = exporter_check, .put = id_put, .take = exporter_take,
	.same = id_same,
};

const struct option_type option_uuid = {
	.value = "UUID", .check = id_check, .put = id_put, .take = uuid_take, .same = id_same,
};
