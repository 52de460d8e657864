# SPDX-License-Identifier: GPL-2.0
"""Debian 13: its packages are built, installed and used there, on its own kernel and on that of its backports."""
import re
import shutil
import subprocess

import pytest

from common import VERSION, device, verify
from harness import Disk
from harness.boot import PROJECT
from harness.machines import new_rundir

ENTER = PROJECT / "dist/debian13"
OUT = "build/debian13"
pytestmark = [pytest.mark.debian13, pytest.mark.stock, pytest.mark.nomodule]


def run(*command, timeout=400):
    done = subprocess.run([str(c) for c in command], cwd=PROJECT, text=True, timeout=timeout,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stdout[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def packages():
    """dst-utils and dst-dkms as a Debian 13 builds them; its lintian has nothing to object."""
    run("make", "deb", "DEB_IN=dist/debian13", f"OUT={OUT}")
    found = [PROJECT / OUT / "deb" / name for name in (f"dst-utils_{VERSION}_amd64.deb", f"dst-dkms_{VERSION}_all.deb")]
    run(ENTER, "lintian", "--fail-on", "error,warning", "--allow-root", *found)
    return found


@pytest.fixture
def root(packages, kernel):
    """A Debian 13 of this test's own, with the packages installed: that has DKMS build the module for the kernel there."""
    rundir = new_rundir()
    tree = rundir / "root"
    try:
        run("cp", "-a", run(ENTER, "--root").split()[-1], tree)
        # the kernel, as its packages put it there
        there = tree / "usr/lib/modules" / kernel.release
        there.parent.mkdir(exist_ok=True)
        run("cp", "-a", kernel.modules, there)
        (there / "build").unlink()
        (there / "build").symlink_to(kernel.build.resolve())
        shutil.copy(kernel.config, tree / "boot")
        run(ENTER, "--at", tree, "dpkg", "-i", *packages)
        assert re.search(rf"dst/{re.escape(VERSION)}, {re.escape(kernel.release)}, x86_64: installed",
                         run(ENTER, "--at", tree, "dkms", "status"))
        yield tree
    finally:
        shutil.rmtree(rundir, ignore_errors=True)


@pytest.mark.limit(900)
def test_packages_are_installed_and_used(cluster, kernel, root):
    exporter, client = cluster(2, disks={"exporter": [Disk("data", 64, "through")]}, root=root)
    for m in exporter, client:
        assert m.run("cut -d. -f1 /etc/debian_version; uname -r").out == f"13\n{kernel.release}\n"
        m.run("modprobe dstor")
        assert f"/lib/modules/{kernel.release}/updates/dkms/dstor.ko" in m.run("modinfo -F filename dstor").out
        m.run("dst --version && dpkg -V dst-utils dst-dkms")

    # the whole path, with a key, and an outage in the middle of it
    exporter.run("dst genkey >/etc/dst/key && chmod 600 /etc/dst/key && "
                 f"dst export data {exporter.disk('data')} --allow key=/etc/dst/key")
    client.put("/etc/dst/key", exporter.get("/etc/dst/key"))
    client.run("chmod 600 /etc/dst/key && dst attach dst://10.77.0.1/data --name d --key /etc/dst/key")
    client.run("mkfs.ext4 -q /dev/dst-d && mount /dev/dst-d /mnt && cp -r /usr/share/perl5 /mnt && "
               "(cd /mnt && find . -type f | sort | xargs sha256sum) >/tmp/sums && test -s /tmp/sums && umount /mnt", timeout=120)
    client.link(False)
    client.wait_for("grep -q reconnecting /sys/block/dst-d/dst/state", 60)
    reader = client.start("mount /dev/dst-d /mnt && cd /mnt && sha256sum -c --quiet /tmp/sums && cd / && umount /mnt")
    client.link(True)
    reader.wait(120, check=True)
    client.run(verify("/dev/dst-d", jobs=2, size="8M"), timeout=200)
    d = device(client)
    assert d["state"] == "connected" and d["cipher"] != "none" and d["stats"]["errors"] == 0 and d["stats"]["reconnects"] > 0

    # an initramfs whose root is on a device has both
    client.run("printf '[device d]\\nuri = dst://10.77.0.1/data\\n' >/etc/dst/root.conf && "
               f"mkinitramfs -o /tmp/initrd {kernel.release} && lsinitramfs /tmp/initrd >/tmp/list && "
               "grep -q 'sbin/dst$' /tmp/list && grep -q 'updates/dkms/dstor.ko' /tmp/list", timeout=400)

    # gone while the device is in use, which does not notice
    client.run("dpkg --purge dst-dkms && dd if=/dev/dst-d of=/dev/null bs=1M count=8 iflag=direct status=none && dst detach d && "
               "dpkg --purge dst-utils && ! command -v dst && rmmod dstor && ! modprobe dstor", timeout=200)
    client.run("test -z \"$(ls -d /usr/src/dst-* /usr/lib/modules/*/updates/dkms/dstor.ko* 2>/dev/null)\"")
