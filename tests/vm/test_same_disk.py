# SPDX-License-Identifier: GPL-2.0
"""A session resumes only on the disk it was made for; another one under the name leaves the device suspended."""
import time

from common import Trace, device, export, export_and_attach, read_block, wait_state, write_block


def test_other_disk_under_the_old_name(machine):
    m = machine
    mine, other = m.ramdisk(8), m.ramdisk(8)
    path = export_and_attach(m, mine)
    uuid = export(m)["uuid"]
    write_block(m, path, "mine")
    m.run("dst unexport data --force")
    writer = m.start(f"printf %-4096s waiting | dd of={path} bs=4k seek=1 iflag=fullblock oflag=direct conv=notrunc status=none")
    with Trace(m, other) as trace:
        m.run(f"dst export data {other} --allow any")
        assert export(m)["uuid"] != uuid
        d = wait_state(m, "suspended")
        assert "uuid" in d["reason"].lower() or "other disk" in d["reason"].lower() or "different" in d["reason"].lower(), d
        assert "suspended" in m.run("dst show d").out
        time.sleep(1)
        m.run("dst unexport data --force")
    assert trace.count("W") == 0, trace.bios
    assert writer.running
    # the right one again: all goes on
    m.run(f"dst export data {mine} --allow any")
    writer.wait(15, check=True)
    assert device(m)["state"] == "connected" and export(m)["uuid"] == uuid
    assert read_block(m, path) == "mine" and read_block(m, path, 1) == "waiting"
    assert read_block(m, other) == ""


def test_disk_that_shrank(machine):
    """The same file, shorter than the device is: suspended, not an error at some later block."""
    m = machine
    ram = m.ramdisk(32)
    m.run(f"mkfs.ext4 -q {ram} && mount {ram} /mnt && truncate -s 8M /mnt/f")
    path = export_and_attach(m, "/mnt/f")
    write_block(m, path, "kept")
    m.run("dst unexport data --force && truncate -s 4M /mnt/f && dst export data /mnt/f --allow any")
    d = wait_state(m, "suspended")
    assert "small" in d["reason"].lower() or "shr" in d["reason"].lower() or "size" in d["reason"].lower(), d
    m.run("dst unexport data --force && truncate -s 8M /mnt/f && dst export data /mnt/f --allow any")
    wait_state(m, "connected")
    assert read_block(m, path) == "kept"
