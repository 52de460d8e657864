// SPDX-License-Identifier: GPL-2.0
/*
 * dst ping: handshake and round-trip times to an exporter. Attaches nothing and
 * works without the module.
 */
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "exporter.h"
#include "key.h"
#include "values.h"

#define COUNT_DEFAULT 3
#define INTERVAL_US 1000000	/* as ping(8) */

const char help_ping[] =
"Measures the handshake and round trips to an exporter. Attaches nothing; the\n"
"kernel module is not needed.\n"
"\n"
"  URI          dst://HOST[:PORT], and its like; an /EXPORT is not looked at\n"
"  -c COUNT     round trips, one each second (3)\n"
"  --key FILE   the key of a rule of the exporter: encrypted\n";

enum { OPT_KEY = 256 };

static const struct option options[] = {
	{ "count", required_argument, NULL, 'c' },
	{ "key", required_argument, NULL, OPT_KEY },
	{ }
};

struct times {
	u64 min, max, sum;
	u32 n;
};

static double ms_of_us(u64 us)
{
	return us / 1000.0;
}

static int ping_exporter(struct exporter *x, u32 count, struct times *t, struct reason *why)
{
	u64 us;
	u32 i;

	for (i = 1; i <= count; i++) {
		if (i > 1)
			usleep(INTERVAL_US);
		if (exporter_ping(x, i, &us, why))
			return -1;
		printf("from %s: seq=%u time=%.3f ms\n", x->text, i, ms_of_us(us));
		fflush(stdout);
		if (!t->n++ || us < t->min)
			t->min = us;
		if (us > t->max)
			t->max = us;
		t->sum += us;
	}
	return 0;
}

int cmd_ping(int argc, char **argv)
{
	u32 count = COUNT_DEFAULT;
	struct times t = { };
	const char *key_file = NULL;
	u8 key[DSTOR_KEY_LEN];
	struct exporter x;
	struct reason why;
	struct uri u;
	int c, ret;

	while ((c = next_option(argc, argv, options)) != -1) {
		if (c == '?')
			return DST_EXIT_USAGE;
		if (c == 'c' && parse_number(optarg, 1, UINT32_MAX, &count, &why))
			return bad_usage("%s", why.text);
		if (c == OPT_KEY)
			key_file = optarg;
	}
	if (argc - optind != 1)
		return bad_usage("one URI is needed (dst ping --help)");
	if (uri_parse(argv[optind], &u, &why))
		return bad_usage("%s", why.text);
	if (key_file && key_read(key_file, key, &why))
		return fail("%s", why.text);
	ret = exporter_dial(&u, DSTOR_HELLO_PING, key_file ? key : NULL, &x, &why);
	explicit_bzero(key, sizeof(key));
	if (ret)
		return fail("%s", why.text);
	printf("exporter %s: connected in %.3f ms, handshake %.3f ms, %s\n", x.text,
	       ms_of_us(x.connect_us), ms_of_us(x.handshake_us),
	       x.closed_channel ? "encrypted" : "in the clear");
	ret = ping_exporter(&x, count, &t, &why);
	exporter_close(&x);
	if (ret)
		return fail("%s", why.text);
	printf("%u round trip%s: min/avg/max = %.3f/%.3f/%.3f ms\n", t.n, t.n == 1 ? "" : "s",
	       ms_of_us(t.min), ms_of_us(t.sum / t.n), ms_of_us(t.max));
	return 0;
}
