# SPDX-License-Identifier: GPL-2.0
"""No answer waits in a cork: the original held each back until 40 ms were over or more came."""
import time

from common import export_and_attach, guest_python

# One at a time; the median leaves out the hiccups of a busy host.
LATENCY = """
    import json, mmap, os, statistics, time
    buffer = mmap.mmap(-1, {size})
    fd = os.open("{path}", os.O_RDWR | os.O_DIRECT)
    def measure(work):
        took = []
        for n in range({count}):
            began = time.monotonic()
            work(n)
            took.append(time.monotonic() - began)
        return statistics.median(took) * 1000
    print(json.dumps([measure(lambda n: os.pwritev(fd, [buffer], n * {size})),
                      measure(lambda n: os.preadv(fd, [buffer], n * {size}))]))
    """


def test_lone_transactions(machine):
    """Queue depth 1: far below the 40 ms of a cork, for one page and for several."""
    m = machine
    path = export_and_attach(m, m.ramdisk(32))
    for size, count in ((4096, 60), (20480, 60), (131072, 40)):
        write, read = guest_python(m, LATENCY.format(path=path, size=size, count=count))
        assert write < 30 and read < 30, f"{size} bytes: write {write:.1f} ms, read {read:.1f} ms"


def test_200_synchronous_writes(machine):
    """Each followed by its flush: 400 round trips in a few seconds even on an emulated machine."""
    m = machine
    path = export_and_attach(m, m.ramdisk(8, cache_size=8))
    began = time.monotonic()
    m.run(f"dd if=/dev/zero of={path} bs=4k count=200 oflag=direct,sync status=none", timeout=60)
    took = time.monotonic() - began
    assert took < 8, f"{took:.1f} s"
