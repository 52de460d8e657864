// SPDX-License-Identifier: GPL-2.0
/*
 * The table of options, and what is done with all of them alike. A new option is
 * a row here and a member in info.h; its type is one of options.h. Called by
 * the commands, config.c, plan.c, info.c; unit-tested row by row.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "info.h"
#include "options.h"
#include "values.h"

#define CONNECTIONS_DEFAULT_MAX 4

#define EXPORT(member) \
	.offset = offsetof(struct export_info, member), \
	.size = sizeof(((struct export_info *)NULL)->member)
#define DEVICE(member) \
	.offset = offsetof(struct device_info, member), \
	.size = sizeof(((struct device_info *)NULL)->member)

static const char *connections_default(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	static char text[16];

	snprintf(text, sizeof(text), "%ld", cpus < 1 ? 1 : cpus > CONNECTIONS_DEFAULT_MAX ?
						       CONNECTIONS_DEFAULT_MAX : cpus);
	return text;
}

/* Both IPs, or the one that the kernel has. */
static const char *listen_default(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 && errno == EAFNOSUPPORT)
		return "dst://0.0.0.0";
	if (fd >= 0)
		close(fd);
	return "dst://[::]";
}

static const struct option_spec options[] = { {
	.name = "path", .kind = OBJECT_EXPORT, .flags = OPTION_NEEDED | OPTION_OPERAND,
	.type = &option_path, .attr = DSTOR_A_PATH, EXPORT(path), .json = "path",
}, {
	.name = "allow", .kind = OBJECT_EXPORT,
	.flags = OPTION_NEEDED | OPTION_REPEATS | OPTION_LIVE,
	.type = &option_rule, .times = DSTOR_RULES_MAX, .attr = DSTOR_A_ALLOW, EXPORT(rules),
	.json = "allow",
	.help = "whom to admit: any, from=CIDR, key=FILE, ro; comma-separated,\n"
		"all must hold. Repeats; the most permissive match wins.\n"
		"client=NAME,key=FILE: NAME may have several keys at a time",
}, {
	.name = "listen", .kind = OBJECT_EXPORT, .flags = OPTION_REPEATS,
	.type = &option_listen, .standard = "dst://[::]", .of_machine = listen_default,
	.times = DSTOR_LISTEN_MAX, .attr = DSTOR_A_LISTEN, EXPORT(listen), .json = "listen",
	.help = "where to listen, without /EXPORT; repeats",
}, {
	.name = "read-only", .kind = OBJECT_EXPORT, .type = &option_switch, .standard = "no",
	.attr = DSTOR_A_FLAGS, .bit = DSTOR_EXPORT_READ_ONLY, EXPORT(flags),
	.json = "read_only",
	.help = "no client writes",
}, {
	.name = "shared", .kind = OBJECT_EXPORT, .type = &option_switch, .standard = "no",
	.attr = DSTOR_A_FLAGS, .bit = DSTOR_EXPORT_SHARED, EXPORT(flags), .json = "shared",
	.help = "more than one client writes at once",
}, {
	.name = "write-through", .kind = OBJECT_EXPORT, .type = &option_switch, .standard = "no",
	.attr = DSTOR_A_FLAGS, .bit = DSTOR_EXPORT_WRITE_THROUGH, EXPORT(flags),
	.json = "write_through",
	.help = "every write is durable before it is acked",
}, {
	.name = "no-replay", .kind = OBJECT_EXPORT, .type = &option_switch, .standard = "no",
	.attr = DSTOR_A_FLAGS, .bit = DSTOR_EXPORT_NO_REPLAY, EXPORT(flags),
	.json = "no_replay",
	.help = "takes no writes again that a client kept over a crash",
}, {
	.name = "max-inflight", .kind = OBJECT_EXPORT, .flags = OPTION_LIVE,
	.type = &option_size, .standard = "64M", .min = DSTOR_IO_MAX,
	.attr = DSTOR_A_MAX_INFLIGHT, EXPORT(max_inflight), .json = "max_inflight",
	.help = "ceiling of memory for requests in flight",
}, {
	.name = "max-bandwidth", .kind = OBJECT_EXPORT, .flags = OPTION_LIVE,
	.type = &option_size, .standard = "off", .word = "off", .min = 64 << 10,
	.attr = DSTOR_A_MAX_BANDWIDTH, EXPORT(max_bandwidth), .json = "max_bandwidth",
	.help = "bytes per second of each client, at least 64K",
}, {
	.name = "max-iops", .kind = OBJECT_EXPORT, .flags = OPTION_LIVE,
	.type = &option_number, .standard = "off", .word = "off", .min = 1, .max = 100000000,
	.attr = DSTOR_A_MAX_IOPS, EXPORT(max_iops), .json = "max_iops",
	.help = "requests per second of each client",
}, {
	.name = "checksum", .kind = OBJECT_EXPORT, .flags = OPTION_FREE, .type = &option_list,
	.standard = "crc32c", .attr = DSTOR_A_CHECKSUMS, EXPORT(checksums), .json = "checksums",
	.help = "accepted checksums, best first",
}, {
	.name = "cipher", .kind = OBJECT_EXPORT, .flags = OPTION_FREE | OPTION_KEYED,
	.type = &option_list, .attr = DSTOR_A_CIPHERS, EXPORT(ciphers), .json = "ciphers",
	.help = "for clients with a key: accepted ciphers, best first",
	.help_standard = "auto",
}, {
	.name = "crypto-threads", .kind = OBJECT_EXPORT, .flags = OPTION_LIVE,
	.type = &option_number, .standard = "0", .max = DSTOR_CRYPTO_THREADS_MAX,
	.attr = DSTOR_A_CRYPTO_THREADS, EXPORT(crypto_threads), .json = "crypto_threads",
	.help = "threads for large encrypted data, each way",
	.help_standard = "0: one per CPU",
}, {
	.name = "evict", .kind = OBJECT_EXPORT, .flags = OPTION_LIVE | OPTION_ACTION,
	.type = &option_client, .attr = DSTOR_A_EVICT,
	.help = "ends a client, by name, address or id; it may never write\n"
		"again without a new attach",
}, {
	.name = "uri", .kind = OBJECT_DEVICE,
	.flags = OPTION_NEEDED | OPTION_OPERAND | OPTION_LIVE,
	.type = &option_uri, .attr = DSTOR_A_URI, DEVICE(uri), .json = "uri",
	.help = "where its export is now",
}, {
	.name = "exporter", .kind = OBJECT_DEVICE, .flags = OPTION_FREE | OPTION_LIVE,
	.type = &option_exporter, .word = "any", .attr = DSTOR_A_EXPORTER, DEVICE(exporter),
	.empty = "any", .json = "exporter",
	.help = "insist on this exporter, as dst show names it there",
	.help_standard = "the one that answers first",
}, {
	.name = "uuid", .kind = OBJECT_DEVICE, .flags = OPTION_FREE | OPTION_ORDERED,
	.type = &option_uuid, .attr = DSTOR_A_UUID, DEVICE(uuid), .json = "uuid",
	.help = "insist on this disk: the UUID of its export",
	.help_standard = "the one that is there first",
}, {
	.name = "name", .kind = OBJECT_DEVICE, .flags = OPTION_COMMAND, .type = &option_name,
	.help = "/dev/dst-DEV", .help_standard = "the name of the export",
}, {
	.name = "timeout", .kind = OBJECT_DEVICE, .flags = OPTION_LIVE, .type = &option_time,
	.standard = "5s", .attr = DSTOR_A_TIMEOUT_MS, DEVICE(timeout_ms), .json = "timeout_ms",
	.help = "until a transaction without an ack is resent",
}, {
	.name = "retries", .kind = OBJECT_DEVICE, .flags = OPTION_LIVE, .type = &option_number,
	.standard = "24", .max = DSTOR_RETRIES_FOREVER - 1,
	.word = "forever", .word_means = DSTOR_RETRIES_FOREVER,
	.attr = DSTOR_A_RETRIES, DEVICE(retries), .json = "retries",
	.help = "resends before a transaction fails",
}, {
	.name = "ping", .kind = OBJECT_DEVICE, .flags = OPTION_LIVE, .type = &option_time,
	.standard = "1s", .attr = DSTOR_A_PING_MS, DEVICE(ping_ms), .json = "ping_ms",
	.help = "idle time after which the exporter is pinged",
}, {
	.name = "connections", .kind = OBJECT_DEVICE, .flags = OPTION_FREE,
	.type = &option_number, .of_machine = connections_default,
	.min = 1, .max = DSTOR_QUEUES_MAX,
	.attr = DSTOR_A_CONNECTIONS, DEVICE(connections), .json = "connections",
	.help = "one for each hardware queue",
	.help_standard = "number of CPUs, at most 4",
}, {
	.name = "queue-depth", .kind = OBJECT_DEVICE, .flags = OPTION_FREE | OPTION_GRANTED,
	.type = &option_number, .standard = "128", .min = 1, .max = DSTOR_SLOTS_MAX,
	.attr = DSTOR_A_QUEUE_DEPTH, DEVICE(queue_depth), .json = "queue_depth",
	.help = "transactions in flight on each connection",
}, {
	.name = "max-io", .kind = OBJECT_DEVICE, .flags = OPTION_FREE | OPTION_GRANTED,
	.type = &option_size, .standard = "1M", .min = DSTOR_IO_MIN, .max = DSTOR_IO_MAX,
	.unit = DSTOR_IO_MIN, .attr = DSTOR_A_MAX_IO, DEVICE(max_io), .json = "max_io",
	.help = "largest request",
}, {
	.name = "keep", .kind = OBJECT_DEVICE, .flags = OPTION_FREE,
	.type = &option_size, .standard = "off", .min = DSTOR_KEEP_MIN, .max = DSTOR_KEEP_MAX,
	.unit = DSTOR_IO_MIN, .word = "off", .attr = DSTOR_A_KEEP, DEVICE(keep_bytes),
	.json = "keep",
	.help = "memory for acked writes until they are flushed: they survive\n"
		"a crash of the exporter",
}, {
	.name = "kept", .kind = OBJECT_DEVICE, .flags = OPTION_LIVE | OPTION_ACTION,
	.type = &option_drop, .attr = DSTOR_A_DROP_KEPT,
	.help = "gives up kept writes, because somebody changed the disk\n"
		"meanwhile: the next flush fails",
}, {
	.name = "read-only", .kind = OBJECT_DEVICE, .flags = OPTION_GRANTED,
	.type = &option_switch, .standard = "no",
	.attr = DSTOR_A_READ_ONLY, DEVICE(read_only), .json = "read_only",
	.help = "do not write",
}, {
	.name = "key", .kind = OBJECT_DEVICE,
	.flags = OPTION_LIVE | OPTION_UNSEEN | OPTION_KEYED,
	.type = &option_key_file, .attr = DSTOR_A_KEY,
	.help = "the key of a rule of the exporter: encrypts and authenticates",
}, {
	.name = "cipher", .kind = OBJECT_DEVICE, .flags = OPTION_FREE | OPTION_KEYED,
	.type = &option_list, .attr = DSTOR_A_CIPHERS, .shown = DSTOR_A_CIPHER, DEVICE(cipher),
	.empty = "none", .json = "cipher",
	.help = "with a key: wanted ciphers, best first: aes-256-gcm,\n"
		"chacha20-poly1305, auto, or an AEAD of the kernel",
	.help_standard = "auto",
}, {
	.name = "checksum", .kind = OBJECT_DEVICE, .flags = OPTION_FREE | OPTION_UNENCRYPTED,
	.type = &option_list, .standard = "crc32c", .attr = DSTOR_A_CHECKSUMS,
	.shown = DSTOR_A_CHECKSUM, DEVICE(checksum), .empty = "none", .json = "checksum",
	.help = "wanted checksums, best first",
}, {
	.name = "crypto-threads", .kind = OBJECT_DEVICE, .flags = OPTION_LIVE,
	.type = &option_number, .standard = "0", .max = DSTOR_CRYPTO_THREADS_MAX,
	.attr = DSTOR_A_CRYPTO_THREADS, DEVICE(crypto_threads), .json = "crypto_threads",
	.help = "with a key: threads for large data, each way",
	.help_standard = "0: one per CPU",
} };

const struct option_spec *option_next(const struct option_spec *o, int kinds)
{
	for (o = o ? o + 1 : options; o < options + ARRAY_SIZE(options); o++)
		if (o->kind & kinds)
			return o;
	return NULL;
}

const struct option_spec *option_find(const char *name, int kinds)
{
	const struct option_spec *o = NULL;

	while ((o = option_next(o, kinds)))
		if (!strcmp(o->name, name))
			return o;
	return NULL;
}

const char *option_standard(const struct option_spec *o)
{
	return o->of_machine ? o->of_machine() : o->standard;
}

const char *object_name(enum object_kind kind)
{
	return kind == OBJECT_EXPORT ? "export" : "device";
}

/* Values that were given --------------------------------------------------- */

int options_add(struct option_values *v, const struct option_spec *o, const char *text, int line,
		struct reason *why)
{
	struct option_value *new = NULL;
	unsigned int times = 0;
	size_t i;

	if (o->type->check(o, text, why))
		return -1;
	for (i = 0; i < v->n; i++) {
		if (v->value[i].option == o) {
			new = &v->value[i];
			times++;
		}
	}
	if (o->flags & OPTION_REPEATS) {
		if (times == o->times)
			return refuse(why, "it may be given %u times", o->times);
		new = NULL;
	}
	if (new) {
		free(new->text);
	} else {
		v->value = grow(v->value, v->n, sizeof(*v->value));
		new = &v->value[v->n++];
	}
	*new = (struct option_value){ .option = o, .text = strdup(text), .line = line };
	if (!new->text)
		exit(fail("out of memory"));
	return 0;
}

int options_add_typed(struct option_values *v, const struct option_spec *o, const char *text,
		      struct reason *why)
{
	char *absolute = o->type->absolute ? o->type->absolute(text) : NULL;
	int ret = options_add(v, o, absolute ? absolute : text, 0, why);

	free(absolute);
	return ret;
}

void options_free(struct option_values *v)
{
	while (v->n)
		free(v->value[--v->n].text);
	free(v->value);
	v->value = NULL;
}

const struct option_value *options_get(const struct option_values *v, const char *name)
{
	size_t i;

	for (i = 0; i < v->n; i++)
		if (!strcmp(v->value[i].option->name, name))
			return &v->value[i];
	return NULL;
}

const char *options_text(const struct option_values *v, const char *name, const char *otherwise)
{
	const struct option_value *given = options_get(v, name);

	return given ? given->text : otherwise;
}

void options_texts(const struct option_values *v, const struct option_spec *o,
		   struct text_list *l)
{
	const char *standard = option_standard(o);
	size_t i;

	for (i = 0; i < v->n; i++)
		if (v->value[i].option == o)
			text_list_add(l, "%s", v->value[i].text);
	if (!l->n && standard)
		text_list_add(l, "%s", standard);
}

/* The module --------------------------------------------------------------- */

int options_put(struct nl_msg *msg, enum object_kind kind, const struct option_values *v,
		struct reason *why)
{
	const struct option_spec *o = NULL;
	int ret = 0;
	size_t i;

	while (!ret && (o = option_next(o, kind))) {
		struct text_list l = { };

		if (!o->type->put)
			continue;
		/* What is off stays so without its attribute, which an older module lacks. */
		if (o->word && !strcmp(o->word, "off") && !options_get(v, o->name))
			continue;
		options_texts(v, o, &l);
		for (i = 0; !ret && i < l.n; i++)
			ret = o->type->put(msg, o, l.text[i], why);
		text_list_free(&l);
	}
	return ret;
}

void options_take(enum object_kind kind, struct nlmsghdr *nlh, void *object)
{
	const struct option_spec *o;
	struct nlattr *a;
	int rem;

	nlmsg_for_each_attr(a, nlh, GENL_HDRLEN, rem) {
		for (o = NULL; (o = option_next(o, kind));)
			if (o->type->take && nla_type(a) == (o->shown ? o->shown : o->attr))
				o->type->take(o, a, (char *)object + o->offset);
	}
}

u64 option_shown_number(const struct option_spec *o, const void *object)
{
	const char *member = (const char *)object + o->offset;

	if (o->bit)
		return !!(*(const u32 *)member & o->bit);
	if (o->size == sizeof(u64))
		return *(const u64 *)member;
	return o->size == sizeof(u32) ? *(const u32 *)member : *(const bool *)member;
}

void option_shown(const struct option_spec *o, const void *object, struct text_list *l)
{
	const char *member = (const char *)object + o->offset;
	const struct text_list *all;
	size_t i;

	if (o->flags & OPTION_REPEATS) {
		all = (const struct text_list *)member;
		for (i = 0; i < all->n; i++)
			text_list_add(l, "%s", all->text[i]);
	} else if (o->type->text) {
		text_list_add(l, "%s", o->type->text(o, option_shown_number(o, object)).s);
	} else if (o->size && *member) {
		text_list_add(l, "%s", member);
	} else if (o->empty) {
		text_list_add(l, "%s", o->empty);
	}
}

bool option_applies(const struct option_spec *o, const void *object)
{
	return !(o->flags & OPTION_UNENCRYPTED) || !info_encrypted(o->kind, object);
}
