# SPDX-License-Identifier: GPL-2.0
"""Somebody on the wire changes, repeats, drops, reorders or reflects bytes: found, counted, and nothing comes of it."""
import pytest

from common import (PROXY, Wiretap, attach_to, device, export, fails, make_keys, sealed, start_load, sums, verify)

HEADER, TAG, WRITE = 48, 16, 48 + 4096 + 16
# one connection, and no pings among the frames of the test
QUIET = "--connections 1 --ping 30s"


def counted(m):
    return device(m)["stats"]["auth_failures"] + export(m)["stats"]["auth_failures"]


def settled(m, disk, path):
    """The device has gone on, without an error, and both sides agree on every byte."""
    d = device(m)
    assert d["state"] == "connected" and d["stats"]["errors"] == 0, d
    assert d["stats"]["reconnects"] >= 1 and sums(m, disk) == sums(m, path)


def write(m, path, text, block=0, count=1):
    m.run(f"yes {text} | dd of={path} bs=4096 seek={block} count={count} iflag=fullblock oflag=direct conv=notrunc status=none",
          timeout=60)


# type, op, flags, slot, priority, length, bytes, seq, offset; the tag; the data; its tag
@pytest.mark.parametrize("at", [0, 1, 2, 4, 6, 8, 12, 16, 24, 32, 47, 48, 48 + 2000, 48 + 4095, 48 + 4096, WRITE - 1])
def test_one_bit_of_a_write(machine, at):
    m = machine
    disk = m.ramdisk(8)
    with Wiretap(m) as tap:
        path = sealed(m, disk, port=PROXY, attach=QUIET)
        write(m, path, "before")
        tap.do(f"flip up {at}")
        write(m, path, "after")
        assert tap.status()["changed"] == 1
        assert export(m)["stats"]["auth_failures"] == 1
        settled(m, disk, path)


@pytest.mark.parametrize("at", [0, 31, 32, 48, 48 + 4095, 48 + 4096])
def test_one_bit_of_an_answer(machine, at):
    m = machine
    disk = m.ramdisk(8)
    with Wiretap(m) as tap:
        path = sealed(m, disk, port=PROXY, attach=QUIET)
        write(m, path, "txt")
        tap.do(f"flip down {at}")
        assert m.run(f"dd if={path} bs=4096 count=1 iflag=direct status=none | sort -u").out == "txt\n"
        assert tap.status()["changed"] == 1 and device(m)["stats"]["auth_failures"] == 1
        settled(m, disk, path)


@pytest.mark.parametrize("size", ["256k", "1M"])
def test_one_bit_of_large_data(machine, size):
    """... which threads open."""
    m = machine
    disk = m.ramdisk(32)
    with Wiretap(m) as tap:
        path = sealed(m, disk, port=PROXY, attach=QUIET)
        m.run("head -c 8M /dev/urandom >/tmp/x")
        for direction in ("up", "down"):
            tap.do(f"flip {direction} 900000")
            command = f"if=/tmp/x of={path} oflag=direct" if direction == "up" else f"if={path} of=/tmp/y count=8M iflag=direct,count_bytes"
            m.run(f"dd bs={size} {command} status=none")
        m.run("cmp /tmp/x /tmp/y")
        assert tap.status()["changed"] == 2
        assert device(m)["stats"]["auth_failures"] == export(m)["stats"]["auth_failures"] == 1
        settled(m, disk, path)


@pytest.mark.parametrize("what", ["repeat", "drop", "reflect"])
@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_frame_is_not_what_comes_next(machine, what, direction):
    """A whole frame, repeated, left out or sent back: the one behind it has another nonce."""
    m = machine
    disk = m.ramdisk(8)
    with Wiretap(m) as tap:
        path = sealed(m, disk, port=PROXY, attach=QUIET + " --timeout 1s")
        write(m, path, "before")
        tap.do(f"{what} {direction} {WRITE if direction == 'up' else HEADER}")
        write(m, path, "after", count=2)
        assert tap.status()["changed"] == 1
        write(m, path, "last", block=4)
        # what was dropped last may only have been missed
        assert counted(m) >= 1
        settled(m, disk, path)


def test_two_frames_change_places(machine):
    m = machine
    disk = m.ramdisk(8)
    with Wiretap(m) as tap:
        path = sealed(m, disk, port=PROXY, attach=QUIET)
        tap.do(f"swap up {WRITE}")
        m.run(f"fio --name=w --filename={path} --rw=write --bs=4k --size=64k --direct=1 --ioengine=libaio --iodepth=4 "
              "--minimal >/dev/null", timeout=60)
        assert tap.status()["changed"] == 1 and counted(m) >= 1
        settled(m, disk, path)


@pytest.mark.parametrize("what, size", [("flip", 2000), ("repeat", 32 + 32 + 4096 + 32), ("drop", 32 + 32 + 4096 + 32)])
def test_a_checksum_with_a_key(machine, what, size):
    """In the clear, but neither changed nor repeated nor left out."""
    m = machine
    disk = m.ramdisk(8)
    key = make_keys(m, "a")
    with Wiretap(m) as tap:
        m.run(f"dst export data {disk} --allow key={key} --cipher none --checksum 'hmac(sha256)'")
        path = attach_to(m, f"dst://127.0.0.1:{PROXY}/data --key {key} --cipher none --checksum 'hmac(sha256)' {QUIET} --timeout 1s")
        write(m, path, "txt")
        tap.do(f"{what} up {size}")
        write(m, path, "abc", count=2)
        write(m, path, "xyz", block=4)
        assert tap.status()["changed"] == 1 and export(m)["stats"]["auth_failures"] == 1
        settled(m, disk, path)


# magic, version, mode, features, key_id, client's key, tag, padding, checksum | exporter's: version, mode, status, proof
@pytest.mark.parametrize("direction, at", [("up", 0), ("up", 8), ("up", 12), ("up", 24), ("up", 32), ("up", 48), ("up", 80), ("up", 100),
                                           ("up", 124), ("up", 128), ("up", 128 + 527), ("down", 8), ("down", 12), ("down", 13),
                                           ("down", 48), ("down", 80), ("down", 111), ("down", 128), ("down", 128 + 520)])
def test_one_bit_of_the_handshake(machine, direction, at):
    """The attempt fails; the next one, without anybody in the way, does not."""
    m = machine
    key = make_keys(m, "a")
    m.run(f"dst export data {m.ramdisk(8)} --allow key={key}")
    with Wiretap(m) as tap:
        tap.do(f"flip {direction} {at}")
        fails(m, f"dst attach dst://127.0.0.1:{PROXY}/data --name d --key {key}", "exporter 127.0.0.1")
        assert tap.status()["changed"] == 1
        # the exporter may have granted what the client then did not believe
        assert not any(c["connections"] for c in export(m)["clients"])
        assert attach_to(m, f"dst://127.0.0.1:{PROXY}/data --key {key}")


def test_nothing_of_it_can_be_read(machine):
    """What is written, names, and the key never appear on the wire; in the clear they do, so the search works."""
    m = machine
    pattern, name, client = b"PLAINTEXT-PATTERN-0123456789-abc", b"unmistakable-name", m.run("hostname").out.strip().encode()
    with Wiretap(m) as tap:
        for mode in ("sealed", "clear"):
            key = make_keys(m, "a")
            disk = m.ramdisk(16)
            allow, use = (f"key={key}", f"--key {key}") if mode == "sealed" else ("any", "")
            m.run(f"dst export {name.decode()} {disk} --allow {allow}")
            path = attach_to(m, f"dst://127.0.0.1:{PROXY}/{name.decode()} {use} --connections 2")
            for bs in ("4k", "1M"):
                m.run(f"yes {pattern[:-1].decode()} | dd of={path} bs={bs} count={'64' if bs == '4k' else '4'} iflag=fullblock "
                      f"oflag=direct status=none; dd if={path} of=/dev/null bs={bs} count=4 iflag=direct status=none", timeout=60)
            m.run(f"dst list dst://127.0.0.1:{PROXY} {use}; dst ping dst://127.0.0.1:{PROXY} -c 1 {use}")
            m.run("dst detach d; dst unexport " + name.decode())
            secret = m.run("base64 -d /tmp/a.key | od -An -v -tx1 | tr -d ' \\n'").out.strip()
            seen = [tap.found(x) for x in (pattern[:16], pattern[:31], name, client, b"aes-256-gcm", b"chacha20", bytes.fromhex(secret))]
            assert tap.status()["bytes"] > 8 << 20
            assert not any(seen) if mode == "sealed" else seen[0] > 1000 and seen[2] > 0, (mode, seen)


@pytest.mark.parametrize("cipher", ["aes-256-gcm", "chacha20-poly1305"])
def test_reconnections_under_load(machine, cipher):
    m = machine
    disk = m.ramdisk(64)
    with Wiretap(m) as tap:
        path = sealed(m, disk, port=PROXY, attach=f"--cipher {cipher}")
        load = start_load(m, path, runtime=8, bs="4k", jobs=2, options="--bsrange=4k-256k")
        for n in range(1, 6):
            m.run("sleep 0.5")
            tap.do("cut")
            m.wait_for(f"[ $(cat /sys/block/dst-d/dst/reconnects) -ge {n} ]")
        load.wait(150, check=True)
        d = device(m)
        assert d["stats"]["errors"] == d["stats"]["auth_failures"] == 0 and d["stats"]["reconnects"] >= 5
        settled(m, disk, path)


@pytest.mark.fresh
@pytest.mark.nomodule
@pytest.mark.parametrize("most", [2, 7, 64])
def test_keys_change_under_load(machine, most):
    """With a limit of a few seals instead of 2^22 hundreds of keys are used up, without a pause or an error."""
    m = machine
    m.load(f"rekey_seals={most}")
    disk = m.ramdisk(64)
    path = sealed(m, disk)
    for bs in ("4k", "64k"):
        m.run(verify(path, bs=bs, size="4M", jobs=2), timeout=150)
    m.run(verify(path, size="16M", jobs=1, options="--bsrange=4k-1M"), timeout=150)
    d = device(m)
    assert d["stats"]["errors"] == d["stats"]["auth_failures"] == d["stats"]["reconnects"] == 0
    assert export(m)["stats"]["auth_failures"] == 0 and sums(m, disk) == sums(m, path)


def test_pages_that_change_while_they_are_sealed(machine):
    """They are read once: a mapped file and a buffer of O_DIRECT that are written all the time cost nothing."""
    m = machine
    path = sealed(m, m.ramdisk(48))
    m.run(f"mkfs.ext4 -q {path} && mount {path} /mnt && head -c 4M /dev/zero >/mnt/f && sync")
    m.run("""cat >/tmp/w.py <<'END'
import mmap, os, threading, time
fd = os.open("/mnt/f", os.O_RDWR)
area = mmap.mmap(fd, 4 << 20)
own = mmap.mmap(-1, 1 << 20)
direct = os.open("/mnt/g", os.O_RDWR | os.O_CREAT | os.O_DIRECT)
until = time.monotonic() + 4
def scribble(area, size):
    n = 0
    while time.monotonic() < until:
        n += 1
        for at in range(n % 64 * 64, size, 4096):
            area[at] = n & 255
for x in ((area, 4 << 20), (own, 1 << 20)):
    threading.Thread(target=scribble, args=x).start()
while time.monotonic() < until:
    os.fsync(fd)
    os.pwrite(direct, own, 0)
END
python3 /tmp/w.py""", timeout=60)
    m.run(f"umount /mnt && e2fsck -fn {path}")
    d = device(m)
    assert counted(m) == 0 and d["stats"]["reconnects"] == d["stats"]["errors"] == 0
    assert d["stats"]["write_bytes"] > 8 << 20
