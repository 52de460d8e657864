# SPDX-License-Identifier: GPL-2.0
"""The exporter's disk grows: the device grows, with I/O running, and says so with a uevent."""
from common import device, export, export_and_attach, guest_python, start_load, write_block

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


# Prints for each size what each of two connections is told of it: [flags, MiB] of CHANGE, or nothing.
TOLD = """
    from rawclient import *
    import json, subprocess
    first = Raw("data", queues=2, ping_ms=20000)
    second = Raw("data", queues=2, queue=1, ping_ms=20000, session=first.fields["session"], client=first.fields["client"])
    assert first.welcome["status"] == second.welcome["status"] == "OK", (first.welcome, second.welcome)

    def resize(megabytes, seconds):
        subprocess.run(f"truncate -s {{megabytes}}M {file}", shell=True, check=True)
        told, until = [], time.monotonic() + seconds
        for c in (first, second):
            try:
                f = c.receive(max(until - time.monotonic(), 0.1))[0]
                told.append([f["type"] == CHANGE and f["flags"], f["offset"] >> 20])
            except TimeoutError:
                told.append(None)
        return told

    print(json.dumps([resize(*x) for x in {sizes}]))
    """


def test_each_connection_is_told(machine):
    """Otherwise one of them would refuse what lies behind the former end."""
    m = machine
    m.run("truncate -s 8M /tmp/f && dst export data /tmp/f --allow any --shared")
    assert guest_python(m, TOLD.format(file="/tmp/f", sizes=[(16, 8)])) == [[[1, 16]] * 2]


def test_a_size_below_the_former_is_not_told(machine):
    """A file shrinks, and grows to less than it was: the protocol has no word for that, and the next word is true."""
    m = machine
    m.run("truncate -s 16M /tmp/f && dst export data /tmp/f --allow any --shared")
    got = guest_python(m, TOLD.format(file="/tmp/f", sizes=[(8, 3), (12, 3), (24, 8)]))
    assert got == [[None] * 2, [None] * 2, [[1, 24]] * 2]


def test_a_disk_that_ends_within_a_block(machine):
    """What is left over at its end is not offered, at the beginning or when it grows."""
    m = machine
    file = m.run("modprobe -q loop; truncate -s $(((16 << 20) + 1536)) /tmp/f && losetup --find --show -b 4096 /tmp/f").out.strip()
    path = export_and_attach(m, file)
    grown(m, 16)
    m.run(f"truncate -s $(((24 << 20) + 512)) /tmp/f && losetup -c {file}")
    grown(m, 24)
    write_block(m, path, "at the new end", block=(24 << 8) - 1)


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
