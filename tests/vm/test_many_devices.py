# SPDX-License-Identifier: GPL-2.0
"""Many devices of one client: those whose exporter does not answer take nothing from the others."""
import contextlib
import time

import pytest

from common import PROXY, Proxy, attach_to, dead_addresses, device, guest_python, mapped, show, wait_state

SILENT = 7714
DEVICES, CONNECTIONS = 17, 64   # more than the workers of one workqueue, of which the newest kernels allow 1024
READERS = 141                   # devices whose reads hang,
HUNG = 3                        # on so many disks: one client has at most 64 sessions of an export
BUDGET = "--timeout 2s --retries 3 --ping 2s"


@contextlib.contextmanager
def silent_exporter(m):
    """The kernel accepts for it, and it never reads. Its host."""
    job = guest_python(m, f"""
    import socket, time
    s = socket.create_server(("127.0.0.1", {SILENT}), backlog=4096)
    print("ready", flush=True)
    time.sleep(3600)
    """, start=True)
    until = time.monotonic() + 60
    while "ready" not in job.out:
        assert job.running and time.monotonic() < until, job.err
        time.sleep(0.05)
    yield "127.0.0.1"
    job.kill()


def healthy_device(m):
    disk = m.ramdisk(8)
    m.run(f"echo 4096 >/proc/sys/net/core/somaxconn; dst export data {disk} --allow any")
    attach_to(m, "dst://127.0.0.1/data --connections 1 --retries forever")
    return disk


def crowd(m):
    """Devices o1, o2, ... of an export "other" with more than a thousand connections. The disk."""
    disk = m.ramdisk(8)
    m.run(f"dst export other {disk} --allow any --read-only")
    m.run(f"for i in $(seq {DEVICES}); do dst attach dst://127.0.0.1/other --read-only --name o$i --connections {CONNECTIONS} "
          "--queue-depth 1 --max-io 4K --timeout 30s --retries forever >/dev/null || exit; "
          # A listener has room for 128 that are not accepted yet.
          f"until dst show o$i --json | tr -d ' \\n' | grep -q '\"live\":{CONNECTIONS}[,}}]'; do sleep 0.1; done; done", timeout=300)
    return disk


def comes_back(m, disk, within=5):
    """The device d, after its export was restarted."""
    m.run("dst unexport data --force")
    wait_state(m, "reconnecting")
    m.run(f"dst export data {disk} --allow any")
    began = time.monotonic()
    wait_state(m, "connected", timeout=40)
    took = time.monotonic() - began
    assert took < within, f"it took {took:.1f} s"
    assert device(m)["stats"]["errors"] == 0


@pytest.mark.limit(600)
@pytest.mark.parametrize("exporter", [silent_exporter, dead_addresses])
def test_absent_exporters_stop_no_other_device(machine, exporter):
    """More connections wait for an answer, or to be made, than a workqueue has workers; a device beside them reconnects at
    once."""
    m = machine
    disk = healthy_device(m)
    crowd(m)
    with exporter(m) as host:
        m.run(f"for i in $(seq {DEVICES}); do dst set o$i uri=dst://{host}:{SILENT}/other; done", timeout=60)
        time.sleep(2)
        comes_back(m, disk)
        assert sum(d["state"] == "reconnecting" for d in show(m)["devices"]) == DEVICES
        began = time.monotonic()
        m.run("dst detach o1 --force")
        assert time.monotonic() - began < 6


@pytest.mark.limit(600)
def test_many_connections_come_back_together(machine):
    """An exporter that starts again has more than a thousand of them within seconds: more than wait to be accepted, and than
    it admits unknown."""
    m = machine
    m.run("echo 4096 >/proc/sys/net/core/somaxconn")
    disk = crowd(m)
    m.run("dst unexport other --force", timeout=60)
    time.sleep(3)
    m.run(f"dst export other {disk} --allow any --read-only")
    began = time.monotonic()
    while True:
        live = sum(d["live"] for d in show(m)["devices"])
        took = time.monotonic() - began
        if live == DEVICES * CONNECTIONS:
            break
        assert took < 20, f"{live} of {DEVICES * CONNECTIONS} after {took:.0f} s"
        time.sleep(0.2)


@pytest.mark.limit(600)
def test_a_hung_disk_and_an_outage(machine):
    """Devices are cut off from a disk that hangs, and wait for it: their reads fail after their budget, all of them, and a
    device beside them is not held up."""
    m = machine
    disk = healthy_device(m)
    for n in range(HUNG):
        hung = mapped(m, f"x{n}", f"0 {8 << 11} linear {m.ramdisk(8)} 0")
        m.run(f"dst export other{n} {hung} --allow any --read-only")
    with Proxy(m) as proxy:
        m.run(f"for i in $(seq {READERS}); do dst attach dst://127.0.0.1:{PROXY}/other$((i % {HUNG})) --read-only --name o$i "
              f"--connections 1 --queue-depth 4 --max-io 4K {BUDGET} >/dev/null || exit; done", timeout=300)
        m.run(f"for n in $(seq 0 {HUNG - 1}); do dmsetup suspend --noflush --nolockfs x$n; done")
        readers = guest_python(m, f"""
        import json, mmap, os, threading, time
        failed = []
        def read(n, at):
            fd = os.open(f"/dev/dst-o{{n}}", os.O_RDONLY | os.O_DIRECT)
            try:
                os.preadv(fd, [mmap.mmap(-1, 4096)], at)
            except OSError:
                failed.append(time.monotonic())
        threads = [threading.Thread(target=read, args=(n + 1, at)) for n in range({READERS}) for at in (0, 4096)]
        [t.start() for t in threads]
        print("ready", flush=True)
        [t.join() for t in threads]
        print(json.dumps(len(failed)), flush=True)
        """, start=True)
        m.wait_for("[ $(cat /sys/block/dst-o*/inflight | awk '{s += $1} END {print s}') = " + f"{2 * READERS} ]", timeout=60)
        time.sleep(9)
        assert readers.running and len(readers.out.split()) == 1
        proxy.do("cut")
        began = time.monotonic()
        comes_back(m, disk)
        got = readers.wait(40, check=True)
        took = time.monotonic() - began
        m.run(f"for n in $(seq 0 {HUNG - 1}); do dmsetup resume x$n; done")
        assert got.out.split()[-1] == str(2 * READERS), got.out
        assert took < 20, f"the last read failed after {took:.1f} s"
