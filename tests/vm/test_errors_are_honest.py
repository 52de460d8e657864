# SPDX-License-Identifier: GPL-2.0
"""What the exporter's disk reports arrives as the same kind of error, for just those sectors."""
import pytest

from common import device, export_and_attach, mapped, sums

READ = "dd if={} of=/dev/null bs=4k skip={} count=1 iflag=direct status=none"
WRITE = "dd if=/dev/urandom of={} bs=4k seek={} count=1 oflag=direct status=none"


def outcomes(m, command, path, blocks):
    """For each block the errno's text, or "" where it worked."""
    out = m.run("; ".join(f"a=$({command.format(path, n)} 2>&1); echo \"$?:${{a##*: }}\"" for n in blocks)).out
    pairs = [line.split(":", 1) for line in out.splitlines()]
    assert len(pairs) == len(blocks) and all((status == "0") == (text == "") for status, text in pairs), out
    return [text for _, text in pairs]


@pytest.mark.parametrize("op", [READ, WRITE], ids=["read", "write"])
def test_medium_error(machine, op):
    """Two bad blocks of 4 KiB: an error there and nowhere else, and the device stays as it was."""
    m = machine
    disk = m.ramdisk(8)
    path = export_and_attach(m, disk)
    m.run(f"dd if=/dev/urandom of={path} bs=1M count=8 oflag=direct status=none")
    m.run("for d in /sys/kernel/config/nullb/*/; do echo +800-815 >$d/badblocks; done")
    assert outcomes(m, op, path, [99, 100, 101, 102, 0]) == ["", "Input/output error", "Input/output error", "", ""]
    # a large transaction over the spot fails, too
    assert m.run(f"dd if={path} of=/dev/null bs=1M count=1 iflag=direct", check=False).status != 0
    d = device(m)
    assert d["state"] == "connected" and d["stats"]["errors"] >= 3 and d["stats"]["reconnects"] == 0
    assert d["stats"]["resends"] == 0
    m.run("for d in /sys/kernel/config/nullb/*/; do echo -800-815 >$d/badblocks; done")
    assert outcomes(m, op, path, [100, 101]) == ["", ""]


def test_no_space(machine):
    """A sparse file on a full file system: no space left is what the writer is told, never success."""
    m = machine
    ram = m.ramdisk(16)
    m.run(f"mkfs.ext4 -q -O ^has_journal -m 0 {ram} && mount {ram} /mnt && truncate -s 32M /mnt/f")
    path = export_and_attach(m, "/mnt/f")
    m.run("head -c 4M /dev/urandom >/tmp/x")
    m.run(f"dd if=/tmp/x of={path} bs=256k oflag=direct status=none")
    got = m.run(f"dd if=/dev/urandom of={path} bs=256k seek=16 count=100 iflag=fullblock oflag=direct", check=False)
    assert got.status == 1 and "No space left on device" in got.err
    # what was acked is there, and the device lives on
    m.run(f"cmp -n $((4 << 20)) /tmp/x {path}")
    assert device(m)["state"] == "connected"
    m.run(f"dd if=/tmp/x of={path} bs=256k oflag=direct status=none")


def test_buffered_writes_fail_at_fsync(machine):
    """An error that comes after write() returned is told at the next fsync."""
    m = machine
    disk = m.ramdisk(8)
    path = export_and_attach(m, disk)
    m.run("for d in /sys/kernel/config/nullb/*/; do echo +800-807 >$d/badblocks; done")
    got = m.run(f"dd if=/dev/urandom of={path} bs=4k seek=96 count=16 conv=fsync", check=False)
    assert got.status == 1 and "Input/output error" in got.err


def test_disk_that_fails_wholly(machine):
    """dm-error below the export, swapped in under load and out again: errors meanwhile, then all is well."""
    m = machine
    ram = m.ramdisk(8)
    sectors = 8 << 11
    path = export_and_attach(m, mapped(m, "x", f"0 {sectors} linear {ram} 0"))
    m.run(WRITE.format(path, 1))
    m.run(f"dmsetup suspend x && dmsetup load x --table '0 {sectors} error' && dmsetup resume x")
    assert outcomes(m, READ, path, [0, 5]) == ["Input/output error"] * 2
    assert outcomes(m, WRITE, path, [0, 5]) == ["Input/output error"] * 2
    m.run(f"dmsetup suspend x && dmsetup load x --table '0 {sectors} linear {ram} 0' && dmsetup resume x")
    assert outcomes(m, WRITE, path, [0, 5]) == ["", ""]
    assert sums(m, path) == sums(m, ram)
