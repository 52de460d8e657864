// SPDX-License-Identifier: GPL-2.0
/*
 * dst unexport: takes exports away, and notes that they ended in order, and who
 * wrote last, for the next time they are exported (state.c).
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "info.h"
#include "names.h"
#include "export_state.h"
#include "transport.h"
#include "values.h"

const char help_unexport[] =
"Takes exports away: drains, flushes the disk, tells the clients. They wait\n"
"for it to come back, as after any outage.\n"
"\n"
"  NAME       repeats, and one that fails does not stop the others\n"
"  --force    even if clients are attached\n";

enum { OPT_FORCE = 256 };

static const struct option options[] = {
	{ "force", no_argument, NULL, OPT_FORCE },
	{ }
};

/*
 * Before: a disk that cannot be flushed may say so only once, and we may be gone
 * then (killed while it hung). In order: the module has drained and flushed.
 */
static int unexport_note_end(struct state_file *f, bool in_order, u64 token, struct reason *why)
{
	struct state s;
	int ret = state_load(f, &s, why);

	if (ret <= 0)
		return ret;
	if (in_order)
		state_end(&s, token);
	else
		state_lost(&s);
	return state_save(f, &s, why);
}

/* Names the clients that are still there, and a remedy. */
static void unexport_name_clients(const struct export_info *e, struct reason *why)
{
	char names[200] = "";
	size_t i, n;

	for (i = 0; i < e->n_clients; i++) {
		const struct client_info *c = &e->clients[i];

		n = strlen(names);
		snprintf(names + n, sizeof(names) - n, "%s%s (%s)", n ? ", " : "",
			 c->name[0] ? c->name : "a client", c->address);
	}
	if (e->n_clients)
		refuse(why, "\"%s\" is in use by %s; detach there first, or use --force", e->name,
		       names);
}

/* The files of UNIX sockets; another export may still listen there. */
static void unexport_remove_sockets(const struct export_info *e)
{
	struct reason ignored;
	struct uri u;
	size_t i;

	for (i = 0; i < e->listen.n; i++)
		if (!uri_parse(e->listen.text[i], &u, &ignored))
			transport_sweep(&u, &ignored);
}

static int unexport_do(struct netlink *nl, const char *name, bool force, struct reason *why)
{
	struct info info;
	struct state_file f;
	struct reason lost;
	struct nl_msg *msg;
	u64 token;
	int ret, state;

	if (info_load_export(nl, name, &info, why)) {
		info_free(&info);
		return -1;
	}
	token = info.exports[0].token;
	/* An export must be able to end even where nothing can be written. */
	state = state_open(&f, STATE_FOLDER, name, &lost);
	if (!state && unexport_note_end(&f, false, 0, &lost)) {
		state_close(&f);
		state = -1;
	}
	msg = netlink_request(DSTOR_CMD_EXPORT_DEL, 0);
	put_text(msg, DSTOR_A_NAME, name);
	put_flag(msg, DSTOR_A_FORCE, force);
	ret = netlink_ask(nl, msg, NULL, NULL, why);
	if (!ret)
		unexport_remove_sockets(&info.exports[0]);
	if (!ret && (state || unexport_note_end(&f, true, token, &lost)))
		ret = refuse(why,
			     "export \"%s\" is gone, but that it ended in order is not noted: %.300s",
			     name, lost.text);
	else if (ret == -EBUSY && !force)
		unexport_name_clients(&info.exports[0], why);
	info_free(&info);
	if (!state)
		state_close(&f);
	return ret ? -1 : 0;
}

int cmd_unexport(int argc, char **argv)
{
	struct names names = { .noun = "export", .check = export_name };
	struct netlink nl;
	struct reason why;
	bool force = false;
	int c, ret;

	while ((c = next_option(argc, argv, options)) != -1) {
		if (c == '?')
			return DST_EXIT_USAGE;
		force = true;
	}
	ret = names_take(&names, argc, argv);
	if (ret)
		return ret;
	ret = names_open(&names, &nl);
	if (ret)
		return ret;
	while (names_next(&names))
		names_result(&names, unexport_do(&nl, names.name, force, &why), &why);
	netlink_close(&nl);
	return names_end(&names);
}
