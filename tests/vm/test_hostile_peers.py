# SPDX-License-Identifier: GPL-2.0
"""Peers that send garbage, half of something or nothing cost bounded memory and time, and others nothing at all."""
import json
import time

from common import attach_to, device, export, export_and_attach, fails, guest_python, make_keys, start_load, verify
from test_client_is_careful import exporter

GARBAGE = """
    from rawclient import *
    import json, os, random, sys
    rng = random.Random(1)
    until = time.monotonic() + {seconds}
    rounds = 0
    while time.monotonic() < until:
        rounds += 1
        try:
            # bytes without sense, alone or after a greeting that is right
            c = Raw("data", hello=False)
            if rounds % 2:
                c.greet()
            c.send(rng.randbytes(rng.choice([1, 100, 512, 4096, 100000])))
            c.sock.close()
            # a session, then a frame cut at any byte, or a header of noise
            c = Raw("data", flags=READ_ONLY, checksums=rng.choice(["none", "crc32c"]))
            raw = frame(type=REQUEST, op=rng.randrange(8), slot=rng.randrange(20), length=rng.choice([0, 4096, 1 << 31]),
                        bytes=4096, seq=rng.randrange(9), offset=rng.choice([0, 4096, 1 << 63]))
            raw = raw if rounds % 3 else rng.randbytes(32)
            c.send_frame(raw[:rng.randrange(1, 33)] if rounds % 5 == 0 else raw, rng.randbytes(rng.choice([0, 5, 4096])))
            c.sock.close()
        except ConnectionError:
            pass
    print(rounds)
    """


def memory(m):
    """KiB that the kernel holds and cannot give back."""
    out = m.run("cat /proc/meminfo").out
    values = {line.split(":")[0]: int(line.split()[1]) for line in out.splitlines()}
    return values["SUnreclaim"] + values.get("KernelStack", 0)


def test_garbage_beside_a_client_that_works(machine):
    m = machine
    path = export_and_attach(m, m.ramdisk(32))
    job = start_load(m, path, runtime=4)
    rounds = guest_python(m, GARBAGE.format(seconds=4), timeout=150)
    job.wait(60, check=True)
    assert rounds >= 10
    d = device(m)
    assert d["state"] == "connected" and d["stats"]["errors"] == d["stats"]["reconnects"] == 0


def test_a_thousand_silent_connections(machine):
    """The client goes on; a new attach works when their patience is over at the latest; memory comes back."""
    m = machine
    disk = m.ramdisk(32)
    # A thousand connections of a program keep a slow machine with all checkers from everything else for seconds.
    path = export_and_attach(m, disk, attach="--timeout 10s")
    m.run(f"dst export more {m.ramdisk(8)} --allow any")
    before = memory(m)
    crowd = guest_python(m, """
        import resource, socket, time
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
        socks = []
        for n in range(1000):
            s = socket.socket()
            s.settimeout(0.2)
            try:
                s.connect(("127.0.0.1", 7710))
                socks.append(s)
            except OSError:
                s.close()
        print("here", len(socks), flush=True)
        time.sleep(60)
        """, start=True)
    until = time.monotonic() + 60
    while "here" not in crowd.out:
        assert crowd.running and time.monotonic() < until, crowd.err
        time.sleep(0.1)
    assert int(crowd.out.split()[1]) > 100, "too few connections to show anything"
    began = time.monotonic()
    m.run(verify(path, size="2M"), timeout=60)
    during = memory(m)
    # patience is 10 s, the rest is this machine's slowness
    m.wait_for("dst attach dst://127.0.0.1/more --name late", timeout=20, every=0.5)
    assert time.monotonic() - began < 40
    assert during - before < 64 << 10, f"{during - before} KiB for silent connections"
    crowd.kill()
    m.run("dst detach late")
    d = device(m)
    assert d["state"] == "connected" and d["stats"]["errors"] == d["stats"]["reconnects"] == 0
    m.wait_for(f"read -r _ a _ < <(grep SUnreclaim /proc/meminfo); [ $a -lt $(({before} + 8192)) ]", timeout=20)


def test_patience_of_the_exporter(machine):
    """Half a greeting, half a hello, or a pause in between: closed after 10 s, no sooner, no later."""
    m = machine
    m.run(f"dst export data {m.ramdisk(8)} --allow any")
    got = guest_python(m, """
        from rawclient import *
        import json, threading
        def half(n, raw, greet):
            c = Raw("data", hello=False)
            if greet:
                c.greet()
            c.send(raw)
            began = time.monotonic()
            try:
                assert c.exactly(1, 30) is None
                took[n] = time.monotonic() - began
            except TimeoutError:
                took[n] = None
        whole = hello(**Raw("data", hello=False).fields)
        cases = [(b"", False), (greeting()[:60], False), (b"", True), (whole[:500], True)]
        took = [None] * len(cases)
        threads = [threading.Thread(target=half, args=(n, *case)) for n, case in enumerate(cases)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        print(json.dumps(took))
        """)
    assert all(t is not None and 8 < t < 14 for t in got), got


def test_half_a_write_never_reaches_the_disk(machine):
    """A write cut anywhere in its data leaves the disk alone, and the slot free."""
    m = machine
    disk = m.ramdisk(8)
    m.run(f"dst export data {disk} --allow any")
    got = guest_python(m, """
        from rawclient import *
        import json
        c = Raw("data")
        assert c.write(0, b"a" * 65536) == "OK"
        done = []
        for cut in (1, 4096, 65535, 65536):
            c.seq += 1
            header = frame(type=REQUEST, op=WRITE, length=65536, bytes=65536, seq=c.seq)
            c.send(header + CRC.pack(crc32c(header)) + (b"x" * 65536)[:cut])
            c.sock.close()
            c = c.resume()
            status, data = c.call(READ, 0, 65536, slot=1)
            done.append([c.welcome["status"], status, data == b"a" * 65536])
        done.append(c.write(0, b"b" * 65536))
        print(json.dumps(done))
        """)
    assert got == [["OK", "OK", True]] * 4 + ["OK"]
    assert m.run(f"dd if={disk} bs=64k count=1 iflag=direct status=none | tr -d b | wc -c").out.strip() == "0"


def test_idle_connections_live_and_silent_ones_do_not(machine):
    """Pings are answered at once and keep a connection; a peer that answers none is closed when it said."""
    m = machine
    path = export_and_attach(m, m.ramdisk(8), attach="--ping 300ms", options="--shared")
    got = guest_python(m, """
        from rawclient import *
        import json
        mute = Raw("data", ping_ms=500, timeout_ms=1000)
        closed = mute.closed_within(10)
        c = Raw("data", ping_ms=500, timeout_ms=1000)
        pongs, until, worst = 0, time.monotonic() + 6, 0
        while time.monotonic() < until:
            began = time.monotonic()
            c.send_frame(frame(type=PING, seq=pongs + 1))
            f, _ = c.receive(5)
            assert (f["type"], f["seq"]) == (PONG, pongs + 1), f
            worst = max(worst, time.monotonic() - began)
            pongs += 1
            time.sleep(0.4)
        print(json.dumps([closed, mute.pings, pongs, worst, c.read(0, 4096)[0]]))
        """)
    closed, pings, pongs, worst, status = got
    assert closed is not None and 1.4 <= closed < 4, closed
    assert 1 <= pings <= 8, f"{pings} PINGs to a client that says nothing"
    assert pongs >= 10 and worst < 1 and status == "OK"
    # the kernel's own client had nothing to do all the time
    d = device(m)
    assert d["state"] == "connected" and d["stats"]["reconnects"] == 0
    m.run(f"dd if={path} of=/dev/null bs=4k count=1 iflag=direct status=none")


def test_strangers_are_denied(machine):
    """No rule, no entry, and no list either."""
    m = machine
    m.run(f"dst export data {m.ramdisk(8)} --allow from=10.9.9.9/32")
    got = guest_python(m, """
        from rawclient import *
        import json
        print(json.dumps([Raw("data", **f).welcome["status"] for f in ({}, {"kind": LIST}, {"flags": READ_ONLY})]))
        """)
    assert got == ["DENIED"] * 3
    assert export(m)["clients"] == []


def test_list_shows_only_what_one_may_have(machine):
    m = machine
    m.run(f"dst export mine {m.ramdisk(8)} --allow any,ro && dst export hidden {m.ramdisk(8)} --allow from=10.9.9.9/32")
    out = m.run("dst list dst://127.0.0.1 --json").out
    assert "mine" in out and "hidden" not in out
    assert attach_to(m, "dst://127.0.0.1/mine")


# A path of a client's socket, and a reason of an exporter: each would begin a line of its own.
FORGED = "dstor: export data: removed"
PATH = f"/tmp/x\n{FORGED}\n\x1b[31m\u009b2J"

SQUATTER = """
    from rawclient import *
    c = socket.socket(socket.AF_UNIX)
    c.bind({path!r}.encode())
    c.connect("/tmp/s")
    raw = Raw.__new__(Raw)
    raw.sock = c
    c.sendall(greeting() + hello(kind=ATTACH, queues=1, slots=16, max_io=1 << 20, generation=1, session=os.urandom(16),
                                 client=os.urandom(16), ping_ms=1000, timeout_ms=5000, retries=24, export=b"data",
                                 checksums=b"crc32c"))
    raw.exactly(128)
    print(parse_welcome(raw.exactly(WELCOME_LEN))["status"], flush=True)
    time.sleep(60)
    """


def test_texts_of_the_other_end_forge_no_line(machine):
    """The path that a UNIX client bound, and the reason of an exporter: in the kernel log, show, monitor, JSON."""
    m = machine
    m.run(f"dst export data {m.ramdisk(8)} --allow any --listen 'dst+unix:///?socket=/tmp/s'; dmesg -C")
    both, text = m.start("dst monitor --json"), m.start("exec dst monitor")
    m.wait_for("[ $(pgrep -xc dst) = 2 ] && sleep 0.3")
    squatter = guest_python(m, SQUATTER.format(path=PATH), start=True)
    m.wait_for("dst show data --json | grep -q unix:/tmp/x")
    shown = "unix:/tmp/x?dstor: export data: removed??[31m??2J"
    client, = export(m)["clients"]
    assert squatter.out == "OK\n" and client["address"] == shown
    assert f" {shown}: writes" in m.run("dst show").out
    # a successor is told who writes; the refusal is a good one
    assert shown in fails(m, "dst attach 'dst+unix:///data?socket=/tmp/s' --timeout 1s", "is in use by")
    with exporter(m, "status=4, reason=b'no' + bytes([0x9b]) + b'2J' + bytes([0xff])"):
        for command in ("dst attach dst://127.0.0.1:7712/data --timeout 1s", "dst list dst://127.0.0.1:7712"):
            assert "no?2J?" in fails(m, command)
    m.run(f"dst set data allow=key={make_keys(m, 'a')}")
    squatter.kill()
    m.wait_for("sleep 0.3")
    log = m.run("dmesg --notime").out
    assert f"dstor: export data: client {shown} evicted" in log.splitlines(), log
    for out in (log, text.out, both.out):
        assert shown in out and f"\n{FORGED}" not in out and "\x1b" not in out and "\u009b" not in out, out
    assert all(json.loads(line) for line in both.out.splitlines())
