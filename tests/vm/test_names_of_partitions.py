# SPDX-License-Identifier: GPL-2.0
"""A device and a partition of another never share a name: the second is refused, or does not come, and both are told in words."""
import struct

import pytest

from common import attach_to, fails, read_block, write_block


def table(partitions):
    """A DOS partition table: so many of 1 MiB each."""
    entries = b"".join(struct.pack("<8B2L", 0, 0, 0, 0, 0x83, 0, 0, 0, 2048 * n, 2048) for n in range(1, partitions + 1))
    return entries.ljust(64, b"\0").rjust(510, b"\0") + b"\x55\xaa"


ONE, TWO = table(1), table(2)


def offer(m, *names):
    """An export of each name; the disks."""
    disks = {}
    for name in names:
        disks[name] = m.ramdisk(8, block_size=512)
        m.run(f"dst export {name} {disks[name]} --allow any")
    return disks


def write_table(m, disk, sector):
    m.put("/tmp/sector", sector)
    m.run(f"dd if=/tmp/sector of={disk} conv=notrunc,fsync status=none")


def attach(m, name):
    return attach_to(m, f"dst://127.0.0.1/{name}", name)


def partitions(m, name):
    return m.run(f"cd /sys/block/dst-{name} && ls -d dst-{name}*", check=False).out.split()


def check_no_dump(m):
    assert m.run("dmesg | grep -c 'cannot create duplicate filename\\|could not be added'", check=False).out.strip() == "0"


def test_a_device_called_as_a_partition(machine):
    m = machine
    disks = offer(m, "data", "data1", "data2")
    write_table(m, disks["data"], ONE)
    attach(m, "data")
    assert partitions(m, "data") == ["dst-data1"]
    fails(m, "dst attach dst://127.0.0.1/data1", "/dev/dst-data1 is partition 1 of the device \"data\"", "--name")
    m.run("dst attach dst://127.0.0.1/data1 --name other")

    # its name is free now, and must stay so while the device is attached
    path = attach(m, "data2")
    write_block(m, path, "device")
    write_table(m, disks["data"], TWO)
    assert m.run("blockdev --rereadpt /dev/dst-data", check=False).status != 0
    assert m.run("addpart /dev/dst-data 2 4096 2048", check=False).status != 0
    assert partitions(m, "data") == ["dst-data1"]
    assert read_block(m, path) == "device"
    m.run("dmesg | grep 'dst-data: it gets no partitions while the device .data2. is attached'")

    m.run("dst detach data2")
    m.run("blockdev --rereadpt /dev/dst-data")
    assert partitions(m, "data") == ["dst-data1", "dst-data2"]
    fails(m, "dst attach dst://127.0.0.1/data2", "partition 2")
    check_no_dump(m)


def test_a_device_whose_partition_would_be_called_as_a_device(machine):
    m = machine
    disks = offer(m, "data", "data1")
    write_table(m, disks["data"], TWO)
    path = attach(m, "data1")
    write_block(m, path, "device")
    attach(m, "data")
    assert partitions(m, "data") == []
    assert read_block(m, "/dev/dst-data1") == "device"
    m.run("dmesg | grep 'dst-data: it gets no partitions while the device .data1. is attached'")
    m.run("dst detach data1; blockdev --rereadpt /dev/dst-data")
    assert partitions(m, "data") == ["dst-data1", "dst-data2"]
    check_no_dump(m)


def test_partitions_of_two_devices(machine):
    """A "p" stands between a digit and the number: partition 1 of both would be dst-a1p1."""
    m = machine
    disks = offer(m, "a1", "a1p")
    for disk in disks.values():
        write_table(m, disk, ONE)
    attach(m, "a1")
    attach(m, "a1p")
    assert (partitions(m, "a1"), partitions(m, "a1p")) == (["dst-a1p1"], [])
    m.run("dst detach a1; blockdev --rereadpt /dev/dst-a1p")
    assert partitions(m, "a1p") == ["dst-a1p1"]
    check_no_dump(m)


def test_names_that_no_partition_has(machine):
    m = machine
    names = ["data01", "data256", "data1x", "datap1", "dat"]
    disk = offer(m, "data", *names)["data"]
    write_table(m, disk, ONE)
    for name in names:
        attach(m, name)
    attach(m, "data")
    assert partitions(m, "data") == ["dst-data1"]
    check_no_dump(m)


@pytest.mark.points
def test_while_a_table_is_read(machine):
    """Whether it has such a partition cannot be said yet: the attach ends soon and says so (P8)."""
    m = machine
    m.run("truncate -s 8M /tmp/table")
    write_table(m, "/tmp/table", ONE)
    m.run("dst export data /tmp/table --allow any")
    offer(m, "data1")
    with m.point("FILE_IO", hold=True) as point:
        job = m.start("dst attach dst://127.0.0.1/data")
        point.reached()
        fails(m, "dst attach dst://127.0.0.1/data1", "may be a partition of the device \"data\"", "try again", timeout=10)
        point.release()
        assert job.wait(20).status == 0
    fails(m, "dst attach dst://127.0.0.1/data1", "is partition 1")
    check_no_dump(m)
