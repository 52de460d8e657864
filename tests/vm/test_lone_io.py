# SPDX-License-Identifier: GPL-2.0
"""Where the exporter serves a connection: one request at a time on the CPU that receives it, many beside it."""
import time

import pytest

from common import PROXY, Proxy, device, export_and_attach

COUNT = 1000


def wakeups(m):
    """How often the export's thread went to sleep, ever."""
    return int(m.run("awk '/^voluntary_ctxt_switches/ { print $2 }' "
                     "$(grep -lx dst-data /proc/[0-9]*/comm | sed 's/comm$/status/')").out)


def woken(m, command):
    """How often it was woken while a command runs: the least of three, for what else the computer does delays both."""
    counts = []
    for _ in range(3):
        before = wakeups(m)
        m.run(command, timeout=120)
        counts.append(wakeups(m) - before)
    return min(counts)


def one_by_one(path, op="read", count=COUNT):
    files = f"if={path} of=/dev/null iflag=direct" if op == "read" else f"if=/dev/zero of={path} oflag=direct"
    return f"dd {files} bs=4k count={count} status=none"


@pytest.mark.parametrize("op", ["read", "write"])
def test_one_at_a_time_wakes_no_thread(machine, op):
    m = machine
    path = export_and_attach(m, m.ramdisk(16), attach="--connections 1")
    # The first ones show the exporter that they come alone.
    m.run(one_by_one(path, op, 500))
    assert woken(m, one_by_one(path, op)) < COUNT / 2


def test_many_are_served_beside_the_cpu_that_receives(machine):
    """Eight in flight are the thread's, also after lone ones; a lone one after them is lone again."""
    m = machine
    path = export_and_attach(m, m.ramdisk(16), attach="--connections 1")
    fio = f"fio --name=v --filename={path} --rw=randread --bs=4k --direct=1 --ioengine=libaio --iodepth=8 --number_ios={COUNT}"
    m.run(one_by_one(path, count=500))
    before = wakeups(m)
    m.run(fio, timeout=120)
    assert wakeups(m) - before > COUNT / 40
    m.run(one_by_one(path, count=500))
    assert woken(m, one_by_one(path)) < COUNT / 2


@pytest.mark.points
def test_the_end_comes_while_the_place_changes(machine):
    """The work is kept by the disk when the connection is cut. The thread turns up for it and closes the socket; the
    work comes back meanwhile, waits for its turn, and finds a closed peer."""
    m = machine
    with Proxy(m) as proxy:
        path = export_and_attach(m, m.ramdisk(16), port=PROXY, attach="--connections 1")
        m.run(one_by_one(path, count=500))
        with m.point("SUBMIT", hold=True) as small, m.point("PEER_CLOSING", hold=True, times=2) as closing:
            job = m.start(f"dd if=/dev/zero of={path} count=1 bs=4k oflag=direct conv=notrunc status=none")
            small.reached()
            proxy.do("cut", "go")
            closing.reached()
            small.release()
            # three ticks of the peer: each kicks it
            time.sleep(1.6)
            assert closing.hits == 1, "both close it"
            closing.release()
            job.wait(20, check=True)
    assert device(m)["stats"]["errors"] == 0
