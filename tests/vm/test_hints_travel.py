# SPDX-License-Identifier: GPL-2.0
"""What the client's kernel says of a request is said again at the exporter's disk: sync, metadata, read-ahead."""
from common import Trace, export_and_attach


def test_sync_and_read_ahead(machine):
    m = machine
    disk = m.ramdisk(16)
    path = export_and_attach(m, disk)
    with Trace(m, disk) as trace:
        m.run(f"dd if=/dev/zero of={path} bs=4k count=8 oflag=direct status=none")
    assert trace.count("W\\w*S") == 8, trace.bios
    with Trace(m, disk) as trace:
        m.run(f"dd if={path} of=/dev/null bs=4k count=8 iflag=direct status=none")
    assert trace.count("R") >= 8 and not trace.count("RA"), trace.bios
    with Trace(m, disk) as trace:
        m.run(f"dd if={path} of=/dev/null bs=4k skip=1024 count=512 status=none")
    assert trace.count("RA") >= 4, trace.bios


def test_metadata_of_a_file_system(machine):
    m = machine
    disk = m.ramdisk(16)
    path = export_and_attach(m, disk)
    m.run(f"mkfs.ext4 -q {path} && sync && echo 3 >/proc/sys/vm/drop_caches")
    with Trace(m, disk) as trace:
        m.run(f"mount {path} /mnt && mkdir /mnt/x && sync && umount /mnt")
    assert trace.count("R\\w*M") >= 1 and trace.count("W\\w*M") >= 1, trace.bios
