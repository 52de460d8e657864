# SPDX-License-Identifier: GPL-2.0
"""The exporter comes back with other limits: the device has them too, I/O running; what cannot change is refused in words."""
import re

from common import device, export_and_attach, start_load, wait_state


def reexport(m, disk, largest, rotational):
    """The same disk with other limits: what sysfs lets one change of it."""
    m.run(f"set -e; dst unexport data --force; cd /sys/block/{disk.split('/')[-1]}/queue;"
          f"echo {largest} >discard_max_bytes; echo {rotational} >rotational; dst export data {disk} --allow any")


def wait_limits(m, largest, rotational):
    m.wait_for("cd /sys/block/dst-d/queue; "
               f"[ \"$(cat discard_max_bytes) $(cat rotational)\" = '{largest} {rotational}' ]", 20)


def test_limits_of_a_reconnection(machine):
    m = machine
    disk = m.ramdisk(64)
    path = export_and_attach(m, disk, attach="--timeout 2s --retries 20")
    wait_limits(m, 0xfffff000, 0)

    load = start_load(m, path, runtime=15)
    reexport(m, disk, 1 << 20, 1)
    wait_limits(m, 1 << 20, 1)
    reexport(m, disk, 2 << 20, 0)
    wait_limits(m, 2 << 20, 0)
    assert load.running
    m.run(f"blkdiscard -o 32M -l 2M {path}")
    assert load.wait(60).status == 0, load.err
    stats = device(m)["stats"]
    assert (stats["errors"], stats["discards"]) == (0, 1), stats

    reexport(m, disk, 0, 0)
    wait_limits(m, 0, 0)
    refused = m.run(f"blkdiscard -o 32M -l 1M {path}", check=False)
    assert refused.status and re.search("not supported", refused.err), refused.err


def test_limits_change_while_requests_wait(machine):
    """They are taken over when the requests of before have ended; a detach by force does not wait for that (P8)."""
    m = machine
    disk = m.ramdisk(16)
    own = f"/sys/block/{disk.split('/')[-1]}/queue"
    path = export_and_attach(m, disk, attach="--timeout 2s --retries forever --connections 1")
    m.run("dst unexport data --force")
    wait_state(m, "reconnecting")
    read = m.start(f"dd if={path} bs=4k count=1 iflag=direct status=none")
    m.run(f"echo 0 >{own}/discard_max_bytes; dst export data {disk} --allow any")
    assert read.wait(20).status == 0
    m.wait_for("[ $(cat /sys/block/dst-d/queue/discard_max_bytes) = 0 ]", 20)
    m.run("dst unexport data --force")
    m.run("dst detach d --force", timeout=10)


def test_a_larger_logical_block_is_refused(machine):
    m = machine
    disk = m.loopfile(16)
    export_and_attach(m, disk, attach="--timeout 2s --retries 20")
    assert m.run("cat /sys/block/dst-d/queue/logical_block_size").out.strip() == "512"
    m.run(f"dst unexport data --force; losetup --sector-size 4096 {disk}; dst export data {disk} --allow any")
    assert "larger logical block" in wait_state(m, "suspended")["reason"]
    m.run(f"dst unexport data; losetup --sector-size 512 {disk}; dst export data {disk} --allow any")
    wait_state(m, "connected")


def test_a_smaller_logical_block_changes_nothing(machine):
    m = machine
    disk = m.loopfile(16)
    m.run(f"losetup --sector-size 4096 {disk}")
    path = export_and_attach(m, disk, attach="--timeout 2s --retries 20")
    m.run(f"dst unexport data --force; losetup --sector-size 512 {disk}; dst export data {disk} --allow any")
    wait_state(m, "connected")
    m.run(f"dd if=/dev/zero of={path} bs=4k count=1 oflag=direct status=none")
    assert m.run("cd /sys/block/dst-d/queue; cat logical_block_size physical_block_size").out.split()[0] == "4096"
    assert m.run(f"dd if={path} of=/dev/null bs=512 count=1 iflag=direct", check=False).status
