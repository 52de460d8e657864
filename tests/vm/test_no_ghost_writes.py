# SPDX-License-Identifier: GPL-2.0
"""A copy of a write that an older connection carried cannot reach the disk once a newer one was answered."""
import json
import time

from common import PROXY, Proxy, device, export, export_and_attach, guest_python, mapped, read_block, sums, write_block


def test_write_held_in_the_network(machine):
    """The first copy waits in the network, its resend is acked, newer data is written, then the first is let go."""
    m = machine
    disk = m.ramdisk(8)
    with Proxy(m) as proxy:
        path = export_and_attach(m, disk, port=PROXY, attach="--connections 1")
        proxy.do("hold")
        old = m.start(f"printf %-4096s old | dd of={path} bs=4k iflag=fullblock oflag=direct conv=notrunc status=none")
        while not proxy.status()["held"]:
            assert old.running, old.err
        proxy.do("cut")
        old.wait(30, check=True)
        write_block(m, path, "new")
        released = json.loads(proxy.do("release"))
        assert released["held"] == 1, released
        time.sleep(1)
        assert read_block(m, path) == "new" and read_block(m, disk) == "new"
        assert export(m)["stats"]["fenced"] >= 1 and device(m)["stats"]["resends"] >= 1


def test_write_held_by_a_slow_disk(machine):
    """The exporter's disk keeps the first copy for 4 s; the reconnection waits for it, told so by WAIT."""
    m = machine
    ram = m.ramdisk(8)
    slow = mapped(m, "slow", f"0 {8 << 11} delay {ram} 0 0 {ram} 0 4000")
    m.run(f"dst export data {slow} --allow any")
    got = guest_python(m, """
        from rawclient import *
        import json
        a = Raw("data")
        a.request(WRITE, 0, 4096, b"a" * 4096)
        time.sleep(0.5)
        began = time.monotonic()
        b = a.resume()
        waited = time.monotonic() - began
        data = b.call(READ, 0, 4096, slot=1)[1]
        again = b.write(0, b"x" * 4096, seq=1, flags=RESEND)
        print(json.dumps([b.welcome["status"], waited, b.waits, data == b"a" * 4096, again]))
        """)
    status, waited, waits, there, again = got
    assert status == "OK" and 2.5 < waited < 6 and 2 <= waits <= 6, got
    # what was submitted was executed and is remembered; the x of the "resend" went nowhere
    assert there and again == "OK"
    assert m.run(f"dd if={ram} bs=4k count=1 iflag=direct status=none | tr -d a | wc -c").out.strip() == "0"


def test_cuts_over_a_slow_disk(machine):
    """The kernel's client, a disk that takes 300 ms for each write, and a cut every second: data is right, no error."""
    m = machine
    ram = m.ramdisk(8)
    slow = mapped(m, "slow", f"0 {8 << 11} delay {ram} 0 0 {ram} 0 300")
    with Proxy(m) as proxy:
        path = export_and_attach(m, slow, port=PROXY, attach="--connections 2")
        # each block is written over and over, a higher number each time: only an order that is kept ends with the last
        job = guest_python(m, f"""
            import mmap, os
            buffer = mmap.mmap(-1, 4096)
            fd = os.open("{path}", os.O_RDWR | os.O_DIRECT)
            for n in range(14):
                buffer[:4096] = bytes([n]) * 4096
                os.pwritev(fd, [buffer], 0)
                os.preadv(fd, [buffer], 0)
                assert buffer[:4096] == bytes([n]) * 4096, n
            print(0)
            """, start=True)
        while job.running:
            time.sleep(0.9)
            proxy.do("cut")
        job.wait(1, check=True)
        assert proxy.status()["resent"] >= 2
        assert device(m)["stats"]["errors"] == 0
        assert m.run(f"dd if={ram} bs=4k count=1 iflag=direct status=none | tr -d '\\015' | wc -c").out.strip() == "0"
        assert sums(m, ram) == sums(m, path)
