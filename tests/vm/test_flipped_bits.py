# SPDX-License-Identifier: GPL-2.0
"""A bit that flips on the way is caught by the checksum: counted, sent again, and never seen above or on the disk."""
import pytest

from common import PROXY, Proxy, device, export, export_and_attach, sums


def errors(m):
    """(found by the client, found by the exporter)"""
    return device(m)["stats"]["checksum_errors"], export(m)["stats"]["checksum_errors"]


@pytest.mark.parametrize("direction, where", [("up", "data"), ("up", "header"), ("down", "data"), ("down", "header")])
def test_one_bit(machine, direction, where):
    m = machine
    disk = m.ramdisk(8)
    with Proxy(m) as proxy:
        path = export_and_attach(m, disk, port=PROXY, attach="--connections 1")
        m.run("head -c 2M /dev/urandom >/tmp/x")
        m.run(f"dd if=/tmp/x of={path} bs=256k oflag=direct status=none")
        assert errors(m) == (0, 0)
        # Before the bit flips: a machine that is slow at this would send a ping, whose header it would hit.
        if direction == "up":
            m.run("head -c 2M /dev/urandom >/tmp/x")
        proxy.do(f"corrupt {direction} {where} 1")
        if direction == "up":
            m.run(f"dd if=/tmp/x of={path} bs=256k oflag=direct status=none")
        m.run(f"dd if={path} bs=256k count=8 iflag=direct status=none | cmp -n $((2 << 20)) - /tmp/x")
        seen = proxy.status()
        assert seen["corrupted"] == 1, seen
        assert errors(m) == ((0, 1) if direction == "up" else (1, 0))
        d = device(m)
        assert d["stats"]["errors"] == 0 and d["state"] == "connected"
        # A header says where the next frame begins: without it the stream is lost.
        assert d["stats"]["reconnects"] == (1 if where == "header" else 0)
        assert d["stats"]["resends"] >= 1 and d["stats"]["copied_writes"] == ((direction, where) == ("up", "data"))
        assert sums(m, disk) == sums(m, path)


def test_without_a_checksum_it_would_not_be_seen(machine):
    """The counter-proof that the bit really flips: with `none` it arrives."""
    m = machine
    with Proxy(m) as proxy:
        path = export_and_attach(m, m.ramdisk(8), port=PROXY, options="--checksum none",
                                 attach="--connections 1 --checksum none")
        assert device(m)["checksum"] == "none"
        m.run("head -c 1M /dev/urandom >/tmp/x")
        proxy.do("corrupt up data 1")
        m.run(f"dd if=/tmp/x of={path} bs=1M oflag=direct status=none")
        assert proxy.status()["corrupted"] == 1
        assert m.run(f"cmp -l -n $((1 << 20)) /tmp/x {path} | wc -l", check=False).out.strip() == "1"


@pytest.mark.parametrize("offered, chosen, stable", [("none", "none", 0), ("none,crc32c", "none", 1), ("crc32c,none", "crc32c", 1)])
def test_pages_are_stable_if_a_checksum_may_come(machine, offered, chosen, stable):
    """The next connection may have one though this has none: the exporter may allow another then."""
    m = machine
    export_and_attach(m, m.ramdisk(8), options="--checksum none,crc32c", attach=f"--checksum {offered}")
    assert device(m)["checksum"] == chosen
    assert m.run("cat /sys/block/dst-d/queue/stable_writes").out == f"{stable}\n"


def test_pages_that_change_while_they_are_sent(machine):
    """The checksum needs stable pages: a mapped file that is written all the time makes no checksum error."""
    m = machine
    # Two that fight for one page table can keep an emulated processor for seconds, pings and all.
    path = export_and_attach(m, m.ramdisk(48), attach="--ping 60")
    assert m.run("cat /sys/block/dst-d/queue/stable_writes").out == "1\n"
    m.run(f"mkfs.ext4 -q {path} && mount {path} /mnt && head -c 4M /dev/zero >/mnt/f")
    m.run("""cat >/tmp/w.py <<'END'
import mmap, os, threading, time
fd = os.open("/mnt/f", os.O_RDWR)
area = mmap.mmap(fd, 4 << 20)
until = time.monotonic() + 3
def scribble():
    n = 0
    while time.monotonic() < until:
        n += 1
        for at in range(n % 64 * 64, 4 << 20, 4096):
            area[at] = n & 255
threading.Thread(target=scribble).start()
while time.monotonic() < until:
    os.fsync(fd)
END
python3 /tmp/w.py""", timeout=60)
    m.run("umount /mnt")
    assert errors(m) == (0, 0) and device(m)["stats"]["reconnects"] == 0
    assert device(m)["stats"]["write_bytes"] > 8 << 20
