# SPDX-License-Identifier: GPL-2.0
"""A command that waits for another machine or for a disk holds up no other, and one that is called off leaves nothing."""
import time

import pytest

from common import attach_to, export, export_and_attach, guest_python, show

WAITER = 7713   # an exporter that says WAIT, for ever


def waiter(m):
    """Its job, once it listens."""
    job = guest_python(m, f"""
    from rawexporter import *
    serve_waiting({WAITER})
    """, start=True)
    says(job, "ready")
    return job


def says(job, word, timeout=60):
    """Until the program has printed that."""
    until = time.monotonic() + timeout
    while word not in job.out:
        assert job.running and time.monotonic() < until, job.err
        time.sleep(0.05)


def attach_that_waits(m, server, name="w"):
    job = m.start(f"exec dst attach dst://127.0.0.1:{WAITER}/x --name {name} --retries forever")
    says(server, "WAIT")
    assert job.running
    return job


def others_go_on(m):
    """Another module registers a family of generic netlink; dst and other families answer meanwhile."""
    m.run("rmmod tipc", check=False)
    m.run("[ ! -e /sys/module/tipc ]")
    loader = m.start("exec modprobe tipc")
    time.sleep(0.5)
    m.run("timeout 5 dst show --json >/dev/null", timeout=20)
    began = time.monotonic()
    m.run("timeout 7 dst detach d --force", timeout=20)
    took = time.monotonic() - began
    assert took < 6, f"detach --force took {took:.1f} s"
    loader.wait(10, check=True)


def test_attach_in_wait_holds_up_nobody(machine):
    """The exporter says WAIT for ever, and a module with a netlink family is loaded; then the attach is called off."""
    m = machine
    export_and_attach(m, m.ramdisk(8), attach="--connections 1")
    server = waiter(m)
    job = attach_that_waits(m, server)
    others_go_on(m)
    m.run("pkill -INT -x dst")
    job.wait(15)    # nothing else would end it
    assert show(m)["devices"] == []
    attach_to(m, "dst://127.0.0.1/data", name="w")
    server.kill()


@pytest.mark.points
def test_unexport_that_waits_for_its_disk_holds_up_nobody(machine):
    """The disk does not end its last flush."""
    m = machine
    export_and_attach(m, m.ramdisk(8), attach="--connections 1")
    m.run(f"dst export other {m.ramdisk(8)} --allow any")
    with m.point("STOP_BEFORE_FLUSH", hold=True) as point:
        job = m.start("exec dst unexport other")
        point.reached()
        others_go_on(m)
        assert job.running
        point.release()
        job.wait(10, check=True)
    assert [e["name"] for e in show(m)["exports"]] == ["data"]


@pytest.mark.points
def test_ctrl_c_after_the_grant_leaves_nothing(machine):
    """The exporter has granted the session and its lease; the attach is called off and gives both back."""
    m = machine
    m.run(f"dst export data {m.ramdisk(8)} --allow any")
    with m.point("ATTACH_CONNECTED", hold=True) as point:
        job = m.start("exec dst attach dst://127.0.0.1/data --name d")
        point.reached()
        assert len(export(m)["clients"]) == 1
        m.run("pkill -INT -x dst")
        time.sleep(0.3)
        point.release()
        job.wait(10)
    assert show(m)["devices"] == []
    m.wait_for("dst show data --json | tr -d ' \\n' | grep -q '\"clients\":\\[\\]'", timeout=5)


@pytest.mark.points
@pytest.mark.parametrize("end", ["pkill -INT -x dst", "dst detach d --force"])
def test_a_grant_that_crosses_the_end_leaves_nothing(machine, end):
    """The exporter grants the session at the moment in which the attach is called off: its lease is free all the same."""
    m = machine
    m.run(f"dst export data {m.ramdisk(8)} --allow any")
    with m.point("FENCE_BEFORE_GRANT", hold=True) as point:
        job = m.start("exec dst attach dst://127.0.0.1/data --name d")
        point.reached()
        ender = m.start(end)
        # A signal is sent when pkill has ended; the command is at the device soon after it has begun.
        if end.startswith("pkill"):
            ender.wait(10)
        else:
            m.wait_for("[ $(pgrep -c -x dst) = 2 ]", every=0.05)
        time.sleep(0.5)
        point.release()
        ender.wait(10)
        assert job.wait(10).status != 0
    assert show(m)["devices"] == []
    m.wait_for("dst show data --json | tr -d ' \\n' | grep -q '\"clients\":\\[\\]'", timeout=5)
    got = guest_python(m, """
        from rawclient import *
        import json
        print(json.dumps(Raw("data", client=b"o" * 16).welcome["status"]))
        """)
    assert got == "OK", "another client does not become the writer"
