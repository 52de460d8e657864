# SPDX-License-Identifier: GPL-2.0
"""A lost connection is resent over the next one: the same bytes, executed once, and no error above."""
import time

from common import (PROXY, Proxy, Trace, device, export, export_and_attach, mapped, sums, verify, wait_state,
                    write_block, writes_on)
from torture import Rounds


def test_resends_are_byte_identical(machine):
    """The original swapped the bytes of every second one. Nine cuts under load; the proxy compares."""
    m = machine
    with Proxy(m) as proxy:
        path = export_and_attach(m, m.ramdisk(32), port=PROXY)
        load = Rounds(m, path, jobs=1, blocks="16k/100")
        for n in range(9):
            writes_on(m, path, 10)
            proxy.do("cut-in-data up 1" if n % 3 == 1 else "cut-in-data down 1" if n % 3 == 2 else "cut")
        load.finish()
        seen = proxy.status()
    assert seen["resent"] >= 4, seen
    assert seen["identical"] == seen["resent"] and not seen["different"], seen
    assert seen["unmarked"] == 0
    d, e = device(m), export(m)
    assert d["stats"]["reconnects"] >= 4 and d["stats"]["resends"] >= seen["resent"]
    assert d["stats"]["errors"] == e["stats"]["errors"] == 0


def test_one_transaction_resent_many_times(machine):
    """1st, 2nd, 3rd … 6th copy of one and the same write: each is cut off before its data is complete."""
    m = machine
    with Proxy(m) as proxy:
        path = export_and_attach(m, m.ramdisk(8), port=PROXY, attach="--connections 1")
        m.run("head -c 65536 /dev/urandom >/tmp/x")
        proxy.do("cut-in-data up 6")
        m.run(f"dd if=/tmp/x of={path} bs=64k count=1 oflag=direct status=none", timeout=30)
        seen = proxy.status()
        m.run(f"cmp -n 65536 /tmp/x {path}")
    assert seen["cut"] == 6 and seen["identical"] == seen["resent"] == 6 and seen["unmarked"] == 0, seen


def test_executed_once(machine):
    """The answers are lost, not the writes: the exporter remembers, and its disk sees each write once."""
    m = machine
    disk = m.ramdisk(32)
    with Proxy(m) as proxy:
        path = export_and_attach(m, disk, port=PROXY, attach="--connections 1 --ping 20s --timeout 20s")
        proxy.do("stall down")
        with Trace(m, disk) as trace:
            job = m.start(f"fio --name=w --filename={path} --rw=write --bs=4k --direct=1 --ioengine=libaio --iodepth=16 "
                          "--size=64k --minimal")
            m.wait_for("read -r a b <<<$(cat /sys/block/dst-d/inflight); [ $b = 16 ]")
            time.sleep(1)
            proxy.do("cut", "go")
            job.wait(30, check=True)
        assert trace.count("W") == 16, trace.bios
    assert len({at for _, at, _ in trace.bios}) == 16
    assert export(m)["stats"]["replayed"] == 16
    assert device(m)["stats"]["resends"] == 16 and device(m)["stats"]["errors"] == 0


def test_ack_that_is_late_is_asked_for_not_resent(machine):
    """A slow disk behind a network that works: the client asks, waits, and nothing is sent or executed twice."""
    m = machine
    ram = m.ramdisk(8)
    slow = mapped(m, "slow", f"0 {8 << 11} delay {ram} 0 0 {ram} 0 5000")
    path = export_and_attach(m, slow, attach="--timeout 2s --retries 9 --ping 20s")
    with Trace(m, ram) as trace:
        write_block(m, path, "slow")
    assert trace.count("W") == 1
    d = device(m)
    assert d["stats"]["errors"] == d["stats"]["resends"] == d["stats"]["reconnects"] == 0
    assert sums(m, path) == sums(m, ram)


def test_other_connections_do_not_wait(machine):
    """One connection of the session is stuck half-way in a frame; queues and devices beside it go on."""
    m = machine
    m.run(f"dst export other {m.ramdisk(8)} --allow any && dst attach dst://127.0.0.1/other --name other")
    with Proxy(m) as proxy:
        path = export_and_attach(m, m.ramdisk(8), port=PROXY)
        proxy.do("stall both")
        stuck = m.start(f"dd if={path} of=/dev/null bs=4k count=1 iflag=direct status=none")
        began = time.monotonic()
        m.run(verify("/dev/dst-other", size="1M"), timeout=30)
        m.run("dst show --json >/tmp/o && dst list dst://127.0.0.1 >/tmp/o")
        took = time.monotonic() - began
        proxy.do("go")
        stuck.wait(30, check=True)
        assert took < 20
        wait_state(m, "connected")
