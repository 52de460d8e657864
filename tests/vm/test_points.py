# SPDX-License-Identifier: GPL-2.0
"""The points of delay and failure themselves (module/core/point.c): orders, bounds, and that nobody is held for ever."""
import errno
import time

import pytest

from common import export_and_attach, write_block
from harness.points import FILE, listed

pytestmark = pytest.mark.points

HOLD_MAX = "/sys/kernel/debug/dst/hold_max_ms"


def test_list_says_name_context_and_hits(machine):
    """Every point is off at first, and counts who comes by."""
    m = machine
    before = listed(m)
    assert len(before) >= 12 and all(order == "off" and not waiting for _, _, waiting, order in before.values())
    assert {context for context, _, _, _ in before.values()} == {"sleeps", "spins", "sleeps,fails"}
    path = export_and_attach(m, m.ramdisk(8), attach="--connections 1")
    write_block(m, path, "x")
    after = listed(m)
    for name in ("ATTACH_ADDED", "FENCE_BEFORE_GRANT", "SUBMIT", "DONE_BEFORE_KICK", "RESULT_BEFORE_ANSWER", "MESSAGE_SENT"):
        assert after[name][1] > before[name][1], f"nobody came to {name}"


@pytest.mark.parametrize("line, error", [
    ("NOT_A_POINT hold", errno.ENOENT), ("SUBMIT", errno.EINVAL), ("SUBMIT sleep=3", errno.EINVAL),
    ("SUBMIT wait=", errno.EINVAL), ("SUBMIT wait=60001", errno.EINVAL), ("SUBMIT fail=5", errno.EINVAL),
    ("LEASE_SAVE fail=0", errno.EINVAL), ("LEASE_SAVE fail=4096", errno.EINVAL), ("DONE_BEFORE_KICK hold", errno.EINVAL),
    ("DONE_BEFORE_KICK wait=1001", errno.EINVAL), ("SUBMIT hold nth=0", errno.EINVAL), ("x" * 200, errno.EINVAL)])
def test_wrong_orders_are_refused(machine, line, error):
    """An unknown name, and what the point cannot do; the order before stays."""
    m = machine
    got = m.run(f"python3 -c 'import os; os.write(os.open(\"{FILE}\", os.O_WRONLY), b\"{line}\")'", check=False)
    assert f"Errno {error}]" in got.err, got
    assert all(order == "off" for _, _, _, order in listed(m).values())


def test_wait_hold_and_release(machine):
    """A wait ends by itself, a hold when it is released; what was held goes on as if nothing had been."""
    m = machine
    path = export_and_attach(m, m.ramdisk(8), attach="--connections 1")
    with m.point("SUBMIT", wait_ms=800) as point:
        began = time.monotonic()
        write_block(m, path, "waited")
        assert time.monotonic() - began > 0.8 and point.hits >= 1
    with m.point("SUBMIT", hold=True) as point:
        job = m.start(f"dd if=/dev/zero of={path} bs=4k count=1 oflag=direct status=none")
        point.reached()
        time.sleep(1)
        assert job.running and point.waiting == 1
        point.release()
        job.wait(5, check=True)
        assert not point.waiting


def test_nth_and_times(machine):
    """Two pass, one has to wait, all others pass."""
    m = machine
    path = export_and_attach(m, m.ramdisk(8), attach="--connections 1")
    point = m.point("SUBMIT", wait_ms=1000, nth=3)
    took = []
    for _ in range(4):
        took.append(float(m.run(f"began=$EPOCHREALTIME; dd if=/dev/zero of={path} bs=4k count=1 oflag=direct status=none; "
                                "awk \"BEGIN { print $EPOCHREALTIME - $began }\"").out))
    assert [t > 1 for t in took] == [False, False, True, False], took
    assert point.hits == 4 and listed(m)["SUBMIT"][3] == "off"
    m.point("SUBMIT", wait_ms=1, times=0)
    write_block(m, path, "all")
    assert listed(m)["SUBMIT"][3].endswith("times=0")


def test_hold_ends_at_its_bound(machine):
    """It is not released."""
    m = machine
    path = export_and_attach(m, m.ramdisk(8), attach="--connections 1")
    assert m.run(f"cat {HOLD_MAX}").out.strip() == "60000"
    m.run(f"echo 1500 >{HOLD_MAX}")
    try:
        with m.point("SUBMIT", hold=True) as point:
            began = time.monotonic()
            write_block(m, path, "held")
            assert 1.5 <= time.monotonic() - began < 10 and point.hits == 1
    finally:
        m.run(f"echo 60000 >{HOLD_MAX}")


def test_failure_is_told_to_whoever_asked(machine):
    """An exporter's file that has no room: the write fails with just that, the next one does not."""
    m = machine
    m.run("truncate -s 8M /tmp/file")
    path = export_and_attach(m, "/tmp/file", attach="--connections 1")
    with m.point("FILE_IO", fail=errno.ENOSPC):
        got = write_block(m, path, "x", check=False)
        assert got.status and "No space" in got.err, got
    write_block(m, path, "x")


@pytest.mark.nomodule
def test_unload_does_not_wait_for_a_hold(machine):
    """In use it is refused; once only the freeing of a peer is held, it lets that go and ends."""
    m = machine
    if m.loaded:
        m.unload()
    m.load()
    path = export_and_attach(m, m.ramdisk(8), attach="--connections 1")
    held = m.point("SUBMIT", hold=True)
    job = m.start(f"dd if=/dev/zero of={path} bs=4k count=1 oflag=direct status=none")
    held.reached()
    assert m.run("rmmod dstor", check=False).status != 0
    held.release()
    job.wait(5, check=True)
    m.point("PEER_FREE", hold=True, times=0)
    m.run("dst detach d && dst unexport data")
    assert listed(m)["PEER_FREE"][2] >= 1
    began = time.monotonic()
    m.unload()
    assert time.monotonic() - began < 10
    m.run(f"test ! -e {FILE}")
