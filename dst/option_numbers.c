// SPDX-License-Identifier: GPL-2.0
/*
 * Types of options whose values are numbers for the module: switches, numbers,
 * times and sizes. Used through the table in options.c.
 */
#include <stdio.h>

#include "netlink.h"
#include "options.h"
#include "values.h"

/* Switches ----------------------------------------------------------------- */

static int switch_check(const struct option_spec *o, const char *text, struct reason *why)
{
	if (strcmp(text, "yes") && strcmp(text, "no"))
		return refuse(why, "\"%.80s\" is neither yes nor no", text);
	return 0;
}

static u64 switch_number(const struct option_spec *o, const char *text)
{
	return !strcmp(text, "yes");
}

static struct text switch_text(const struct option_spec *o, u64 number)
{
	struct text t;

	snprintf(t.s, sizeof(t.s), "%s", number ? "yes" : "no");
	return t;
}

static int switch_put(struct nl_msg *msg, const struct option_spec *o, const char *text,
		      struct reason *why)
{
	bool on = switch_number(o, text);
	struct nlattr *a;

	if (!o->bit) {
		put_flag(msg, o->attr, on);
		return 0;
	}
	a = nlmsg_find_attr(nlmsg_hdr(msg), GENL_HDRLEN, o->attr);
	if (!a)
		put_u32(msg, o->attr, on ? o->bit : 0);
	else if (on)
		*(u32 *)nla_data(a) |= o->bit;
	return 0;
}

static void switch_take(const struct option_spec *o, struct nlattr *a, void *member)
{
	if (!o->bit)
		*(bool *)member = true;
	else if (nla_len(a) >= (int)sizeof(u32))
		*(u32 *)member |= nla_get_u32(a) & o->bit;
}

static bool switch_same(const struct option_spec *o, const struct text_list *wanted,
			const struct text_list *has)
{
	u64 want = switch_number(o, wanted->text[0]), is = switch_number(o, has->text[0]);

	return o->flags & OPTION_GRANTED ? is >= want : is == want;
}

const struct option_type option_switch = {
	.check = switch_check, .number = switch_number, .text = switch_text,
	.put = switch_put, .take = switch_take, .same = switch_same,
};

/* An order, whose only value is "drop" -------------------------------------- */

static int drop_check(const struct option_spec *o, const char *text, struct reason *why)
{
	return strcmp(text, "drop") ? refuse(why, "\"%.80s\" is not \"drop\"", text) : 0;
}

static int drop_put(struct nl_msg *msg, const struct option_spec *o, const char *text,
		    struct reason *why)
{
	put_flag(msg, o->attr, true);
	return 0;
}

const struct option_type option_drop = {
	.value = "drop", .check = drop_check, .put = drop_put,
};

/* Numbers, times and sizes ------------------------------------------------- */

static bool is_word(const struct option_spec *o, const char *text)
{
	return o->word && !strcmp(text, o->word);
}

static int number_check(const struct option_spec *o, const char *text, struct reason *why)
{
	u32 n;

	if (is_word(o, text) || !parse_number(text, o->min, o->max, &n, why))
		return 0;
	if (o->word)
		refuse(why, "\"%.80s\" is neither a number from %u to %u nor \"%s\"", text,
		       (u32)o->min, (u32)o->max, o->word);
	return -1;
}

static u64 number_number(const struct option_spec *o, const char *text)
{
	u32 n = 0;

	if (is_word(o, text))
		return o->word_means;
	parse_number(text, 0, UINT32_MAX, &n, NULL);
	return n;
}

static struct text number_text(const struct option_spec *o, u64 number)
{
	struct text t;

	if (o->word && number == o->word_means)
		snprintf(t.s, sizeof(t.s), "%s", o->word);
	else
		snprintf(t.s, sizeof(t.s), "%llu", (unsigned long long)number);
	return t;
}

static int number_put(struct nl_msg *msg, const struct option_spec *o, const char *text,
		      struct reason *why)
{
	u64 number = o->type->number(o, text);

	if (o->size == sizeof(u64))
		put_u64(msg, o->attr, number);
	else
		put_u32(msg, o->attr, number);
	return 0;
}

static void number_take(const struct option_spec *o, struct nlattr *a, void *member)
{
	if (nla_len(a) < (int)o->size)
		return;
	if (o->size == sizeof(u64))
		*(u64 *)member = nla_get_u64(a);
	else
		*(u32 *)member = nla_get_u32(a);
}

static bool number_same(const struct option_spec *o, const struct text_list *wanted,
			const struct text_list *has)
{
	u64 want = o->type->number(o, wanted->text[0]), is = o->type->number(o, has->text[0]);

	return is == want || (o->flags & OPTION_GRANTED && is < want);
}

const struct option_type option_number = {
	.value = "N", .check = number_check, .number = number_number, .text = number_text,
	.put = number_put, .take = number_take, .same = number_same,
};

static int time_check(const struct option_spec *o, const char *text, struct reason *why)
{
	u32 ms;

	return parse_time(text, &ms, why);
}

static u64 time_number(const struct option_spec *o, const char *text)
{
	u32 ms = 0;

	parse_time(text, &ms, NULL);
	return ms;
}

static struct text time_value(const struct option_spec *o, u64 ms)
{
	struct text t;

	snprintf(t.s, sizeof(t.s), ms % 1000 ? "%llums" : "%llus",
		 (unsigned long long)(ms % 1000 ? ms : ms / 1000));
	return t;
}

const struct option_type option_time = {
	.value = "TIME", .check = time_check, .number = time_number, .text = time_value,
	.put = number_put, .take = number_take, .same = number_same,
};

static int size_check(const struct option_spec *o, const char *text, struct reason *why)
{
	u64 bytes;

	if (is_word(o, text))
		return 0;
	if (parse_size(text, &bytes, why))
		return -1;
	if (bytes >= o->min && (!o->max || bytes <= o->max) && (!o->unit || !(bytes % o->unit)))
		return 0;
	if (!o->max)
		return refuse(why, "\"%.80s\" is too small: at least %s is needed", text,
			      size_text(o->min).s);
	return refuse(why, "\"%.80s\" is not a multiple of %s, from %s to %s", text,
		      size_text(o->unit).s, size_text(o->min).s, size_text(o->max).s);
}

static u64 size_number(const struct option_spec *o, const char *text)
{
	u64 bytes = 0;

	if (is_word(o, text))
		return o->word_means;
	parse_size(text, &bytes, NULL);
	return bytes;
}

static struct text size_value(const struct option_spec *o, u64 bytes)
{
	struct text t = size_text(bytes);
	u64 same;

	/* size_text() may round, and such a text is not a size to parse_size(). */
	if ((o->word && bytes == o->word_means) || parse_size(t.s, &same, NULL) || same != bytes)
		return number_text(o, bytes);
	return t;
}

const struct option_type option_size = {
	.value = "SIZE", .check = size_check, .number = size_number, .text = size_value,
	.put = number_put, .take = number_take, .same = number_same,
};
