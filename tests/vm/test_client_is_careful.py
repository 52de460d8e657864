# SPDX-License-Identifier: GPL-2.0
"""A client believes no exporter that breaks docs/protocol.md (sections 3, 5 and 6)."""
import time
from contextlib import contextmanager

import pytest

from common import attach_to, device, fails, guest_python

PORT = 7712
URI = f"dst://127.0.0.1:{PORT}/data --checksum none --connections 1"


@contextmanager
def exporter(m, arguments=""):
    job = guest_python(m, f"from rawexporter import *\nserve({PORT}, {arguments})", start=True)
    until = time.monotonic() + 20
    while "ready" not in job.out:
        assert job.running and time.monotonic() < until, job.err
        time.sleep(0.02)
    try:
        yield job
    finally:
        job.kill()


# Fields of a response, added to the right ones.
WRONG = {"name": [{"slot": 1}, {"slot": 60000}, {"seq": 1}, {"op": 2}, {"op": 1, "length": -4096}], "type": [{"type": -1}, {"type": 6}, {"type": 97}],
         "length": [{"length": -2048}, {"length": 4096}, {"op": 9}], "code": [{"status": 15}, {"flags": 1}]}


@pytest.mark.parametrize("what", WRONG)
def test_responses_to_nothing_that_was_asked(machine, what):
    """Each closes the connection; the read is sent again on the next one, and gets its data."""
    m, wrong = machine, WRONG[what]
    with exporter(m, f"wrong={wrong}"):
        path = attach_to(m, f"{URI} --timeout 2s")
        for n in range(len(wrong)):
            m.run(f"dd if={path} bs=4096 skip={256 + n} count=1 iflag=direct status=none | cmp - <(head -c 4096 /dev/zero)")
            assert device(m)["stats"]["reconnects"] == n + 1, wrong[n]
        assert device(m)["stats"]["errors"] == 0
        m.run("dst detach d")


def test_what_no_exporter_sends_yet(machine):
    """Permitted by the document: all of it is accepted. EVICTED alone ends the connection, and the next one goes on."""
    m, read = machine, "dd if={} bs=4096 skip={} count=1 iflag=direct status=none | cmp - <(head -c 4096 /dev/zero)"
    notices = [[{"flags": 0x20, "status": 1}, {"flags": 0x20, "status": 2}, {"flags": 0x20}, {"flags": 0x18, "status": 1},
                {"flags": 0x8, "status": 2}], [{"flags": 0x4}]]
    limits = ("grant_flags=3, dma_alignment=3, alignment_offset=3584, atomic_max=65536, atomic_unit_min=512, "
              "atomic_unit_max=32768, unique_id=b'x' * 16, unique_id_type=3, unique_id_len=16")
    with exporter(m, f"notices={notices}, waits=3, {limits}"):
        path = attach_to(m, f"{URI} --ping 10s --timeout 300ms --retries 99")
        m.run(read.format(path, 0))
        d = device(m)
        assert d["state"] == "connected" and d["stats"]["reconnects"] == 0, d
        # WAITS is as good as BUSY: the read waits for more than three times its timeout, and is not sent again.
        began = time.monotonic()
        m.run(read.format(path, 300))
        assert time.monotonic() - began >= 1
        stats = device(m)["stats"]
        assert stats["resends"] == stats["reconnects"] == stats["errors"] == 0, stats
        m.run("dst detach d")
    with exporter(m, f"notices={notices[1:]}"):
        path = attach_to(m, URI)
        m.run(read.format(path, 0))
        stats = device(m)["stats"]
        assert stats["reconnects"] == 1 and stats["errors"] == 0, stats
        m.run("dst detach d")


def test_an_idle_client_pings(machine):
    """Of an exporter that says nothing it asks for a sign of life, once in each time that it named."""
    m = machine
    with exporter(m) as job:
        attach_to(m, f"{URI} --ping 500ms --timeout 2s")
        before = job.out.count("PING")
        time.sleep(3)
        pings = job.out.count("PING") - before
        stats = device(m)["stats"]
        assert 3 <= pings <= 8 and stats["reconnects"] == stats["errors"] == 0, (pings, stats)
        m.run("dst detach d")


def test_one_that_waits_has_time(machine):
    """WAITS, of this read alone, as often as makes three times its budget."""
    m = machine
    with exporter(m, "waits=6, waits_flags=0"):
        path = attach_to(m, f"{URI} --ping 10s --timeout 300ms --retries 1")
        began = time.monotonic()
        m.run(f"dd if={path} bs=4096 skip=300 count=1 iflag=direct status=none | cmp - <(head -c 4096 /dev/zero)")
        took = time.monotonic() - began
        stats = device(m)["stats"]
        assert took > 1.5 and stats["resends"] == stats["reconnects"] == stats["errors"] == 0, (took, stats)
        m.run("dst detach d")


@pytest.mark.parametrize("flags, more", [(0x10, {}), (0x14, {}), (0x8, {}), (0x28, {"status": 1}), (0x2, {"status": 1}),
                                         (0x2, {"offset": 4096}), (0x20, {"status": 3}), (0x40, {})])
def test_notices_that_are_not_permitted(machine, flags, more):
    """Each closes the connection; the next one is in order."""
    m = machine
    with exporter(m, f"notices={[[{'flags': flags, **more}]]}"):
        path = attach_to(m, URI)
        m.run(f"dd if={path} bs=4096 count=1 iflag=direct status=none | cmp - <(head -c 4096 /dev/zero)")
        assert device(m)["stats"]["reconnects"] == 1
        m.run("dst detach d")


@pytest.mark.parametrize("arguments, words", [
    ("slots=1024", "slots"), ("max_io=1 << 21", "larger"), ("checksum=b'crc32c'", "not offered"),
    ("disk_flags=1 << 31", "unknown bits"), ("grant_flags=4", "unknown bits"), ("reserved2=b'x'", "unknown bits"),
    ("status=12", "unknown bits"), ("size=(1 << 20) + 1", "size"), ("logical_block=3000", "block"),
    ("life=bytes(16)", "identity"), ("cookie=0", "identity"), ("dma_alignment=512", "limits"),
    ("greeting={'required': 1 << 40}", "features 0x10000000000"), ("greeting={'mode': 1}", "version"),
    ("greeting={'version': 2, 'version_min': 2}", "version"), ("greeting={'magic': b'DSTstor9'}", "not a DST exporter"),
])
def test_greetings_and_welcomes_that_are_refused(machine, arguments, words):
    """The device is not made, and the reason is said."""
    m = machine
    with exporter(m, arguments):
        fails(m, f"dst attach {URI} --name d --timeout 1s", words)
