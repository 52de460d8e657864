# SPDX-License-Identifier: GPL-2.0
"""What an administrator does to the block device, and a cgroup to its users, while the exporter is away or not.

Nothing hangs beyond the outage, and nothing fails before the budget.
"""
import time

import pytest

from common import PROXY, Proxy, attach_to, device, export_and_attach, start_load, wait_state, write_block
from test_transports import TRANSPORTS, serve

CGROUP = ("mkdir -p /tmp/cg; mountpoint -q /tmp/cg || mount -t cgroup2 cgroup2 /tmp/cg; "
          "echo +{0} >/tmp/cg/cgroup.subtree_control; mkdir -p /tmp/cg/x; ")


@pytest.mark.parametrize("change", ["echo mq-deadline >scheduler", "echo 64 >nr_requests", "echo 1 >io_timeout"])
def test_a_queue_is_changed_in_an_outage(machine, change):
    """It waits for the outage, or does not; I/O that comes later waits behind it, and all of it is done afterwards."""
    m = machine
    with Proxy(m) as proxy:
        path = export_and_attach(m, m.ramdisk(16), port=PROXY, attach="--timeout 1s --retries 60 --ping 300ms")
        job = start_load(m, path, runtime=8, size="4M")
        proxy.do("refuse", "cut")
        wait_state(m, "reconnecting")
        changed = m.start(f"cd /sys/block/dst-d/queue && {change}")
        time.sleep(1)
        later = m.start(f"dd if={path} of=/dev/null bs=4k count=1 iflag=direct status=none")
        time.sleep(2)
        proxy.do("accept")
        wait_state(m, "connected", timeout=30)
        changed.wait(60, check=True)
        later.wait(60, check=True)
        job.wait(60, check=True)
        assert device(m)["stats"]["errors"] == 0
        m.run(f"cd /sys/block/dst-d/queue && {change}")
        write_block(m, path, "after")


@pytest.mark.parametrize("name", ["sctp", "vsock", "tipc"])
def test_a_queue_is_changed_on_another_transport(machine, name):
    """These allocate under the lock of a socket: lockdep would say if that could wait for a request, which takes such a lock, too."""
    m = machine
    serve(m, m.ramdisk(16), [name])
    path = attach_to(m, f"'{TRANSPORTS[name][1]}'")
    write_block(m, path, "before")
    m.run("echo mq-deadline >/sys/block/dst-d/queue/scheduler")
    write_block(m, path, "after")


def test_a_queue_is_changed_and_the_device_taken_away(machine):
    """The change waits for requests that nobody will answer: detach --force ends both within its 5 s (P8)."""
    m = machine
    with Proxy(m) as proxy:
        path = export_and_attach(m, m.ramdisk(16), port=PROXY, attach="--timeout 1s --retries forever --ping 300ms")
        proxy.do("refuse", "cut")
        wait_state(m, "reconnecting")
        job = m.start(f"dd if={path} of=/dev/null bs=4k count=1 iflag=direct status=none")
        m.wait_for("grep -q '[1-9]' /sys/block/dst-d/inflight")
        changed = m.start("echo mq-deadline >/sys/block/dst-d/queue/scheduler")
        time.sleep(0.5)
        m.run("dst detach d --force", timeout=6)
        assert job.wait(5).status != 0
        changed.wait(5)


@pytest.mark.stock
def test_a_throttled_device_is_taken_away(machine):
    """Its bios wait in the block layer's throttle and not in the device: they end with errors, and nothing waits for them."""
    m = machine
    path = export_and_attach(m, m.ramdisk(16))
    m.run(CGROUP.format("io") + "read -r n </sys/block/dst-d/dev && echo \"$n wbps=4096 wiops=1\" >/tmp/cg/x/io.max")
    job = m.start(f"echo $$ >/tmp/cg/x/cgroup.procs; exec dd if=/dev/zero of={path} bs=64k count=16 oflag=direct status=none")
    time.sleep(3)
    assert job.running
    m.run("dst detach d --force", timeout=6)
    assert job.wait(10).status != 0
    m.run("! test -e /sys/block/dst-d && umount /tmp/cg")


@pytest.mark.stock
def test_a_throttled_submitter_holds_up_nobody(machine):
    """It gets 1 ms of each second, and may be stopped with a lock of the connection: others go on, and pings do."""
    m = machine
    path = export_and_attach(m, m.ramdisk(16), attach="--connections 1 --timeout 1s --retries 4 --ping 300ms")
    m.run(CGROUP.format("cpu") + "echo '1000 1000000' >/tmp/cg/x/cpu.max")
    job = m.start(f"echo $$ >/tmp/cg/x/cgroup.procs; exec fio --name=x --filename={path} --rw=randwrite --bs=4k --direct=1 "
                  "--ioengine=libaio --iodepth=32 --numjobs=4 --size=2M --time_based --runtime=600 --minimal")
    time.sleep(2)
    slowest = 0
    for n in range(12):
        began = time.monotonic()
        write_block(m, path, f"free {n}", block=1000 + n)
        slowest = max(slowest, time.monotonic() - began)
    stats = device(m)["stats"]
    m.run("echo max >/tmp/cg/x/cpu.max")
    job.kill()
    assert stats["reconnects"] == stats["errors"] == 0, stats
    assert slowest < 5, f"the slowest free write took {slowest:.1f} s"
