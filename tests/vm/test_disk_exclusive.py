# SPDX-License-Identifier: GPL-2.0
"""Disks and files that cannot be exported, or not twice, and what the machine itself has written to them before."""
import time

from common import attach_to, export_and_attach, fails, read_block, write_block, written


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
