# SPDX-License-Identifier: GPL-2.0
"""An export that is still being made, because its file or its lease file makes it wait, is nobody else's to end."""
import pytest

from common import attach_to, export, fails, guest_python, show

# Opening the file waits until the holder of a lease on it gives it back.
HOLD = """
    import fcntl, os, signal, time
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    f = os.open("{path}", os.O_RDWR | os.O_CREAT)
    fcntl.fcntl(f, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    print("held", flush=True)
    while not os.path.exists("/tmp/go"):
        time.sleep(0.05)
    fcntl.fcntl(f, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    """
EXPORT = """
    from genl import *
    import json
    got = Netlink().call(CMD.EXPORT_ADD, {{**export("/tmp/disk.img"), A.LEASE_FILE: text(A.LEASE_FILE, "/tmp/lease")}})
    print(json.dumps([got.error, got.text]))
    """


def begin(m, held):
    # A lease file that was just made says so: an empty one is refused as damaged.
    m.run("truncate -s 8M /tmp/disk.img; printf DSTfresh >/tmp/lease")
    holder = guest_python(m, HOLD.format(path=held), start=True)
    m.wait_for("grep -q 'LEASE *ACTIVE' /proc/locks")
    job = guest_python(m, EXPORT.format(), start=True)
    m.wait_for("grep -q 'LEASE *BREAKING' /proc/locks")
    return holder, job


@pytest.mark.parametrize("held", ["/tmp/disk.img", "/tmp/lease"])
def test_it_cannot_be_ended_meanwhile(machine, held):
    m = machine
    holder, job = begin(m, held)
    assert export(m)["path"] == "/tmp/disk.img"
    fails(m, "dst unexport data", "data", "being made")
    fails(m, "dst unexport data --force", "data", "being made")
    assert job.running
    m.run("touch /tmp/go")
    holder.wait(20, check=True)
    assert job.wait(20, check=True).out.strip() == '["OK", ""]'
    attach_to(m, "dst://127.0.0.1/data")
    m.run("dst detach d && dst unexport data")
    assert show(m) == {"exports": [], "devices": []}


def test_the_machine_goes_down_meanwhile(machine):
    m = machine
    begin(m, "/tmp/disk.img")
    m.shutdown()
    m.check_log()
