# SPDX-License-Identifier: GPL-2.0
"""Discards and write-zeroes reach the exporter's disk as what they are."""
from common import Trace, device, export_and_attach


def pattern(m, path, megabytes):
    m.run(f"tr '\\0' x </dev/zero | dd of={path} bs=1M count={megabytes} iflag=fullblock oflag=direct status=none")


def zeroes(m, path, megabytes):
    """Which megabytes hold nothing but zeroes."""
    out = m.run(f"for n in $(seq 0 {megabytes - 1}); do dd if={path} bs=1M skip=$n count=1 iflag=direct status=none | "
                "cmp -s -n $((1 << 20)) - /dev/zero && echo $n; done; true").out
    return [int(n) for n in out.split()]


def test_discard_arrives(machine):
    m = machine
    disk = m.ramdisk(8)
    path = export_and_attach(m, disk)
    pattern(m, path, 8)
    with Trace(m, disk) as trace:
        m.run(f"blkdiscard -o 2M -l 3M {path}")
    assert trace.count("F?D") >= 1
    assert sum(n for rwbs, _, n in trace.bios if "D" in rwbs) == 3 << 11
    assert min(at for rwbs, at, _ in trace.bios if "D" in rwbs) == 2 << 11
    # null_blk gives the memory back: what was discarded reads as zeroes, its neighbours do not
    assert zeroes(m, disk, 8) == [2, 3, 4]
    assert zeroes(m, path, 8) == [2, 3, 4]
    assert device(m)["stats"]["discards"] >= 1


def test_write_zeroes_arrive(machine):
    """On a disk that has the operation no zeroes travel."""
    m = machine
    ram = m.ramdisk(32)
    m.run(f"mkfs.ext4 -q {ram} && mount {ram} /mnt && truncate -s 8M /mnt/f && modprobe -q loop")
    disk = m.run("losetup --find --show /mnt/f").out.strip()
    path = export_and_attach(m, disk)
    pattern(m, path, 8)
    before = device(m)["stats"]["write_bytes"]
    with Trace(m, disk) as trace:
        m.run(f"blkdiscard -z -o 1M -l 4M {path}")
    assert sum(n for rwbs, _, n in trace.bios if rwbs.startswith("N")) == 4 << 11, trace.bios
    assert device(m)["stats"]["write_bytes"] == before
    assert zeroes(m, path, 8) == [1, 2, 3, 4]


def test_zeroes_on_a_disk_without_the_operation(machine):
    """Then the client's block layer writes them."""
    m = machine
    disk = m.ramdisk(8, discard=0)
    path = export_and_attach(m, disk)
    pattern(m, path, 8)
    m.run(f"blkdiscard -z -o 1M -l 1M {path}")
    assert zeroes(m, disk, 8) == [1]
    assert m.run(f"blkdiscard {path}", check=False).status != 0
    assert device(m)["stats"]["discards"] == 0


def test_discard_of_a_file_frees_space(machine):
    m = machine
    ram = m.ramdisk(32)
    m.run(f"mkfs.ext4 -q {ram} && mount {ram} /mnt && truncate -s 8M /mnt/f")
    path = export_and_attach(m, "/mnt/f")
    pattern(m, path, 8)
    full = int(m.run("stat -c %b /mnt/f").out)
    m.run(f"blkdiscard -o 2M -l 4M {path}")
    assert int(m.run("stat -c %b /mnt/f").out) <= full - (4 << 11) + 64
    assert zeroes(m, path, 8) == [2, 3, 4, 5]
