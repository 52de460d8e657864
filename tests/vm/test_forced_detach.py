# SPDX-License-Identifier: GPL-2.0
"""detach --force returns within 5 s in every state; what was under way fails, and everything can be taken down."""
import time

import pytest

from common import (PROXY, Proxy, attach_to, dead_addresses, device, export, export_and_attach, fails, show, start_load,
                    wait_state, writes_on)
from test_slow_commands import WAITER, says, waiter

BOUND = 5
SLACK = 2   # of the slow machine: starting `dst`


def force(m, name="d"):
    began = time.monotonic()
    m.run(f"dst detach {name} --force")
    took = time.monotonic() - began
    assert took < BOUND + SLACK, f"detach --force took {took:.1f} s"
    assert show(m)["devices"] == []


@pytest.mark.parametrize("state", ["working", "silent", "cut"])
def test_with_io_under_way(machine, state):
    """fio holds the device open with a full queue while the network works, is silent, or is gone."""
    m = machine
    with Proxy(m) as proxy:
        path = export_and_attach(m, m.ramdisk(32), port=PROXY, attach="--retries forever")
        job = m.start(f"fio --name=x --filename={path} --rw=randwrite --bs=16k --direct=1 --ioengine=libaio --iodepth=32 "
                      "--size=16M --time_based --runtime=60 --minimal")
        writes_on(m, path)
        if state == "silent":
            proxy.do("stall both")
        elif state == "cut":
            proxy.do("refuse", "cut")
            wait_state(m, "reconnecting")
        force(m)
        got = job.wait(20)
        assert got.status != 0, "fio saw no error"
    m.run("test ! -e /dev/dst-d")
    m.run("dst unexport data --force")
    m.unload()
    m.load()


def test_with_a_mounted_file_system(machine):
    """The file system gets errors, not a hang; umount works, then rmmod works."""
    m = machine
    with Proxy(m) as proxy:
        path = export_and_attach(m, m.ramdisk(32), port=PROXY, attach="--retries forever")
        m.run(f"mkfs.ext4 -q {path} && mount {path} /mnt && echo x >/mnt/x && sync")
        proxy.do("stall both")
        writer = m.start("echo y >/mnt/y; sync -f /mnt; echo done")
        time.sleep(0.5)
        fails(m, "dst detach d", "use|busy|open|mounted")
        force(m)
        writer.wait(15)
        m.run("echo z >/mnt/z && sync -f /mnt", check=False, timeout=15)
        m.run("umount /mnt", timeout=15)
    m.run("dst unexport data --force")
    m.unload()
    m.load()


def test_name_is_free_at_once(machine):
    """A descriptor still open on the dead device does not keep its name from the next one."""
    m = machine
    path = export_and_attach(m, m.ramdisk(8), attach="--connections 1")
    holder = m.start(f"exec 3<{path}; sleep 60")
    m.wait_for(f"ls -l /proc/[0-9]*/fd 2>/dev/null | grep -q {path}")
    force(m)
    attach_to(m, "dst://127.0.0.1/data")
    m.run(f"dd if={path} of=/dev/null bs=4k count=1 iflag=direct status=none")
    holder.kill()
    m.run("dst detach d")


def test_unexport_with_force_under_io(machine):
    """The disk is closed when it returns; the client waits, and goes on when the export is back."""
    m = machine
    disk = m.ramdisk(32)
    path = export_and_attach(m, disk)
    job = start_load(m, path, runtime=3, size="4M")
    for _ in range(3):
        time.sleep(0.5)
        m.run("dst unexport data --force")
        # nobody holds it any more
        m.run(f"python3 -c 'import os; os.open(\"{disk}\", os.O_RDWR | os.O_EXCL)'")
        assert device(m)["state"] in ("reconnecting", "suspended")
        m.run(f"dst export data {disk} --allow any")
        wait_state(m, "connected")
    job.wait(60, check=True)
    assert device(m)["stats"]["errors"] == 0


def test_orderly_detach_waits_for_nothing_and_loses_nothing(machine):
    """Dirty pages are written by the last close; detach finds a quiet device and its session ends at once."""
    m = machine
    disk = m.ramdisk(8)
    path = export_and_attach(m, disk)
    m.run(f"head -c 4M /dev/urandom >/tmp/x; dd if=/tmp/x of={path} bs=64k status=none; dst detach d")
    assert export(m)["clients"] == [], "the exporter waits for a client that has left"
    m.run(f"dst unexport data && cmp -n $((4 << 20)) /tmp/x {disk}")


@pytest.mark.parametrize("exporter", ["dead", "wait"])
def test_an_attach_that_waits(machine, exporter):
    """Eight addresses that swallow what is sent to them, or an exporter that says WAIT: the attach ends, and then the command."""
    m = machine
    if exporter == "dead":
        with dead_addresses(m, 8) as host:
            job = m.start(f"exec dst attach dst://{host}/data --name d --timeout 5s --retries forever")
            time.sleep(1)
            force(m)
            got = job.wait(5)
    else:
        server = waiter(m)
        job = m.start(f"exec dst attach dst://127.0.0.1:{WAITER}/data --name d --retries forever")
        says(server, "WAIT")
        force(m)
        got = job.wait(5)
        server.kill()
    assert got.status != 0 and "detached while it was being attached" in got.err, got
