/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A fake module for tests of options: it shows what it was asked for, so that what
 * the utility makes of that can be followed from the command line to the next up.
 */
#ifndef DST_TESTS_DST_FAKE_MODULE_H
#define DST_TESTS_DST_FAKE_MODULE_H

#include "unit.h"
#include "attached.h"
#include "config.h"
#include "plan.h"
#include "save.h"

#define KEPT "kept/attached"	/* the folder of attached.c */

/* One object of either kind. */
struct running {
	union {
		struct export_info e;
		struct device_info d;
	};
	struct info info;
};

static char key_path[64];

static inline void add(struct option_values *v, const char *name, enum object_kind kind,
		       const char *text)
{
	struct reason why;

	if (options_add(v, option_find(name, kind), text, 0, &why))
		fail_msg("%s %s: %s", name, text, why.text);
}

/* @sample of @o, or NULL, with all that is needed beside it. */
static inline struct option_values wanted(const struct option_spec *o, enum object_kind kind,
					  const char *sample)
{
	struct option_values v = { };
	char rule[100];

	add(&v, kind == OBJECT_EXPORT ? "path" : "uri", kind,
	    kind == OBJECT_EXPORT ? "/dev/null" : "dst://127.0.0.1/a");
	snprintf(rule, sizeof(rule), "key=%s", key_path);
	if (kind == OBJECT_EXPORT)
		add(&v, "allow", kind, o->flags & OPTION_KEYED ? rule : "any");
	else if (o->flags & OPTION_KEYED)
		add(&v, "key", kind, key_path);
	if (sample)
		add(&v, o->name, kind, sample);
	return v;
}

static inline struct nl_msg *request(enum object_kind kind, const struct option_values *v)
{
	struct nl_msg *msg = netlink_request(DSTOR_CMD_UNSPEC, 0);
	struct reason why;

	if (options_put(msg, kind, v, &why))
		fail_msg("%s", why.text);
	return msg;
}

static inline struct nlattr *attribute(struct nl_msg *msg, int attr)
{
	return nlmsg_find_attr(nlmsg_hdr(msg), GENL_HDRLEN, attr);
}

static inline void show_algorithms(struct nl_msg *to, struct nl_msg *asked,
				   enum object_kind kind)
{
	struct nlattr *ciphers = attribute(asked, DSTOR_A_CIPHERS);
	const char *cipher = ciphers ? nla_get_string(ciphers) : "aes-256-gcm";
	const char *checksum = nla_get_string(attribute(asked, DSTOR_A_CHECKSUMS));

	if (kind == OBJECT_EXPORT) {
		put_text(to, DSTOR_A_CHECKSUMS, checksum);
		put_text(to, DSTOR_A_CIPHERS, cipher);
	} else if (attribute(asked, DSTOR_A_KEY)) {
		put_text(to, DSTOR_A_CIPHER, cipher);
		put_text(to, DSTOR_A_CHECKSUM, strcmp(cipher, "none") ? "none" : checksum);
	} else if (strcmp(checksum, "none")) {
		put_text(to, DSTOR_A_CHECKSUM, checksum);
	}
}

/*
 * The module shows what it was asked for, but for algorithms: it chooses one for a
 * device, and shows an export's ciphers whether a rule has a key or not.
 */
static inline struct running *run(enum object_kind kind, const struct option_values *v)
{
	struct running *r = calloc(1, sizeof(*r));
	struct nl_msg *asked = request(kind, v), *answer = netlink_request(DSTOR_CMD_UNSPEC, 0);
	struct nlattr *a;
	int rem;

	assert_non_null(r);
	nlmsg_for_each_attr(a, nlmsg_hdr(asked), GENL_HDRLEN, rem)
		if (nla_type(a) != DSTOR_A_KEY && nla_type(a) != DSTOR_A_CIPHERS &&
		    nla_type(a) != DSTOR_A_CHECKSUMS)
			put_bytes(answer, nla_type(a), nla_data(a), nla_len(a));
	if (kind == OBJECT_EXPORT)
		put_text(answer, DSTOR_A_PATH, options_text(v, "path", ""));
	show_algorithms(answer, asked, kind);
	options_take(kind, nlmsg_hdr(answer), &r->e);
	if (kind == OBJECT_DEVICE)
		attached_keep(KEPT, "x", v);
	*(kind == OBJECT_EXPORT ? r->e.name : r->d.name) = 'x';
	if (kind == OBJECT_EXPORT)
		r->info = (struct info){ .exports = &r->e, .n_exports = 1 };
	else
		r->info = (struct info){ .devices = &r->d, .n_devices = 1 };
	netlink_drop(asked);
	netlink_drop(answer);
	return r;
}

static inline void end(struct running *r)
{
	if (r->info.n_exports) {
		text_list_free(&r->e.listen);
		text_list_free(&r->e.rules);
	}
	free(r);
}

static inline void read_config(char *text, struct config *c)
{
	FILE *f = fmemopen(text, strlen(text), "r");
	struct reason why;

	assert_non_null(f);
	if (config_read(f, "f.conf", c, &why))
		fail_msg("%s in\n%s", why.text, text);
	fclose(f);
}

/* The file that save writes where there was none before. */
static inline char *saved(const struct running *r)
{
	struct config before = { };
	size_t size;
	char *out;
	FILE *f = open_memstream(&out, &size);

	assert_non_null(f);
	save_write(f, &r->info, &before, KEPT);
	assert_int_equal(fclose(f), 0);
	return out;
}

/* The plan of up: "" for nothing to do, "set NAME=...", or its refusal. */
static inline const char *up_says(char *file, const struct running *r)
{
	static char says[600];
	struct reason why;
	struct config c;
	struct plan p;
	size_t i;

	says[0] = '\0';
	read_config(file, &c);
	if (plan_make(&c, NULL, &r->info, &p, &why)) {
		snprintf(says, sizeof(says), "%s", why.text);
	} else if (p.n) {
		for (i = 0; i < p.steps[0].set.n; i++)
			snprintf(says + strlen(says), sizeof(says) - strlen(says), "set %.90s ",
				 p.steps[0].set.text[i]);
	}
	plan_free(&p);
	config_free(&c);
	return says;
}

static inline int setup(void **state)
{
	char folder[40];

	if (enter_folder(state) || !getcwd(folder, sizeof(folder)))
		return -1;
	snprintf(key_path, sizeof(key_path), "%s/key", folder);
	write_file(key_path, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", 0600);
	return 0;
}

#endif
