# SPDX-License-Identifier: GPL-2.0
"""An outage longer than the budget ends with errors and not with the device; it can be got rid of in every state, at once."""
import time

import pytest

from common import attach_to, device, show, wait_state, write_block, writes_on
from torture import RECONNECTED, Rounds, form, serve

ROUNDS = form(1, 20)
BOUND = 5           # of detach --force
SLACK = 2           # of starting `dst` in a slow machine
BUDGET = 3          # timeout x (retries + 1)
FLOOD = ("fio --name=flood --filename={} --rw=randrw --bs=16k --size=8M --direct=1 --ioengine=libaio --iodepth=32 "
         "--time_based --runtime=300 --minimal")


@pytest.mark.stock
@pytest.mark.limit(120)
def test_errors_then_well_again(pair):
    exporter, client = pair
    disk = exporter.ramdisk(32)
    serve(exporter, disk)
    path = attach_to(client, "dst://10.77.0.1/data --timeout 1s --retries 2 --ping 300ms")
    flood = client.start(FLOOD.format(path))
    writes_on(client, path)
    client.link(False)
    began = time.monotonic()
    got = flood.wait(30)
    took = time.monotonic() - began
    assert got.status != 0 and BUDGET - 1 < took < BUDGET + 6, f"fio ended with {got.status} after {took:.1f} s"
    # everything submitted now ends as well, and the device is there
    assert write_block(client, path, "lost", check=False).status != 0
    d = device(client)
    assert d["state"] == "reconnecting" and d["stats"]["errors"] > 0, d
    time.sleep(form(2, 60))
    client.link(True)
    wait_state(client, "connected", timeout=RECONNECTED)
    load = Rounds(client, path)
    load.wait()
    load.finish()
    client.run("dst detach d")


def live(exporter, client, disk):
    pass


def link_just_cut(exporter, client, disk):
    """Silence has not been noticed yet."""
    client.link(False)


def reconnecting(exporter, client, disk):
    client.link(False)
    wait_state(client, "reconnecting")


def exporter_frozen(exporter, client, disk):
    exporter.freeze()
    time.sleep(0.5)


def exporter_frozen_for_long(exporter, client, disk):
    exporter.freeze()
    wait_state(client, "reconnecting")


def export_gone(exporter, client, disk):
    exporter.run("dst unexport data --force")
    wait_state(client, "reconnecting")


def suspended(exporter, client, disk):
    exporter.run("dst unexport data --force")
    serve(exporter, exporter.ramdisk(32))
    wait_state(client, "suspended")


def failed(exporter, client, disk):
    exporter.run("dst set data evict=client")
    wait_state(client, "failed")


STATES = [live, link_just_cut, reconnecting, exporter_frozen, suspended, failed,
          *form([], [exporter_frozen_for_long, export_gone])]


@pytest.mark.stock
@pytest.mark.limit(form(200, 3600))
def test_forced_detach_in_every_state(pair):
    """... with a full queue, then rmmod; and everything can be set up anew."""
    exporter, client = pair
    for n in range(ROUNDS):
        for enter in STATES:
            where = f"{enter.__name__}, round {n + 1}"
            disk = exporter.ramdisk(32)
            serve(exporter, disk)
            path = attach_to(client, f"dst://10.77.0.1/data --retries forever --connections {1 + n % 2}")
            flood = client.start(FLOOD.format(path))
            writes_on(client, path)
            enter(exporter, client, disk)
            began = time.monotonic()
            client.run("dst detach d --force")
            took = time.monotonic() - began
            assert took < BOUND + SLACK, f"detach --force took {took:.1f} s ({where})"
            assert flood.wait(20).status != 0, f"fio saw no error ({where})"
            assert show(client)["devices"] == [], where
            client.run("test ! -e /dev/dst-d")
            client.unload()
            exporter.thaw()
            client.link(True)
            exporter.run("dst unexport data --force", check=False)
            exporter.unload()
            exporter.load()
            client.load()
