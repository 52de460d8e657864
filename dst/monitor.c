// SPDX-License-Identifier: GPL-2.0
/*
 * dst monitor: one line for each event, as the module tells of it.
 */
#include <getopt.h>
#include <json-c/json.h>
#include <stdio.h>
#include <time.h>

#include "events.h"
#include "info.h"
#include "show.h"
#include "values.h"

const char help_monitor[] =
"Prints what happens to devices, exports and their clients, one line each, until\n"
"interrupted.\n"
"\n"
"  --json     for programs: one object in each line\n";

enum { OPT_JSON = 256 };

static const struct option options[] = {
	{ "json", no_argument, NULL, OPT_JSON },
	{ }
};

struct event {
	u8 what;		/* enum dstor_event */
	char name[DSTOR_NAME_LEN];
	char reason[256];
	u8 state;
	bool has_state, has_client, has_size;
	struct client_info client;
	u8 uuid[DSTOR_ID_LEN];
	u64 size;
	struct timespec time;
};

static bool monitor_take(struct event *e, struct nlmsghdr *nlh)
{
	struct nlattr *tb[DSTOR_A_MAX + 1];

	memset(e, 0, sizeof(*e));
	clock_gettime(CLOCK_REALTIME, &e->time);
	if (genlmsg_parse(nlh, 0, tb, DSTOR_A_MAX, NULL) || !tb[DSTOR_A_EVENT] ||
	    !tb[DSTOR_A_NAME])
		return false;
	e->what = nla_get_u8(tb[DSTOR_A_EVENT]);
	nla_strlcpy(e->name, tb[DSTOR_A_NAME], sizeof(e->name));
	if (tb[DSTOR_A_REASON])
		nla_strlcpy(e->reason, tb[DSTOR_A_REASON], sizeof(e->reason));
	e->has_state = tb[DSTOR_A_STATE];
	if (e->has_state)
		e->state = nla_get_u8(tb[DSTOR_A_STATE]);
	e->has_client = tb[DSTOR_A_CLIENT];
	if (e->has_client)
		info_take_client(&e->client, tb[DSTOR_A_CLIENT]);
	e->has_size = tb[DSTOR_A_SIZE] && tb[DSTOR_A_UUID] &&
		      nla_len(tb[DSTOR_A_UUID]) == DSTOR_ID_LEN;
	if (e->has_size) {
		e->size = nla_get_u64(tb[DSTOR_A_SIZE]);
		memcpy(e->uuid, nla_data(tb[DSTOR_A_UUID]), DSTOR_ID_LEN);
	}
	return true;
}

/* "device d: reconnecting: the connection broke" */
static void monitor_text(const struct event *e)
{
	const struct event_spec *spec = event_spec(e->what);
	char when[32] = "";
	struct tm tm;

	if (localtime_r(&e->time.tv_sec, &tm))
		strftime(when, sizeof(when), "%F %T", &tm);
	printf("%s.%03ld %s %s: ", when, e->time.tv_nsec / 1000000,
	       spec ? object_name(spec->object) : "object", e->name);
	if (e->what == DSTOR_EVENT_DEVICE_STATE)
		fputs(state_name(e->state), stdout);
	else if (e->has_client)
		printf("client %s %s %s", e->client.name, e->client.address,
		       spec ? spec->happened : "unknown");
	else
		fputs(spec ? spec->happened : "unknown", stdout);
	if (e->has_size && e->what != DSTOR_EVENT_DEVICE_STATE)
		printf(", %s", size_text(e->size).s);
	printf("%s%s\n", e->reason[0] ? ": " : "", e->reason);
}

static void monitor_add_text(struct json_object *o, const char *name, const char *value)
{
	json_object_object_add(o, name, json_object_new_string(value));
}

static void monitor_json(const struct event *e)
{
	struct json_object *o = json_object_new_object(), *c;
	const struct event_spec *spec = event_spec(e->what);

	json_object_object_add(o, "time_ms",
			       json_object_new_int64(e->time.tv_sec * 1000LL +
						     e->time.tv_nsec / 1000000));
	monitor_add_text(o, "event", spec ? spec->name : "unknown");
	monitor_add_text(o, "name", e->name);
	if (e->has_state)
		monitor_add_text(o, "state", state_name(e->state));
	if (e->reason[0])
		monitor_add_text(o, "reason", e->reason);
	if (e->has_size) {
		monitor_add_text(o, "uuid", uuid_text(e->uuid).s);
		json_object_object_add(o, "size", json_object_new_uint64(e->size));
	}
	if (e->has_client) {
		c = json_object_new_object();
		monitor_add_text(c, "name", e->client.name);
		monitor_add_text(c, "address", e->client.address);
		monitor_add_text(c, "id", hex_text(e->client.id).s);
		monitor_add_text(c, "session", hex_text(e->client.session).s);
		monitor_add_text(c, "access",
				 e->client.access == DSTOR_ACCESS_WRITE ? "write" : "read");
		json_object_object_add(o, "client", c);
	}
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}

static void monitor_event(struct nlmsghdr *nlh, void *arg)
{
	const bool *json = arg;
	struct event e;

	if (genlmsg_hdr(nlh)->cmd != DSTOR_CMD_EVENT || !monitor_take(&e, nlh))
		return;
	if (*json)
		monitor_json(&e);
	else
		monitor_text(&e);
	if (fflush(stdout))
		exit(fail("cannot write any more"));
}

int cmd_monitor(int argc, char **argv)
{
	struct netlink nl;
	struct reason why;
	bool json = false;
	int c, ret;

	while ((c = next_option(argc, argv, options)) != -1) {
		if (c == '?')
			return DST_EXIT_USAGE;
		json = true;
	}
	if (argc != optind)
		return bad_usage("there is nothing to name (dst monitor --help)");
	if (netlink_open(&nl, &why))
		return fail("%s", why.text);
	ret = netlink_join(&nl, &why);
	if (!ret)
		ret = netlink_listen(&nl, monitor_event, &json, &why);
	netlink_close(&nl);
	return fail("%s", why.text);
}
