# SPDX-License-Identifier: GPL-2.0
"""A file system on a device: made, filled, unmounted, checked, found again after detach and attach."""
from common import attach_to, export_and_attach


def test_ext4_keeps_a_tree(machine):
    m = machine
    disk = m.ramdisk(64)
    path = export_and_attach(m, disk)
    m.run("mkdir -p /tmp/tree && cp -r /dst/docs /dst/wire /dst/include /tmp/tree && head -c 9M /dev/urandom >/tmp/tree/big")
    m.run(f"mkfs.ext4 -q {path} && mount {path} /mnt && cp -a /tmp/tree /mnt && diff -r /tmp/tree /mnt/tree && umount /mnt "
          f"&& fsck.ext4 -fn {path}", timeout=120)
    m.run("dst detach d")
    attach_to(m, "dst://localhost/data")
    m.run(f"mount {path} /mnt && diff -r /tmp/tree /mnt/tree && rm -r /mnt/tree/docs && sync && umount /mnt", timeout=120)
    m.run("dst detach d && dst unexport data")
    # ... and it is all on the exporter's own disk
    m.run(f"fsck.ext4 -fn {disk} && mount -o ro {disk} /mnt && cmp /tmp/tree/big /mnt/tree/big && ! test -e /mnt/tree/docs")
