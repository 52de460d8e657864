# SPDX-License-Identifier: GPL-2.0
"""Windows of nanoseconds on the client, held open: attach beside detach, show beside detach, requests beside a lost connection."""
import time

import pytest

from common import PROXY, Proxy, Trace, attach_to, device, export_and_attach, fails, read_block, show, wait_state
from test_networks import attach_to_from, gone, serve, wired    # noqa: F401

pytestmark = pytest.mark.points


def test_attach_called_off_in_its_middle(machine):
    """`detach --force` while the connection is granted and there is no disk yet: attach fails and leaves nothing."""
    m = machine
    m.run(f"dst export data {m.ramdisk(8)} --allow any")
    with m.point("ATTACH_CONNECTED", hold=True) as point:
        job = m.start("dst attach dst://127.0.0.1/data --name d")
        point.reached()
        fails(m, "dst detach d --force", "being attached")
        fails(m, "dst attach dst://127.0.0.1/data --name d", "exists")
        point.release()
        got = job.wait(15)
    assert got.status == 1 and "detached while it was being attached" in got.err, got
    assert show(m)["devices"] == []
    # nor does the exporter keep its session, which has said BYE
    m.wait_for("dst show data --json | tr -d ' \\n' | grep -q '\"clients\":\\[\\]'", timeout=5)
    m.run("test ! -e /dev/dst-d")
    attach_to(m, "dst://127.0.0.1/data")


def test_detach_before_attach_has_returned(machine):
    """The disk is there, its attach has not told anybody: a detach runs to its end, and attach touches nothing of it."""
    m = machine
    m.run(f"dst export data {m.ramdisk(8)} --allow any")
    with m.point("ATTACH_ADDED", hold=True) as point:
        job = m.start("dst attach dst://127.0.0.1/data --name d")
        point.reached()
        m.run("dst detach d --force")
        assert show(m)["devices"] == []
        time.sleep(1)
        point.release()
        job.wait(15)
    m.run("test ! -e /dev/dst-d; dst unexport data")
    m.unload()
    m.load()


def test_show_of_a_device_that_is_detached_meanwhile(machine):
    """A reader has found the device; when it reads, the disk is gone."""
    m = machine
    export_and_attach(m, m.ramdisk(8))
    with m.point("SHOW_PICKED", hold=True) as point:
        reader = m.start("dst show d --json")
        point.reached()
        m.run("dst detach d")
        point.release()
        reader.wait(15)
    assert show(m)["devices"] == []


def test_moved_while_it_is_detached(machine):
    """`dst set uri=` has seen a device that stays: what it starts then is started before detach cancels all works."""
    m = machine
    export_and_attach(m, m.ramdisk(8), attach="--connections 1")
    with m.point("LINK_ARM", hold=True) as point:
        mover = m.start("dst set d uri=dst://127.0.0.1/data")
        point.reached()
        detach = m.start("dst detach d --force")
        time.sleep(1)
        point.release()
        mover.wait(15)
        detach.wait(15, check=True)
    m.run("dst unexport data")
    m.unload()
    m.load()


def test_name_is_taken_until_the_device_has_ended(machine):
    """Between the end of its works and its name: no second device of that name, a second detach is refused."""
    m = machine
    export_and_attach(m, m.ramdisk(8))
    with m.point("DETACH_STOPPED", hold=True) as point:
        first = m.start("dst detach d")
        point.reached()
        fails(m, "dst attach dst://127.0.0.1/data --name d", "exists")
        fails(m, "dst detach d --force", "attached or detached")
        m.run("dst show --json >/tmp/o")
        point.release()
        first.wait(15, check=True)
    attach_to(m, "dst://127.0.0.1/data")


@pytest.mark.parametrize("place", ["REQUEST_IN_SLOT", "MESSAGE_SENT"])
def test_request_that_is_half_submitted_when_the_connection_breaks(machine, place):
    """It is in its slot, but in no list; or it is answered before its sender knows that it is sent. It is executed once."""
    m = machine
    disk = m.ramdisk(8)
    with Proxy(m) as proxy:
        path = export_and_attach(m, disk, port=PROXY, attach="--connections 1")
        with Trace(m, disk) as trace:
            with m.point(place, hold=True) as point:
                job = m.start(f"printf %-4096s new | dd of={path} bs=4k iflag=fullblock oflag=direct conv=notrunc status=none")
                point.reached()
                if place == "MESSAGE_SENT":
                    m.wait_for(f"dd if={disk} bs=4k count=1 iflag=direct status=none | grep -q new")
                proxy.do("cut")
                if place == "REQUEST_IN_SLOT":
                    time.sleep(0.5)
                    wait_state(m, "connected")
                time.sleep(1)
                assert job.running
                point.release()
                job.wait(20, check=True)
        assert trace.count("W") == 1, trace.bios
    assert read_block(m, disk) == "new"
    assert device(m)["stats"]["errors"] == 0
    if place == "REQUEST_IN_SLOT":
        assert device(m)["stats"]["resends"] == 0


@pytest.mark.limit(120)
def test_namespace_deleted_while_a_connection_is_made(wired):
    """The new socket is not the queue's yet: the namespace stays until it is, and the device ends with it."""
    m = wired("1")
    serve(m, m.ramdisk(8))
    attach_to_from(m, "near", "dst://10.9.1.1/data --connections 1")
    with m.point("LINK_CONNECTED", hold=True) as point:
        m.run("ip netns exec near dst set d uri=dst://10.9.1.1/data")
        point.reached()
        m.run("ip netns del near")
        time.sleep(1)
        assert device(m)["state"] == "reconnecting"
        point.release()
    d = wait_state(m, "failed")
    assert "namespace" in d["reason"], d
    m.run("dst detach d --force")


@pytest.mark.limit(120)
def test_commands_while_a_namespace_is_deleted(wired):
    """Its devices have left, its exports not yet: show and unexport work, and the deletion waits for nobody."""
    m = wired("1")
    serve(m, m.ramdisk(8))
    with m.point("NETNS_LEAVE", hold=True) as point:
        m.run("ip netns del far")
        point.reached()
        assert [e["name"] for e in show(m)["exports"]] == ["data"]
        m.run("dst unexport data --force", timeout=15)
        point.release()
    gone(m, "exports")
