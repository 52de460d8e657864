# SPDX-License-Identifier: GPL-2.0
"""Requests that docs/protocol.md forbids get the answer it says, and the disk and the module survive."""
from common import export, guest_python, sums

SIZE = 8 << 20

# All with a fresh connection each, because most of them end it. Prints {name: what came back}.
HEAD = """
    from rawclient import *
    import json, os
    results = {}

    def new(**fields):
        c = Raw("data", **fields)
        assert c.welcome and c.welcome["status"] == "OK", c.welcome
        return c
    """


def test_requests_the_disk_cannot_serve(machine):
    """RANGE and INVALID leave the stream intact: one connection asks them all."""
    m = machine
    disk = m.ramdisk(8, block_size=4096)
    before = sums(m, disk)
    m.run(f"dst export data {disk} --allow any")
    got = guest_python(m, HEAD + f"""
    c, size = new(), {SIZE}
    results["last block"] = c.read(size - 4096, 4096)[0]
    results["at the end"] = c.write(size, b"x" * 4096)
    results["across the end"] = c.write(size - 4096, b"x" * 8192)
    results["far beyond"] = c.write(1 << 62, b"x" * 4096)
    results["overflow"] = c.write((1 << 64) - 4096, b"x" * 8192)
    results["read beyond"] = c.read(size, 4096)[0]
    results["misaligned offset"] = c.write(512, b"x" * 4096)
    results["misaligned length"] = c.write(0, b"x" * 512)
    results["misaligned and beyond"] = c.write(size + 1, b"x" * 3)
    results["discard beyond"] = c.call(DISCARD, size - 4096, 8192)[0]
    results["discard too long"] = c.call(DISCARD, 0, 0xfffff001)[0]
    results["zeroes beyond"] = c.call(WRITE_ZEROES, size, 4096)[0]
    results["all hints"] = c.call(READ, 0, 4096, flags=0x17c)[0]
    results["alive"] = c.read(0, 4096)[0]
    c.bye()
    print(json.dumps(results))
    """)
    assert got == {"last block": "OK", "at the end": "RANGE", "across the end": "RANGE", "far beyond": "RANGE",
                   "overflow": "RANGE", "read beyond": "RANGE", "misaligned offset": "INVALID",
                   "misaligned length": "INVALID", "misaligned and beyond": "INVALID", "discard beyond": "RANGE",
                   "discard too long": "INVALID", "zeroes beyond": "RANGE", "all hints": "OK", "alive": "OK"}
    assert sums(m, disk) == before


def test_no_answer_before_the_data(machine):
    """A write is refused, or was done before: all of its data is received first, and thrown away."""
    m = machine
    disk = m.ramdisk(8)
    before = sums(m, disk)
    m.run(f"dst export data {disk} --allow any --checksum crc32c,none")
    got = guest_python(m, HEAD + f"""
    c = new(checksums="none", ping_ms=20000)
    x = b"x" * 65536
    assert c.write(0, bytes(65536)) == "OK"

    def late(name, offset, seq, flags=0):
        c.send_frame(frame(type=REQUEST, op=WRITE, flags=flags, length=65536, bytes=65536, seq=seq, offset=offset) + x[:40000])
        try:
            early = c.answer(1)[0]
        except TimeoutError:
            early = None
        c.send(x[40000:])
        results[name] = [early, c.answer()[0]]

    late("replayed", 0, 1, RESEND)
    late("refused", {SIZE}, 2)
    c.seq = 2
    results["alive"] = c.read(0, 65536) == ("OK", bytes(65536))
    print(json.dumps(results))
    """)
    assert got == {"replayed": [None, "OK"], "refused": [None, "RANGE"], "alive": True}
    assert sums(m, disk) == before


def test_frames_that_end_the_connection(machine):
    """Whatever breaks a table of section 6 or 9 closes, without an answer, and leaves the disk alone."""
    m = machine
    disk = m.ramdisk(8, block_size=512)
    before = sums(m, disk)
    m.run(f"dst export data {disk} --allow any --shared")
    got = guest_python(m, HEAD + """
    def ends(name, op=READ, offset=0, extent=4096, data=b"", **more):
        c = new()
        results[name] = c.call(op, offset, extent, data, **more)[0]
        c.sock.close()

    x = b"x" * 4096
    ends("slot", slot=16)
    ends("slot far out", slot=65535)
    ends("unknown op", op=5)
    ends("unknown flag", flags=0x400)
    ends("unknown type", type=9)
    ends("type zero", type=0)
    ends("a response from a client", type=RESPONSE)
    ends("a change from a client", type=CHANGE)
    ends("a state from a client", type=STATE)
    ends("nothing to read", extent=0)
    ends("read too long", extent=(1 << 20) + 4096)
    ends("write too long", op=WRITE, extent=(1 << 20) + 512, length=(1 << 20) + 512)
    ends("write shorter than it says", op=WRITE, extent=8192, data=x)
    ends("read with data", data=x)
    ends("flush with an extent", op=FLUSH)
    ends("flush with data", op=FLUSH, extent=0, data=x)
    ends("discard with data", op=DISCARD, data=x)
    ends("sequence number zero", seq=0)
    ends("header digest", op=WRITE, data=x, spoil_header=True)

    c = new()
    assert c.write(0, bytes(4096), seq=7) == "OK"
    results["lower sequence number"] = c.write(0, x, seq=6)
    c = new()
    assert c.write(0, bytes(4096), seq=7) == "OK"
    results["same number, other op"] = c.call(READ, 0, 4096, seq=7)[0]
    c = new()
    assert c.write(0, bytes(4096), seq=7) == "OK"
    results["the same again"] = c.write(0, x, seq=7, flags=RESEND)
    c.bye()
    print(json.dumps(results))
    """, timeout=120)
    replayed = got.pop("the same again")
    assert set(got.values()) == {"closed"}, got
    assert len(got) == 21
    # answered from memory: OK, and the x were thrown away
    assert replayed == "OK"
    assert sums(m, disk) == before
    stats = export(m)["stats"]
    assert stats["checksum_errors"] == 1 and stats["replayed"] == 1


def test_handshakes_that_are_refused(machine):
    m = machine
    m.run(f"dst export data {m.ramdisk(8)} --allow any")
    got = guest_python(m, HEAD + """
    def greeting(name, raw=None, **fields):
        c = Raw("data", hello=False)
        if raw is None:
            results[name] = c.greet(**fields)
        else:
            c.send(raw)
            results[name] = CLOSED if c.exactly(128) is None else "answered"

    greeting("fine")
    greeting("newer and ours", version=9)
    greeting("too new", version=3, version_min=2)
    greeting("unknown feature", required=1 << 40)
    greeting("unknown optional", optional=1 << 40)
    greeting("unknown mode", mode=7)
    greeting("magic", magic=b"DSTstor9")
    greeting("crc", raw=wire.greeting()[:-1] + b"!")
    greeting("http", raw=b"GET / HTTP/1.1\\r\\n" * 20)

    def hello(case, **fields):
        c = Raw(fields.pop("name", "data"), **fields)
        results[case] = c.welcome["status"] if c.welcome else CLOSED
        if results[case] != "OK":
            assert c.exactly(1) is None, case

    hello("kind", kind=9)
    hello("flags", flags=0x80)
    hello("no such export", name="nothing")
    hello("name with a slash", name="../data")
    hello("no name", name="")
    hello("no queues", queues=0)
    hello("queue beyond", queue=1)
    hello("too many queues", queues=65)
    hello("no slots", slots=0)
    hello("too many slots", slots=1025)
    hello("odd max_io", max_io=4097)
    hello("large max_io", max_io=2 << 20)
    hello("no generation", generation=0)
    hello("no session", session=bytes(16))
    hello("no client", client=bytes(16))
    hello("no timeout", timeout_ms=0)
    hello("no ping", ping_ms=0)
    hello("reserved", reserved1=1)
    hello("algorithm", checksums="rot13")
    c = Raw("data", hello=False)
    c.greet()
    c.send(wire.hello(**c.fields)[:-1] + b"!")
    answer = c.exactly(wire.WELCOME_LEN)
    results["hello crc"] = wire.parse_welcome(answer)["status"]
    assert c.exactly(1) is None
    print(json.dumps(results))
    """, timeout=120)
    assert got.pop("fine") == got.pop("newer and ours") == got.pop("unknown optional") == "OK"
    assert got.pop("too new") == "VERSION"
    assert got.pop("unknown feature") == got.pop("unknown mode") == "FEATURE"
    for name in ("magic", "crc", "http"):
        assert got.pop(name) == "closed", name
    assert got.pop("no such export") == "NO_EXPORT" and got.pop("algorithm") == "ALGORITHM"
    assert set(got.values()) == {"MALFORMED"}, got
    assert export(m)["clients"] == []


def test_fence_of_generations(machine):
    """A connection of a higher generation ends the older one; one that is not higher is STALE."""
    m = machine
    m.run(f"dst export data {m.ramdisk(8)} --allow any")
    got = guest_python(m, HEAD + """
    a = new()
    assert a.write(0, b"a" * 4096) == "OK"
    b = a.resume()
    results["newer"] = b.welcome["status"]
    results["older then"] = a.write(0, b"x" * 4096)
    results["same generation"] = a.resume().welcome["status"]
    results["lower generation"] = b.resume(generation=1).welcome["status"]
    # the slot remembers over connections: an OK from memory, and the x are thrown away
    results["resent"] = b.write(0, b"x" * 4096, seq=1, flags=RESEND)
    results["not executed again"] = b.read(0, 4096)[1] == b"a" * 4096
    c = b.resume(flags=RESUME | RENEWAL)
    results["in order"] = [c.welcome["status"], c.write(0, b"c" * 4096), b.write(0, b"x" * 4096)]
    print(json.dumps(results))
    """)
    assert got == {"newer": "OK", "older then": "closed", "same generation": "STALE", "lower generation": "STALE",
                   "resent": "OK", "not executed again": True, "in order": ["OK", "OK", "closed"]}
    stats = export(m)["stats"]
    assert stats["replayed"] == 1 and stats["fenced"] == 1


def test_what_no_client_sends_yet(machine):
    """Permitted by the document, and of no effect: that it keeps writes, and that it has sent them again."""
    m = machine
    m.run(f"dst export data {m.ramdisk(8)} --allow any")
    got = guest_python(m, HEAD + """
    c = new(flags=KEEPS)
    assert c.write(0, b"a" * 4096) == "OK"
    c.send_frame(frame(type=REPLAYED, seq=7))
    results["goes on"] = [c.write(0, b"b" * 4096), c.read(0, 4096)[1] == b"b" * 4096]
    c.bye()
    d = new()
    d.send_frame(frame(type=REPLAYED))
    results["of one that keeps nothing"] = d.write(0, b"c" * 4096)
    d.send_frame(frame(type=REPLAYED, slot=1))
    results["with a slot"] = d.write(0, b"d" * 4096)
    print(json.dumps(results))
    """)
    assert got == {"goes on": ["OK", True], "of one that keeps nothing": "OK", "with a slot": "closed"}


def test_ask_and_ping(machine):
    m = machine
    m.run(f"dst export data {m.ramdisk(8)} --allow any")
    got = guest_python(m, HEAD + """
    c = new()
    def ask(slot, seq):
        c.send_frame(frame(type=ASK, slot=slot, seq=seq))
        f, _ = c.receive()
        assert (f["type"], f["slot"], f["seq"]) == (STATE, slot, seq), f
        return f["status"]
    results["never seen"] = ask(3, 99)
    assert c.write(0, b"a" * 4096, slot=3, seq=99) == "OK"
    results["done"] = ask(3, 99)
    c.send_frame(frame(type=PING, seq=12345))
    f, _ = c.receive()
    results["pong"] = f["type"] == PONG and f["seq"] == 12345
    c.bye()
    p = Raw("", kind=PING_KIND, checksums="", queues=0, slots=0, max_io=0, generation=0, session=b"", client=b"",
            ping_ms=0, timeout_ms=0, retries=0)
    p.send_frame(frame(type=PING, seq=4))
    f, _ = p.receive()
    results["ping alone"] = [p.welcome["status"], f["type"], f["seq"]]
    print(json.dumps(results))
    """)
    assert got == {"never seen": 0, "done": 2, "pong": True, "ping alone": ["OK", 4, 4]}
