# SPDX-License-Identifier: GPL-2.0
"""fio verifies through cut links, reloaded modules, lost power, frozen machines and a new address: pauses, never an error."""
import time

import pytest

from common import attach_to
from torture import PATIENT, Rounds, dice, form, pair_under_load, power_cut, serve, state, unhurt

LINK_CUTS = form(6, 100)
LONGEST_CUT = 4.0
RELOADS = form(2, 30)
POWER_CUTS = form(1, 10)
FROZEN = form(6, 20)
MOVES = form(2, 20)


def same(exporter, client, disk, path):
    """What was written to, seen from both ends."""
    read = "dd if={} bs=1M count=8 iflag=direct status=none | sha256sum"
    assert client.run(read.format(path)).out == exporter.run(read.format(disk)).out


@pytest.mark.limit(form(180, 30 * 60))
def test_link_is_cut(pair):
    """0.1 to 4 s each, at random."""
    disk = pair.exporter.ramdisk(16)
    exporter, client, path, load = pair_under_load(pair, disk, attach="--ping 300ms --timeout 1s --retries 60")
    when = dice("link")
    load.wait()
    for n in range(LINK_CUTS):
        client.link(False)
        # the longest there is comes for certain
        time.sleep(LONGEST_CUT if not n else when.uniform(0.1, LONGEST_CUT))
        client.link(True)
        time.sleep(when.uniform(0.2, 1.5))
        load.going()
    load.wait()
    load.finish()
    unhurt(client, "reconnects", "resends")
    same(exporter, client, disk, path)


@pytest.mark.limit(form(180, 30 * 60))
def test_exporter_module_is_reloaded(pair):
    disk = pair.exporter.ramdisk(16)
    exporter, client, path, load = pair_under_load(pair, disk)
    when = dice("reload")
    load.wait()
    for _ in range(RELOADS):
        time.sleep(when.uniform(0.1, 1.5))
        exporter.run("dst unexport data --force")
        exporter.unload()
        exporter.load()
        serve(exporter, disk)
        load.going()
    load.wait()
    load.finish()
    assert unhurt(client, "reconnects")["stats"]["reconnects"] >= RELOADS
    same(exporter, client, disk, path)


@pytest.mark.stock
@pytest.mark.limit(form(240, 30 * 60))
def test_exporter_loses_power(pair):
    """Every ack durable: what was acked before a cut is there after it."""
    exporter, client, path, load = pair_under_load(pair, pair.exporter.disk("volatile"), "--write-through")
    when = dice("power")
    load.wait()
    for _ in range(POWER_CUTS):
        time.sleep(when.uniform(0.1, 2))
        power_cut(exporter, lambda: exporter.disk("volatile"), "--write-through")
        load.wait()
    load.finish()
    assert unhurt(client, "reconnects", "resends")["stats"]["reconnects"] >= POWER_CUTS
    same(exporter, client, exporter.disk("volatile"), path)


@pytest.mark.stock
@pytest.mark.limit(form(120, 300))
@pytest.mark.parametrize("who", ["exporter", "client"])
def test_machine_is_frozen(pair, who):
    """It stands still with all its connections, and goes on as if nothing had been."""
    disk = pair.exporter.ramdisk(16)
    exporter, client, path, load = pair_under_load(pair, disk, attach="--ping 300ms --timeout 1s --retries 60")
    m = getattr(pair, who)
    load.wait()
    m.freeze()
    time.sleep(FROZEN)
    if who == "exporter":
        assert state(client) == "reconnecting"
    m.thaw()
    load.wait(2)
    load.finish()
    unhurt(client, "reconnects")
    same(exporter, client, disk, path)


@pytest.mark.limit(form(120, 600))
def test_address_changes(pair):
    """The exporter gets a second address; the device moves there, and the first one goes away."""
    exporter, client = pair
    disk = exporter.ramdisk(16)
    exporter.run("ip addr add 10.77.0.101/24 dev eth0; ip addr add 10.77.0.102/24 dev eth0")
    serve(exporter, disk)
    path = attach_to(client, f"dst://10.77.0.101/data {PATIENT}")
    load = Rounds(client, path)
    load.wait()
    for n in range(MOVES):
        old, new = (("101", "102"), ("102", "101"))[n % 2]
        client.run(f"dst set d uri=dst://10.77.0.{new}/data")
        client.wait_for(f"! ss -Htn state established | grep -q 10.77.0.{old}:7710 && "
                        f"ss -Htn state established | grep -q 10.77.0.{new}:7710", timeout=10)
        exporter.run(f"ip addr del 10.77.0.{old}/24 dev eth0")
        load.wait()
        assert f"10.77.0.{new}" in unhurt(client, "reconnects")["uri"]
        exporter.run(f"ip addr add 10.77.0.{old}/24 dev eth0")
    load.finish()
    same(exporter, client, disk, path)
    client.run("dst detach d")
    exporter.run("ip addr del 10.77.0.101/24 dev eth0; ip addr del 10.77.0.102/24 dev eth0")
