"""What a machine boots: finds kernels by name, builds the agent and the initrd, probes KVM.

A kernel is named as in dist/kernels: "6.1", "6.12" (the newest installed stock Debian kernel of that series), "newest", "13",
"6.1-rt", "6.1-cloud" (unpacked by dist/kernel), "uml-debug", "uml-fast" (built by tests/uml/build). Everything made here is
cached in ~/.cache/dst/vm.
"""
import hashlib
import lzma
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from . import coverage

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[2]
CACHE = Path(os.environ.get("DST_CACHE", Path.home() / ".cache/dst"))
RUN = CACHE / "vm"

QEMU_MODULES = ["virtio_pci", "virtio_console", "virtio_blk", "virtio_net", "overlay"]
# How a machine reaches the host's root. The cloud flavour has no 9p.
NINEP, VIRTIOFS = ["9pnet_virtio", "9p"], ["virtiofs"]
# What not every flavour has.
OPTIONAL = ["e1000e"]


class HarnessError(Exception):
    """The test machine, not the thing tested, is at fault."""


def listed():
    """The rows of dist/kernels: name, suite, image ("-": none), headers or source, for."""
    return [line.split() for line in (PROJECT / "dist/kernels").read_text().splitlines() if line and line[0] != "#"]


def kernels_for(use):
    """Names of the kernels that are listed for "gate", "all" or "bench"."""
    return [row[0] for row in listed() if row[4] == use]


def suite_of(name):
    """Of a kernel that is listed; "" of another."""
    return "".join(row[1] for row in listed() if row[0] == name)


# Where dstor.ko and dst are; tests/vm/before names those of another commit.
BUILD = Path(os.environ.get("DST_BUILD") or PROJECT / "build")


class Kernel:
    """name as given by the user; release = directory of its dstor.ko in build/; image = what boots; modules = the folder with its
    modules; config = its configuration; root_fs = how it mounts the host's root."""

    def __init__(self, name):
        self.name = name
        self.is_uml = name.startswith("uml-")
        if self.is_uml:
            self.release = name
            self.image = CACHE / name / "linux"
            if not self.image.exists() or not (CACHE / name / "root/lib/modules").exists():
                raise HarnessError(f"kernel {name} is not built: run tests/uml/build {name[4:]}")
            found = list((CACHE / name / "root/lib/modules").iterdir())
            self.modules = found[0]
            self.hint = f"make ARCH=um KDIR={CACHE / name} KVER={name}"
            self.has_smp = "\nCONFIG_SMP=y\n" in (CACHE / name / ".config").read_text()
            self.build = CACHE / name
            self.root_fs = "hostfs"
            return
        self.is_installed = bool(re.fullmatch(r"\d+\.\d+", name))
        if self.is_installed:
            self.release, top = newest_stock(name), Path("/")
            self.hint = f"make KVER={self.release}"
        else:
            self.release, top = unpacked(name)
            self.hint = f"make module-debian STOCK={name}"
        self.image = extract_vmlinux(self.release, top / "boot" / f"vmlinuz-{self.release}")
        self.config = top / "boot" / f"config-{self.release}"
        self.modules = top / "lib/modules" / self.release
        self.build = self.modules / "build"
        self.root_fs = "9p" if has_module(self.modules, "9p") else "virtiofs"

    @property
    def ko(self):
        # A module that counts is slower: it lies apart, so that no other run takes it.
        return BUILD / ("coverage" if coverage.FOLDER else "") / self.release / "dstor.ko"


def newest_stock(series):
    """The newest installed kernel whose version starts with @series ("6.1" is not "6.12")."""
    def key(release):
        return [int(n) for n in re.findall(r"\d+", release)]
    found = [p.name[len("vmlinuz-"):] for p in Path("/boot").glob("vmlinuz-*")]
    found = [r for r in found if re.match(re.escape(series) + r"(?!\d)", r) and Path("/lib/modules", r).exists()]
    plain = [r for r in found if "cloud" not in r and "rt" not in r] or found
    if not plain:
        raise HarnessError(f"no installed kernel {series} (apt-get install linux-image-{series}-amd64 or linux-image-amd64)")
    return max(plain, key=key)


def unpacked(name):
    """(release, folder) of a kernel that dist/kernel has unpacked."""
    folder = CACHE / "kernels" / name
    if not (folder / ".release").exists():
        raise HarnessError(f"kernel {name} is not unpacked: run dist/kernel {name}")
    return (folder / ".release").read_text().strip(), folder


def has_module(folder, name):
    """Whether a kernel has it, as a module or built in."""
    return any(re.search(rf"/{name}\.ko\b", (folder / index).read_text()) for index in ("modules.dep", "modules.builtin"))


def cached(path, make):
    """@path, made by make(temporary path) when absent."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        tmp = path.with_name(f"{path.name}.{os.getpid()}")
        make(tmp)
        os.rename(tmp, path)
    return path


def digest(*parts):
    h = hashlib.sha256()
    for part in parts:
        h.update(part if isinstance(part, bytes) else str(part).encode())
    return h.hexdigest()[:16]


def extract_vmlinux(release, bzimage):
    """The uncompressed kernel inside vmlinuz: boots twice as fast (PVH) as the bzImage."""
    stat = bzimage.stat()

    def make(tmp):
        data = bzimage.read_bytes()
        magics = {b"\xfd7zXZ\0": ["xzcat"], b"\x1f\x8b\x08": ["zcat"], b"\x28\xb5\x2f\xfd": ["zstdcat"],
                  b"\x02\x21\x4c\x18": ["lz4cat"]}
        for magic, tool in magics.items():
            for found in re.finditer(re.escape(magic), data):
                if not shutil.which(tool[0]):
                    continue
                out = subprocess.run(tool, input=data[found.start():], capture_output=True).stdout
                if out.startswith(b"\x7fELF"):
                    tmp.write_bytes(out)
                    return
        raise HarnessError(f"{bzimage}: no kernel found inside; install the packages of [vm] in dist/packages, it may need their lz4 or zstd")
    return cached(RUN / f"vmlinux-{release}-{stat.st_size}-{int(stat.st_mtime)}", make)


def agent():
    source = HERE / "agent.c"

    def make(tmp):
        subprocess.run(["gcc", "-O2", "-Wall", "-static", "-o", tmp, source], check=True)
    return cached(RUN / f"agent-{digest(source.read_bytes())}", make)


def module_files(kernel):
    """The files to insmod, in order, for QEMU_MODULES and the host's root."""
    names = QEMU_MODULES + (NINEP if kernel.root_fs == "9p" else VIRTIOFS) + [m for m in OPTIONAL if has_module(kernel.modules, m)]
    command = ["/sbin/modprobe", "-d", kernel.modules.parents[2], "-S", kernel.release, "--show-depends", "-a"] + names
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    paths = [line.split()[1] for line in out.splitlines() if line.startswith("insmod")]
    return [Path(p) for p in dict.fromkeys(paths)]


def plain_module(path):
    """(name, bytes) of a module that may be compressed: busybox cannot load such."""
    if path.suffix == ".xz":
        return path.stem, lzma.decompress(path.read_bytes())
    if path.suffix == ".zst":
        return path.stem, subprocess.run(["zstdcat", path], check=True, capture_output=True).stdout
    return path.name, path.read_bytes()


def cpio(entries):
    """A newc archive of (name, mode, bytes); directories are modes with 0o040000."""
    out = bytearray()
    for ino, (name, mode, data) in enumerate(entries + [("TRAILER!!!", 0, b"")], 1):
        raw = name.encode() + b"\0"
        fields = [ino, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(raw), 0]
        out += b"070701" + b"".join(b"%08X" % f for f in fields) + raw
        out += b"\0" * (-len(out) % 4)
        out += data
        out += b"\0" * (-len(out) % 4)
    return bytes(out)


def initrd(kernel, init=None, extra=None, into=None):
    """busybox, the agent, init.sh and, for QEMU, the modules needed to reach the root.

    extra: {path in the machine: (mode, bytes)}, which init.sh copies there; such an archive is not kept, but written @into.
    """
    init = (HERE / "init.sh").read_bytes() if init is None else init
    entries = [("bin", 0o040755, b""), ("modules", 0o040755, b""), ("dev", 0o040755, b""),
               ("bin/busybox", 0o100755, Path("/bin/busybox").read_bytes()),
               ("agent", 0o100755, agent().read_bytes()), ("init", 0o100755, init)]
    order = []
    for path in [] if kernel.is_uml else module_files(kernel):
        name, data = plain_module(path)
        order.append(name)
        entries.append((f"modules/{name}", 0o100644, data))
    entries.append(("modules.order", 0o100644, " ".join(order).encode()))
    folders = {parent for path in extra or () for parent in Path(path.lstrip("/")).parents}
    entries += [(str("extra" / f), 0o040755, b"") for f in sorted(folders)]
    entries += [(f"extra/{path.lstrip('/')}", 0o100000 | mode, data) for path, (mode, data) in (extra or {}).items()]
    archive = cpio(entries)
    if into:
        into.write_bytes(archive)
        return into
    return cached(RUN / f"initrd-{kernel.release}-{digest(archive)}", lambda tmp: tmp.write_bytes(archive))


def qemu_base(kernel, accel):
    """The part of the QEMU command line that the probe and the machines share."""
    cpu = "host" if accel == "kvm" else "max,-erms,-fsrm"
    return ["qemu-system-x86_64", "-accel", "kvm" if accel == "kvm" else "tcg,thread=multi",
            "-machine", "q35", "-cpu", cpu, "-bios", "qboot.rom", "-nodefaults", "-no-user-config",
            "-display", "none", "-no-reboot", "-kernel", str(kernel.image)]


# norecord-cmd: to record the names of traced processes, the kernel patches __schedule() at each start and end of a
# trace. Under emulation a machine once stood still in that for good.
CMDLINE = ("console=ttyS0 loglevel=5 panic=-1 oops=panic mitigations=off nokaslr tsc=reliable no_timer_check "
           "random.trust_cpu=on cryptomgr.notests audit=0 rcupdate.rcu_cpu_stall_timeout=60 trace_options=norecord-cmd net.ifnames=0 ")

# What the host may have that a test machine has no use for, and what its udev would load for nothing.
SYSTEMD = (" dst.init=systemd systemd.unit=multi-user.target systemd.show_status=no "
           "module_blacklist=kvm_amd,kvm_intel,ahci,libata,psmouse,pcspkr,i2c_i801,lpc_ich,powernow_k8,aesni_intel,joydev,"
           "drm,bochs,sr_mod,cdrom,button,iTCO_wdt"
           + "".join(f" systemd.mask={unit}" for unit in (
               "postgresql.service postgresql@15-main.service nbd-server.service iscsid.socket open-iscsi.service e2scrub_reap.service "
               "systemd-timesyncd.service systemd-logind.service getty.target console-getty.service dbus.service apt-daily.timer "
               "apt-daily-upgrade.timer man-db.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer mdadm-shutdown.service "
               "lvm2-monitor.service blk-availability.service o2cb.service ocfs2.service").split()))


def accelerator(kernel):
    """"kvm" where a stock kernel really boots with it within 10 s (nested KVM may hang), else "tcg"."""
    if not os.access("/dev/kvm", os.W_OK):
        return "tcg"

    def make(tmp):
        init = b"#!/bin/busybox sh\n/bin/busybox poweroff -f\n"
        command = qemu_base(kernel, "kvm") + ["-m", "512", "-smp", "2", "-initrd", str(initrd(kernel, init)),
                                              "-append", CMDLINE]
        try:
            works = subprocess.run(command, timeout=10, capture_output=True).returncode == 0
        except subprocess.TimeoutExpired:
            works = False
        tmp.write_text("kvm" if works else "tcg")
    return cached(RUN / f"accel-{platform.release()}-{kernel.release}", make).read_text()
