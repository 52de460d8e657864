# SPDX-License-Identifier: GPL-2.0
"""One export over every transport: found, measured, attached, verified, through restarts of the exporter, detached.

Both ends are in one machine: what is shown is that each kind of socket carries the session, not that its network does.
"""
import json
import re

import pytest

from common import attach_to, device, export, fails, read_block, sums, wait_state, write_block, writes_on
from gate import brief
from torture import Rounds, form

pytestmark = pytest.mark.limit(600)
SOCKET = "/tmp/dst.sock"
# Where the exporter listens, where the client connects.
TRANSPORTS = {
    "tcp": ("dst://0.0.0.0", "dst://127.0.0.1/data"),
    "tcp6": ("dst://[::1]", "dst://[::1]/data"),
    "mptcp": ("dst+mptcp://0.0.0.0:7711", "dst+mptcp://127.0.0.1:7711/data"),
    "sctp": ("dst+sctp://0.0.0.0:7712", "dst+sctp://127.0.0.1:7712/data"),
    "unix": (f"dst+unix:///?socket={SOCKET}", f"dst+unix:///data?socket={SOCKET}"),
    "vsock": ("dst+vsock://any:7713", "dst+vsock://local:7713/data"),
    "smc": ("dst+smc://0.0.0.0:7714", "dst+smc://127.0.0.1:7714/data"),
    "smc6": ("dst+smc://[::]:7715", "dst+smc://[::1]:7715/data"),
    "tipc": ("dst+tipc://7710:1", "dst+tipc://7710:1/data"),
}
NOT_ON_UML = {"smc", "smc6"}
each_transport = pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.stock) if n in NOT_ON_UML else n for n in TRANSPORTS])
PATIENT = "--ping 300ms --timeout 2s --retries 30"


def serve(m, disk, names, options=""):
    m.run("ip link set lo up")
    listen = " ".join(f"--listen '{TRANSPORTS[n][0]}'" for n in names)
    m.run(f"dst export data {disk} --allow any {listen} {options}")


def restart(m, disk, names):
    m.run("dst unexport data --force")
    serve(m, disk, names)


@each_transport
def test_whole_path(machine, name):
    m, uri = machine, TRANSPORTS[name][1]
    disk = m.ramdisk(16)
    serve(m, disk, [name])
    host = uri.replace("/data", "/") if name != "unix" else f"dst+unix:///?socket={SOCKET}"
    assert [e["name"] for e in json.loads(m.run(f"dst list '{host}' --json").out)["exports"]] == ["data"]
    said = m.run(f"dst ping '{uri}' -c 3").out
    assert re.search(r"min/(median|avg)", said), said
    path = attach_to(m, f"'{uri}' {PATIENT}")
    # from the smallest to the largest request there is
    want = m.run(f"python3 /dst/tests/vm/tools/scatter.py write {path} 1 60 both 4096", timeout=120).out.strip()
    assert sums(m, path) == [want] and sums(m, disk) == [want]
    m.run(f"dd if=/dev/urandom of={path} bs=4M count=4 oflag=direct status=none && sync {path}", timeout=120)
    assert len(set(sums(m, path, disk))) == 1
    load = Rounds(m, path, jobs=2, blocks="4k/60:64k/20:256k/20", size=form("512k", "1M"))
    restarts = brief(1, form(3, 12))
    for n in range(restarts):
        load.wait(1)
        restart(m, disk, [name])
    load.wait(1)
    load.finish()
    d = device(m)
    assert d["stats"]["errors"] == 0 and d["stats"]["reconnects"] >= restarts, d["stats"]
    (client,) = export(m)["clients"]
    assert client["address"] and "family" not in client["address"], client
    m.run("dst detach d")
    assert export(m)["clients"] == []
    m.run("dst unexport data")
    fails(m, f"dst attach '{uri}' --name d")


@each_transport
def test_woken_not_found_by_the_tick(machine, name):
    """Each end hears at once of what has arrived: the tick, twice a second here, would need half a minute for so many."""
    m = machine
    serve(m, m.ramdisk(4), [name])
    path = attach_to(m, f"'{TRANSPORTS[name][1]}' --ping 10s --timeout 30s")
    m.run(f"dd if={path} of=/dev/null bs=4k count=30 iflag=direct status=none; dd if=/dev/zero of={path} bs=4k count=30 oflag=direct status=none",
          timeout=20)


def test_all_at_once_and_moved_under_load(machine):
    """One export, reached by all of them; a device goes from one to the next, and no I/O fails."""
    m = machine
    disk = m.ramdisk(16)
    names = [n for n in TRANSPORTS if n != "smc6" and not (m.kernel.is_uml and n in NOT_ON_UML)]
    serve(m, disk, names)
    assert len(export(m)["listen"]) == len(names)
    path = attach_to(m, f"'{TRANSPORTS['tcp'][1]}' {PATIENT}")
    load = Rounds(m, path, jobs=2)
    for name in [*names, "tcp"]:
        m.run(f"dst set d 'uri={TRANSPORTS[name][1]}'")
        wait_state(m, "connected")
        writes_on(m, path, 20)
        (client,) = export(m)["clients"]
        assert device(m)["uri"] == TRANSPORTS[name][1], device(m)
    load.finish()
    assert device(m)["stats"]["errors"] == 0


def test_unix_socket_is_taken_away(machine):
    """Its file goes with the export; one that was left behind by a crash is no obstacle, a file of somebody else is."""
    m = machine
    disk = m.ramdisk(4)
    serve(m, disk, ["unix"])
    m.run(f"[ -S {SOCKET} ]")
    m.run("dst unexport data")
    m.run(f"[ ! -e {SOCKET} ]")
    m.run(f"python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"{SOCKET}\")'; [ -S {SOCKET} ]")
    serve(m, disk, ["unix"])
    attach_to(m, f"'{TRANSPORTS['unix'][1]}'")
    write_block(m, "/dev/dst-d", "through")
    assert read_block(m, disk) == "through"
    m.run(f"dst detach d; dst unexport data; echo precious >{SOCKET}")
    fails(m, f"dst export data {disk} --allow any --listen '{TRANSPORTS['unix'][0]}'", SOCKET)
    assert m.run(f"cat {SOCKET}").out == "precious\n"


@pytest.mark.parametrize("uri, words", [
    ("dst+sctp://127.0.0.1:9/data", ["refused|no answer"]),
    ("dst+mptcp://127.0.0.1:9/data", ["refused"]),
    ("dst+unix:///data?socket=/tmp/nobody", ["no such socket|no such file|refused"]),
    ("dst+vsock://local:9/data", ["refused|reset|no answer"]),
    ("dst+tipc://7710:9/data", ["no route|refused|no answer"]),
    pytest.param("dst+smc://127.0.0.1:9/data", ["refused"], marks=pytest.mark.stock),
    ("dst://192.0.2.1/data", ["no route|no answer"]),
])
def test_nobody_there(machine, uri, words):
    machine.run("ip link set lo up")
    fails(machine, f"dst attach '{uri}' --name d --timeout 1s", *words, timeout=60)
    assert machine.run("dst show --json").out.count('"name"') == 0


def test_transport_the_kernel_has_not(machine):
    """The administrator forbade it: one clear line on both sides. And a scheme that there is not."""
    m = machine
    m.run("mkdir -p /run/modprobe.d; echo 'install tipc /bin/false' >/run/modprobe.d/no-tipc.conf; rmmod tipc; [ ! -e /sys/module/tipc ]",
          check=False)
    try:
        m.run("[ ! -e /sys/module/tipc ]")
        fails(m, "dst attach dst+tipc://7710:1/data --name d", "no such transport")
        fails(m, f"dst export data {m.ramdisk(4)} --allow any --listen dst+tipc://7710:1", "no such transport")
        assert not json.loads(m.run("dst show --json").out)["exports"]
    finally:
        m.run("rm -f /run/modprobe.d/no-tipc.conf")
    assert m.run("dst attach dst+carrier-pigeon://127.0.0.1/data", check=False).status == 2
