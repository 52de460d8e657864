# SPDX-License-Identifier: GPL-2.0
"""No event of a device that is away makes udev read it: a worker would hang in blkid for the whole budget."""
import re
import struct
from pathlib import Path

from common import export_and_attach, wait_state

RULES = Path(__file__).parents[2] / "dist/59-dst.rules"
ONE_PARTITION = struct.pack("<8B2L", 0, 0, 0, 0, 0x83, 0, 0, 0, 2048, 8192).ljust(64, b"\0").rjust(510, b"\0") + b"\x55\xaa"


def event(m, name, limit=5):
    """What udev knows of a disk or partition after a change without DST_STATE, as "udevadm trigger" makes it; its links."""
    got = m.run(f"timeout -s KILL {limit} udevadm test --action=change /sys/class/block/{name} 2>&1", check=False, timeout=limit + 30)
    assert got.status == 0, f"{name}: the event's rules take longer than {limit} s: status {got.status}\n{got.out[-2000:]}"
    found = dict(re.findall(r"^(\w+)=(.*)$", got.out, re.M))
    return found.get("ID_FS_TYPE"), found.get("DEVLINKS", "")


def test_events_of_a_device_that_is_away(machine):
    m = machine
    disk = m.ramdisk(16, block_size=512)
    m.put("/tmp/sector", ONE_PARTITION)
    m.run(f"dd if=/tmp/sector of={disk} conv=notrunc,fsync status=none")
    m.run("mkdir -p /etc/udev/rules.d")
    m.put("/etc/udev/rules.d/59-dst.rules", RULES)
    path = export_and_attach(m, disk, attach="--timeout 1s --retries 12")
    m.run(f"mkfs.ext4 -q {path}1")
    kind, links = event(m, "dst-d1", 30)
    assert kind == "ext4" and "/dev/disk/by-uuid/" in links, (kind, links)

    # the page cache must not answer in the exporter's place
    m.run("dst unexport data --force")
    wait_state(m, "reconnecting")
    m.run("echo 3 >/proc/sys/vm/drop_caches")
    for name in "dst-d", "dst-d1":
        kind, links = event(m, name)
        assert kind == "dst_away" and "/dev/disk/by-id/dst-" in links, (name, kind, links)

    m.run(f"dst export data {m.ramdisk(16, block_size=512)} --allow any")
    wait_state(m, "suspended")
    for name in "dst-d", "dst-d1":
        assert event(m, name)[0] == "dst_away"

    m.run(f"dst unexport data; dst export data {disk} --allow any")
    wait_state(m, "connected")
    assert event(m, "dst-d1", 30)[0] == "ext4"
