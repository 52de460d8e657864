# SPDX-License-Identifier: GPL-2.0
"""`dst show --why` names what is wrong although the device connects: digests, large packets, the exporter's disk."""
import pytest

from common import PROXY, Proxy, device, export_and_attach, mapped
from test_networks import attach_to_from, serve, wired  # noqa: F401 (a fixture)

IMPATIENT = "--connections 1 --timeout 1s --retries 60 --ping 300ms"
USUAL = "--connections 1 --timeout 2s --retries 60"  # TCP sends three times in 1.4 s; silence for 3 s is death


def wait_why(m, words, timeout=60):
    m.wait_for(f"dst show --why d | grep -q '{words}'", timeout=timeout)


def test_all_data_arrives_damaged(machine):
    """That of private copies, too, so no caller of a write changes it."""
    m = machine
    with Proxy(m) as proxy:
        path = export_and_attach(m, m.ramdisk(16), port=PROXY, attach=IMPATIENT)
        proxy.do("corrupt up data 100000")
        write = m.start(f"dd if=/dev/zero of={path} bs=4k count=1 oflag=direct status=none")
        wait_why(m, "arrives damaged, and so does its private copy")
        assert write.running
        proxy.do("corrupt up data 0")
        write.wait(30, check=True)


@pytest.mark.parametrize("direction", ["write", "read"])
def test_large_packets_do_not_pass(wired, direction):  # noqa: F811
    """Handshakes and pings pass; the device connects again and again."""
    m = wired("1")
    serve(m, m.ramdisk(16))
    path = attach_to_from(m, "near", f"dst://10.9.1.1/data {USUAL}")
    host = "far" if direction == "write" else "near"
    m.run(f"ip netns exec {host} nft 'add table t; add chain t c {{ type filter hook input priority 0; }}; "
          "add rule t c meta length > 1200 drop'")
    job = m.start(f"dd {'of' if direction == 'write' else 'if'}={path} {'if=/dev/zero' if direction == 'write' else 'of=/dev/null'} "
                  f"bs=64k count=1 {'oflag' if direction == 'write' else 'iflag'}=direct status=none")
    wait_why(m, "compare the MTU of all links")
    assert device(m)["state"] in ("connected", "reconnecting") and job.running
    m.run(f"ip netns exec {host} nft delete table t")
    job.wait(60, check=True)


def test_the_exporters_disk_hangs(machine):
    m = machine
    disk = mapped(m, "x", f"0 {16 << 11} linear {m.ramdisk(16)} 0")
    path = export_and_attach(m, disk, attach=IMPATIENT)
    m.run("dmsetup suspend --noflush --nolockfs x")
    job = m.start(f"dd if={path} of=/dev/null bs=4k count=1 iflag=direct status=none")
    wait_why(m, "waits for its disk")
    m.run("dmsetup resume x")
    job.wait(10, check=True)
    m.wait_for("! dst show --why d | grep -q 'waits for its disk'", timeout=10)


def test_the_exporters_disk_is_gone(machine):
    m = machine
    path = export_and_attach(m, m.ramdisk(16), attach=IMPATIENT)
    m.run("for n in /sys/kernel/config/nullb/*; do echo 0 >$n/power; done")
    assert m.run(f"dd if={path} of=/dev/null bs=4k count=1 iflag=direct status=none", check=False, timeout=30).status != 0
    wait_why(m, "its disk is gone")
