# SPDX-License-Identifier: GPL-2.0
"""A client with systemd: boots before its exporter, waits and mounts; shuts down in order, and soon when the exporter is dead."""
import re
import subprocess
import time

import pytest

from common import device, show
from harness import Disk
from harness.boot import PROJECT

CONF = "[device my-data]\nuri = dst://10.77.0.1/data\nconnections = 1\n"
FSTAB = "/dev/dst-my-data /mnt/data ext4 _netdev 0 0\n"
# So that the order at the end is seen: the network really goes when network.target does.
NETWORK = """[Unit]
DefaultDependencies=no
Before=network.target shutdown.target
Conflicts=shutdown.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=/sbin/ip link set eth0 down
"""


def installed(kernel, tmp_path):
    """What `make install` puts there, the module where modprobe finds it, and what the test's machine is configured for."""
    subprocess.run(["make", "install-utility", f"DESTDIR={tmp_path}"], cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)
    files = {f"/{f.relative_to(tmp_path)}": (f.stat().st_mode & 0o777, f.read_bytes()) for f in tmp_path.rglob("*") if f.is_file()}
    deps = subprocess.run(["/sbin/modinfo", "-F", "depends", kernel.ko], capture_output=True, text=True, check=True).stdout
    load = "; ".join([f"/sbin/modprobe {d}" for d in deps.strip().split(",") if d] + ["/sbin/insmod /opt/dstor.ko"])
    files.update({
        "/opt/dstor.ko": (0o644, kernel.ko.read_bytes()),
        "/etc/modprobe.d/dst-test.conf": f"install dstor {load}\n",
        "/etc/dst/dst.conf": CONF,
        "/etc/fstab": FSTAB,
        "/etc/systemd/network/99-default.link": "",  # eth0 keeps its name
        "/etc/systemd/system/test-network.service": NETWORK,
        # in .wants/ systemd takes links only, and a file would be ignored
        "/etc/systemd/system/multi-user.target.d/test.conf": "[Unit]\nWants=test-network.service network.target\n",
    })
    return files


def systemd_pair(cluster, kernel, tmp_path):
    """(exporter with a file system on a disk, not exported; client, off, whose next boot is with systemd)"""
    exporter, client = cluster(2, disks={"exporter": [Disk("data", 64, "through")]})
    disk = exporter.disk("data")
    exporter.run(f"mkfs.ext4 -q {disk} && mount {disk} /mnt && echo hello >/mnt/file && umount /mnt")
    client.kill()
    client.use_systemd(installed(kernel, tmp_path))
    client.boot_limit = 300
    return exporter, client


@pytest.mark.stock
@pytest.mark.limit(900)
def test_boot_before_the_exporter_and_orderly_shutdown(cluster, kernel, tmp_path):
    exporter, client = systemd_pair(cluster, kernel, tmp_path)
    disk = exporter.disk("data")
    client.boot()

    # nobody exports it yet: what needs the disk waits, what does not is there
    client.wait_for("systemctl is-active dst-attach@my-data remote-fs-pre.target && dst --version", 200, every=1)
    client.wait_for("journalctl -b -u dst-attach@my-data | grep 'waiting for device'", 60, every=1)
    assert "mnt-data.mount" in client.run("systemctl list-jobs").out
    assert show(client)["devices"] == []
    client.run("systemctl is-active test-network")
    exporter.run(f"dst export data {disk} --allow from=10.77.0.0/24")
    client.wait_for("mountpoint -q /mnt/data", 60, every=0.5)
    assert client.run("cat /mnt/data/file").out == "hello\n"
    client.wait_for("systemctl is-active multi-user.target remote-fs.target dst-shutdown", 200, every=1)
    assert client.run("systemctl list-units --failed --no-legend 'dst*' mnt-data.mount").out == ""

    # names that stay, while the exporter is away, too
    uuid = device(client, "my-data")["uuid"]
    links = f"test -e /dev/disk/by-id/dst-{uuid} && ls -l /dev/disk/by-uuid | grep -q dst-my-data"
    client.wait_for(f"{links} && udevadm settle -t 30", 90)  # nobody reads it when the cable is pulled
    events = client.start("exec udevadm monitor --udev --property --subsystem-match=block")
    client.wait_for("pgrep -x udevadm && sleep 1")
    client.link(False)
    client.wait_for("grep -q reconnecting /sys/block/dst-my-data/dst/state && udevadm settle -t 20", 60)
    client.run(links)
    client.link(True)
    client.wait_for("grep -q ^connected /sys/block/dst-my-data/dst/state && udevadm settle -t 20", 60)
    client.run(links)
    client.run("pkill -x udevadm")
    events.wait(10)
    assert "DST_STATE=reconnecting" in events.out and "DST_STATE=connected" in events.out, events.out

    # in order: unmounted, detached, and then the network goes
    monitor = exporter.start("dst monitor")
    client.run("dd if=/dev/urandom of=/mnt/data/big bs=1M count=4 status=none; sha256sum </mnt/data/big >/mnt/data/sum")
    client.shutdown(120, "systemctl poweroff")
    exporter.wait_for("! dst show --json | grep -q '\"session\"'", 20)
    assert re.search(r"export data: client client \S+ left: it detached", monitor.out), monitor.out
    exporter.run("dst unexport data && "
                 f"mount {disk} /mnt && [ \"$(sha256sum </mnt/big)\" = \"$(cat /mnt/sum)\" ] && umount /mnt")


@pytest.mark.stock
@pytest.mark.limit(900)
def test_shutdown_without_the_exporter(cluster, kernel, tmp_path):
    exporter, client = systemd_pair(cluster, kernel, tmp_path)
    exporter.run(f"dst export data {exporter.disk('data')} --allow any")
    client.boot()
    client.wait_for("mountpoint -q /mnt/data && systemctl is-active dst-shutdown", 400, every=1)
    client.expect_log(r"I/O error|EXT4-fs|JBD2|Buffer I/O|lost async page write|Aborting journal|transport error")
    client.run("echo dirty >/mnt/data/dirty")
    exporter.freeze()
    began = time.monotonic()
    client.shutdown(200, "systemctl poweroff")
    seconds = time.monotonic() - began
    exporter.thaw()
    assert seconds < 90, f"the client took {seconds:.0f} s to shut down"
