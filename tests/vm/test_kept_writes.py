# SPDX-License-Identifier: GPL-2.0
"""A client keeps its acked writes, and a power cut of the exporter is a pause (P5, P7)."""
import json
import time

import pytest

from common import attach_to, device, export_and_attach, fails, guest_python, make_keys, mapped, read_block, wait_state
from crash import URI, exporter
from test_power_cut import BLOCKS, FLUSHES, PATIENT, acked_writes, python

KEEP = f"{URI} {PATIENT} --keep 16M"
THERE = [65 + n for n in range(BLOCKS)]


def blocks(m, n=BLOCKS):
    """The first byte of each block, past the cache."""
    return guest_python(m, f"""
    import json, mmap, os
    fd = os.open("/dev/dst-d", os.O_RDONLY | os.O_DIRECT)
    page, said = mmap.mmap(-1, 4096), []
    for n in range({n}):
        assert os.preadv(fd, [page], n * 4096) == 4096
        said.append(page[0] if len(set(page[:])) == 1 else -1)
    print(json.dumps(said))
    """)


def all_is_well(m, replays=1):
    """Every acked write is there, and no flush fails."""
    assert blocks(m) == THERE
    assert json.loads(python(m, FLUSHES)) == ["ok"] * 3
    stats = device(m)["stats"]
    assert stats["errors"] == 0 and stats["replays"] == replays, stats
    assert device(m)["kept_bytes"] == 0


def zeroes(m):
    m.run("dd if=/dev/zero of=/dev/dst-d bs=4k count=64 oflag=direct conv=fsync status=none")


@pytest.mark.parametrize("options", ["", "--connections 4", "--checksum none", "--key /tmp/a.key",
                                     "--key /tmp/a.key --cipher none --checksum 'hmac(sha256)' --connections 2"])
def test_a_cut_is_a_pause(machine, options):
    m = machine
    key = "--key" in options and make_keys(m, "a")
    with exporter(m, allow=f"key={key}" if key else "from=10.9.0.0/16",
                  options="--cipher auto,none --checksum 'crc32c,none,hmac(sha256)'" if key else "--checksum crc32c,none") as x:
        attach_to(m, f"{KEEP} {options}")
        zeroes(m)
        assert device(m)["keeps"]
        job = acked_writes(m)
        assert device(m)["kept_bytes"] > BLOCKS * 4096
        assert x.cut() == list(range(BLOCKS)), "the cut did not take what was acked: the scenario shows nothing"
        wait_state(m, "connected", timeout=30)
        all_is_well(m)
        assert device(m)["stats"]["kept_resent"] == BLOCKS
        job.kill()
        # Now all is flushed: the next cut takes nothing, and nothing is sent again.
        assert x.cut() == []
        wait_state(m, "connected", timeout=30)
        assert blocks(m) == THERE
        assert device(m)["stats"]["kept_resent"] == BLOCKS


def test_second_cut_is_one_too(machine):
    """Nothing is flushed in between."""
    m = machine
    with exporter(m) as x:
        attach_to(m, KEEP)
        zeroes(m)
        job = acked_writes(m)
        for n in range(1, 4):
            assert x.cut() == list(range(BLOCKS))
            wait_state(m, "connected", timeout=30)
            assert blocks(m) == THERE
            assert device(m)["stats"]["replays"] == n
        all_is_well(m, 3)
        job.kill()


@pytest.mark.points
def test_cut_in_the_replay(machine):
    """The replay begins anew; all else waits for it, a read and a flush, too."""
    m = machine
    with exporter(m) as x:
        attach_to(m, KEEP)
        zeroes(m)
        job = acked_writes(m)
        x.crash()
        with m.point("SUBMIT", hold=True, nth=20) as point:
            x.come_back()
            point.reached()
            assert "replaying" in m.run("dst show d").out and "replaying" in m.run("dst show --why d").out
            assert device(m)["replaying"]
            read = m.start("dd if=/dev/dst-d bs=4k count=1 iflag=direct status=none | head -c 1")
            flush = m.start("sync /dev/dst-d")
            time.sleep(1)
            assert read.running and flush.running, "it was served in the middle of the replay"
            m.run("ip link set near1 down")
            assert 0 < len(x.disk.off()) < BLOCKS
        x.run("dst unexport data --force", check=False, timeout=60)
        x.disk.on()
        x.come_back()
        assert read.wait(30, check=True).out == "A"
        assert flush.wait(30).status == 0
        all_is_well(m)
        job.kill()


def test_old_data_never_comes_back(machine):
    """Of each block the newest: overlapping writes of several sizes, FUA, discards and zeroes among them."""
    m = machine
    with exporter(m) as x:
        attach_to(m, KEEP)
        m.run("dd if=/dev/zero of=/dev/dst-d bs=1M count=1 oflag=direct conv=fsync status=none")
        wants = guest_python(m, """
    import json, mmap, os, random
    fd = os.open("/dev/dst-d", os.O_RDWR | os.O_DIRECT)
    fua = os.open("/dev/dst-d", os.O_RDWR | os.O_DIRECT | os.O_DSYNC)
    buf = mmap.mmap(-1, 1 << 16)
    rnd, wants = random.Random(1), [0] * 256
    for n in range(400):
        size = rnd.choice([1, 1, 2, 4, 16])
        first = rnd.randrange(256 - size)
        buf[:size * 4096] = bytes([n % 251 + 1]) * (size * 4096)
        with memoryview(buf) as view:
            os.pwritev(fua if n % 10 == 0 and n < 200 else fd, [view[:size * 4096]], first * 4096)
        wants[first:first + size] = [n % 251 + 1] * size
    print(json.dumps(wants))
    """)
        m.run("blkdiscard -z -o 40960 -l 40960 /dev/dst-d")
        wants[10:20] = [0] * 10
        assert len(x.cut()) > 50
        wait_state(m, "connected", timeout=30)
        assert blocks(m, 256) == wants
        assert device(m)["stats"]["errors"] == 0


READER = """
    import json, mmap, os, time
    fd, page, took = os.open("/dev/dst-d", os.O_RDONLY | os.O_DIRECT), mmap.mmap(-1, 4096), []
    while not os.path.exists("/tmp/stop"):
        began = time.monotonic()
        os.preadv(fd, [page], 0)
        took.append(time.monotonic() - began)
        time.sleep(0.01)
    os.unlink("/tmp/stop")
    print(json.dumps([sorted(took)[len(took) // 2], max(took), len(took)]))
    """


def test_at_the_bound_writes_wait_and_reads_do_not(machine):
    """The client flushes by itself; a disk that flushes slowly makes it wait, and a reader is served meanwhile."""
    m = machine
    ram = m.ramdisk(32, cache_size=16)
    slow = mapped(m, "slow", f"0 {32 << 11} delay {ram} 0 0 {ram} 0 0 {ram} 0 400")
    try:
        export_and_attach(m, slow, attach="--keep 1M --connections 1 --queue-depth 64")
        assert device(m)["keeps"]
        m.run("dd if=/dev/zero of=/dev/dst-d bs=64k count=16 oflag=direct conv=fsync status=none")
        reader = guest_python(m, READER, timeout=90, start=True)
        job = m.start("for i in 1 2 3 4; do dd if=/dev/zero of=/dev/dst-d bs=64k count=64 seek=$((i * 64)) oflag=direct "
                      "status=none & done; wait; touch /tmp/stop")
        most = 0
        while job.running:
            most = max(most, device(m)["kept_bytes"])
        job.wait(10, check=True)
        median, slowest, reads = json.loads(reader.wait(20, check=True).out)
        stats = device(m)["stats"]
        assert stats["own_flushes"] >= 5 and stats["errors"] == 0, stats
        assert (1 << 19) < most <= 1 << 20, most
        assert median < 0.05 and slowest < 0.3, f"of {reads} reads one took {slowest:.1f} s, half of them {median:.3f} s"
    finally:
        m.run("dst detach d --force; dst unexport data --force; dmsetup remove --noudevsync slow", check=False)


def test_own_flush_that_fails_is_made_good(machine):
    """The disk drops its cache when it cannot flush, and lives on: what is kept is sent again and flushed."""
    m = machine
    with exporter(m, flush_ms=1500) as x:
        attach_to(m, f"{URI} {PATIENT} --keep 1M")
        zeroes(m)
        write = "head -c {} /dev/zero | tr '\\0' Z | dd of=/dev/dst-d bs=4k seek={} iflag=fullblock oflag=direct status=none"
        m.run(write.format(4096, BLOCKS))
        more = (1 << 19) // device(m)["kept_bytes"] - BLOCKS
        m.run(write.format(more * 4096, BLOCKS + 1))
        assert device(m)["kept_bytes"] < 1 << 19
        job = acked_writes(m)  # the last ack makes the client flush
        position = m.console.stat().st_size
        assert len(x.disk.blink()) == BLOCKS + 1 + more, "it had flushed: the scenario shows nothing"
        m.wait_for("dst show --json | grep -q '\"replays\": *1'")
        wait_state(m, "connected", timeout=30)
        assert blocks(m) == THERE
        assert json.loads(python(m, FLUSHES)) == ["ok"] * 3
        stats = device(m)["stats"]
        assert stats["errors"] == 0 and stats["own_flushes"] >= 2, stats
        assert "could not flush" in m.log_since(position)
        job.kill()


def test_detach_flushes_or_refuses(machine):
    m = machine
    with exporter(m) as x:
        attach_to(m, KEEP)
        zeroes(m)
        m.run("dd if=/dev/urandom of=/dev/dst-d bs=4k count=64 oflag=direct status=none")
        assert device(m)["kept_bytes"]
        m.run("dst detach d", timeout=30)
        assert x.disk.off() == []
        x.disk.on()
        x.run("dst unexport data --force", check=False)
        x.export()
        attach_to(m, KEEP)
        m.run("dd if=/dev/zero of=/dev/dst-d bs=4k count=64 oflag=direct status=none")
        x.crash()
        fails(m, "dst detach d", "KiB of acked writes are kept", "--force", timeout=30)
        position = m.console.stat().st_size
        m.run("dst detach d --force", timeout=30)
        assert "KiB of acked writes that were not flushed are dropped" in m.log_since(position)


@pytest.mark.parametrize("how", ["refused by the exporter", "dropped by the user"])
def test_what_may_not_be_replayed_is_a_loss(machine, how):
    """Told once, by a flush, as without kept writes."""
    m = machine
    with exporter(m) as x:
        attach_to(m, KEEP)
        zeroes(m)
        job = acked_writes(m)
        fails(m, "dst set d kept=drop", "no need")
        x.crash()
        if how == "dropped by the user":
            wait_state(m, "reconnecting", timeout=30)
            m.run("dst set d kept=drop")
            x.come_back()
        else:
            x.come_back("--no-replay")
        wait_state(m, "connected", timeout=30)
        assert blocks(m) == [0] * BLOCKS
        assert json.loads(python(m, FLUSHES)) == ["EIO", "ok", "ok"]
        assert device(m)["stats"]["kept_resent"] == 0
        job.kill()


def test_nothing_is_kept_where_nothing_can_be_lost(machine):
    m = machine
    disk = m.ramdisk(16)
    for options in "--write-through", "--shared":
        export_and_attach(m, disk, options, attach="--keep 16M")
        m.run("dd if=/dev/zero of=/dev/dst-d bs=64k count=16 oflag=direct status=none")
        d = device(m)
        assert not d["keeps"] and d["kept_bytes"] == 0 and d["keep"] == 16 << 20, d
        assert "kept writes" in m.run("dst show --why d").out
        m.run("dst detach d && dst unexport data")


def test_exporter_that_stops_in_order_loses_nothing(machine):
    """It has flushed: there is nothing to send again, even if it forgets the client."""
    m = machine
    with exporter(m) as x:
        attach_to(m, KEEP)
        zeroes(m)
        job = acked_writes(m)
        x.run("dst unexport data --force")
        assert x.disk.off() == []
        x.disk.on()
        x.export()
        wait_state(m, "connected", timeout=30)
        assert blocks(m) == THERE
        assert json.loads(python(m, FLUSHES)) == ["ok"] * 3
        assert device(m)["stats"]["kept_resent"] == 0
        job.kill()


def test_budget_ends_what_waits(machine):
    """An exporter that stays away: writes that wait for others fail as these do (P8), and it goes on afterwards."""
    m = machine
    with exporter(m) as x:
        attach_to(m, f"{URI} --ping 300ms --timeout 1s --retries 3 --keep 1M --connections 1")
        zeroes(m)
        acked_writes(m).kill()
        x.crash()
        job = m.start("for i in 1 2 3 4 5 6; do dd if=/dev/urandom of=/dev/dst-d bs=512k count=1 oflag=direct "
                      "status=none & done; wait; true")
        began = time.monotonic()
        job.wait(20)
        assert time.monotonic() - began < 12 and device(m)["in_flight"] == 0
        assert device(m)["stats"]["errors"] >= 6
        x.come_back()
        wait_state(m, "connected", timeout=30)
        m.run("dd if=/dev/zero of=/dev/dst-d bs=512k count=4 oflag=direct conv=fsync status=none")


NO_MEMORY = """
cd /sys/kernel/debug
for f in failslab fail_page_alloc; do
	echo 0 >$f/verbose; echo Y >$f/ignore-gfp-wait; echo Y >$f/task-filter; echo -1 >$f/times; echo 1 >$f/interval
	echo %d >$f/probability
done
echo 0 >fail_page_alloc/min-order
"""
MEMORY = "cd /sys/kernel/debug; for f in failslab fail_page_alloc; do echo 0 >$f/probability; echo N >$f/task-filter; done"


@pytest.mark.debug
def test_without_memory_writes_are_durable(machine):
    """No copy, and not even a record: the write goes on, and what has no copy is not lost either."""
    m = machine
    with exporter(m) as x:
        attach_to(m, KEEP)
        zeroes(m)
        m.run(NO_MEMORY % 40)
        try:
            m.run("echo 1 >/proc/self/make-it-fail; exec dd if=/dev/urandom of=/dev/dst-d bs=16k count=128 oflag=direct status=none",
                  timeout=60)
        finally:
            m.run(MEMORY)
        stats = device(m)["stats"]
        assert 10 < stats["unkept_writes"] and device(m)["kept_bytes"], stats
        before = m.run("dd if=/dev/dst-d bs=1M count=2 iflag=direct status=none | sha256sum").out
        assert x.cut()
        wait_state(m, "connected", timeout=30)
        assert m.run("dd if=/dev/dst-d bs=1M count=2 iflag=direct status=none | sha256sum").out == before
        assert json.loads(python(m, FLUSHES)) == ["ok"] * 3
        assert device(m)["stats"]["errors"] == 0


HAMMER = """
    import json, mmap, os, random, sys, threading, time
    PATH, REGION, THREADS = "/dev/dst-d", 2 << 20, 4
    stop, wrong, done = time.time() + {seconds}, [], [0] * THREADS
    def hammer(k):
        rnd = random.Random({seed} * 100 + k)
        fd = os.open(PATH, os.O_RDWR | os.O_DIRECT)
        dsync = os.open(PATH, os.O_RDWR | os.O_DIRECT | os.O_DSYNC)
        buf, base, n = mmap.mmap(-1, 1 << 18), k * REGION, 0
        want = [0] * (REGION // 4096)
        buf[:] = bytes(1 << 18)
        for at in range(0, REGION, 1 << 18):
            os.pwritev(fd, [buf], base + at)
        while time.time() < stop:
            n += 1
            size = rnd.choice([1, 1, 1, 1, 2, 8, 64])
            first = rnd.randrange(len(want) - size + 1)
            what = rnd.random()
            view = memoryview(buf)[:size * 4096]
            if what < 0.6:
                buf[:size * 4096] = bytes([n % 255 + 1]) * (size * 4096)
                assert os.pwritev(dsync if what < 0.03 else fd, [view], base + first * 4096) == size * 4096
                want[first:first + size] = [n % 255 + 1] * size
            elif what < 0.62:
                os.fsync(fd)
            else:
                assert os.preadv(fd, [view], base + first * 4096) == size * 4096
                for i in range(size):
                    got = set(buf[i * 4096:(i + 1) * 4096])
                    if got != {{want[first + i]}}:
                        wrong.append([k, n, first + i, sorted(got)[:3], want[first + i]])
                        return
            view.release()
            done[k] += 1
        os.fsync(fd)
        for i in range(len(want)):
            os.preadv(fd, [memoryview(buf)[:4096]], base + i * 4096)
            if set(buf[:4096]) != {{want[i]}}:
                wrong.append([k, "end", i, buf[0], want[i]])
                return
    def guarded(k):
        try:
            hammer(k)
        except Exception as e:
            wrong.append([k, repr(e)])
    threads = [threading.Thread(target=guarded, args=(k,)) for k in range(THREADS)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    print(json.dumps([wrong[:5], done]))
    """


@pytest.mark.limit(300)
@pytest.mark.parametrize("options", ["--connections 2 --keep 16M", "--connections 4 --keep 1M"])
def test_cuts_under_load(machine, options):
    """At any moment: no error, and never anything but the newest that was acked."""
    m = machine
    with exporter(m, flush_ms=5) as x:
        attach_to(m, f"{URI} {PATIENT} {options}")
        job = guest_python(m, HAMMER.format(seconds=40, seed=1), timeout=120, start=True)
        lost = 0
        for n in range(8):
            time.sleep(1 + n % 3 * 0.7)
            lost += len(x.cut())
        wrong, done = json.loads(job.wait(120, check=True).out)
        stats = device(m)["stats"]
        assert not wrong, (wrong, stats)
        assert lost > 0 and stats["kept_resent"] > 0 and stats["errors"] == 0, (lost, stats)
        assert min(done) > 50, done
