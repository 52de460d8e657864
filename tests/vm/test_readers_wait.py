# SPDX-License-Identifier: GPL-2.0
"""After a crash of the exporter readers wait until the writer has sent again what it kept, and not for ever (P2).

The writer is a program that says what it is told to (tools/rawclient.py), the reader a device.
"""
import time

import pytest

from common import attach_to, device, guest_python, wait_state
from crash import HOST, URI, exporter

# Its budget is 3 s: it stands still only while the exporter says that the read waits.
READER = f"{URI} --read-only --ping 300ms --timeout 1s --retries 2"
LEASE = "/var/lib/dst/.lease-data"

# A writer: what it needs to come back to its session is kept in a file. Its socket ends with it, which is no BYE.
HEAD = f"""
    from rawclient import *
    import json, pickle
    def keep(c):
        with open("/tmp/writer", "wb") as f:
            pickle.dump((c.fields, c.welcome, c.seq, c.checksum), f)
    def back(**fields):
        with open("/tmp/writer", "rb") as f:
            said, welcome, seq, checksum = pickle.load(f)
        c = Raw.__new__(Raw)
        c.fields, c.welcome, c.seq, c.checksum, c.host, c.port = said, welcome, seq, checksum, "{HOST}", PORT
        return c.resume(**fields)
    def replayed(c):
        c.send_frame(frame(type=REPLAYED))
        assert c.write(1 << 20, bytes(4096)) == "OK"    # it has been read
    """
FIRST = HEAD + """
    c = Raw("data", "{host}", flags={flags}, retries={retries})
    assert c.write(0, b"A" * 4096) == "OK"
    keep(c)
    print(json.dumps([c.welcome["status"], c.welcome["grant_flags"]]))
    """
LEASE_KEPT, REPLAY = 1, 2


def first(m, flags="KEEPS", retries=24):
    return guest_python(m, FIRST.format(host=HOST, flags=flags, retries=retries))


def cut(m, x, options=None):
    """The reader's device is there already: an attach reads, too, and would wait."""
    attach_to(m, READER, name="r")
    lost = x.cut(options)
    wait_state(m, "connected", name="r", timeout=30)
    return lost


def reads(m, name="r"):
    """A read by the reader, in the background."""
    return m.start(f"dd if=/dev/dst-{name} bs=4k count=1 iflag=direct status=none | head -c 1")


def still_waits(m, job, x, seconds=2):
    time.sleep(seconds)
    assert job.running, f"the reader was served: {job.out!r} {job.err!r}"
    assert x.show()["readers_wait_ms"] > 0


def test_readers_wait_for_the_replay(machine):
    """Longer than their own timeout; no error, no reconnection, and then what the writer has sent again."""
    m = machine
    with exporter(m) as x:
        assert first(m) == ["OK", LEASE_KEPT | REPLAY]
        assert cut(m, x) == [0]
        job = reads(m)
        still_waits(m, job, x, 4)
        assert "readers have waited" in m.run("dst show data").out
        before = device(m, "r")["stats"]
        got = guest_python(m, HEAD + """
    c = back()
    assert c.write(0, b"A" * 4096) == "OK"
    flags, resumed = c.welcome["grant_flags"], c.read(0, 4096)[0]
    replayed(c)
    keep(c)
    print(json.dumps([c.welcome["status"], flags, resumed]))
    """)
        assert got == ["OK", LEASE_KEPT | REPLAY, "OK"]
        assert job.wait(5, check=True).out == "A"
        stats = device(m, "r")["stats"]
        assert stats["errors"] == 0, stats
        assert [stats[n] for n in ("reconnects", "resends")] == [before[n] for n in ("reconnects", "resends")]
        assert x.show()["readers_wait_ms"] == 0


def test_who_keeps_nothing_keeps_nobody_waiting(machine):
    m = machine
    with exporter(m) as x:
        assert first(m, flags=0) == ["OK", LEASE_KEPT]
        assert cut(m, x) == [0]
        assert reads(m).wait(3, check=True).out == "\0"


def test_a_restart_in_order_keeps_nobody_waiting(machine):
    m = machine
    with exporter(m) as x:
        first(m)
        x.run("dst unexport data --force")
        x.export()
        attach_to(m, READER, name="r")
        assert reads(m).wait(3, check=True).out == "A"


@pytest.mark.limit(200)
def test_readers_do_not_wait_for_ever(machine):
    """After the bound they are served, and the writer is refused: over a further crash, too, until it has taken notice."""
    m = machine
    with exporter(m) as x:
        first(m)
        assert cut(m, x) == [0]
        began, job = time.monotonic(), reads(m)
        assert job.wait(45, check=True).out == "\0"
        assert time.monotonic() - began > 20
        assert "waited in vain" in m.log()
        x.crash()
        x.come_back()
        got = guest_python(m, HEAD + """
    flags = []
    for _ in range(2):
        c = back()
        flags.append(c.welcome["grant_flags"])
        replayed(c)
        keep(c)
        c.sock.close()
    print(json.dumps(flags))
    """)
        assert got == [LEASE_KEPT, LEASE_KEPT | REPLAY]
        wait_state(m, "connected", name="r")
        assert device(m, "r")["stats"]["errors"] == 0


@pytest.mark.limit(200)
def test_a_replay_that_moves_prolongs_the_wait(machine):
    """And one that stands still is cut off: what it had sent is done before the reader is served."""
    m = machine
    with exporter(m) as x:
        first(m, retries=1)
        cut(m, x)
        job = reads(m)
        got = guest_python(m, HEAD + """
    c = back()
    began, until = time.monotonic(), time.monotonic() + 40
    while time.monotonic() < until:
        assert c.write(0, b"B" * 4096) == "OK"
        time.sleep(1)
    keep(c)
    ended = c.closed_within(60, pongs=True)
    again = back()
    print(json.dumps([ended is not None, again.welcome["grant_flags"]]))
    """, timeout=150)
        assert got == [True, LEASE_KEPT]
        assert job.wait(10, check=True).out == "B"
        assert device(m, "r")["stats"]["errors"] == 0


def test_no_replay(machine):
    """The administrator has changed the disk: readers are served at once, and the writer is refused."""
    m = machine
    with exporter(m) as x:
        first(m)
        cut(m, x, "--no-replay")
        assert x.show()["no_replay"] is True
        assert reads(m).wait(3, check=True).out == "\0"
        got = guest_python(m, HEAD + """
    c = back()
    print(json.dumps(c.welcome["grant_flags"]))
    """)
        assert got == LEASE_KEPT


def test_evicted_writer_keeps_nobody_waiting(machine):
    m = machine
    with exporter(m) as x:
        first(m)
        cut(m, x)
        job = reads(m)
        still_waits(m, job, x)
        x.run("dst set data evict=raw")
        assert job.wait(5, check=True).out == "\0"
        assert guest_python(m, HEAD + """
    c = back()
    print(json.dumps(c.welcome["status"]))
    """) in ("EVICTED", "EXPIRED")


def test_reader_that_waits_can_be_detached(machine):
    m = machine
    with exporter(m) as x:
        first(m)
        cut(m, x)
        job = reads(m)
        still_waits(m, job, x)
        m.run("dst detach r --force", timeout=15)
        job.wait(5)
        x.run("dst unexport data --force", timeout=15)
        x.export()


def test_record_of_before_still_loads(machine):
    """The second kind of record: the writer is known, and keeps nothing."""
    m = machine
    with exporter(m) as x:
        first(m)
        x.run("dst unexport data --force")
        got = guest_python(m, f"""
    import struct
    from wire import crc32c
    raw = bytearray(open("{LEASE}", "rb").read())
    n = 0
    for at in (0, 4096):
        if raw[at:at + 8] != b"DSTleas3":
            continue
        raw[at:at + 8] = b"DSTleas2"
        end = at + 372
        raw[end - 2:end] = bytes(2)
        raw[end:end + 4] = struct.pack("<I", crc32c(bytes(raw[at:end])))
        raw[end + 4:at + 512] = bytes(at + 512 - end - 4)
        n += 1
    open("{LEASE}", "wb").write(raw)
    print(n)
    """)
        assert got >= 1
        x.export()
        assert guest_python(m, f"""
    from rawclient import *
    import json
    print(json.dumps(Raw("data", "{HOST}").welcome["status"]))
    """) == "IN_USE"
