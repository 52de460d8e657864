# SPDX-License-Identifier: GPL-2.0
"""Netlink requests that the utility never sends: each is refused for its reason, and nothing is made of it."""
import json

from common import guest_python, show

HEAD = """
    from genl import *
    import json, os, struct
    n, results = Netlink(), {}

    def try_it(case, cmd, attrs):
        got = n.call(cmd, attrs)
        results[case] = [got.error, got.text]
    """
NOTHING = {"exports": [], "devices": []}


def refused(got, expected):
    """Each case with its error, and with a text that has the given words."""
    assert set(got) == set(expected)
    wrong = {case: got[case] for case, (error, words) in expected.items()
             if got[case][0] != error or words not in got[case][1]}
    assert not wrong, json.dumps(wrong, indent=1)


def test_an_export_that_lacks_something(machine):
    m = machine
    disk = m.loopfile(8)
    got = guest_python(m, HEAD + f"""
    for case, which in (("name", A.NAME), ("path", A.PATH), ("uuid", A.UUID), ("instance", A.INSTANCE),
                        ("exporter", A.EXPORTER), ("rules", A.ALLOW),
                        ("addresses", A.LISTEN)):
        try_it(case, CMD.EXPORT_ADD, {{**export("{disk}"), which: b""}})
    try_it("relative path", CMD.EXPORT_ADD, export("dev/null"))
    try_it("path with a bell", CMD.EXPORT_ADD, export("/dev/\\7"))
    try_it("checksums with a bell", CMD.EXPORT_ADD, {{**export("{disk}"), A.CHECKSUMS: text(A.CHECKSUMS, "crc\\7")}})
    try_it("zero uuid", CMD.EXPORT_ADD, {{**export("{disk}"), A.UUID: attr(A.UUID, bytes(16))}})
    try_it("short uuid", CMD.EXPORT_ADD, {{**export("{disk}"), A.UUID: attr(A.UUID, b"u")}})
    try_it("name with a slash", CMD.EXPORT_ADD, export("{disk}", name="a/b"))
    try_it("unknown flag", CMD.EXPORT_ADD, {{**export("{disk}"), A.FLAGS: u32(A.FLAGS, 1 << 30)}})
    try_it("tiny ceiling", CMD.EXPORT_ADD, {{**export("{disk}"), A.MAX_INFLIGHT: u64(A.MAX_INFLIGHT, 1)}})
    try_it("cipher without a key", CMD.EXPORT_ADD, {{**export("{disk}"), A.CIPHERS: text(A.CIPHERS, "aes-256-gcm")}})
    try_it("unknown cipher", CMD.EXPORT_ADD, {{**export("{disk}", rules=(nest(A.ALLOW, attr(RULE.KEY, b"k" * 32)),)),
                                               A.CIPHERS: text(A.CIPHERS, "rot13")}})
    for case, which in (("family", ADDRESS.FAMILY), ("type", ADDRESS.TYPE), ("sockaddr", ADDRESS.SOCKADDR)):
        try_it("address without " + case, CMD.EXPORT_ADD, export("{disk}", listen=(address(A.LISTEN, without=(which,)),)))
    try_it("9 addresses", CMD.EXPORT_ADD, export("{disk}", listen=[address(A.LISTEN, port=7720 + i) for i in range(9)]))
    try_it("address of a family that is none", CMD.EXPORT_ADD, export("{disk}", listen=(address(A.LISTEN, family=4000),)))
    try_it("lease file in no folder", CMD.EXPORT_ADD,
           {{**export("{disk}"), A.LEASE_FILE: text(A.LEASE_FILE, "/nowhere/lease")}})
    print(json.dumps(results))
    """)
    refused(got, {
        "name": ("EINVAL", "lacks the name"), "path": ("EINVAL", "lacks a path"), "uuid": ("EINVAL", "lacks the uuid"),
        "instance": ("EINVAL", "lacks the instance"), "exporter": ("EINVAL", "lacks the exporter"),
        "rules": ("EACCES", "no rule"), "addresses": ("EINVAL", "lacks an address"),
        "relative path": ("EINVAL", "absolute"), "path with a bell": ("EINVAL", "control characters"),
        "checksums with a bell": ("EINVAL", "control characters"), "zero uuid": ("EINVAL", "lacks the uuid"),
        "short uuid": ("ERANGE", ""), "name with a slash": ("EINVAL", "not one"), "unknown flag": ("EINVAL", ""),
        "tiny ceiling": ("ERANGE", ""), "cipher without a key": ("EINVAL", "needs a key"),
        "unknown cipher": ("ENOPROTOOPT", "rot13"), "address without family": ("EINVAL", "lacks its family"),
        "address without type": ("EINVAL", "lacks its family"), "address without sockaddr": ("EINVAL", "lacks its family"),
        "9 addresses": ("E2BIG", "more than"), "address of a family that is none": ("ERANGE", ""),
        "lease file in no folder": ("ENOENT", "cannot open /nowhere/lease")})
    assert show(m) == NOTHING


def test_rules_that_are_none(machine):
    m = machine
    disk = m.loopfile(8)
    got = guest_python(m, HEAD + f"""
    def rule(case, *parts):
        try_it(case, CMD.EXPORT_ADD, export("{disk}", rules=(nest(A.ALLOW, *parts),)))
    family, eight, one_byte = u32(RULE.FAMILY, 2), u32(RULE.BITS, 8), attr(RULE.BYTES, b"x")
    rule("bits of no family", eight, one_byte)
    rule("bits of no bytes", family, eight)
    rule("more bits than bytes", family, u32(RULE.BITS, 9), one_byte)
    rule("behind the address", family, eight, one_byte, u32(RULE.OFFSET, 127), u32(RULE.BITS, 16), attr(RULE.BYTES, b"xx"))
    rule("far behind it", family, eight, one_byte, u32(RULE.OFFSET, 128))
    rule("too many bits", family, u32(RULE.BITS, 129), attr(RULE.BYTES, b"x" * 16))
    rule("short key", attr(RULE.KEY, b"k"))
    rule("text with a bell", text(RULE.TEXT, "any\\7"))
    try_it("very many", CMD.EXPORT_ADD, export("{disk}", rules=[nest(A.ALLOW, text(RULE.TEXT, "any"))] * 65))
    print(json.dumps(results))
    """)
    none = ("EINVAL", "compares bytes outside of its address")
    refused(got, {"bits of no family": none, "bits of no bytes": none, "more bits than bytes": none, "behind the address": none,
                  "far behind it": ("ERANGE", ""), "too many bits": ("ERANGE", ""), "short key": ("ERANGE", ""),
                  "text with a bell": ("EINVAL", "control characters"), "very many": ("E2BIG", "more than")})
    assert show(m) == NOTHING


def test_a_device_that_lacks_something(machine):
    m = machine
    m.run(f"dst export data {m.loopfile(8)} --allow any")
    got = guest_python(m, HEAD + """
    for case, which in (("name", A.NAME), ("export", A.EXPORT), ("client", A.CLIENT_ID), ("uri", A.URI), ("timeout", A.TIMEOUT_MS),
                        ("retries", A.RETRIES), ("ping", A.PING_MS), ("connections", A.CONNECTIONS), ("depth", A.QUEUE_DEPTH),
                        ("max_io", A.MAX_IO), ("addresses", A.ADDRESS)):
        try_it(case, CMD.DEVICE_ADD, {**device(), which: b""})
    def with_(case, what):
        try_it(case, CMD.DEVICE_ADD, [*device().values(), what])
    try_it("long name", CMD.DEVICE_ADD, device(name="d" * 28))
    with_("client's name with a blank", text(A.CLIENT_NAME, "a b"))
    with_("uri with a bell", text(A.URI, "dst://\\7"))
    with_("odd largest I/O", u32(A.MAX_IO, 4097))
    with_("cipher without a key", text(A.CIPHERS, "aes-256-gcm"))
    with_("unknown checksum", text(A.CHECKSUMS, "rot13"))
    try_it("unknown cipher", CMD.DEVICE_ADD, [*device().values(), attr(A.KEY, b"k" * 32), text(A.CIPHERS, "rot13")])
    with_("no depth", u32(A.QUEUE_DEPTH, 0))
    with_("short exporter", attr(A.EXPORTER, b"x" * 15))
    with_("long uuid", attr(A.UUID, b"x" * 17))
    with_("other exporter", attr(A.EXPORTER, b"x" * 16))
    with_("other disk", attr(A.UUID, b"x" * 16))
    with_("no timeout", u32(A.TIMEOUT_MS, 0))
    with_("many connections", u32(A.CONNECTIONS, 65))
    try_it("no such transport", CMD.DEVICE_ADD, device(addresses=(address(family=9),)))
    try_it("address of nothing", CMD.DEVICE_ADD, device(addresses=(address(without=(ADDRESS.FAMILY,)),)))
    print(json.dumps(results))
    """)
    refused(got, {
        "name": ("EINVAL", "name of the device"), "export": ("EINVAL", "name of the export"), "client": ("EINVAL", "id of the client"),
        "uri": ("EINVAL", "lacks a URI"), "timeout": ("EINVAL", "lacks a timeout"), "retries": ("EINVAL", "retries"),
        "ping": ("EINVAL", "ping"), "connections": ("EINVAL", "connections"), "depth": ("EINVAL", "depth"),
        "max_io": ("EINVAL", "largest I/O"), "addresses": ("EINVAL", "lacks an address"), "long name": ("EINVAL", "longer than 27"),
        "client's name with a blank": ("EINVAL", "name of the client"), "uri with a bell": ("EINVAL", "control characters"),
        "odd largest I/O": ("EINVAL", "multiple of"), "cipher without a key": ("EINVAL", "needs a key"),
        "unknown checksum": ("ENOPROTOOPT", "rot13"), "unknown cipher": ("ENOPROTOOPT", "rot13"), "no depth": ("ERANGE", ""),
        "short exporter": ("ERANGE", ""), "long uuid": ("ERANGE", ""), "other exporter": ("EMEDIUMTYPE", "not 7878"),
        "other disk": ("EMEDIUMTYPE", "not 78787878-7878"),
        "no timeout": ("ERANGE", ""), "many connections": ("ERANGE", ""), "no such transport": ("EAFNOSUPPORT", "no such transport"),
        "address of nothing": ("EINVAL", "lacks its family")})
    assert show(m)["devices"] == []


def test_changes_and_questions_that_are_wrong(machine):
    m = machine
    m.run(f"dst export data {m.loopfile(8)} --allow any && dst attach dst://127.0.0.1/data --name d")
    got = guest_python(m, HEAD + """
    for name in ("EXPORT_DEL", "EXPORT_SET", "EXPORT_GET", "DEVICE_DEL", "DEVICE_SET", "DEVICE_GET"):
        cmd = getattr(CMD, name)
        try_it(name + " of nobody", cmd, [])
        try_it(name + " of what is not there", cmd, [text(A.NAME, "nothing")])
        try_it(name + " of no name", cmd, [text(A.NAME, "-")])
    data, d = text(A.NAME, "data"), text(A.NAME, "d")
    try_it("many threads", CMD.EXPORT_SET, [data, u32(A.CRYPTO_THREADS, 1025)])
    try_it("wrong rule", CMD.EXPORT_SET, [data, nest(A.ALLOW, u32(RULE.BITS, 8))])
    try_it("evict with a bell", CMD.EXPORT_SET, [data, text(A.EVICT, "\\7")])
    try_it("wrong address", CMD.DEVICE_SET, [d, address(without=(ADDRESS.TYPE,))])
    try_it("wrong export", CMD.DEVICE_SET, [d, text(A.EXPORT, "a b")])
    try_it("uri with a bell", CMD.DEVICE_SET, [d, text(A.URI, "\\7")])
    try_it("no disk", CMD.DEVICE_SET, [d, attr(A.UUID, bytes(16))])
    try_it("short exporter of a device", CMD.DEVICE_SET, [d, attr(A.EXPORTER, b"x")])
    try_it("unknown command", 77, [])
    try_it("an event", CMD.EVENT, [])
    # Changes that are right, for comparison.
    try_it("threads", CMD.EXPORT_SET, [data, u32(A.CRYPTO_THREADS, 2)])
    try_it("values", CMD.DEVICE_SET, [d, u32(A.CRYPTO_THREADS, 2), u32(A.PING_MS, 500), text(A.EXPORT, "data"),
                                      text(A.URI, "dst://127.0.0.1/data")])
    print(json.dumps(results))
    """)
    expected = {"many threads": ("ERANGE", ""), "wrong rule": ("EINVAL", "outside of its address"), "evict with a bell": ("EINVAL", "control"),
                "wrong address": ("EINVAL", "lacks its"), "wrong export": ("EINVAL", "name of the export"),
                "uri with a bell": ("EINVAL", "control"), "no disk": ("EINVAL", "lacks the UUID"),
                "short exporter of a device": ("ERANGE", ""), "unknown command": ("ENOTSUP", ""), "an event": ("ENOTSUP", ""),
                "threads": ("OK", ""), "values": ("OK", "")}
    for what in ("EXPORT", "DEVICE"):
        for verb in ("DEL", "SET", "GET"):
            expected[f"{what}_{verb} of nobody"] = ("EINVAL", "lacks the name")
            expected[f"{what}_{verb} of what is not there"] = ("ENOENT", "nothing")
            expected[f"{what}_{verb} of no name"] = ("EINVAL", "is not one")
    refused(got, expected)
    d = show(m)["devices"][0]
    assert d["ping_ms"] == 500 and d["state"] == "connected"


def test_only_who_may_mount_disks_is_heard(machine):
    """CAP_NET_ADMIN alone is not enough: for commands, and for lists."""
    m = machine
    m.run(f"dst export data {m.loopfile(8)} --allow any")
    got = guest_python(m, HEAD + """
    import ctypes
    libc = ctypes.CDLL(None)
    # capset(): effective and permitted without CAP_SYS_ADMIN (21).
    header = struct.pack("<Ii", 0x20080522, 0)
    keep = (1 << 40) - 1 & ~(1 << 21)
    low, high = keep & 0xffffffff, keep >> 32
    assert libc.syscall(126, header, struct.pack("<6I", low, low, 0, high, high, 0)) == 0
    try_it("set", CMD.EXPORT_SET, [text(A.NAME, "data"), nest(A.ALLOW, text(RULE.TEXT, "mine"))])
    got = n.call(CMD.EXPORT_GET, [], dump=True)
    results["list"] = [got.error, got.text]
    print(json.dumps(results))
    """)
    refused(got, {"set": ("EPERM", "CAP_SYS_ADMIN"), "list": ("EPERM", "")})
    assert "mine" not in m.run("dst show data").out
