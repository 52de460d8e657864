# SPDX-License-Identifier: GPL-2.0
"""No answer waits in a cork: the original held each back until 40 ms were over or more came."""
from common import export_and_attach, guest_python

# One at a time. The median leaves out the hiccups of a busy host, and the best of three its busy spells: a cork holds back every answer.
LATENCY = """
    import json, mmap, os, statistics, time
    buffer = mmap.mmap(-1, {size})
    fd = os.open("{path}", os.O_RDWR | os.O_DIRECT | {flags})
    def measure(work):
        medians = []
        while len(medians) < 3 and (not medians or min(medians) >= 30):
            took = []
            for n in range({count}):
                began = time.monotonic()
                work(n)
                took.append(time.monotonic() - began)
            medians.append(statistics.median(took) * 1000)
        return min(medians)
    print(json.dumps([measure(lambda n: os.pwritev(fd, [buffer], n * {size})),
                      measure(lambda n: os.preadv(fd, [buffer], n * {size}))]))
    """


def latencies(m, path, size, count, flags="0"):
    """Milliseconds of a write and of a read."""
    return guest_python(m, LATENCY.format(path=path, size=size, count=count, flags=flags))


def test_lone_transactions(machine):
    """Queue depth 1: far below the 40 ms of a cork, for one page and for several."""
    m = machine
    path = export_and_attach(m, m.ramdisk(32))
    for size, count in ((4096, 60), (20480, 60), (131072, 40)):
        write, read = latencies(m, path, size, count)
        assert write < 30 and read < 30, f"{size} bytes: write {write:.1f} ms, read {read:.1f} ms"


def test_200_synchronous_writes(machine):
    """Each followed by its flush: two round trips, and no cork in either."""
    m = machine
    path = export_and_attach(m, m.ramdisk(8, cache_size=8))
    write, _ = latencies(m, path, 4096, 200, "os.O_SYNC")
    assert write < 30, f"{write:.1f} ms"
