# SPDX-License-Identifier: GPL-2.0
"""A small Debian as a machine has it that boots by itself: a root file system with DST installed, and its initramfs.

debootstrap makes it, once (~/.cache/dst/vm); DST, the kernel's modules, and what a test wants are put there for each test.
"""
import os
import shutil
import subprocess

from harness.boot import PROJECT, RUN, SYSTEMD, agent, cached, digest

PACKAGES = ["systemd-sysv", "udev", "kmod", "ifupdown", "iproute2", "initramfs-tools", "zstd", "lsb-base",
            "libnl-genl-3-200", "libjson-c5", "libsodium23", "libinih1"]
# From early on until the very end, as in the machines that init.sh boots.
AGENT = """[Unit]
DefaultDependencies=no
IgnoreOnIsolate=yes
[Service]
ExecStart=/bin/sh -c 'until cd /dev/virtio-ports; do sleep 0.2; done; exec /usr/local/sbin/dst-agent /dev/virtio-ports/ctl'
Environment=PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
KillMode=process
SendSIGKILL=no
"""
# The console is what a test reads, nobody logs in; and what its udev would load for nothing.
COMMAND_LINE = " ".join(w for w in SYSTEMD.split() if not w.startswith(("dst.", "systemd.mask")))


def run(*command, **how):
    done = subprocess.run([str(c) for c in command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **how)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stdout[-3000:]}"
    return done.stdout


def base():
    """The tree that debootstrap makes, in an archive."""
    def make(tmp):
        tree = tmp.with_suffix(".tree")
        try:
            run("debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", "bookworm", tree)
            for name in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man"):
                shutil.rmtree(tree / name)
            run("tar", "-C", tree, "-cf", tmp, ".")
        finally:
            shutil.rmtree(tree, ignore_errors=True)
    return cached(RUN / f"debian-{digest(*PACKAGES)}.tar", make)


def write(tree, files):
    """{path: text or (mode, bytes)}"""
    for path, what in files.items():
        mode, data = what if isinstance(what, tuple) else (0o644, what.encode())
        to = tree / path.lstrip("/")
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(data)
        to.chmod(mode)


# In a mount namespace of its own, so that nothing is left mounted whatever happens: the kernel's modules are the host's, and
# depmod shall not write there.
MKINITRAMFS = r"""set -e
cd "$1"; release=$2 ko=$3 modules=$4 config=$5
mount -t tmpfs none mnt
mkdir -p mnt/up/updates mnt/work lib/modules/$release
cp $ko mnt/up/updates
mount -t overlay -o lowerdir=$modules,upperdir=mnt/up,workdir=mnt/work none lib/modules/$release
for d in dev proc sys; do mount --bind /$d $d; done
cp $config boot
chroot . /sbin/depmod $release
chroot . /usr/sbin/mkinitramfs -o /boot/initrd.img $release
"""


def make(kernel, work, files):
    """(initramfs, image of a root file system) with DST as `make install` puts it there, and these files."""
    tree, initrd, image = work / "tree", work / "initrd.img", work / "root.img"
    tree.mkdir(parents=True)
    run("tar", "-C", tree, "-xf", base())
    run("make", "install-utility", f"DESTDIR={tree}", cwd=PROJECT)
    write(tree, {
        "/usr/local/sbin/dst-agent": (0o755, agent().read_bytes()),
        "/etc/systemd/system/dst-agent.service": AGENT,
        "/etc/systemd/system/sysinit.target.d/agent.conf": "[Unit]\nWants=dst-agent.service\n",
        "/etc/initramfs-tools/modules": "virtio_console\n",
        "/etc/initramfs-tools/conf.d/test": "MODULES=netboot\n",
        **files})
    run("unshare", "--mount", "sh", "-c", MKINITRAMFS, "sh", tree, kernel.release, kernel.ko, kernel.modules, kernel.config)
    os.rename(tree / "boot/initrd.img", initrd)
    run("mkfs.ext4", "-q", "-d", tree, "-L", "root", image, "1G")
    shutil.rmtree(tree)
    return initrd, image
