# SPDX-License-Identifier: GPL-2.0
"""What the recipes (test_recipe_*.py, docs/recipes.md) share: several exports of one machine, an array that is looked at, LVM."""
from common import attach_to, device, wait_state

ARRAY = "/dev/md7"
SPEED = "echo 1000000 >/proc/sys/dev/raid/speed_limit_min"


def devices(m, count, megabytes=16, export="", attach="", **disk):
    """Both ends on one machine: so many ramdisks, exported as e0 ... and attached as d0 ...; (disks, devices)."""
    disks = [m.ramdisk(megabytes, **disk) for _ in range(count)]
    for i, path in enumerate(disks):
        m.run(f"dst export e{i} {path} --allow from=127.0.0.0/8 {export}")
    return disks, [attach_to(m, f"dst://127.0.0.1/e{i} --connections 1 {attach}", name=f"d{i}") for i in range(count)]


def stats(m, name):
    return device(m, name)["stats"]


# md -------------------------------------------------------------------------------------------------

def attribute(m, name):
    """Of the array, from sysfs: /proc/mdstat waits for the bitmap, and so for a member that is away."""
    return m.run(f"cat /sys/block/md7/md/{name}").out.split()[0]


def members(m):
    return sorted(m.run("cat /sys/block/md7/md/dev-*/state").out.split())


def whole(m):
    """[UUUU], and nothing is copied."""
    return attribute(m, "degraded") == "0" and attribute(m, "sync_action") == "idle" and set(members(m)) == {"in_sync"}


def becomes_whole(m, timeout=90):
    m.wait_for("cd /sys/block/md7/md; grep -qx 0 degraded && grep -qx idle sync_action", timeout)
    assert whole(m), members(m)


def re_added(m, *paths):
    """Members that failed, and whose exporters are back."""
    for path in paths:
        wait_state(m, "connected", path.removeprefix("/dev/dst-"), timeout=30)
        m.run(f"mdadm {ARRAY} --remove {path} && mdadm {ARRAY} --re-add {path}")
    becomes_whole(m)


def consistent(m):
    """md reads all of it and compares: parity and copies are right."""
    m.run("echo check >/sys/block/md7/md/sync_action")
    becomes_whole(m)
    assert attribute(m, "mismatch_cnt") == "0"


# LVM ------------------------------------------------------------------------------------------------

def lvm(m):
    """LVM as Debian configures it, but for a machine that has no udev: the beginning of each of its commands."""
    m.run("rm -rf /dev/vg; mkdir -p /tmp/lvm && cp -r /etc/lvm/lvm.conf /etc/lvm/profile /tmp/lvm/")
    m.put("/tmp/lvm/lvmlocal.conf", "devices { obtain_device_list_from_udev = 0 }\nactivation { udev_sync = 0 udev_rules = 0 monitoring = 0 }\n")
    return "export LVM_SYSTEM_DIR=/tmp/lvm DM_DISABLE_UDEV=1 LVM_SUPPRESS_FD_WARNINGS=1; "


def block_device(m, path):
    """/dev/dm-N of a name of it."""
    return "/dev/" + m.run(f"lsblk -dno KNAME {path}").out.strip()
