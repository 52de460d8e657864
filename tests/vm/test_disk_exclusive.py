# SPDX-License-Identifier: GPL-2.0
"""Disks and files that cannot be exported, or not twice, and what the machine itself has written to them before."""
import time

import pytest

from common import Trace, attach_to, export, export_and_attach, fails, flush_count, guest_python, read_block, write_block, written


def test_file_is_exported_once(machine):
    """By whatever name: a second export would be a second lease."""
    m = machine
    m.run("truncate -s 8M /tmp/f && ln /tmp/f /tmp/g && ln -s /tmp/f /tmp/h")
    m.run("dst export data /tmp/f --allow any")
    for path in "/tmp/f", "/tmp/g", "/tmp/h":
        for options in "", "--read-only", "--shared":
            fails(m, f"dst export more {path} --allow any {options}", "exported already", "data")
    m.run("dst unexport data && dst export more /tmp/g --allow any")
    assert attach_to(m, "dst://127.0.0.1/more")


def test_file_that_others_write_to(machine):
    """A loop device, a swap file, a mount, any program: each knows nothing of the lease."""
    m = machine
    loop = m.loopfile(8)
    backing = m.run(f"losetup -n -O BACK-FILE {loop}").out.strip()
    fails(m, f"dst export data {backing} --allow any", backing, "open for writing elsewhere", "loop device")
    m.run(f"mkfs.ext4 -q {loop} && mount {loop} /mnt")
    fails(m, f"dst export data {backing} --allow any --read-only", "open for writing elsewhere")
    fails(m, f"dst export data {loop} --allow any", "mounted")
    m.run(f"umount /mnt && losetup -d {loop}")
    m.wait_for(f"dst export data {backing} --allow any", 5)
    m.run("dst unexport data")
    job = m.start(f"exec 9<>{backing}; sleep 60")
    time.sleep(1)
    fails(m, f"dst export data {backing} --allow any", "open for writing elsewhere")
    job.kill()


def test_zoned_disk_is_refused(machine):
    m = machine
    disk = m.ramdisk(16, zoned=1, zone_size=4)
    fails(m, f"dst export data {disk} --allow any", disk, "zoned")


def test_what_was_written_before_cannot_land_later(machine):
    """Another program holds the disk open with pages that are not yet written: they are before the first client's."""
    m = machine
    disk = m.ramdisk(8)
    m.run("echo 360000 >/proc/sys/vm/dirty_expire_centisecs; echo 0 >/proc/sys/vm/dirty_writeback_centisecs")
    holder = m.start(f"exec 9<{disk}; sleep 100")
    try:
        time.sleep(0.5)
        write_block(m, disk, "before", flags="conv=notrunc")
        assert written(m, disk) == 0
        path = export_and_attach(m, disk)
        assert read_block(m, path) == "before"
        write_block(m, path, "client")
        m.run("sync")
        assert read_block(m, path) == read_block(m, disk) == "client"
        # a page that was read here meanwhile is not the disk's any more once it is back
        m.run(f"cat {disk} >/dev/null")
        write_block(m, path, "later")
        m.run("dst detach d && dst unexport data")
        assert m.run(f"head -c 5 {disk}").out == "later"
    finally:
        holder.kill()
        m.run("echo 3000 >/proc/sys/vm/dirty_expire_centisecs; echo 500 >/proc/sys/vm/dirty_writeback_centisecs")


PREFLUSH = """
    from rawclient import *
    import json
    c = Raw("data")
    assert c.write(8192, b"a" * 4096) == "OK"
    print(json.dumps(c.call({op}, 0, 4096, {data}, flags={flags})[0]))
    """


@pytest.mark.parametrize("op, data, first", [("DISCARD", 'b""', "D"), ("WRITE", 'b"b" * 4096', "")])
def test_preflush_comes_before_the_operation(machine, op, data, first):
    """What was acked before is durable before it, also for a discard, and FUA after it (P1)."""
    m = machine
    disk = m.ramdisk(8, cache_size=4)
    m.run(f"dst export data {disk} --allow any")
    with Trace(m, disk) as trace:
        assert guest_python(m, PREFLUSH.format(op=op, data=data, flags="PREFLUSH | FUA")) == "OK"
    kinds = [rwbs for rwbs, _, _ in trace.bios]
    if op == "WRITE":
        assert kinds[1:] and kinds[1].startswith("FW"), kinds
        return
    assert kinds[1].startswith("F") and trace.bios[1][2] == 0, trace.bios
    assert kinds[2][0] in first and trace.bios[2][2] == 8, trace.bios
    assert kinds[3].startswith("F") and trace.bios[3][2] == 0, trace.bios


@pytest.mark.parametrize("op, data", [("DISCARD", 'b""'), ("WRITE", 'b"b" * 4096')])
def test_preflush_on_a_file(machine, op, data):
    m = machine
    disk = m.ramdisk(32, cache_size=4)
    m.run(f"mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 {disk} && mount {disk} /mnt && "
          "dd if=/dev/zero of=/mnt/f bs=1M count=4 conv=fsync status=none && sync")
    m.run("dst export data /mnt/f --allow any --shared")
    flushes = []
    for flags in "0", "PREFLUSH":
        before = flush_count(m, disk)
        assert guest_python(m, PREFLUSH.format(op=op, data=data, flags=flags)) == "OK"
        flushes.append(flush_count(m, disk) - before)
    assert flushes[0] == 0 < flushes[1], flushes
    m.run("dst unexport data && umount /mnt")


@pytest.mark.parametrize("megabytes", [4, 0])
def test_file_that_shrinks(machine, megabytes):
    """It is told, and what its clients write behind the new end does not make it grow again."""
    m = machine
    m.run("head -c 8M /dev/zero >/tmp/f")
    path = export_and_attach(m, "/tmp/f")
    m.run(f"truncate -s {megabytes}M /tmp/f")
    m.wait_for(f"dmesg | grep -q 'export data: its disk has shrunk to {megabytes << 20} bytes'")
    assert export(m)["size"] == megabytes << 20
    m.expect_log("I/O error")
    assert write_block(m, path, "behind", block=(8 << 8) - 1, check=False).status != 0
    assert m.run("stat -c %s /tmp/f").out == f"{megabytes << 20}\n"
    if megabytes:
        write_block(m, path, "before")
        assert read_block(m, path) == "before"
    m.run("dst detach d --force && dst unexport data")
