# SPDX-License-Identifier: GPL-2.0
"""The protocol can grow within a version (docs/protocol.md, section 3): a feature is used where both ends know it.

A build for tests knows one feature, whose only meaning is a flag of a request that the exporter counts. Which
features an end knows is told to it by debugfs, so that either end can be an older one.
"""
from contextlib import contextmanager

import pytest

from common import PROXY, Proxy, device, export_and_attach, guest_python, read_block, write_block

pytestmark = pytest.mark.points

TEST = 1 << 63
UNKNOWN = 1 << 40
DEBUG = "/sys/kernel/debug/dst"


@contextmanager
def ends(m, client, exporter):
    """Which features each end knows, from its next connection on."""
    def know(client, exporter):
        m.run(f"echo {client:#x} >{DEBUG}/features_client; echo {exporter:#x} >{DEBUG}/features_exporter")
    m.run(f"echo 0 >{DEBUG}/features_seen")
    know(client, exporter)
    try:
        yield
    finally:
        know(0, 0)


def seen(m):
    return int(m.run(f"cat {DEBUG}/features_seen").out)


@pytest.mark.parametrize("exporter", [0, TEST], ids=["old-exporter", "new-exporter"])
@pytest.mark.parametrize("client", [0, TEST], ids=["old-client", "new-client"])
def test_a_flag_travels_where_both_ends_know_it(machine, client, exporter):
    m = machine
    with ends(m, client, exporter):
        path = export_and_attach(m, m.ramdisk(8))
        write_block(m, path, "grown", block=3)
        assert read_block(m, path, block=3) == "grown"
        m.run(f"blockdev --flushbufs {path}; sync {path}")
        assert bool(seen(m)) == bool(client and exporter)
        # A flag that was not agreed would have ended the connection.
        assert device(m)["stats"]["reconnects"] == 0


def test_each_connection_agrees_anew(machine):
    """An older exporter takes over in an outage: what is sent again to it no longer carries the flag."""
    m = machine
    with ends(m, TEST, TEST), Proxy(m) as proxy:
        path = export_and_attach(m, m.ramdisk(8), port=PROXY, attach="--connections 1")
        write_block(m, path, "before", block=1)
        before = seen(m)
        assert before
        proxy.do("stall up")
        job = m.start(f"printf %-4096s during | dd of={path} bs=4096 seek=2 iflag=fullblock oflag=direct status=none")
        m.wait_for(f"[ $(cat /sys/class/block/$(basename {path})/inflight | tr -s ' ' '\n' | sort -n | tail -1) -gt 0 ]")
        m.run(f"echo 0 >{DEBUG}/features_exporter")
        proxy.do("cut", "go")
        job.wait(20, check=True)
        assert read_block(m, path, block=2) == "during"
        assert seen(m) == before
        assert device(m)["stats"]["reconnects"] == 1


def test_features_of_a_greeting(machine):
    """Required and unknown: refused by name. Optional and unknown: ignored. Named twice: agreed once."""
    m = machine
    m.run(f"dst export data {m.ramdisk(8)} --allow any --shared")
    with ends(m, 0, TEST):
        got = guest_python(m, f"""
        from rawclient import *
        import json, struct
        results = {{}}

        def greet(name, **fields):
            c = Raw("data", hello=False)
            c.send(wire.greeting(**fields))
            answer = c.exactly(128)
            values = wire.GREETING.unpack(answer[:124])
            results[name] = [wire.GREETING_STATUS[values[4]], values[6], values[7]]
            if values[4]:
                assert c.exactly(1, 5) is None, name
                return None
            c.say_hello()
            assert c.welcome["status"] == "OK", c.welcome
            return c

        greet("unknown required", required={UNKNOWN} | {TEST})
        greet("two unknown", required={UNKNOWN} | 3, optional=4)

        def flagged(name, **fields):
            c = greet(name, **fields)
            results[name] = [*results[name], c.call(READ, 0, 4096, flags=0x8000)[0]]
            c.sock.close()

        flagged("unknown optional", optional={UNKNOWN})
        flagged("not named")
        flagged("optional", optional={TEST})
        flagged("required", required={TEST})
        flagged("among unknown", optional={TEST} | {UNKNOWN})
        print(json.dumps(results))
        """)
    assert got == {"unknown required": ["FEATURE", UNKNOWN, TEST], "two unknown": ["FEATURE", UNKNOWN | 3, TEST],
                   "unknown optional": ["OK", 0, TEST, "closed"], "not named": ["OK", 0, TEST, "closed"],
                   "optional": ["OK", 0, TEST, "OK"], "required": ["OK", 0, TEST, "OK"],
                   "among unknown": ["OK", 0, TEST, "OK"]}
    assert seen(m) == 3
