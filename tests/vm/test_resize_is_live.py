# SPDX-License-Identifier: GPL-2.0
"""The exporter's disk grows: the device grows, with I/O running, and says so with a uevent."""
from common import device, export, export_and_attach, start_load, write_block

SIZE = "cat /sys/block/dst-d/size"


def grown(m, megabytes):
    m.wait_for(f"[ $({SIZE}) = {megabytes << 11} ]", timeout=15)
    assert device(m)["size"] == export(m)["size"] == megabytes << 20


def test_loop_device_grows_under_io(machine):
    m = machine
    disk = m.loopfile(16)
    path = export_and_attach(m, disk)
    events = m.start("udevadm monitor --kernel --subsystem-match=block --property")
    job = start_load(m, path, runtime=4, size="4M")
    m.run(f"truncate -s 24M $(losetup -n -O BACK-FILE {disk}) && losetup -c {disk}")
    grown(m, 24)
    job.wait(60, check=True)
    write_block(m, path, "at the new end", block=(24 << 8) - 1)
    assert "RESIZE=1" in events.out and "dst-d" in events.out
    events.kill()
    assert device(m)["stats"]["errors"] == device(m)["stats"]["reconnects"] == 0


def test_file_grows(machine):
    m = machine
    ram = m.ramdisk(48)
    m.run(f"mkfs.ext4 -q {ram} && mount {ram} /mnt && truncate -s 8M /mnt/f")
    path = export_and_attach(m, "/mnt/f")
    m.run("truncate -s 16M /mnt/f")
    grown(m, 16)
    write_block(m, path, "new", block=(16 << 8) - 1)


def test_grows_while_away(machine):
    """What happened during an outage is taken over at the reconnection; a mounted file system grows on top."""
    m = machine
    disk = m.loopfile(32)
    path = export_and_attach(m, disk)
    m.run(f"mkfs.ext4 -q {path} && mount {path} /mnt && echo x >/mnt/x")
    m.run(f"dst unexport data --force && truncate -s 48M $(losetup -n -O BACK-FILE {disk}) && losetup -c {disk} && "
          f"dst export data {disk} --allow any")
    grown(m, 48)
    m.run(f"resize2fs {path} && sync && grep -q x /mnt/x && head -c 34M /dev/zero >/mnt/y && sync && umount /mnt && "
          f"fsck.ext4 -fn {path}", timeout=60)
