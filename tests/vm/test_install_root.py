# SPDX-License-Identifier: GPL-2.0
"""A machine whose / is on a DST device: its initramfs waits for the right exporter, the exporter may restart, and it ends in order."""
import re
import subprocess
import time

import pytest

import debian
from common import device, show
from harness import Disk
from harness.boot import PROJECT

pytestmark = pytest.mark.stock
CONF = "[device root]\nuri = dst://10.77.0.1/root\nkey = /etc/dst/root.key\nretries = forever\n"
IP = "ip=10.77.0.2::10.77.0.254:255.255.255.0:client:eth0:off"
FILES = {
    "/etc/dst/root.conf": CONF,
    "/etc/hostname": "client\n",
    "/etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "/etc/hosts": "127.0.0.1 localhost\n10.77.0.1 exporter\n",
    "/etc/fstab": "/dev/dst-root / ext4 errors=remount-ro 0 1\n",
    # as docs/boot.md says: what the initramfs configured stays until the end
    "/etc/network/interfaces": "auto lo eth0\niface lo inet loopback\nno-auto-down eth0\niface eth0 inet manual\n",
}
WRITER = ("i=0; while [ ! -e /stop ]; do i=$((i + 1)); echo $i >>/log && head -c 100000 /dev/urandom >/data.$((i % 20)) && sync / && "
          "echo $i >/run/written || exit 1; done")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """made(kernel): (initramfs, image of the root, key), once for each kernel."""
    found = {}

    def make(kernel):
        if kernel.release not in found:
            key = subprocess.run([PROJECT / "build/dst", "genkey"], capture_output=True, check=True).stdout
            files = {**FILES, "/etc/dst/root.key": (0o600, key)}
            initrd, image = debian.make(kernel, tmp_path_factory.mktemp("root") / "made", files)
            assert initrd.stat().st_mode & 0o777 == 0o600, "it has a key in it"
            found[kernel.release] = initrd, image, key
        return found[kernel.release]
    return make


@pytest.fixture
def root(made, kernel, cluster):
    """root(append): (exporter with the disk, client that is off and boots from it)"""
    def make(append):
        initrd, image, key = made(kernel)
        exporter, client = cluster(2, disks={"exporter": [Disk("root", 1024, "keep", image)]})
        exporter.key = key
        client.kill()
        client.use_initrd(initrd, f"root=/dev/dst-root {append} {debian.COMMAND_LINE}")
        client.boot_limit = 400
        return exporter, client
    return make


def put_key(m, name, key):
    m.put(f"/tmp/{name}", key)
    m.run(f"chmod 600 /tmp/{name}")
    return f"/tmp/{name}"


def serve(exporter, options=""):
    key = put_key(exporter, "root.key", exporter.key)
    # what was acked is durable: that this machine crashes is a pause, whatever its disk does
    exporter.run(f"dst export root {exporter.disk('root')} --allow key={key} --write-through {options}")


def says(m, regex, timeout=200):
    """Until its console has it, since it was booted."""
    until = time.monotonic() + timeout
    while not re.search(regex, m.log_since(m.test_log)):
        assert m.alive and time.monotonic() < until, f"{m.name} does not say {regex!r}:\n{m.log_since(m.test_log)[-3000:]}"
        time.sleep(0.5)


@pytest.mark.limit(1500)
def test_root_survives_its_exporter(root):
    exporter, client = root(IP)
    client.forget_log()
    client.start_boot()

    # nobody there, somebody who does not have it, somebody with another key: it says so, once each, and waits
    says(client, r'dst: up: waiting for device "root": .*refuse')
    exporter.run(f"dst export other {exporter.ramdisk(8)} --allow key={put_key(exporter, 'root.key', exporter.key)}")
    says(client, r'dst: up: waiting for device "root": .*has no export "root"')
    exporter.run("dst unexport other; dst genkey >/tmp/other.key; chmod 600 /tmp/other.key; "
                 f"dst export root {exporter.disk('root')} --allow key=/tmp/other.key --write-through")
    says(client, r'dst: up: waiting for device "root": .*key')
    exporter.run("dst set root allow=key=/tmp/root.key")
    client.finish_boot()
    assert len(re.findall("waiting for device", client.log_since(client.test_log))) < 10

    # it is what it should be, and known by the names that it has in every other machine
    client.wait_for("systemctl is-active multi-user.target", 300, every=1)
    root_device = device(client, "root")
    assert root_device["state"] == "connected" and root_device["cipher"] != "none"
    client.run("findmnt -n -o SOURCE,OPTIONS / | grep '^/dev/dst-root rw'")
    client.run(f"test -e /dev/disk/by-id/dst-{root_device['uuid']} && ls -l /dev/disk/by-label/root | grep -q dst-root")
    assert '"client"' in exporter.run("dst show root --json").out
    assert client.run("systemctl list-units --failed --no-legend").out == ""

    # whatever is done with the configuration, it stays
    client.run("dst save && grep -q 'device root' /etc/dst/dst.conf && systemctl daemon-reload")
    client.run("dst up && systemctl start dst-attach@root && dst down; systemctl stop dst-attach@root; ! dst detach root")
    assert device(client, "root")["state"] == "connected"

    # the exporter's machine crashes while the client writes, reads what it has no more in memory, and starts programs
    writer = client.start(WRITER)
    client.wait_for("[ $(cat /run/written) -ge 3 ]", 60)
    client.run("sha256sum /usr/bin/* >/run/sums && echo 3 >/proc/sys/vm/drop_caches", timeout=100)
    exporter.kill()
    reader = client.start("sha256sum -c --quiet /run/sums && tac /run/sums | tail -n 1 | wc -l")
    time.sleep(5)
    exporter.boot()
    exporter.load()
    serve(exporter)
    assert reader.wait(200, check=True).out == "1\n"
    before = int(client.run("cat /run/written").out)
    client.wait_for(f"[ $(cat /run/written) -ge {before + 3} ]", 100)
    client.run("touch /stop")
    writer.wait(100, check=True)
    assert device(client, "root")["stats"]["errors"] == 0
    assert not re.search(r"I/O error|EXT4-fs error|Remounting", client.log_since(client.test_log))
    count = client.run("sha256sum /data.* >/sums; wc -l </log").out

    # in order: what is written until the last moment is there at the next boot, and the file system needs no repair
    monitor = exporter.start("dst monitor")
    client.run("echo late >/late")
    client.shutdown(200, "systemctl reboot")
    assert not re.search(r"I/O error|EXT4-fs error|detached", client.log_since(client.test_log) + monitor.out)
    client.forget_log()
    client.boot()
    assert not re.search("recovery complete|orphan", client.run("dmesg").out)
    assert client.run("cat /late; sha256sum -c --quiet /sums; wc -l </log").out == f"late\n{count}"
    client.wait_for("systemctl is-active multi-user.target", 300, every=1)
    # its section is in dst.conf now: nobody does anything with it
    assert client.run("systemctl is-active dst-attach@root", check=False).out == "inactive\n"
    assert [d["name"] for d in show(client)["devices"]] == ["root"]
    client.run("systemctl is-active dst-shutdown && systemctl stop dst-shutdown")
    assert device(client, "root")["retries"] == "forever", "without its root it could not go on shutting down"
    client.shutdown(200, "systemctl poweroff")
    assert not re.search(r"I/O error|EXT4-fs error", client.log_since(client.test_log))
    exporter.run(f"dst unexport root --force; e2fsck -fn {exporter.disk('root')} && ! dumpe2fs -h {exporter.disk('root')} | "
                 "grep needs_recovery")


@pytest.mark.limit(900)
def test_root_on_the_command_line(root):
    """One URI is all; names are resolved. A wrong one is said in one line when the time is over."""
    exporter, client = root(f"{IP} dst.root=dst://exporter/root,connections=1,ping=2s dst.wait=300 "
                            "systemd.machine_id=fedcba98765432100123456789abcdef")
    exporter.run(f"dst export root {exporter.disk('root')} --allow from=10.77.0.2 --write-through")
    client.boot()
    found = device(client, "root")
    assert (found["uri"], found["connections"], found["cipher"]) == ("dst://exporter/root", 1, "none"), found
    client.run("sync")
    client.kill()

    client.use_initrd(client.own[0], client.own[1].replace("exporter/root,", "10.77.0.1/rooot,").replace("=300", "=1"))
    client.forget_log()
    client.start_boot()
    # the shell that it ends in is a reboot here (panic=-1), and that ends QEMU
    client.process.wait(200)
    last = client.log_since(client.test_log).split("Rebooting automatically")[0].splitlines()[-2:]
    assert 'exporter 10.77.0.1:7710 has no export "rooot" (it offers: root)' in last[0], last
    assert last[1].startswith("dst: not attached"), last
