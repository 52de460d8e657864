# SPDX-License-Identifier: GPL-2.0
"""Two machines, of which one or both are of another processor: the data arrive, in the clear and with a key."""
import json
import shutil
import time

import pytest

from machine import STRICT, ForeignKernel, ForeignMachine, make, prepared

from harness import Kernel
from harness.channel import CommandFailed
from harness.machines import new_rundir
from harness.network import Network
from harness.qemu import QemuMachine

# Kernels of the first and of the second machine, as in dist/kernels: big-endian beside little, 64 bits, 32 bits.
PAIRS = {"s390x-amd64": ("6.1-s390x", "6.1"), "arm64": ("6.12-arm64", "6.12-arm64"), "armhf": ("6.1-armhf", "6.12-armhf")}
MB = 1 << 20


@pytest.fixture(scope="module", params=PAIRS)
def pair(request):
    """Two machines with dstor loaded; what their kernels said is looked at in the end."""
    names = PAIRS[request.param]
    for processor in {name.rsplit("-", 1)[1] for name in names if "-" in name}:
        prepared(processor)
        status, output = make(processor, "modules", "utility", *STRICT)
        assert status == 0, output[-4000:]
    rundir = new_rundir()
    kernels = [ForeignKernel(name) if "-" in name else Kernel(name) for name in names]
    network = Network(kernels[0], rundir, 2)
    machines = []
    try:
        for number, kernel in enumerate(kernels, 1):
            kind = ForeignMachine if "-" in kernel.name else QemuMachine
            machines.append(kind(kernel, f"m{number}", rundir, network=network, number=number))
        for m in machines:
            m.start_boot()
        for m in machines:
            m.finish_boot()
            m.forget_log()
            m.load()
            print(f"{m.name}: {m.kernel.name} ({m.kernel.release}), {m.boot_seconds:.0f} s to boot")
        yield machines
    finally:
        for m in machines:
            m.kill()
        network.close()
        shutil.rmtree(rundir, ignore_errors=True)


@pytest.fixture(params=["1-exports", "2-exports"])
def ends(request, pair):
    """(exporter, client): both machines of a pair take both parts. Nothing is left, and no log says anything."""
    exporter, client = pair if request.param == "1-exports" else reversed(pair)
    yield exporter, client
    client.link(True)
    client.run("dst detach --force d", check=False)
    exporter.run("dst unexport --force data", check=False)
    for m in exporter, client:
        m.check_log()
        assert m.run("rmmod dstor", check=False).status == 0
        m.load()


def shown(m, what):
    return json.loads(m.run("dst show --json").out)[what][0]


def sha(m, path, mb):
    """Of the first megabytes, read from the disk itself."""
    return m.run(f"dd if={path} bs=1M count={mb} iflag=direct 2>/dev/null | sha256sum", timeout=120).out.split()[0]


def begin(exporter, client, sealed):
    disk = exporter.ramdisk(64, cache_size=16)
    rule, key = "from=10.77.0.0/24", ""
    if sealed:
        secret = exporter.run("dst genkey").out
        for m in exporter, client:
            m.put("/tmp/a.key", secret)
            m.run("chmod 600 /tmp/a.key")
        rule, key = f"key=/tmp/a.key,{rule}", "--key /tmp/a.key"
    exporter.run(f"dst export data {disk} --allow {rule}")
    client.run(f"dst attach dst://{exporter.address}/data --name d --timeout 5s {key}")
    return disk


@pytest.mark.parametrize("sealed", [False, True], ids=["clear", "key"])
def test_data_arrive(ends, sealed):
    exporter, client = ends
    disk = begin(exporter, client, sealed)
    seen = shown(client, "devices")
    assert seen["size"] == 64 * MB and shown(exporter, "exports")["size"] == 64 * MB
    assert seen["cipher"] != "none" if sealed else seen["checksum"] == "crc32c" and seen["cipher"] == "none"

    client.run("dd if=/dev/urandom of=/tmp/data bs=1M count=8 2>/dev/null")
    client.run("dd if=/tmp/data of=/dev/dst-d bs=1M oflag=direct conv=fsync", timeout=120)
    client.run("dd if=/tmp/data of=/dev/dst-d bs=4k count=64 seek=4096 oflag=direct conv=fsync", timeout=120)
    wanted = client.run("sha256sum /tmp/data").out.split()[0]
    assert sha(client, "/dev/dst-d", 8) == wanted == sha(exporter, disk, 8)
    ends_of = "dd if={} bs=4k skip=4096 count=64 iflag=direct 2>/dev/null | sha256sum"
    assert client.run(ends_of.format("/dev/dst-d")).out == exporter.run(ends_of.format(disk)).out == \
        client.run("dd if=/tmp/data bs=4k count=64 2>/dev/null | sha256sum").out

    here, there = shown(client, "devices")["stats"], shown(exporter, "exports")["stats"]
    assert here["write_bytes"] == there["write_bytes"] == 8 * MB + 64 * 4096
    assert here["read_bytes"] == there["read_bytes"] >= 8 * MB + 64 * 4096
    assert here["flushes"] >= 2
    for stats in here, there:
        assert stats["errors"] == stats["checksum_errors"] == stats["auth_failures"] == stats["resends"] == 0
    # where the data had been, zeroes
    client.run("blkdiscard -o 0 -l 1048576 /dev/dst-d")
    zeroes = exporter.run("dd if=/dev/zero bs=1M count=1 2>/dev/null | sha256sum").out.split()[0]
    assert sha(exporter, disk, 1) == zeroes == sha(client, "/dev/dst-d", 1)


@pytest.mark.parametrize("sealed", [False, True], ids=["clear", "key"])
def test_an_outage_is_a_pause(ends, sealed):
    exporter, client = ends
    disk = begin(exporter, client, sealed)
    client.run("dd if=/dev/urandom of=/tmp/data bs=1M count=4 2>/dev/null")
    job = client.start("for i in 1 2 3 4; do dd if=/tmp/data of=/dev/dst-d bs=64k oflag=direct conv=fsync || exit 1; done")
    client.wait_for("grep -q '[1-9]' /sys/block/dst-d/stat")
    client.link(False)
    time.sleep(6)  # the silence after which both ends give the connection up is 3.5 s
    assert job.running
    client.link(True)
    job.wait(120, check=True)
    client.wait_for("dst show --json | grep -q '\"reconnects\": *[1-9]'")
    assert sha(exporter, disk, 4) == sha(client, "/dev/dst-d", 4) == client.run("sha256sum /tmp/data").out.split()[0]


def test_who_is_not_meant_stays_out(ends):
    """The bytes of addresses and of keys, on both ends."""
    exporter, client = ends
    disk = begin(exporter, client, True)
    client.run("dst detach d")
    refused = client.run(f"dst attach dst://{exporter.address}/data --name d", check=False)
    assert refused.status and "only clients with a key" in refused.err
    client.run("dst genkey >/tmp/other.key; chmod 600 /tmp/other.key")
    refused = client.run(f"dst attach dst://{exporter.address}/data --name d --key /tmp/other.key", check=False)
    assert refused.status and "authentication failed" in refused.err
    exporter.run(f"dst unexport data && dst export data {disk} --allow from=10.78.0.0/16 --allow from={client.address}/32,ro")
    client.run(f"dst attach dst://{exporter.address}/data --name d --read-only")
    assert shown(client, "devices")["size"] == 64 * MB
    with pytest.raises(CommandFailed):
        client.run("dd if=/dev/zero of=/dev/dst-d bs=4k count=1 oflag=direct")
    client.run("dst detach d")
    exporter.run(f"dst unexport data && dst export data {disk} --allow from=10.78.0.0/16")
    refused = client.run(f"dst attach dst://{exporter.address}/data --name d", check=False)
    assert refused.status
