# SPDX-License-Identifier: GPL-2.0
"""What dst-shutdown.service does when the machine goes down: a file system whose exporter is dead is unmounted soon."""
import time

from common import Proxy, device, export_and_attach

SHUTDOWN_TIMEOUTS = "/dst/dist/systemd/shutdown-timeouts"


def test_unmount_without_the_exporter(machine):
    m = machine
    with Proxy(m) as proxy:
        path = export_and_attach(m, m.ramdisk(64), attach="--connections 1", port=proxy.port)
        m.run(f"mkfs.ext4 -q {path} && mkdir -p /mnt/d && mount {path} /mnt/d && echo dirty >/mnt/d/f")
        m.expect_log(r"I/O error|EXT4-fs|JBD2|Buffer I/O|lost async page write|Aborting journal|transport error")
        proxy.do("refuse", "stall both")
        began = time.monotonic()
        m.run(SHUTDOWN_TIMEOUTS)
        assert time.monotonic() - began < 5
        assert (device(m)["timeout_ms"], device(m)["retries"]) == (5000, 3)
        m.run("umount /mnt/d", timeout=80, check=False)
        m.run("! mountpoint -q /mnt/d && dst detach d")
        assert time.monotonic() - began < 60


def test_exporter_that_is_there_is_not_given_up(machine):
    m = machine
    path = export_and_attach(m, m.ramdisk(8), attach="--connections 1")
    m.run(f"{SHUTDOWN_TIMEOUTS}; sleep 12; dd if=/dev/zero of={path} bs=4k count=4 oflag=direct status=none")
    assert device(m)["timeout_ms"] == 5000 and device(m)["stats"]["errors"] == 0
