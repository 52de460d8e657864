# SPDX-License-Identifier: GPL-2.0
"""One port serves all exports and any number of clients at once; one that is half-open holds up nobody."""
import time

from common import device, export, guest_python, show, verify


def test_several_clients_on_one_port(machine):
    m = machine
    for n in range(3):
        m.run(f"dst export e{n} {m.ramdisk(16)} --allow any && dst attach dst://127.0.0.1/e{n} --name d{n} --connections 2")
    jobs = [m.start(verify(f"/dev/dst-d{n}", size="4M")) for n in range(3)]
    for job in jobs:
        job.wait(120, check=True)
    shown = show(m)
    assert [len(e["clients"]) for e in shown["exports"]] == [1, 1, 1]
    for e in shown["exports"]:
        assert e["clients"][0]["connections"] == 2 and e["clients"][0]["address"].startswith("127.0.0.1")
        assert e["clients"][0]["access"] in ("write", "rw", "read-write")


def test_a_half_open_peer_holds_up_nobody(machine):
    """It greets and stops, or attaches and stops in the middle of a write: others attach and work at once."""
    m = machine
    m.run(f"dst export data {m.ramdisk(16)} --allow any --shared")
    guest_python(m, """
        from rawclient import *
        import json, subprocess, time
        a = Raw("data", hello=False)
        a.greet()
        b = Raw("data", ping_ms=60000, timeout_ms=2500)
        header = frame(type=REQUEST, op=WRITE, length=65536, bytes=65536, seq=1)
        b.send(header + CRC.pack(crc32c(header)) + bytes(4096))
        began = time.monotonic()
        subprocess.run(["dst", "attach", "dst://127.0.0.1/data", "--name", "d"], check=True, stdout=subprocess.DEVNULL)
        assert time.monotonic() - began < 5
        subprocess.run("dd if=/dev/zero of=/dev/dst-d bs=64k count=16 oflag=direct status=none", shell=True, check=True)
        assert time.monotonic() - began < 8
        print(0)
        """)
    assert device(m)["state"] == "connected"


def test_half_open_peer_is_found(machine):
    """It attached and fell silent: its connection is closed after ping + timeout, its session is kept."""
    m = machine
    m.run(f"dst export data {m.ramdisk(8)} --allow any")
    silent = guest_python(m, """
        from rawclient import *
        c = Raw("data", client_name=b"silent", ping_ms=500, timeout_ms=1000)
        print("here", flush=True)
        time.sleep(60)
        """, start=True)
    while "here" not in silent.out:
        assert silent.running, silent.err
        time.sleep(0.05)
    until = time.monotonic() + 8
    while True:
        clients = export(m)["clients"]
        if not clients or clients[0]["connections"] == 0:
            break
        assert time.monotonic() < until, clients
        time.sleep(0.2)
    silent.kill()
