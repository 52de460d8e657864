# SPDX-License-Identifier: GPL-2.0
"""A disk on the other side is a disk here: the same size, geometry and bytes."""
import pytest

from common import TOOLS, attach_to, device, export, export_and_attach, sums, verify

SAME = ["logical_block_size", "physical_block_size", "minimum_io_size", "optimal_io_size", "rotational",
        "write_cache", "discard_granularity"]
# An exporter may offer FUA on a disk that has none (it flushes itself, one round trip less), never the other way.
ATLEAST = ["fua"]
LIMITS = ["discard_max_bytes", "write_zeroes_max_bytes"]


def queue(m, disk):
    """All of the above, and the size, as the kernel has it."""
    names = " ".join(SAME + ATLEAST + LIMITS)
    out = m.run(f"cd /sys/class/block/$(basename {disk})/queue; for n in {names}; do read -r v <$n; echo \"$v\"; done; "
                "cat ../size ../ro").out.splitlines()
    return dict(zip(SAME + ATLEAST + LIMITS + ["size", "ro"], out, strict=True))


def disks(m):
    """Disks that differ in everything that must travel."""
    m.run("modprobe -q loop; truncate -s 17M /tmp/a /tmp/b")
    cached = m.ramdisk(24, block_size=512, cache_size=8)
    through = m.ramdisk(16, block_size=4096, discard=0)
    m.run(f"echo 1 >/sys/block/{cached[5:]}/queue/rotational; echo 0 >/sys/block/{through[5:]}/queue/rotational")
    return [cached, through, m.run("losetup --find --show --sector-size 512 /tmp/a").out.strip(),
            m.run("losetup --find --show --sector-size 4096 /tmp/b").out.strip()]


def test_size_geometry_and_flags_travel(machine):
    m = machine
    for n, disk in enumerate(disks(m)):
        theirs = queue(m, disk)
        ours = queue(m, export_and_attach(m, disk, name=f"e{n}"))
        assert {k: ours[k] for k in SAME + ["size", "ro"]} == {k: theirs[k] for k in SAME + ["size", "ro"]}, disk
        assert int(ours["fua"]) >= int(theirs["fua"])
        for limit in LIMITS:
            # an operation the exporter's disk has is there, and never larger than it takes there
            assert bool(int(ours[limit])) == bool(int(theirs[limit])), (disk, limit)
            assert int(ours[limit]) <= int(theirs[limit]), (disk, limit)
        shown, offered = device(m), export(m, f"e{n}")
        assert shown["size"] == offered["size"] == int(theirs["size"]) * 512
        assert shown["state"] == "connected" and not shown["read_only"]
        assert shown["checksum"] == "crc32c" and shown["path"] == "/dev/dst-d" and offered["path"] == disk
        m.run(f"dst detach d && dst unexport e{n}")


@pytest.mark.parametrize("block", [512, 4096])
def test_block_device_round_trip(machine, block):
    m = machine
    disk = m.ramdisk(24, block_size=block)
    path = export_and_attach(m, disk)
    written = m.run(f"python3 {TOOLS}/scatter.py write {path} {block} 60 both {block}", timeout=120).out.strip()
    assert sums(m, disk, path) == [written, written]
    got = export(m)["stats"]
    assert got["writes"] > 20 and got["write_bytes"] > 10 << 20 and got["read_bytes"] >= 24 << 20
    assert got["errors"] == 0 and device(m)["stats"]["errors"] == 0
    assert device(m)["stats"]["writes"] == got["writes"]


def test_regular_file_round_trip(machine):
    """A file on a file system: its size need not be a round number, and writes must not make it longer."""
    m = machine
    ram = m.ramdisk(48)
    m.run(f"mkfs.ext4 -q {ram} && mount {ram} /mnt && truncate -s $((20 << 20)) /mnt/disk")
    path = export_and_attach(m, "/mnt/disk")
    assert m.run(f"blockdev --getsize64 {path}").out.strip() == str(20 << 20)
    written = m.run(f"python3 {TOOLS}/scatter.py write {path} 7 40 both 4096", timeout=120).out.strip()
    m.run("dst detach d && dst unexport data")
    assert m.run("sha256sum /mnt/disk").out.split()[0] == written
    assert m.run("stat -c %s /mnt/disk").out.strip() == str(20 << 20)


def test_many_jobs_verify(machine):
    """Small, large and larger than one transaction, side by side, on every queue."""
    m = machine
    path = export_and_attach(m, m.ramdisk(64))
    m.run(" && ".join([verify(path, jobs=2, size="6M"), verify(path, bs="64k", jobs=2, size="16M"),
                       verify(path, bs="3M", jobs=2, size="24M"),
                       verify(path, options="--bssplit=4k/40:20k/30:256k/30 --iodepth=1", size="16M")]), timeout=200)
    d = device(m)
    assert d["stats"]["errors"] == d["stats"]["resends"] == d["stats"]["reconnects"] == 0
    assert d["connections"] >= 1 and d["state"] == "connected"


def test_stays_over_detach_and_attach(machine):
    """Nothing of the data lives on the client: another device of the same export sees it."""
    m = machine
    path = export_and_attach(m, m.ramdisk(8))
    m.run(f"head -c 3M /dev/urandom >/tmp/x; dd if=/tmp/x of={path} bs=64k status=none && dst detach d")
    assert attach_to(m, "dst://127.0.0.1/data", name="again") == "/dev/dst-again"
    m.run("cmp -n $((3 << 20)) /tmp/x /dev/dst-again")
