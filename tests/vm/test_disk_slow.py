# SPDX-License-Identifier: GPL-2.0
"""An exported disk that is slow, or hangs, is no outage, and stops nobody but its own clients."""
import time

import pytest

from common import attach_to, device, export, export_and_attach, fails, mapped, read_block, write_block

pytestmark = pytest.mark.limit(400)

OTHER = "dst://127.0.0.1/other"


def slow_disk(m, seconds, depth, **attributes):
    """Each request takes so long; so many run at a time. Whoever submits one more waits in submit_bio()."""
    return m.ramdisk(16, irqmode=2, completion_nsec=seconds * 10**9, hw_queue_depth=depth, **attributes)


def hung_disk(m, seconds=3):
    """It keeps whoever submits to it so long, again and again."""
    return slow_disk(m, seconds, 1)


def hang(m, path, requests=16):
    """So many are in flight. Their fio, whose end the test does not wait for."""
    job = m.start(f"fio --name=h --filename={path} --rw=randwrite --bs=4k --direct=1 --ioengine=libaio "
                  f"--iodepth={requests} --number_ios={requests} --size=8M --minimal")
    m.wait_for("[ $(dst show data --json | grep -o '\"in_flight\": [0-9]*' | grep -o '[0-9]*$' | sort -n | tail -1) -ge 2 ]")
    return job


def others_work(m, path, within=5):
    """What a hung disk must not stop: another export, old and new clients of it, every question."""
    began = time.monotonic()
    write_block(m, path, "alive")
    assert read_block(m, path) == "alive"
    m.run("dst ping dst://127.0.0.1 -c 1 && dst list dst://127.0.0.1 && dst show", timeout=within)
    attach_to(m, f"{OTHER} --read-only --connections 1", name="r")
    m.run("dst detach r")
    assert time.monotonic() - began < 2 * within


@pytest.mark.parametrize("requests", [1, 128])
def test_slow_disk_is_no_outage(machine, requests):
    """Eight requests a second for sixteen: pings are answered all the time, nothing is sent twice."""
    m = machine
    path = export_and_attach(m, slow_disk(m, 1, 8), attach="--connections 1 --queue-depth 128")
    m.run(f"fio --name=s --filename={path} --rw=randread --bs=4k --direct=1 --ioengine=libaio --iodepth={requests} "
          f"--number_ios={max(requests, 8)} --size=8M --minimal", timeout=120)
    stats = device(m)["stats"]
    assert stats["reconnects"] == stats["resends"] == stats["errors"] == 0, stats


def no_outage(m):
    stats = device(m)["stats"]
    assert stats["reconnects"] == stats["resends"] == stats["errors"] == 0, stats


def test_requests_that_are_split(machine):
    """Each is 256 of the disk's, whose 8 tags are all in use: half of the time nobody can submit without sleeping."""
    m = machine
    path = export_and_attach(m, m.ramdisk(16, irqmode=2, completion_nsec=200 * 10**6, hw_queue_depth=8, max_sectors=8),
                             attach="--connections 1")
    m.run(f"fio --name=s --filename={path} --rw=write --bs=1M --direct=1 --ioengine=libaio --iodepth=4 --number_ios=4 "
          "--size=8M --minimal", timeout=120)
    no_outage(m)


def test_disk_that_throttles_writeback(machine):
    """The kernel lets those who write back sleep, tags or none, and whatever the request says of waiting (wbt)."""
    m = machine
    disk = slow_disk(m, 1, 8)
    m.run(f"echo 1000 >/sys/block/$(basename {disk})/queue/wbt_lat_usec")
    path = export_and_attach(m, disk, attach="--connections 1")
    m.run(f"dd if=/dev/zero of={path} bs=4k count=128 conv=notrunc,fsync status=none; sync", timeout=150)
    no_outage(m)


def test_queue_that_is_frozen(machine):
    """While its scheduler is changed: a disk waits for what it has before it takes more."""
    m = machine
    disk = hung_disk(m)
    path = export_and_attach(m, disk, attach="--connections 1")
    job = hang(m, path, 4)
    change = m.start(f"for s in mq-deadline none; do echo $s >/sys/block/$(basename {disk})/queue/scheduler; done")
    job.wait(60, check=True)
    change.wait(30)
    no_outage(m)


@pytest.mark.points
@pytest.mark.parametrize("place", ["lone", "thread"])
def test_pings_are_answered_while_a_run_submits(machine, place):
    """Whichever of thread and work submits is kept there: the other one answers, receives, and closes."""
    m = machine
    path = export_and_attach(m, m.ramdisk(16), attach="--connections 1")
    if place == "lone":
        # after 64 lone requests the work serves it
        m.run(f"fio --name=l --filename={path} --rw=randread --bs=4k --direct=1 --number_ios=150 --size=8M --minimal",
              timeout=150)
    with m.point("SUBMIT", hold=True) as point:
        job = m.start(f"dd if=/dev/zero of={path} bs=4k count=1 oflag=direct conv=notrunc status=none")
        point.reached()
        time.sleep(8)
        d = device(m)
        assert d["state"] == "connected" and d["stats"]["reconnects"] == d["stats"]["resends"] == 0, d
        assert job.running
        # what ends the connection does not wait for the disk
        began = time.monotonic()
        m.run("dst detach d --force", timeout=10)
        assert time.monotonic() - began < 5
        m.wait_for("[ \"$(dst show data --json | grep -c '\"connections\": 1')\" = 0 ]", 5)
        point.release()
    job.wait(10)
    m.run("dst unexport data", timeout=10)


def test_disk_that_hangs_hangs_alone(machine):
    m = machine
    m.run(f"dst export other {m.ramdisk(8)} --allow any")
    other = attach_to(m, OTHER, name="o")
    path = export_and_attach(m, hung_disk(m), attach="--connections 2")
    hang(m, path)
    for _ in range(4):
        others_work(m, other)
        time.sleep(1)
    for name in "d", "o":
        stats = device(m, name)["stats"]
        assert stats["reconnects"] == stats["resends"] == 0, stats
    m.run("dst detach d --force", timeout=10)
    m.run("dst unexport data", timeout=60)


def test_frozen_file_system_hangs_alone(machine):
    """512 writes are in a file whose file system is frozen: accepts, and other files, go on."""
    m = machine
    below = m.ramdisk(32)
    m.run(f"mkfs.ext4 -q {below} && mount {below} /mnt && truncate -s 16M /mnt/f /tmp/g")
    m.run("dst export other /tmp/g --allow any")
    other = attach_to(m, OTHER, name="o")
    path = export_and_attach(m, "/mnt/f", attach="--connections 2 --queue-depth 256")
    m.run("fsfreeze -f /mnt")
    try:
        job = m.start(f"fio --name=h --filename={path} --rw=randwrite --bs=4k --direct=1 --ioengine=libaio --iodepth=256 "
                      "--cpus_allowed=0,1 --cpus_allowed_policy=split --numjobs=4 --number_ios=256 --size=8M --minimal --group_reporting")
        m.wait_for("[ $(dst show data --json | grep -o '\"in_flight\": [0-9]*' | grep -o '[0-9]*$' | sort -n | tail -1) "
                   "-ge 400 ]", 60)
        for _ in range(3):
            others_work(m, other)
            time.sleep(1)
    finally:
        m.run("fsfreeze -u /mnt")
    job.wait(60, check=True)
    assert device(m)["stats"]["errors"] == device(m, "o")["stats"]["reconnects"] == 0
    m.run("dst detach d && dst detach o && dst unexport data && dst unexport other && umount /mnt")


def test_lease_that_cannot_be_written_stops_nothing_that_runs(machine):
    """The disk of /var/lib/dst hangs: a new writer waits, all others go on, and show answers."""
    m = machine
    below = m.ramdisk(32)
    m.run(f"mkfs.ext4 -q {below} && mount {below} /mnt && mkdir -p /var/lib/dst && "
          "cp -a /var/lib/dst/. /mnt && mount --bind /mnt /var/lib/dst")
    job = None
    try:
        m.run(f"dst export other {m.ramdisk(8)} --allow any && dst export data {m.ramdisk(8)} --allow any")
        other = attach_to(m, OTHER, name="o")
        m.run("fsfreeze -f /mnt")
        job = m.start("dst attach dst://127.0.0.1/data --name d")
        time.sleep(3)
        # the other one's writer changes nothing, this one's export is the one whose lease is being written
        for _ in range(2):
            others_work(m, other)
            attach_to(m, "dst://127.0.0.1/data --read-only --connections 1", name="q")
            m.run("dst detach q")
        assert job.running and not [d for d in export(m)["clients"] if d["connections"]]
        assert device(m, "o")["stats"]["reconnects"] == 0
        began = time.monotonic()
        fails(m, f"dst set other evict={m.name}", "lease is not written yet")
        assert time.monotonic() - began < 20
        m.run("fsfreeze -u /mnt")
        assert job.wait(20, check=True).out.strip() == "/dev/dst-d"
        write_block(m, "/dev/dst-d", "writer")
        m.run("dst detach d && dst detach o --force && dst unexport data && dst unexport other", timeout=30)
    finally:
        m.run("fsfreeze -u /mnt 2>/dev/null; umount -l /var/lib/dst; umount -l /mnt", check=False)


def test_namespace_is_deleted_while_its_disk_hangs(machine):
    """Its export waits for the disk; the kernel's list of namespaces does not."""
    m = machine
    m.run("ip netns add far && ip -n far link set lo up")
    try:
        m.run(f"ip netns exec far dst export data {hung_disk(m)} --allow any")
        m.run("ip netns exec far dst attach dst://127.0.0.1/data --name d --connections 1")
        hang(m, "/dev/dst-d")
        m.run("ip netns del far")
        time.sleep(1)
        began = time.monotonic()
        m.run("ip netns add next && ip netns exec next true && ip netns del next && ip netns add next", timeout=20)
        assert time.monotonic() - began < 8
        assert m.run("dst show data", check=False).status == 0, "the export has gone before its disk answered"
    finally:
        m.run("for n in far next; do [ ! -e /run/netns/$n ] || ip netns del $n; done; dst detach d --force", check=False)
    m.wait_for("[ \"$(dst show --json | grep -c '\"path\"')\" = 0 ]", 60)


def test_shutdown_gives_up_waiting_for_a_disk(machine):
    """It has a bound, and the log says whose disk it was."""
    m = machine
    disk = mapped(m, "x", f"0 {16 << 11} linear {m.ramdisk(16)} 0")
    path = export_and_attach(m, disk, attach="--connections 1")
    m.expect_log("its disk does not answer")
    m.run("dmsetup suspend --noflush --nolockfs x")
    hang(m, path)
    process = m.process
    began = time.monotonic()
    m.start("busybox poweroff -n -f")
    process.wait(100)
    assert 20 < time.monotonic() - began < 90
    assert "dstor: export data: its disk does not answer" in m.log()
