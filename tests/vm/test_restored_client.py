# SPDX-License-Identifier: GPL-2.0
"""A client that is restored with its memory, as a virtual machine from a snapshot: no write of its old state lands or is acked.

The machine mounts nothing of the host, since QEMU keeps no snapshot of one that does.
"""
import re
import subprocess
import time
from pathlib import Path

import pytest

from common import attach_to, export, read_block, wait_state
from harness import boot

pytestmark = [pytest.mark.stock, pytest.mark.limit(900)]

INIT = b"""#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /tmp /run /etc
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for m in $(cat /modules.order); do insmod /modules/$m; done
rm -f /bin/bash /bin/dd
cp -a /extra/. /
for m in $(cat /run/order); do insmod /run/$m; done
hostname client
ip link set lo up
ip link set eth0 up
ip addr add 10.77.0.2/24 dev eth0
for p in /sys/class/virtio-ports/*; do
	[ "$(cat $p/name)" = ctl ] && port=/dev/${p##*/}
done
export PATH=/usr/sbin:/bin HOME=/ LC_ALL=C
exec /agent $port
"""


def with_libraries(*programs):
    """{path: (mode, bytes)} of programs and what they are linked with."""
    paths = set(programs)
    for program in programs:
        paths |= set(re.findall(r"(/\S+) \(0x", subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout))
    return {str(path): (0o755, Path(path).read_bytes()) for path in paths}


def files(kernel):
    """What the client needs, dstor.ko among it."""
    needs = subprocess.run(["modinfo", "-F", "depends", kernel.ko], check=True, capture_output=True, text=True).stdout.strip()
    order, found = [], with_libraries("/bin/bash", "/bin/dd")
    found["/usr/sbin/dst"] = (0o755, (boot.BUILD / "dst").read_bytes())
    found.update(with_libraries(boot.BUILD / "dst"))
    if needs:
        lines = subprocess.run(["/sbin/modprobe", "-d", kernel.modules.parents[2], "-S", kernel.release, "--show-depends", "-a",
                                *needs.split(",")], check=True, capture_output=True, text=True).stdout.splitlines()
        for path in dict.fromkeys(line.split()[1] for line in lines if line.startswith("insmod")):
            name, data = boot.plain_module(Path(path))
            order.append(name)
            found[f"/run/{name}"] = (0o644, data)
    found["/run/dstor.ko"] = (0o644, kernel.ko.read_bytes())
    found["/run/order"] = (0o644, " ".join([*order, "dstor.ko"]).encode())
    found["/etc/machine-id"] = (0o644, b"0123456789abcdef0123456789abcdef\n")
    return found


@pytest.fixture
def ends(cluster, kernel, tmp_path):
    """(exporter, client): the client's memory can be kept and restored."""
    exporter, client = cluster(2, disks={"client": []})
    client.kill()
    client.memory = 256
    client.use_initrd(boot.initrd(kernel, INIT, files(kernel), tmp_path / "initrd"), "")
    client.boot()
    return exporter, client


def write(m, text, block, check=True):
    """With a limit on its time, in seconds of the machine."""
    return m.run(f"printf %-4096s {text} | timeout 60 dd of=/dev/dst-d bs=4096 seek={block} iflag=fullblock oflag=direct conv=notrunc "
                 "status=none", check=check, timeout=120)


@pytest.mark.parametrize("reconnected", [False, True])
def test_restored_with_its_memory(ends, reconnected):
    """On the connection of the snapshot its numbers give it away, after a reconnection its cookie does."""
    exporter, client = ends
    disk = exporter.ramdisk(8)
    exporter.run(f"dst export data {disk} --allow any")
    attach_to(client, "dst://10.77.0.1/data --connections 1 --ping 5s --timeout 5s --retries 12")
    write(client, "old", 1)
    client.snapshot()

    # Its future, which will not have been.
    if reconnected:
        client.link(False)
        wait_state(client, "reconnecting", timeout=60)
        client.link(True)
        wait_state(client, "connected", timeout=60)
    for n in range(1 if reconnected else 8):
        write(client, f"newer{n}", 1 + n)
    written = export(exporter)["stats"]["writes"]
    client.freeze()
    client.restore()
    # It gets these as soon as it wakes: it knows nothing yet, and submits them on the connection that it remembers.
    ghosts = [client.start(f"printf %-4096s ghost | dd of=/dev/dst-d bs=4096 seek={1 + n} iflag=fullblock oflag=direct conv=notrunc "
                           "status=none") for n in range(4)]
    client.thaw()
    failed = wait_state(client, "failed", timeout=60)
    assert "restored to an earlier state of its memory" in failed["reason"], failed
    for job in ghosts:
        job.wait(30)
        assert job.status != 0, "a write was acked that was not done"
    assert write(client, "later", 1, check=False).status != 0
    time.sleep(1)
    assert [read_block(exporter, disk, 1 + n) for n in range(1 if reconnected else 8)] == \
        [f"newer{n}" for n in range(1 if reconnected else 8)]
    assert export(exporter)["stats"]["writes"] == written
    client.run("dst detach d --force")

    # The machine is of use again as soon as it begins anew.
    attach_to(client, "dst://10.77.0.1/data --connections 1")
    write(client, "anew", 1)
    assert read_block(exporter, disk, 1) == "anew"
