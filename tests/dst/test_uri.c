// SPDX-License-Identifier: GPL-2.0
/*
 * URIs of every transport, and what is none; and the socket addresses that
 * become of them, for those that need no name service.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>
#include <linux/tipc.h>
#include <linux/vm_sockets.h>

#include "unit.h"
#include "address.h"

static struct uri parse(const char *text)
{
	struct reason why;
	struct uri u;

	if (uri_parse(text, &u, &why))
		fail_msg("%s is refused: %s", text, why.text);
	return u;
}

static void refused(const char *text, const char *word)
{
	struct reason why = { "" };
	struct uri u;

	if (!uri_parse(text, &u, &why))
		fail_msg("%s is taken", text);
	if (!strstr(why.text, word))
		fail_msg("%s: \"%s\" does not say \"%s\"", text, why.text, word);
}

static void ip(const char *text, enum transport t, const char *host, u32 port, const char *export)
{
	struct uri u = parse(text);

	assert_int_equal(u.transport, t);
	assert_string_equal(u.host, host);
	assert_int_equal(u.port, port);
	assert_string_equal(u.export, export);
}

static void test_ip(void **state)
{
	ip("dst://10.0.0.2/data", TRANSPORT_TCP, "10.0.0.2", 7710, "data");
	ip("dst://host.example:7711/data", TRANSPORT_TCP, "host.example", 7711, "data");
	ip("dst://[fd00::1]/data", TRANSPORT_TCP, "fd00::1", 7710, "data");
	ip("dst://[fd00::1]:1/data", TRANSPORT_TCP, "fd00::1", 1, "data");
	ip("dst://[fe80::1%eth0]:65535/d", TRANSPORT_TCP, "fe80::1%eth0", 65535, "d");
	ip("dst://[fe80::1%25eth0]/d", TRANSPORT_TCP, "fe80::1%eth0", 7710, "d");
	ip("dst://[::]", TRANSPORT_TCP, "::", 7710, "");
	ip("dst://host", TRANSPORT_TCP, "host", 7710, "");
	ip("dst://host/", TRANSPORT_TCP, "host", 7710, "");
	ip("dst+mptcp://host/x", TRANSPORT_MPTCP, "host", 7710, "x");
	ip("dst+sctp://host:9/x", TRANSPORT_SCTP, "host", 9, "x");
	ip("dst+smc://[::1]/x", TRANSPORT_SMC, "::1", 7710, "x");
	assert_true(parse("dst://[::1]").ipv6);
	assert_false(parse("dst://10.0.0.2").ipv6);
}

static void test_other_transports(void **state)
{
	struct uri u = parse("dst+unix:///data?socket=/run/dst.sock");

	assert_int_equal(u.transport, TRANSPORT_UNIX);
	assert_string_equal(u.socket, "/run/dst.sock");
	assert_string_equal(u.export, "data");
	u = parse("dst+unix:///?socket=/a%20b%2fc");
	assert_string_equal(u.socket, "/a b/c");
	assert_string_equal(u.export, "");
	u = parse("dst+vsock://3/data");
	assert_int_equal(u.cid, 3);
	assert_int_equal(u.port, 7710);
	u = parse("dst+vsock://host:100000/data");
	assert_int_equal(u.cid, VMADDR_CID_HOST);
	assert_int_equal(u.port, 100000);
	assert_int_equal(parse("dst+vsock://any").cid, VMADDR_CID_ANY);
	assert_int_equal(parse("dst+vsock://local/x").cid, 1);
	u = parse("dst+tipc://7710:1/data");
	assert_int_equal(u.type, 7710);
	assert_int_equal(u.instance, 1);
	assert_string_equal(u.export, "data");
}

static void test_none(void **state)
{
	char text[2 * DSTOR_URI_LEN];

	refused("", "not a URI");
	refused("host/data", "not a URI");
	refused("http://host/data", "not a URI");
	refused("dst+ftp://host/data", "not a URI");
	refused("dst:/host/data", "not a URI");
	refused("dst:///data", "no host");
	refused("dst://:7710/data", "no host");
	refused("dst://host:/data", "port");
	refused("dst://host:0/data", "port");
	refused("dst://host:65536/data", "port");
	refused("dst://host:77x/data", "port");
	refused("dst://fd00::1/data", "brackets");
	refused("dst://[fd00::1/data", "brackets");
	refused("dst://[fd00::1]x/data", "brackets");
	refused("dst://[10.0.0.1]/data", "IPv6");
	refused("dst://[fe80::1%]/data", "interface");
	refused("dst://[fe80::1%averyveryverylongname]/data", "interface");
	refused("dst://user@host/data", "host");
	refused("dst://-host/data", "host");
	refused("dst://host/data/more", "name");
	refused("dst://host/.data", "name");
	refused("dst://host/da ta", "blank");
	refused("dst://host/data\n", "control");
	refused("dst://host/data?x=1", "unknown parameter");
	refused("dst+unix:///data", "socket");
	refused("dst+unix:///data?socket=relative", "socket");
	refused("dst+unix:///data?socket=/a&x=1", "socket");
	refused("dst+unix:///data?socket=/a%0", "socket");
	refused("dst+unix:///data?socket=/a%00", "socket");
	refused("dst+unix:///data?socket=/a%zz", "socket");
	refused("dst+unix://host/data?socket=/a", "slashes");
	refused("dst+vsock:///data", "CID");
	refused("dst+vsock://x/data", "CID");
	refused("dst+vsock://4294967295/data", "CID");
	refused("dst+vsock://3:4294967295/data", "port");
	refused("dst+tipc://7710/data", "TYPE:INSTANCE");
	refused("dst+tipc://63:1/data", "TYPE:INSTANCE");
	refused("dst+tipc://7710:/data", "TYPE:INSTANCE");
	memset(text, 'a', sizeof(text));
	memcpy(text, "dst://", 6);
	text[DSTOR_URI_LEN] = '\0';
	refused(text, "too long");
	text[DSTOR_URI_LEN - 1] = '\0';
	refused(text, "host");
	memcpy(text, "dst+unix:///x?socket=/", 22);
	text[22 + URI_SOCKET_LEN - 1] = '\0';
	refused(text, "longer");
	text[22 + URI_SOCKET_LEN - 2] = '\0';
	parse(text);
}

static struct address resolve(const char *text)
{
	struct address a[DSTOR_ADDRESSES_MAX];
	struct uri u = parse(text);
	struct reason why;

	if (uri_resolve(&u, a, &why) != 1)
		fail_msg("%s: %s", text, why.text);
	return a[0];
}

static void test_addresses(void **state)
{
	struct address a = resolve("dst://10.0.0.2/x");
	struct sockaddr_in *in = (void *)&a.addr;
	struct sockaddr_vm *vm = (void *)&a.addr;
	struct sockaddr_un *un = (void *)&a.addr;
	struct sockaddr_tipc *tipc = (void *)&a.addr;
	struct sockaddr_in6 mapped = { .sin6_family = AF_INET6, .sin6_port = htons(9) };

	assert_int_equal(a.family, AF_INET);
	assert_int_equal(a.type, SOCK_STREAM);
	assert_int_equal(a.protocol, IPPROTO_TCP);
	assert_int_equal(in->sin_port, htons(7710));
	assert_string_equal(a.text, "10.0.0.2:7710");
	a = resolve("dst+mptcp://[fd00::1]:9/x");
	assert_int_equal(a.family, AF_INET6);
	assert_int_equal(a.protocol, 262);
	assert_string_equal(a.text, "[fd00::1]:9");
	a = resolve("dst+sctp://10.0.0.2/x");
	assert_int_equal(a.protocol, IPPROTO_SCTP);
	a = resolve("dst+smc://[fd00::1]/x");
	assert_int_equal(a.family, 43);
	assert_int_equal(a.protocol, 1);
	assert_int_equal(a.addr.ss_family, AF_INET6);
	a = resolve("dst+vsock://3:5/x");
	assert_int_equal(a.family, AF_VSOCK);
	assert_int_equal(vm->svm_cid, 3);
	assert_int_equal(vm->svm_port, 5);
	assert_string_equal(a.text, "vsock:3:5");
	a = resolve("dst+unix:///x?socket=/run/s");
	assert_int_equal(a.family, AF_UNIX);
	assert_string_equal(un->sun_path, "/run/s");
	assert_string_equal(a.text, "unix:/run/s");
	a = resolve("dst+tipc://7710:4/x");
	assert_int_equal(a.family, AF_TIPC);
	assert_int_equal(tipc->addr.name.name.type, 7710);
	assert_int_equal(tipc->addr.name.name.instance, 4);
	assert_string_equal(a.text, "tipc:7710:4");
	inet_pton(AF_INET6, "::ffff:10.0.0.7", &mapped.sin6_addr);
	address_text(&mapped, sizeof(mapped), a.text, sizeof(a.text));
	assert_string_equal(a.text, "10.0.0.7:9");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ip),
		cmocka_unit_test(test_other_transports),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
