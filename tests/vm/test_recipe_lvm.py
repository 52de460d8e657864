# SPDX-License-Identifier: GPL-2.0
"""LVM on devices, with Debian's own lvm.conf: stripes, a thin pool with a snapshot, a cache on a local disk; and LUKS, and bcache."""
import pytest

from common import start_load, verify
from recipes import block_device, devices, lvm, stats

pytestmark = pytest.mark.stock
MEGABYTES = 48


def pause(m, seconds=3):
    """The network is away for so long."""
    m.run(f"ip link set lo down; sleep {seconds}; ip link set lo up")


def no_errors(m, *names):
    assert all(stats(m, name)["errors"] == 0 for name in names)


def tree_and_trim(m, path):
    """A file system: a tree that stays right, and discards of it reach the devices below."""
    m.run(f"mkfs.ext4 -q -E nodiscard {path} && mount {path} /mnt && cp -r /dst/docs /mnt/ && head -c 8M /dev/urandom >/mnt/big "
          "&& sync && diff -r /dst/docs /mnt/docs", timeout=120)
    m.run("rm /mnt/big && sync && fstrim /mnt && sync -f /mnt", timeout=120)


def test_stripes_thin_pool_and_snapshots(machine):
    m, do = machine, lvm(machine)
    _, paths = devices(m, 3, MEGABYTES)
    m.run(f"modprobe -a dm_mod dm_snapshot dm_thin_pool; {do} pvcreate -q {' '.join(paths)} && vgcreate -q vg {' '.join(paths)}")
    # nothing was configured for it: devices of the major "blkext" are among what LVM looks at
    assert sorted(m.run(f"{do} pvs --noheadings -o pv_name").out.split()) == sorted(paths)

    before = [stats(m, f"d{i}")["write_bytes"] for i in range(3)]
    m.run(f"{do} lvcreate -q -y -Wy -Zy -i 3 -I 64k -L 36M -n striped vg {' '.join(paths)}")
    load = start_load(m, block_device(m, "/dev/vg/striped"), size="8M", bs="256k", runtime=6)
    pause(m)
    load.wait(60, check=True)
    more = [stats(m, f"d{i}")["write_bytes"] - b for i, b in enumerate(before)]
    assert min(more) > max(more) / 2, more
    # a snapshot of the old kind, which copies what is overwritten
    m.run(f"mkfs.ext4 -q /dev/vg/striped && mount /dev/vg/striped /mnt && cp -r /dst/docs /mnt && sync; {do} "
          "lvcreate -q -y -s -L 16M -n before vg/striped && rm -r /mnt/docs && echo new >/mnt/new && umount /mnt", timeout=120)
    m.run(f"mount -o ro /dev/vg/before /mnt && diff -r /dst/docs /mnt/docs && test ! -e /mnt/new && umount /mnt; {do} "
          "lvremove -q -y vg/before vg/striped", timeout=120)

    m.run(f"{do} lvcreate -q -y --type thin-pool -L 64M -c 64k -n pool vg && lvcreate -q -y -V 128M --thinpool pool -n thin vg")
    tree_and_trim(m, "/dev/vg/thin")
    assert sum(stats(m, f"d{i}")["discards"] for i in range(3)) > 0
    m.run(f"{do} lvcreate -q -y -s -kn -n then vg/thin && rm -r /mnt/docs && echo new >/mnt/new && umount /mnt", timeout=120)
    m.run("mount -o ro /dev/vg/then /mnt && diff -r /dst/docs /mnt/docs && test ! -e /mnt/new && umount /mnt "
          "&& fsck.ext4 -fn /dev/vg/thin", timeout=120)
    # found again after all is detached and attached anew
    m.run(f"{do} vgchange -q -an vg && for i in 0 1 2; do dst detach d$i; done; "
          "for i in 0 1 2; do dst attach dst://127.0.0.1/e$i --name other$i; done; "
          "vgchange -q -ay vg && mount -o ro /dev/vg/then /mnt && diff -r /dst/docs /mnt/docs && umount /mnt && vgchange -q -an vg",
          timeout=120)
    no_errors(m, "other0", "other1", "other2")


def test_lvm_cache_on_a_local_disk(machine):
    """dm-cache in writeback mode: hits cost no network; what is flushed out is on the exporter's disk."""
    m, do = machine, lvm(machine)
    # LVM refuses blocks of different sizes in one group, and does not know null_blk, which has a major of its own
    _, paths = devices(m, 1, MEGABYTES, block_size=512)
    local = m.loopfile(MEGABYTES)
    m.run(f"modprobe -a dm_mod dm_cache dm_cache_smq; {do} vgcreate -q vg {paths[0]} {local} && "
          f"lvcreate -q -y -L 32M -n data vg {paths[0]} && lvcreate -q -y -L 24M -n fast vg {local} && "
          "lvconvert -q -y --type cache --cachevol fast --cachemode writeback vg/data", timeout=120)
    load = start_load(m, block_device(m, "/dev/vg/data"), size="16M", bs="64k", runtime=6)
    pause(m)
    load.wait(60, check=True)
    tree_and_trim(m, "/dev/vg/data")
    assert stats(m, "d0")["discards"] > 0
    m.run(f"umount /mnt; {do} lvconvert -q -y --uncache vg/data", timeout=120)
    # without the local disk
    m.run(f"{do} lvchange -q -an vg/data && vgreduce -q vg {local} && lvchange -q -ay vg/data && mount -o ro /dev/vg/data /mnt "
          f"&& diff -r /dst/docs /mnt/docs && umount /mnt && vgchange -q -an vg && blockdev --flushbufs {paths[0]}", timeout=120)
    no_errors(m, "d0")


def test_bcache_with_a_local_disk(machine):
    m = machine
    disks, paths = devices(m, 1, MEGABYTES)
    local = m.ramdisk(MEGABYTES)
    m.run(f"modprobe bcache; make-bcache -w 4k -b 64k --writeback --discard -C {local} -B {paths[0]} && "
          f"for d in {local} {paths[0]}; do echo $d >/sys/fs/bcache/register; done")
    m.wait_for("test -b /dev/bcache0 && ! grep -q 'no cache' /sys/block/bcache0/bcache/state")
    load = start_load(m, "/dev/bcache0", size="16M", bs="64k", runtime=6)
    pause(m)
    load.wait(60, check=True)
    tree_and_trim(m, "/dev/bcache0")
    assert stats(m, "d0")["discards"] > 0
    # detached from its cache, the device has everything; its data begins after 8 KiB
    m.run("umount /mnt; cd /sys/block/bcache0/bcache; echo 0 >writeback_percent; echo 1 >detach")
    m.wait_for("grep -q 'no cache' /sys/block/bcache0/bcache/state", 60)
    m.run("echo 1 >/sys/block/bcache0/bcache/stop; for c in /sys/fs/bcache/*-*/stop; do echo 1 >$c; done")
    m.wait_for("test ! -e /sys/block/bcache0")
    m.wait_for("dst detach d0")
    m.run(f"dst unexport e0 && modprobe -q loop; loop=$(losetup -f --show -r -b 4096 -o 8192 {disks[0]}) && "
          "mount -o ro,noload $loop /mnt && diff -r /dst/docs /mnt/docs && umount /mnt && losetup -d $loop")


def test_luks(machine):
    """Encrypted before it leaves: the exporter's disk never has the plain text; discards only if allowed."""
    m = machine
    disks, paths = devices(m, 1, MEGABYTES)
    m.run("printf secret >/tmp/key; export DM_DISABLE_UDEV=1; modprobe dm_crypt; "
          f"cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 {paths[0]} /tmp/key && "
          f"cryptsetup open --key-file /tmp/key --allow-discards {paths[0]} plain", timeout=120)
    plain = block_device(m, "/dev/mapper/plain")
    load = start_load(m, plain, size="8M", bs="64k", runtime=6)
    pause(m)
    load.wait(60, check=True)
    m.run(verify(plain, size="8M", bs="4k"), timeout=120)
    tree_and_trim(m, plain)
    assert stats(m, "d0")["discards"] > 0
    m.run(f"echo 'find-this-text' >/mnt/text && sync && umount /mnt && grep -q find-this-text {plain} && "
          "DM_DISABLE_UDEV=1 cryptsetup close plain", timeout=120)
    no_errors(m, "d0")
    m.run(f"dst detach d0 && dst unexport e0; ! grep -q find-this-text {disks[0]} && cryptsetup isLuks {disks[0]}")
    # ... and is opened anywhere
    m.run(f"export DM_DISABLE_UDEV=1; cryptsetup open --key-file /tmp/key {disks[0]} plain && mount -o ro /dev/mapper/plain /mnt && "
          "diff -r /dst/docs /mnt/docs && umount /mnt && cryptsetup close plain", timeout=120)
