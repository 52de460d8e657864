# SPDX-License-Identifier: GPL-2.0
"""Network namespaces, two paths at once, and a firewall with address translation in between; all in one machine."""
import time

import pytest

from common import attach_to, device, export, fails, read_block, show, wait_state, write_block, writes_on
from torture import Rounds

pytestmark = pytest.mark.limit(600)

# Two namespaces with a wire, or two, between them. The machine has no others.
WIRE = """
set -e
ip netns add near; ip netns add far
for n in {wires}; do
  ip link add near$n netns near type veth peer name far$n netns far
  ip -n near addr add 10.9.$n.2/24 dev near$n; ip -n near link set near$n up
  ip -n far addr add 10.9.$n.1/24 dev far$n; ip -n far link set far$n up
done
ip -n near link set lo up; ip -n far link set lo up
"""
PATIENT = "--ping 300ms --timeout 2s --retries 30"


@pytest.fixture
def wired(machine):
    """wired("1 2"): so many wires."""
    m = machine

    def make(wires):
        m.run(WIRE.format(wires=wires))
        return m
    yield make
    if m.alive:
        m.run("for n in near far router; do [ ! -e /run/netns/$n ] || ip netns del $n; done", check=False)
        m.wait_for("[ -z \"$(ip netns list)\" ]")


def serve(m, disk, listen="", options=""):
    m.run(f"ip netns exec far dst export data {disk} --allow from=10.9.0.0/16 {listen} {options}")


def gone(m, kind, within=15):
    until = time.monotonic() + within
    while show(m)[kind]:
        assert time.monotonic() < until, f"still there: {show(m)[kind]}"
        time.sleep(0.1)


def test_device_outlives_its_command_not_its_namespace(wired):
    m = wired("1")
    serve(m, m.ramdisk(16))
    path = attach_to_from(m, "near", f"dst://10.9.1.1/data {PATIENT}")
    # from here there is no way to the exporter; the device's socket has one
    fails(m, "dst ping dst://10.9.1.1/data -c 1", "10.9.1.1")
    write_block(m, path, "carried")
    assert read_block(m, path) == "carried"
    job = m.start(f"fio --name=x --filename={path} --rw=randwrite --bs=4k --direct=1 --ioengine=libaio --iodepth=16 --size=8M "
                  "--time_based --runtime=60 --minimal")
    writes_on(m, path)
    m.run("ip netns del near")
    d = wait_state(m, "failed")
    assert "namespace" in d["reason"], d
    assert job.wait(20).status != 0
    assert write_block(m, path, "late", check=False).status != 0
    m.run("dst detach d")
    gone(m, "devices")
    m.run("dst unexport data")


def test_export_ends_with_its_namespace(wired):
    """With clients, and I/O under way. It can be exported again elsewhere, and who waited for it goes on."""
    m = wired("1")
    disk = m.ramdisk(16)
    serve(m, disk)
    path = attach_to_from(m, "near", f"dst://10.9.1.1/data {PATIENT}")
    load = Rounds(m, path, jobs=1)
    m.run("ip netns del far")
    gone(m, "exports")
    m.run("ip netns add far; ip link add near1 netns near type veth peer name far1 netns far 2>/dev/null; "
          "ip -n near addr add 10.9.1.2/24 dev near1; ip -n near link set near1 up; "
          "ip -n far addr add 10.9.1.1/24 dev far1; ip -n far link set far1 up; ip -n far link set lo up")
    serve(m, disk, "--write-through")
    wait_state(m, "connected", timeout=30)
    load.going()
    m.run("dst set d retries=30")
    load.finish()
    m.run("dst detach d; dst unexport data")


def attach_to_from(m, namespace, uri_and_options, name="d"):
    path = m.run(f"ip netns exec {namespace} dst attach {uri_and_options} --name {name}").out.strip()
    assert path == f"/dev/dst-{name}"
    return path


def test_one_of_two_paths_is_cut(wired):
    """MPTCP: no error, and no reconnection either."""
    m = wired("1 2")
    m.run("for n in near far; do ip -n $n mptcp limits set subflow 4 add_addr_accepted 4; done; "
          "ip -n far mptcp endpoint add 10.9.2.1 dev far2 signal")
    serve(m, m.ramdisk(16), "--listen dst+mptcp://0.0.0.0")
    path = attach_to_from(m, "near", "dst+mptcp://10.9.1.1/data --timeout 30s --connections 1")
    load = Rounds(m, path, jobs=1)
    m.wait_for("[ $(ip netns exec near ss -Htn state established dst 10.9.2.1 | wc -l) -ge 1 ]")
    load.wait(1)
    m.run("ip -n near link set near1 down")
    load.wait(2)
    m.run("ip -n near link set near1 up")
    load.wait(1)
    load.finish()
    d = device(m)
    assert d["stats"]["errors"] == 0 and d["stats"]["reconnects"] == 0, d["stats"]
    m.run("dst detach d; dst unexport data")


def test_firewall_with_address_translation(wired):
    """Only the client connects, from an address of its router's; what was silent for 10 s is forgotten and dropped."""
    m = wired("1 2")
    # near - router - far: the wires' other ends become the router's
    m.run("set -e; ip netns add router; ip -n far link set far1 netns router; ip -n near link set near2 netns router; "
          "ip -n router addr add 10.9.1.1/24 dev far1; ip -n router link set far1 up; "
          "ip -n router addr add 10.9.2.2/24 dev near2; ip -n router link set near2 up; "
          "ip -n near route add default via 10.9.1.1; "
          "ip netns exec router sysctl -qw net.ipv4.ip_forward=1; "
          "ip netns exec router nft 'table inet wall { "
          "chain out { type nat hook postrouting priority 100; oifname near2 masquerade; }; "
          "chain pass { type filter hook forward priority 0; policy drop; ct state established accept; "
          "iifname far1 tcp dport 7710 tcp flags syn ct state new accept; }; }'; "
          "ip netns exec router sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_established=10 "
          "net.netfilter.nf_conntrack_tcp_loose=0")
    serve(m, m.ramdisk(16))
    path = attach_to_from(m, "near", "dst://10.9.2.1/data --ping 2s --timeout 2s --retries 30")
    (client,) = export(m)["clients"]
    assert client["address"].startswith("10.9.2.2:"), client
    write_block(m, path, "before")
    time.sleep(25)
    write_block(m, path, "after")
    assert read_block(m, path) == "after"
    d = device(m)
    assert d["stats"]["reconnects"] == 0 and d["stats"]["errors"] == 0, d["stats"]
    # and it does drop what it forgot: without pings a connection is lost, and made again
    m.run("dst detach d")
    attach_to_from(m, "near", "dst://10.9.2.1/data --ping 60s --timeout 2s --retries 30")
    write_block(m, path, "before")
    time.sleep(14)
    write_block(m, path, "much later")
    assert device(m)["stats"]["reconnects"] >= 1 and device(m)["stats"]["errors"] == 0, device(m)["stats"]
    # the exporter does not know yet that its other connection is dead
    m.run("dst detach d; dst unexport data --force")
