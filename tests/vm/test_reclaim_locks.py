# SPDX-License-Identifier: GPL-2.0
"""Nobody waits for memory with a lock that reconnecting needs: lockdep is taught which these are, and looks on (P7).

Each scenario ends with a look at the kernel log, where lockdep has named whoever did.
"""
import pytest

from common import PROXY, Wiretap, attach_to, device, export_and_attach, make_keys, read_block, wait_state, write_block

pytestmark = pytest.mark.debug
RECOVERY = {"dstor-recovery", "&dev->lock", "&dev->report.lock", "&q->lock", "key"}   # the last is tx.lock


def test_lockdep_is_taught(machine):
    """All of these locks come behind fs_reclaim."""
    m = machine
    export_and_attach(m, m.ramdisk(8))
    behind = m.run("awk '/ FD:/ { on = / fs_reclaim$/ } on && /->/ { sub(/#.*/, \"\", $NF); print $NF }' /proc/lockdep").out
    assert RECOVERY <= set(behind.split()), behind


@pytest.mark.parametrize("protection", ["", "--cipher aes-256-gcm", "--cipher chacha20-poly1305",
                                        "--cipher none --checksum 'hmac(sha256)'"])
def test_reconnecting_waits_for_no_memory(machine, protection):
    """Attach, outages, other addresses, fresh keys, a larger disk, and detach, all in turn."""
    m = machine
    with Wiretap(m) as proxy:
        disk = m.loopfile(16)
        if protection:
            make_keys(m, "a", "b")
            m.run(f"dst export data {disk} {protection} --allow client=x,key=/tmp/a.key --allow client=x,key=/tmp/b.key")
            path = attach_to(m, f"dst://127.0.0.1:{PROXY}/data --key /tmp/a.key {protection} --connections 2")
        else:
            path = export_and_attach(m, disk, port=PROXY, attach="--connections 2")
        for n in range(3):
            write_block(m, path, f"write{n}")
            proxy.do("cut")
            assert read_block(m, path) == f"write{n}"
        wait_state(m, "connected")
        m.run("dst set d uri=dst://127.0.0.1/data")
        wait_state(m, "connected")
        assert read_block(m, path) == "write2"
        if protection:
            m.run("dst set d crypto-threads=3; dst set d key=/tmp/b.key")
            write_block(m, path, "b")
            m.wait_for("dst show --why d | grep -q 2.of.2")
        m.run(f"truncate -s 24M $(losetup -nO BACK-FILE {disk}) && losetup -c {disk} && dst show --why d; "
              "cat /sys/block/dst-d/dst/*")
        assert device(m)["stats"]["errors"] == 0
        m.run("dst detach d --force")


def test_an_exporter_with_other_algorithms(machine):
    """Each start of it chooses another; what is made anew then has keys of its own, at every connection that follows."""
    m = machine
    with Wiretap(m) as proxy:
        disk = m.loopfile(16)
        make_keys(m, "a")
        path = None
        for n, cipher in enumerate(["aes-256-gcm", "chacha20-poly1305", "none", "aes-256-gcm"]):
            if path:
                m.run("dst unexport data --force")
            m.run(f"dst export data {disk} --cipher {cipher} --checksum 'hmac(sha256)' --allow client=x,key=/tmp/a.key")
            path = path or attach_to(m, f"dst://127.0.0.1:{PROXY}/data --key /tmp/a.key --checksum 'hmac(sha256)' "
                                     "--cipher aes-256-gcm,chacha20-poly1305,none --connections 2 --retries forever")
            wait_state(m, "connected")
            for cut in range(2):
                write_block(m, path, f"write{n}{cut}")
                proxy.do("cut")
                assert read_block(m, path) == f"write{n}{cut}"
            assert device(m)["cipher"] == cipher
        assert device(m)["stats"]["errors"] == 0
        m.run("dst detach d")
