# SPDX-License-Identifier: GPL-2.0
"""Two real machines and a cable: the essential path, and the faults that need a machine of their own."""
import time

import pytest

from common import (TOOLS, attach_to, device, export, fails, read_block, start_load, sums, wait_state,
                    write_block)


def serve(exporter, disk, options=""):
    exporter.run(f"dst export data {disk} --allow from=10.77.0.0/24 --allow from=fd77::/64 {options}")


def reboot(exporter, disk, options="", **kill):
    """A power cut, and the exporter as it comes up again."""
    exporter.kill(**kill)
    exporter.boot()
    exporter.load()
    serve(exporter, disk, options)


def unhurt(client):
    d = wait_state(client, "connected", timeout=30)
    assert d["stats"]["errors"] == 0, d
    return d


@pytest.mark.parametrize("host", ["exporter", "10.77.0.1", "[fd77::1]"])
def test_essential_path(pair, host):
    exporter, client = pair
    disk = exporter.ramdisk(16)
    serve(exporter, disk)
    path = attach_to(client, f"dst://{host}/data")
    written = client.run(f"python3 {TOOLS}/scatter.py write {path} 1 30 both 4096", timeout=120).out.strip()
    assert sums(client, path) == [written] and sums(exporter, disk) == [written]
    (known,) = export(exporter)["clients"]
    assert known["connections"] == device(client)["connections"] and known["in_flight"] == 0
    assert ("fd77::2" if ":" in host else "10.77.0.2") in known["address"]
    client.run("dst detach d")
    assert export(exporter)["clients"] == []


def test_cable_is_pulled(pair):
    """3 s without a link, under load: a pause."""
    exporter, client = pair
    serve(exporter, exporter.ramdisk(16))
    path = attach_to(client, "dst://exporter/data --ping 500ms --timeout 1s")
    job = start_load(client, path, runtime=6, size="4M")
    client.link(False)
    time.sleep(3)
    client.link(True)
    job.wait(60, check=True)
    assert unhurt(client)["stats"]["reconnects"] >= 1


@pytest.mark.stock
def test_exporter_is_frozen(pair):
    """The whole machine stands still for 4 s and goes on as if nothing had been."""
    exporter, client = pair
    serve(exporter, exporter.ramdisk(16))
    path = attach_to(client, "dst://exporter/data --timeout 1s")
    job = start_load(client, path, runtime=7, size="4M")
    exporter.freeze()
    time.sleep(4)
    assert device(client)["state"] == "reconnecting"
    exporter.thaw()
    job.wait(60, check=True)
    unhurt(client)


def test_exporter_module_is_reloaded_under_load(pair):
    exporter, client = pair
    disk = exporter.ramdisk(16)
    serve(exporter, disk)
    path = attach_to(client, "dst://exporter/data")
    job = start_load(client, path, runtime=6, size="4M")
    for _ in range(2):
        time.sleep(1)
        exporter.run("dst unexport data --force")
        exporter.unload()
        exporter.load()
        serve(exporter, disk)
    job.wait(60, check=True)
    assert unhurt(client)["stats"]["reconnects"] >= 2


@pytest.mark.limit(200)
def test_exporter_loses_power(pair):
    """Killed under load and booted again, every ack durable: the client's I/O pauses, goes on, and verifies."""
    exporter, client = pair
    serve(exporter, exporter.disk("data"), "--write-through")
    path = attach_to(client, "dst://exporter/data")
    # verify reads everything back, and what was acked before the cut was written to the disk before it
    job = start_load(client, path, options="--fsync=8", runtime=8, size="4M", bs="16k")
    time.sleep(1)
    reboot(exporter, exporter.disk("data"), "--write-through")
    job.wait(90, check=True)
    d = unhurt(client)
    assert d["stats"]["reconnects"] >= 1
    write_block(client, path, "after")
    assert read_block(exporter, exporter.disk("data")) == "after"


@pytest.mark.stock
@pytest.mark.limit(200)
def test_flush_is_honest_after_a_power_cut(pair):
    """Acked but not flushed, and lost: the next fsync says so, once; what was flushed is there."""
    exporter, client = pair
    serve(exporter, exporter.disk("volatile"))
    path = attach_to(client, "dst://exporter/data")
    assert client.run("cat /sys/block/dst-d/queue/write_cache").out == "write back\n"
    write_block(client, path, "flushed", flags="oflag=direct conv=notrunc,fsync")
    write_block(client, path, "acked", block=1)
    reboot(exporter, exporter.disk("volatile"))
    wait_state(client, "connected", timeout=30)
    assert read_block(client, path) == "flushed" and read_block(client, path, 1) == ""
    got = client.run(f"sync {path}", check=False)
    assert got.status != 0 and "error" in got.err, got
    client.run(f"sync {path}")
    write_block(client, path, "anew", block=1, flags="oflag=direct conv=notrunc,fsync")
    assert read_block(exporter, exporter.disk("volatile"), 1) == "anew"
    # nothing was unflushed this time: nobody need be told of a cut
    reboot(exporter, exporter.disk("volatile"))
    wait_state(client, "connected", timeout=30)
    client.run(f"sync {path}")
    assert read_block(client, path, 1) == "anew"


@pytest.mark.stock
def test_orderly_stop_makes_no_flush_fail(pair):
    """unexport flushes the disk: the module comes back without it, and fsync is true."""
    exporter, client = pair
    serve(exporter, exporter.disk("volatile"))
    path = attach_to(client, "dst://exporter/data")
    write_block(client, path, "kept")
    exporter.run("dst unexport data --force")
    exporter.unload()
    exporter.load()
    serve(exporter, exporter.disk("volatile"))
    wait_state(client, "connected", timeout=30)
    client.run(f"sync {path}")
    assert read_block(client, path) == "kept"


def test_client_that_rebooted_attaches_at_once(pair):
    """Its former session is fenced; nobody waits for a lease to end."""
    exporter, client = pair
    serve(exporter, exporter.ramdisk(16))
    path = attach_to(client, "dst://exporter/data")
    start_load(client, path, runtime=60)
    client.kill()
    client.boot()
    client.load()
    began = time.monotonic()
    attach_to(client, "dst://exporter/data")
    assert time.monotonic() - began < 10
    write_block(client, path, "reborn")
    assert len(export(exporter)["clients"]) == 1


def test_second_machine_and_eviction(pair):
    """The exporter's own attach is a second writer: refused, until the first is evicted or leaves."""
    exporter, client = pair
    serve(exporter, exporter.ramdisk(8))
    attach_to(client, "dst://exporter/data")
    fails(exporter, "dst attach dst://10.77.0.1/data --name mine", "client")
    exporter.run("dst set data evict=client")
    wait_state(client, "failed")
    attach_to(exporter, "dst://10.77.0.1/data", name="mine")
    assert client.run("dd if=/dev/zero of=/dev/dst-d bs=4k count=1 oflag=direct", check=False, timeout=10).status != 0
    exporter.run("dst detach mine")
    client.run("dst detach d")
    attach_to(client, "dst://exporter/data")


@pytest.mark.stock
def test_swap_on_a_device(pair):
    """Memory that was pushed out over the network comes back as it was."""
    exporter, client = pair
    serve(exporter, exporter.ramdisk(128))
    path = attach_to(client, "dst://exporter/data")
    client.run(f"mkswap {path} && swapon {path}")
    client.run("""
        mkdir -p /tmp/cg && mount -t cgroup2 cgroup2 /tmp/cg && echo +memory >/tmp/cg/cgroup.subtree_control
        mkdir /tmp/cg/x && echo 48M >/tmp/cg/x/memory.max && echo $$ >/tmp/cg/x/cgroup.procs
        exec python3 -c '
size = 96 << 20
area = bytearray(size)
for at in range(0, size, 4096):
    area[at:at + 8] = at.to_bytes(8, "little")
for at in range(0, size, 4096):
    assert int.from_bytes(area[at:at + 8], "little") == at, at
'""", timeout=120)
    d = device(client)
    assert d["stats"]["write_bytes"] > 40 << 20 and d["stats"]["read_bytes"] > 40 << 20
    client.run("swapoff -a && umount -l /tmp/cg", timeout=60)
    unhurt(client)
    client.run("dst detach d")
