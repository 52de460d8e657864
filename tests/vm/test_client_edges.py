# SPDX-License-Identifier: GPL-2.0
"""The client beside others: pages that cannot be lent, CPUs that go away, more connections than CPUs, dead addresses."""
import json
import time

import pytest

from common import dead_addresses, device, export_and_attach, show, wait_state


@pytest.mark.parametrize("checksum", ["crc32c", "none"])
def test_dm_integrity_above(machine, checksum):
    """dm-bufio's buffers are pages of which only the first has a count: the others are copied (P1, P4)."""
    m = machine
    path = export_and_attach(m, m.ramdisk(48), f"--checksum {checksum}",
                             attach=f"--checksum {checksum} --timeout 2s --retries 4")
    m.run(f"modprobe -q dm_integrity; integritysetup format --batch-mode --no-wipe {path}", timeout=60)
    m.run(f"DM_DISABLE_UDEV=1 integritysetup open --integrity-recalculate {path} whole", timeout=60)
    try:
        m.run("dd if=/dev/urandom of=/tmp/data bs=1M count=16 status=none;"
              "dd if=/tmp/data of=/dev/mapper/whole bs=1M oflag=direct status=none; sync;"
              "echo 3 >/proc/sys/vm/drop_caches;"
              "dd if=/dev/mapper/whole bs=1M count=16 iflag=direct status=none | cmp - /tmp/data", timeout=60)
    finally:
        m.run("rm -f /tmp/data; DM_DISABLE_UDEV=1 integritysetup close whole", check=False)
    shown = device(m)["stats"]
    assert (shown["reconnects"], shown["checksum_errors"], shown["errors"]) == (0, 0, 0), shown


@pytest.mark.stock
def test_a_cpu_goes_offline_in_an_outage(machine):
    """Neither waits for the other: the device is back when its exporter is, and the write is acked (P7)."""
    m = machine
    disk = m.ramdisk(8)
    path = export_and_attach(m, disk, attach="--timeout 2s --retries 20")
    m.run("dst unexport data --force")
    wait_state(m, "reconnecting")
    write = m.start(f"printf %-4096s x | taskset -c 1 dd of={path} bs=4k iflag=fullblock oflag=direct status=none")
    m.wait_for(f"grep -q ' 1$\\|[1-9]' /sys/block/$(basename {path})/inflight")
    offline = m.start("echo 0 >/sys/devices/system/cpu/cpu1/online")
    time.sleep(2)
    try:
        m.run(f"dst export data {disk} --allow any", timeout=10)
        assert write.wait(10).status == 0
        assert offline.wait(10).status == 0
    finally:
        m.run("echo 1 >/sys/devices/system/cpu/cpu1/online", check=False, timeout=30)
    assert device(m)["stats"]["errors"] == 0


def test_more_connections_than_cpus(machine):
    """Requests of one call go to several connections; each of these is sent at once, without a ping's help."""
    m = machine
    path = export_and_attach(m, m.ramdisk(8), attach="--connections 8 --ping 20s")
    got = json.loads(m.run(f"fio --name=b --filename={path} --rw=randwrite --bs=4k --direct=1 --ioengine=libaio --iodepth=8 "
                           "--iodepth_batch=8 --iodepth_batch_complete_min=8 --size=4M --io_size=4M --output-format=json",
                           timeout=50).out)
    slowest = got["jobs"][0]["write"]["lat_ns"]["max"] / 1e9
    assert slowest < 3, f"the slowest write took {slowest:.1f} s"


def test_force_with_eight_dead_addresses(machine):
    """detach --force ends within 5 s however many addresses swallow what is sent to them (P8)."""
    m = machine
    disk = m.ramdisk(8)
    export_and_attach(m, disk, attach="--timeout 2s --retries forever")
    with dead_addresses(m, 8) as host:
        m.run(f"dst set d uri=dst://{host}/data")
        time.sleep(1)
        began = time.monotonic()
        m.run("dst detach d --force", timeout=20)
        took = time.monotonic() - began
    assert took < 5, f"it took {took:.1f} s"
    assert not show(m)["devices"]
