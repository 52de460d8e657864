# SPDX-License-Identifier: GPL-2.0
"""Windows of nanoseconds on the exporter, held open: the fence, results and answers, the end of a peer, flushes, the lease."""
import errno
import json
import time

import pytest

from common import (PROXY, Proxy, Trace, attach_to, device, export, export_and_attach, fails, guest_python, read_block,
                    wait_state, write_block)

pytestmark = pytest.mark.points

LEASE = "/var/lib/dst/.lease-data"


def write_in_background(m, path, text):
    return m.start(f"printf %-4096s {text} | dd of={path} bs=4k iflag=fullblock oflag=direct conv=notrunc status=none")


@pytest.mark.parametrize("place", ["SUBMIT", "RESULT_BEFORE_ANSWER", "PEER_CLOSED"])
def test_fence_waits_for_a_copy_that_is_held(machine, place):
    """The first copy is received, executed or closed, and its peer held there: no resend is let in, nothing runs twice."""
    m = machine
    disk = m.ramdisk(8)
    with Proxy(m) as proxy:
        path = export_and_attach(m, disk, port=PROXY, attach="--connections 1")
        write_block(m, path, "old")
        point = m.point(place, hold=True)
        with Trace(m, disk) as trace:
            if place == "PEER_CLOSED":
                proxy.do("stall down")
            job = write_in_background(m, path, "new")
            if place == "PEER_CLOSED":
                m.wait_for(f"dd if={disk} bs=4k count=1 iflag=direct status=none | grep -q new")
            else:
                point.reached()
            proxy.do("cut", "go")
            point.reached()
            time.sleep(2.5)
            assert job.running and device(m)["state"] == "reconnecting"
            assert read_block(m, disk) == ("old" if place == "SUBMIT" else "new")
            point.release()
            job.wait(20, check=True)
        assert trace.count("W") == 1, trace.bios
    assert read_block(m, disk) == "new"
    assert export(m)["stats"]["replayed"] == device(m)["stats"]["resends"] == 1
    assert device(m)["stats"]["errors"] == 0


def test_renewal_beside_a_command_is_a_fence(machine):
    """A client says that all is answered, and its write is not: it is fenced as ever, and counted as cut off."""
    m = machine
    m.run(f"dst export data {m.ramdisk(8)} --allow any")
    with m.point("RESULT_BEFORE_ANSWER", hold=True) as point:
        job = guest_python(m, """
        from rawclient import *
        import json, os
        c = Raw("data")
        c.request(WRITE, 0, 4096, b"x" * 4096)
        while not os.path.exists("/tmp/go"):
            time.sleep(0.02)
        d = c.resume(flags=RESUME | RENEWAL)
        print(json.dumps([d.waits > 0, d.welcome["status"], d.write(0, b"y" * 4096, seq=1, flags=RESEND)]))
        """, start=True)
        point.reached()
        m.run("touch /tmp/go")
        m.wait_for("dst show data --json | tr -d ' ' | grep -q '\"fenced\":1,'")
        time.sleep(0.5)
        point.release()
        assert json.loads(job.wait(30, check=True).out) == [True, "OK", "OK"]
    assert export(m)["stats"]["replayed"] == 1


@pytest.mark.parametrize("kind", ["file", "disk"])
def test_completion_between_list_and_kick_may_outlive_its_peer(machine, kind):
    """The completion is in the peer's list, its peer is told nothing yet, and the client resets the connection: whoever
    buries the peer waits for who completes."""
    m = machine
    if kind == "file":
        m.run("truncate -s 8M /tmp/file")
    # a disk that completes in an interrupt
    disk = "/tmp/file" if kind == "file" else m.ramdisk(8, irqmode=2, completion_nsec=20000000)
    m.run(f"dst export data {disk} --allow any --shared")
    for _ in range(3):
        with m.point("DONE_BEFORE_KICK", wait_ms=700) as point:
            guest_python(m, """
                from rawclient import *
                import struct
                c = Raw("data")
                c.request(WRITE, 0, 4096, b"a" * 4096)
                time.sleep(0.2)
                c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                c.sock.close()
                print(0)
                """)
            m.wait_for("[ $(dst show data --json | grep -c '\"connections\": 1') = 0 ]")
            time.sleep(0.7)
            assert point.hits == 1
    m.run("dst unexport data")


def test_attach_waits_for_no_lease_that_is_not_kept(machine):
    """No room for the lease: nobody becomes the writer (P15), and the next attempt does."""
    m = machine
    disk = m.ramdisk(8)
    m.run(f"dst export data {disk} --allow any")
    with m.point("LEASE_SAVE", fail=errno.ENOSPC) as point:
        fails(m, "dst attach dst://127.0.0.1/data --name d", "cannot keep the lease")
        assert point.hits >= 1  # it is tried again
    assert not export(m)["clients"]
    path = attach_to(m, "dst://127.0.0.1/data")
    write_block(m, path, "written")
    status = guest_python(m, """
        from rawclient import *
        import json
        print(json.dumps(Raw("data").welcome["status"]))
        """)
    assert status == "IN_USE"


def test_eviction_that_cannot_be_kept_is_an_error(machine):
    """The client is out all the same, and what a restart would find is written as soon as there is room."""
    m = machine
    disk = m.ramdisk(8)
    path = export_and_attach(m, disk)
    write_block(m, path, "first")
    with m.point("LEASE_SAVE", fail=errno.ENOSPC, times=0):
        fails(m, f"dst set data evict={m.name}", "lease cannot be written", "error 28", "restart")
        assert "evict" in wait_state(m, "failed")["reason"]
        assert not export(m)["clients"]
        m.run(f"cp {LEASE} /tmp/kept")
    m.wait_for(f"! cmp -s {LEASE} /tmp/kept", 10)
    m.run(f"dst detach d && dst unexport data && dst export data {disk} --allow any")
    attach_to(m, "dst://127.0.0.1/data")
    with m.point("LEASE_SAVE", fail=errno.EIO, times=0):
        fails(m, "dst set data allow=any,ro", "lease cannot be written", "error 5")
        assert "any,ro" in m.run("dst show data").out
        m.run(f"cp {LEASE} /tmp/kept")
    m.wait_for(f"! cmp -s {LEASE} /tmp/kept", 10)


def test_unexport_tells_nothing_before_its_flush_has_ended(machine):
    """The flush of an orderly end is held: no client hears FLUSHED, nobody is let in, and show answers."""
    m = machine
    disk = m.ramdisk(8, cache_size=4)
    m.run(f"dst export data {disk} --allow any")
    with m.point("DISK_FLUSH", hold=True) as point:
        job = guest_python(m, """
            from rawclient import *
            import json
            c = Raw("data")
            assert c.write(0, b"a" * 4096) == "OK"
            print("written", flush=True)
            began, frames = time.monotonic(), []
            while True:
                got = c.receive(60)
                if got is None:
                    break
                frames.append([got[0]["type"] == CHANGE, got[0]["flags"], time.monotonic() - began])
                break
            print(json.dumps(frames))
            """, start=True)
        until = time.monotonic() + 20
        while "written" not in job.out:
            assert job.running and time.monotonic() < until, job.err
            time.sleep(0.05)
        unexport = m.start("dst unexport data --force")
        point.reached()
        fails(m, "dst attach dst://127.0.0.1/data --name other", "being stopped")
        assert len(export(m)["clients"]) == 1
        time.sleep(1)
        assert job.running and unexport.running
        point.release()
        unexport.wait(15, check=True)
    said = job.wait(15, check=True).out.splitlines()[-1]
    assert said.startswith("[[true, ") and said.count("[") == 2, said


def test_flush_of_the_end_covers_every_write_that_is_acked(machine):
    """A write is received and held before the disk when unexport comes: it is in the disk before the flush (P5)."""
    m = machine
    disk = m.ramdisk(8, cache_size=4)
    m.run(f"dst export data {disk} --allow any")
    with Trace(m, disk) as trace, m.point("SUBMIT", hold=True) as point, m.point("DISK_FLUSHED") as flushed:
        job = guest_python(m, """
            from rawclient import *
            import json
            c = Raw("data")
            c.request(WRITE, 0, 4096, b"a" * 4096)
            said = []
            while True:
                got = c.receive(20)
                if got is None:
                    break
                said.append("acked" if got[0]["type"] == RESPONSE else "flushed" if got[0]["type"] == CHANGE else "?")
            print(json.dumps(said))
            """, start=True)
        point.reached()
        unexport = m.start("dst unexport data --force")
        time.sleep(1)
        assert unexport.running and not flushed.hits
        point.release()
        said = json.loads(job.wait(20, check=True).out.splitlines()[-1])
        unexport.wait(20, check=True)
    assert said == ["acked", "flushed"]
    assert [rwbs[0] for rwbs, _, _ in trace.bios] == ["W", "F"], trace.bios


def test_flush_that_fails_at_the_end_is_a_loss(machine):
    """No client is told that acked writes are durable: unexport says so, and so does the next flush (P5)."""
    m = machine
    disk = m.ramdisk(8, cache_size=4)
    path = export_and_attach(m, disk)
    write_block(m, path, "unflushed")
    with m.point("DISK_FLUSH", fail=errno.EIO):
        fails(m, "dst unexport data --force", "could not be flushed")
    m.run(f"dst export data {disk} --allow any")
    wait_state(m, "connected")
    sync = f"python3 -c 'import os; os.fsync(os.open(\"{path}\", os.O_RDWR))'"
    got = m.run(sync, check=False)
    assert got.status and "Input/output error" in got.err, got
    m.wait_for(f"dd if=/dev/zero of={path} bs=4k count=1 oflag=direct status=none")


def test_eviction_between_joining_and_the_grant(machine):
    """A peer has its session queue and is held before the fence: it is evicted there and never granted."""
    m = machine
    m.run(f"dst export data {m.ramdisk(8)} --allow any")
    with m.point("PEER_JOINED", hold=True) as point:
        job = m.start("dst attach dst://127.0.0.1/data --name d")
        point.reached()
        m.run(f"dst set data evict={m.name}")
        point.release()
        got = job.wait(15)
    assert got.status == 1 and "in the handshake" in got.err, got
    assert not export(m)["clients"]
    attach_to(m, "dst://127.0.0.1/data")
