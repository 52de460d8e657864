# SPDX-License-Identifier: GPL-2.0
"""Memory that its owner changes while a request is under way, or that stands twice in one request, costs no connection."""
import pytest

from common import PROXY, Proxy, device, export, export_and_attach, guest_python, sealed, sums

# A thread changes the buffer of a write all the time: what lands is any mixture.
REWRITE = """
    import ctypes, json, mmap, os, threading
    size, count = 1 << 20, {count}
    buffer = mmap.mmap(-1, size)
    address = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
    fd = os.open("{path}", os.O_RDWR | os.O_DIRECT)
    stop = False
    def rewrite():
        n = 0
        while not stop:
            n += 1
            ctypes.memset(address, n & 255, size)
    thread = threading.Thread(target=rewrite)
    thread.start()
    written = 0
    try:
        for n in range(count):
            written += os.pwrite(fd, buffer, n % 4 * size)
    finally:
        stop = True
        thread.join()
    print(json.dumps(written))
    """

# The same page twice in one read, as a guest of a virtual machine reads what it throws away.
TWICE = """
    import json, mmap, os
    page = memoryview(mmap.mmap(-1, 4096))
    fd = os.open("{path}", os.O_RDWR | os.O_DIRECT)
    print(json.dumps([os.preadv(fd, [page, page], n * 8192) for n in range({count})]))
    """


def quiet(m):
    """No reconnect, no error: what the owner does with its memory is its own affair."""
    d = device(m)
    assert d["state"] == "connected" and d["stats"]["errors"] == d["stats"]["reconnects"] == 0, d
    return d["stats"]


@pytest.mark.parametrize("checksum", ["crc32c", "sha256"])
def test_a_buffer_that_is_rewritten(machine, checksum):
    """Each write completes; the second copy, which nobody can change, is what the digest is of."""
    m = machine
    disk = m.ramdisk(8)
    path = export_and_attach(m, disk, options=f"--checksum {checksum}", attach=f"--checksum {checksum} --connections 1")
    assert guest_python(m, REWRITE.format(path=path, count=20), timeout=100) == 20 << 20
    stats = quiet(m)
    assert stats["copied_writes"] > 0, "the race was never lost: nothing was shown"
    assert stats["copied_writes"] == export(m)["stats"]["checksum_errors"] == stats["resends"]
    assert stats["writes"] >= 20 and "copied_writes" in m.run("dst show --why d").out
    assert sums(m, disk) == sums(m, path)


@pytest.mark.parametrize("options", ["--cipher none --checksum 'hmac(sha256)'", "--cipher aes-256-gcm",
                                     "--cipher chacha20-poly1305"])
def test_a_buffer_that_is_rewritten_with_a_key(machine, options):
    """What is digested or encrypted is what is sent; a difference would be a forgery."""
    m = machine
    disk = m.ramdisk(8, block_size=512)
    path = sealed(m, disk, options, f"{options} --connections 1")
    assert guest_python(m, REWRITE.format(path=path, count=6), timeout=100) == 6 << 20
    m.run(f"fio --name=w --filename={path} --rw=randwrite --bssplit=512/30:4k/30:64k/20:256k/20 --direct=1 "
          "--ioengine=libaio --iodepth=32 --size=4M --verify=crc32c --minimal", timeout=100)
    stats = quiet(m)
    assert stats["auth_failures"] == export(m)["stats"]["auth_failures"] == 0
    assert stats["copied_writes"] == 0 and stats["resends"] == 0
    assert len(set(sums(m, disk, path))) == 1


def test_one_page_twice_in_a_read(machine):
    m = machine
    path = export_and_attach(m, m.ramdisk(8), attach="--connections 1")
    m.run(f"head -c 8M /dev/urandom >{path}; sync {path}; echo 3 >/proc/sys/vm/drop_caches")
    assert guest_python(m, TWICE.format(path=path, count=20)) == [8192] * 20
    stats = quiet(m)
    assert stats["checksum_errors"] == stats["resends"] == 0


@pytest.mark.parametrize("options", ["", "--cipher chacha20-poly1305", "--cipher none --checksum 'hmac(sha256)'"])
def test_one_page_twice_with_a_key(machine, options):
    """Also in reads large enough for a thread; a failure would be a forgery."""
    m = machine
    path = sealed(m, m.ramdisk(8), options, f"{options} --connections 1")
    m.run(f"head -c 8M /dev/urandom >{path}; sync {path}; echo 3 >/proc/sys/vm/drop_caches")
    assert guest_python(m, TWICE.format(path=path, count=20)) == [8192] * 20
    assert guest_python(m, TWICE.format(path=path, count=4).replace("4096", "65536").replace("8192", "131072")) == [131072] * 4
    m.run(f"fio --name=r --filename={path} --rw=read --bs=256k --direct=1 --ioengine=libaio --iodepth=8 --size=8M --minimal")
    assert quiet(m)["auth_failures"] == 0
    assert len(set(sums(m, path, export(m)["path"]))) == 1


@pytest.mark.parametrize("checksum", ["crc32c", "sha256"])
def test_one_page_twice_by_messages(machine, checksum):
    """A transport that is read by recvmsg: the data goes through memory of the connection's own."""
    m = machine
    m.run(f"dst export data {m.ramdisk(8)} --allow any --checksum {checksum} --listen 'dst+unix:///?socket=/tmp/s'")
    path = m.run(f"dst attach 'dst+unix:///data?socket=/tmp/s' --name d --checksum {checksum} --connections 1").out.strip()
    m.run(f"head -c 8M /dev/urandom >{path}; sync {path}; echo 3 >/proc/sys/vm/drop_caches")
    assert guest_python(m, TWICE.format(path=path, count=20)) == [8192] * 20
    stats = quiet(m)
    assert stats["checksum_errors"] == stats["resends"] == 0


def test_damaged_once_and_twice(machine):
    """A bit that flips in the copy, too: then it is the network, and the connection ends; the write completes."""
    m = machine
    disk = m.ramdisk(8)
    with Proxy(m) as proxy:
        path = export_and_attach(m, disk, port=PROXY, attach="--connections 1")
        m.run("head -c 256k /dev/urandom >/tmp/x")
        proxy.do("corrupt up data 2")
        m.run(f"dd if=/tmp/x of={path} bs=256k oflag=direct conv=notrunc status=none")
        d = device(m)
        assert d["stats"]["reconnects"] == 1 and d["stats"]["copied_writes"] == 1 and d["stats"]["errors"] == 0, d
        assert export(m)["stats"]["checksum_errors"] == 2
        m.run(f"cmp -n $((256 << 10)) /tmp/x {disk}")
        proxy.do("corrupt down data 2")
        m.run(f"dd if={path} bs=256k count=1 iflag=direct status=none | cmp - /tmp/x")
        d = device(m)
        assert d["stats"]["reconnects"] == 2 and d["stats"]["checksum_errors"] == 2 and d["stats"]["errors"] == 0, d


def test_damaged_is_an_answer(machine):
    """STATE says it, the connection lives, nothing was done; the same number again is executed, once."""
    m = machine
    disk = m.ramdisk(8)
    m.run(f"dst export data {disk} --allow any")
    got = guest_python(m, """
        from rawclient import *
        import json
        c = Raw("data")
        x, y = b"x" * 4096, b"y" * 4096
        assert c.write(0, x) == "OK"
        c.request(WRITE, 0, 4096, y, spoil_data=True)
        f = c.receive()[0]
        said = [f["type"], f["slot"], f["status"], f["seq"], f["flags"]]
        before = c.call(READ, 0, 4096, slot=1)[1] == x
        c.send_frame(frame(type=ASK, slot=0, seq=2))
        asked = c.receive()[0]["status"]
        again = c.write(0, y, seq=2, flags=RESEND)
        once = c.write(0, x, seq=2, flags=RESEND)
        after = c.call(READ, 0, 4096, slot=1)[1] == y
        print(json.dumps([said, before, asked, again, once, after]))
        """)
    assert got == [[7, 0, 3, 2, 0], True, 0, "OK", "OK", True]
    stats = export(m)["stats"]
    assert stats["checksum_errors"] == 1 and stats["replayed"] == 1 and stats["errors"] == 0
