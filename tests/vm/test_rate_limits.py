# SPDX-License-Identifier: GPL-2.0
"""--max-bandwidth and --max-iops: each client of an export gets so much, all its connections together, and no less."""
import json

from common import attach_to, device, export, fails, guest_python

SHARE = 0.9     # a tenth is for what a run of a few seconds cannot tell
BURST = 0.1     # seconds at the limit that pass at once

# Bytes and requests per second of direct reads of a device, by so many threads, until so many bytes are read.
READER = """
    import json, mmap, os, threading, time
    def read(n):
        fd, buffer = os.open("{path}", os.O_RDONLY | os.O_DIRECT), mmap.mmap(-1, {size})
        for i in range(n, {count}, {jobs}):
            os.preadv(fd, [buffer], i * {size} % (8 << 20))
        os.close(fd)
    began = time.monotonic()
    threads = [threading.Thread(target=read, args=(n,)) for n in range({jobs})]
    [t.start() for t in threads]
    [t.join() for t in threads]
    print(json.dumps({count} / (time.monotonic() - began)), flush=True)
    """


def rate(m, path, size, count, jobs=8):
    """Requests in a second."""
    return guest_python(m, READER.format(path=path, size=size, count=count, jobs=jobs), timeout=120)


def holds(per_second, limit, count, unlimited):
    """Never more than the limit; as much, if the machine can do it at all."""
    seconds = count / per_second
    assert per_second <= limit * (1 + BURST / seconds) / SHARE, (per_second, limit)
    assert per_second >= min(limit, unlimited / 2) * SHARE, (per_second, limit, unlimited)


def test_the_rate_holds_and_changes_live(machine):
    """At a tenth and less of what is offered: no reconnection, no resend, no error; off at once."""
    m = machine
    m.run(f"dst export data {m.ramdisk(8)} --allow any")
    path = attach_to(m, "dst://127.0.0.1/data --connections 2 --timeout 1s --ping 500ms")
    large, small = rate(m, path, 65536, 400), rate(m, path, 4096, 2000)
    megabytes = max(1, int(large / 16 / 10))
    m.run(f"dst set data max-bandwidth={megabytes}M")
    assert export(m)["max_bandwidth"] == megabytes << 20 and export(m)["max_iops"] == "off"
    holds(rate(m, path, 65536, megabytes * 16 * 4), megabytes * 16, megabytes * 16 * 4, large)
    iops = int(small / 10)
    m.run(f"dst set data max-bandwidth=off max-iops={iops}")
    holds(rate(m, path, 4096, iops * 4), iops, iops * 4, small)
    # requests that wait for twenty seconds go at once when there is no limit any more
    m.run("dst set data max-iops=1")
    job = guest_python(m, READER.format(path=path, size=4096, count=40, jobs=40), start=True)
    m.wait_for("dst show d --json | grep -q '\"oldest_io_ms\": *[2-9][0-9][0-9][0-9]'", timeout=30)
    assert job.running
    m.run("dst set data max-iops=off")
    job.wait(15, check=True)
    assert json.loads(job.out) < 40
    stats = device(m)["stats"]
    assert stats["reconnects"] == stats["resends"] == stats["errors"] == 0, stats
    assert export(m)["max_iops"] == "off"


def test_a_flush_passes_requests_that_wait(machine):
    m = machine
    m.run(f"dst export data {m.ramdisk(8)} --allow any --max-iops 1")
    path = attach_to(m, "dst://127.0.0.1/data --connections 1")
    job = guest_python(m, READER.format(path=path, size=4096, count=30, jobs=30), start=True)
    m.wait_for("dst show data --json | grep -q '\"in_flight\": *[1-9]' || dst show d --json | grep -q '\"in_flight\": *[1-9]'")
    m.run(f"python3 -c 'import os; os.fsync(os.open(\"{path}\", os.O_RDWR))'", timeout=15)
    assert job.running
    m.run("dst set data max-iops=off")
    job.wait(15, check=True)


def test_one_client_does_not_slow_another(machine):
    """Each has the whole limit, while the other offers as much as it can; the memory of the export is for both."""
    m = machine
    m.run("for k in one other; do (umask 077; dst genkey >/tmp/$k); done")
    m.run(f"dst export data {m.ramdisk(8)} --allow key=/tmp/one --allow key=/tmp/other --max-inflight 2M")
    one, other = (attach_to(m, f"dst://127.0.0.1/data --read-only --connections 2 --key /tmp/{name} --timeout 1s", name)
                  for name in ("one", "other"))
    unlimited = rate(m, other, 65536, 200)
    m.run("dst set data max-bandwidth=1M")
    greedy = guest_python(m, READER.format(path=one, size=262144, count=10000, jobs=32), start=True)
    m.wait_for("dst show one --json | grep -q '\"oldest_io_ms\": *[1-9][0-9][0-9]'", timeout=30)
    holds(rate(m, other, 65536, 64, jobs=4), 16, 64, unlimited)
    assert greedy.running
    m.run("dst set data max-bandwidth=off")
    greedy.kill()
    for name in ("one", "other"):
        stats = device(m, name)["stats"]
        assert stats["reconnects"] == stats["resends"] == stats["errors"] == 0, (name, stats)


def test_limits_that_are_none(machine):
    m = machine
    m.run(f"dst export data {m.ramdisk(8)} --allow any --max-bandwidth 1M --max-iops 100")
    shown = export(m)
    assert shown["max_bandwidth"] == 1 << 20 and shown["max_iops"] == 100
    for wrong in ("max-bandwidth=1K", "max-iops=0", "max-iops=fast"):
        assert m.run(f"dst set data {wrong}", check=False).status == 2
    fails(m, "dst set nothing max-iops=1", "no export|there is no")
    assert export(m)["max_iops"] == 100
