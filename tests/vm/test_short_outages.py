# SPDX-License-Identifier: GPL-2.0
"""Within timeout x retries an outage is a pause: no error reaches the layer above."""
import time

import pytest

from common import PROXY, Proxy, device, export_and_attach, show, start_load, verify, wait_state


def calm(m):
    d = wait_state(m, "connected")
    assert d["stats"]["errors"] == 0 and d["stats"]["reconnects"] >= 1, d
    assert d["retry"] == 0 and d["oldest_io_ms"] < 3000


@pytest.mark.parametrize("outage", ["refused", "silent", "half"])
def test_network_is_away_for_a_while(machine, outage):
    """Refused and reset, or just silence, or silence in one direction: 2 s each, fio verifies throughout."""
    m = machine
    with Proxy(m) as proxy:
        path = export_and_attach(m, m.ramdisk(16), port=PROXY, attach="--ping 300ms --timeout 1s")
        job = start_load(m, path, runtime=5, size="4M")
        proxy.do(*{"refused": ["refuse", "cut"], "silent": ["stall both"], "half": ["stall down"]}[outage])
        time.sleep(2)
        proxy.do("go", "accept")
        job.wait(60, check=True)
        calm(m)


def test_loopback_goes_down_and_up(machine):
    """The machine's own interface, without a proxy's help."""
    m = machine
    path = export_and_attach(m, m.ramdisk(16), attach="--ping 300ms --timeout 1s")
    job = start_load(m, path, runtime=4, size="4M")
    m.run("ip link set lo down; sleep 1.5; ip link set lo up")
    job.wait(60, check=True)
    assert device(m)["stats"]["errors"] == 0


def test_packet_loss(machine):
    """netem drops 3 of 100: slow, but right."""
    m = machine
    path = export_and_attach(m, m.ramdisk(16))
    m.run("modprobe -q sch_netem; tc qdisc add dev lo root netem loss 3%")
    m.run(verify(path, size="2M", bs="16k"), timeout=120)
    m.run("tc qdisc del dev lo root")
    assert device(m)["stats"]["errors"] == 0


def test_raid_on_top_stays_whole(machine):
    """A mirror of a local disk and a device: during the pause it waits, and stays [UU]."""
    m = machine
    local = m.ramdisk(16)
    with Proxy(m) as proxy:
        path = export_and_attach(m, m.ramdisk(16), port=PROXY, attach="--ping 300ms --timeout 1s")
        m.run(f"modprobe -q raid1; mdadm --create /dev/md7 --run --level=1 --raid-devices=2 --metadata=1.0 --assume-clean "
              f"{local} {path}")
        job = start_load(m, "/dev/md7", runtime=4, size="4M")
        proxy.do("refuse", "cut")
        time.sleep(1.5)
        assert "[UU]" in m.run("cat /proc/mdstat").out
        proxy.do("accept")
        job.wait(60, check=True)
        assert "[UU]" in m.run("cat /proc/mdstat").out
        m.run("mdadm --stop /dev/md7")
        calm(m)


def test_export_goes_and_comes_back(machine):
    """An orderly unexport and the export again, under load: nothing is lost and nobody notices."""
    m = machine
    disk = m.ramdisk(16)
    path = export_and_attach(m, disk)
    job = start_load(m, path, runtime=5, size="4M")
    m.run("dst unexport data --force")
    time.sleep(1.5)
    shown = device(m)
    assert shown["state"] == "reconnecting" and shown["oldest_io_ms"] >= 500, shown
    m.run(f"dst export data {disk} --allow any")
    job.wait(60, check=True)
    calm(m)


def test_attempts_pause_longer_and_longer(machine):
    """At once, 50, 100, 200, 400, 800 ms, then every 2 s: neither a busy loop nor asleep when the exporter is back."""
    m = machine
    with Proxy(m) as proxy:
        export_and_attach(m, m.ramdisk(8), port=PROXY, attach="--connections 1 --retries forever")
        # the proxy admits, but what it leads to is gone: each attempt is seen, and refused
        m.run("dst unexport data --force")
        time.sleep(5)
        seen = proxy.status()
        attempts = seen["refused"] + seen["connections"] - 1
        assert 4 <= attempts <= 12, seen
        assert show(m)["devices"][0]["state"] == "reconnecting"
