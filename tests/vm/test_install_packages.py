# SPDX-License-Identifier: GPL-2.0
"""Debian packages come, are replaced and go while a device is attached, which does not notice; completion of live names."""
import subprocess

import pytest

from common import VERSION, device, export_and_attach, read_block, write_block
from harness.boot import PROJECT

DEB = PROJECT / "build/deb"
NEWER = f"{VERSION}+1"


@pytest.fixture(scope="module")
def packages():
    """{version: files} of two versions, built as somebody who installs them would; lintian has nothing to object."""
    found = {}
    for version in (VERSION, NEWER):
        subprocess.run(["make", "deb", f"DEB_VERSION={version}"], cwd=PROJECT, check=True, timeout=200,
                       stdout=subprocess.DEVNULL)
        found[version] = [DEB / f"dst-utils_{version}_amd64.deb", DEB / f"dst-dkms_{version}_all.deb"]
        lint = subprocess.run(["lintian", "--fail-on", "error,warning", "--allow-root", *found[version]], text=True,
                              capture_output=True)
        assert lint.returncode == 0, lint.stdout + lint.stderr
    return found


@pytest.mark.stock
@pytest.mark.limit(500)
def test_packages_come_and_go_under_an_attached_device(cluster, packages):
    m = cluster(1)[0]  # not on UML, whose tmpfs does not suit dpkg
    path = export_and_attach(m, m.ramdisk(8), attach="--connections 1")
    write_block(m, path, "before")
    # building the module takes long, and is not what is shown here (test_install_debian13 does): DKMS says that it was asked for
    m.run("mkdir -p /etc/dkms && touch /etc/dkms/no-autoinstall")
    # and so does an initramfs: that it is asked for is enough here
    m.run("echo update_initramfs=no >/etc/initramfs-tools/update-initramfs.conf")
    for version, files in packages.items():
        for file in files:
            m.put(f"/tmp/{file.name}", file)
        said = m.run(f"DEBIAN_FRONTEND=noninteractive dpkg -i {' '.join(f'/tmp/{f.name}' for f in files)} 2>&1", timeout=120).out
        assert "Processing triggers for initramfs-tools" in said and "autoinstall for dkms modules has been disabled" in said
        assert m.run("dpkg-query -W -f '${Version} ' dst-utils dst-dkms").out == f"{version} {version} "
        assert device(m)["state"] == "connected" and read_block(m, path) == "before"

    assert m.run("ls /usr/share/man/man4/dst.4.gz /usr/share/man/man5/dst.conf.5.gz /usr/share/man/man8/dst.8.gz")
    bash = "source /usr/share/bash-completion/completions/dst; complete_() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); " \
        "_dst; echo ${COMPREPLY[*]}; }; "
    assert m.run(bash + "complete_ dst detach ''").out == "d\n"
    assert m.run(bash + "complete_ dst unexport ''; complete_ dst det").out == "data\ndetach\n"
    assert m.run(bash + "complete_ dst show ''; complete_ dst show --w").out == "data d\n--watch --why\n"
    m.put("/tmp/z", "compadd() { print -r -- ${@:#-*} }\n" + (PROJECT / "dist/completion/_dst").read_text().replace(
        '_dst "$@"', 'words=(dst detach ""); CURRENT=3; _dst; words=(dst unexport ""); _dst; words=(dst show --wh); _dst'))
    assert m.run("zsh -f /tmp/z").out.split()[:2] == ["d", "data"]

    m.run("DEBIAN_FRONTEND=noninteractive dpkg --purge dst-utils dst-dkms", timeout=120)
    m.put("/usr/sbin/dst", PROJECT / "build/dst")
    assert device(m)["state"] == "connected" and read_block(m, path) == "before"
    m.run(f"dst detach d; test ! -e /usr/src/dst-{VERSION}")
