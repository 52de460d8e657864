# SPDX-License-Identifier: GPL-2.0
"""Machines of another processor: Debian's kernel for it, and an initramfs with busybox, bash, dst, dstor.ko.

They are machines of tests/vm/harness (tests/vm/README.md says what they can), but for the root: that is not the host's own.
"""
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/vm"))

from harness import boot                                          # noqa: E402
from harness.machine import Machine                               # noqa: E402
from harness.process import die_with_parent                       # noqa: E402
from harness.qemu import Qmp                                      # noqa: E402

CACHE = boot.CACHE / "arch"
PROCESSORS = {words[0]: words[1:4] for words in
              (line.split() for line in (TOP / "tests/arch/processors").read_text().splitlines())
              if words and words[0] != "#"}

# How kbuild is called: the same everywhere, or everything would be compiled anew.
STRICT = ["W=1", "KCFLAGS=-Werror"]

# What a machine may need: its devices, disks in memory, and the ciphers and checksums that dstor asks the kernel for.
MODULES = """virtio_pci virtio_console virtio_net virtio_rng null_blk crc32c_generic crc32c xxhash_generic gcm ccm ctr aes_generic
ghash-generic chacha20poly1305 authenc""".split()

QEMU = {
    "s390x": ["qemu-system-s390x", "-machine", "s390-ccw-virtio", "-cpu", "max", "-device", "sclpconsole,chardev=con"],
    "arm64": ["qemu-system-aarch64", "-machine", "virt", "-cpu", "cortex-a57", "-serial", "chardev:con"],
    # A part of this memory is out of the kernel's own reach (HIGHMEM).
    "armhf": ["qemu-system-arm", "-machine", "virt,highmem=off", "-cpu", "cortex-a15", "-serial", "chardev:con"],
}
CONSOLE = {"s390x": "ttysclp0", "arm64": "ttyAMA0", "armhf": "ttyAMA0"}

INIT = r"""#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/sbin:/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t configfs configfs /sys/kernel/config 2>/dev/null
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
for word in $(cat /proc/cmdline); do
	case $word in dst.*) eval "${word#dst.}" ;; esac
done
for m in virtio_pci virtio_console virtio_net virtio_rng; do modprobe -q $m; done
hostname $name
echo $id >/etc/machine-id
ip link set lo up
ip link set eth0 up
ip addr add 10.77.0.$ip/24 dev eth0
dmesg -n 8
for p in /sys/class/virtio-ports/*; do
	[ "$(cat $p/name)" != ctl ] || exec /agent /dev/${p##*/}
done
"""


class ForeignKernel:
    """@name: "6.1-s390x", as in dist/kernels."""
    is_uml = False

    def __init__(self, name):
        self.name = name
        series, self.processor = name.rsplit("-", 1)
        self.triplet, _, self.qemu_user = PROCESSORS[self.processor]
        self.root = CACHE / self.processor / "root"
        self.folder = CACHE / self.processor / series
        self.release = (self.folder / "release").read_text().strip()
        self.image = self.folder / "boot" / f"vmlinuz-{self.release}"
        self.build = TOP / "build/arch" / self.processor
        self.ko = self.build / series / "dstor.ko"

    def libraries(self, program):
        """What @program is linked with, {path in the machine: file}; the loader, too."""
        out, todo = {}, [program]
        while todo:
            said = subprocess.run(["readelf", "-ld", todo.pop()], check=True, capture_output=True, text=True).stdout
            loader = re.search(r"interpreter: (\S+)\]", said)
            if loader:
                out[loader.group(1)] = self.root / loader.group(1).lstrip("/")
            for name in re.findall(r"\(NEEDED\).*\[(.*)\]", said):
                path = f"/lib/{self.triplet}/{name}"
                if path not in out:
                    out[path] = next(p for folder in ("lib", "usr/lib") for p in [self.root / folder / self.triplet / name] if p.exists())
                    todo.append(out[path])
        return out

    def modules(self):
        """dstor.ko and MODULES, with what they need and depmod's tables: {path in the machine: bytes}."""
        below = Path("lib/modules") / self.release
        wanted = subprocess.run(["/sbin/modinfo", "-F", "depends", self.ko], check=True, capture_output=True, text=True).stdout
        known = (self.folder / below / "modules.dep").read_text()
        names = [n for n in MODULES + wanted.strip().split(",") if re.search(rf"/{re.sub('[-_]', '[-_]', n)}\.ko\S*:", known)]
        assert "null_blk" in names
        said = subprocess.run(["/sbin/modprobe", "-d", self.folder, "-S", self.release, "--show-depends", "-a", *names],
                              check=True, capture_output=True, text=True).stdout
        with tempfile.TemporaryDirectory() as tmp:
            for path in [Path(line.split()[1]) for line in said.splitlines() if line.startswith("insmod")]:
                to = Path(tmp) / path.relative_to(self.folder)
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, to)
            shutil.copy(self.ko, Path(tmp) / below)
            for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
                shutil.copy(self.folder / below / name, Path(tmp) / below)
            subprocess.run(["/sbin/depmod", "-b", tmp, self.release], check=True)
            return {str(p.relative_to(tmp)): p.read_bytes() for p in Path(tmp).rglob("*") if p.is_file()}

    def agent(self):
        source = boot.HERE / "agent.c"

        def make(tmp):
            subprocess.run([f"{self.triplet}-gcc", "-O2", "-Wall", "-static", "-o", tmp, source], check=True)
        return boot.cached(boot.RUN / f"agent-{self.processor}-{boot.digest(source.read_bytes())}", make)

    def initrd(self, into):
        files = {"bin/busybox": self.root / "bin/busybox", "bin/bash": self.root / "bin/bash-static", "agent": self.agent(),
                 "bin/dst": self.build / "dst", **self.libraries(self.build / "dst")}
        files = {path.lstrip("/"): file.read_bytes() for path, file in files.items()}
        files |= {"init": INIT.encode(), **self.modules()}
        folders = {str(f) for path in files for f in Path(path).parents if str(f) != "."}
        folders |= {"proc", "sys", "dev", "tmp", "run", "root", "etc", "etc/dst", "sbin", "var", "var/lib"}
        entries = [(f, 0o040755, b"") for f in sorted(folders)] + [(p, 0o100755, data) for p, data in files.items()]
        # who asks for a module asks for it there
        entries.append(("sbin/modprobe", 0o120777, b"/bin/busybox"))
        into.write_bytes(boot.cpio(entries))
        return into


class ForeignMachine(Machine):
    has_network = True
    boot_limit = 240

    def __init__(self, kernel, name, rundir, network, number):
        super().__init__(kernel, name, rundir)
        self.network, self.number, self.qmp = network, number, None
        self.address = f"10.77.0.{number}"
        self.initrd = kernel.initrd(self.rundir / f"{name}.initrd")

    def _spawn(self):
        ctl, ctl_theirs = socket.socketpair()
        qmp, qmp_theirs = socket.socketpair()
        fds = [ctl_theirs.fileno(), qmp_theirs.fileno()]
        bus = "ccw" if self.kernel.processor == "s390x" else "pci"
        program, *machine = QEMU[self.kernel.processor]
        command = [
            *self.network.enter, program, "-accel", "tcg,thread=multi", "-smp", "2", "-m", "1024", "-nodefaults", "-no-user-config",
            "-display", "none", "-no-reboot", "-kernel", self.kernel.image, "-initrd", self.initrd,
            "-chardev", f"file,id=con,path={self.console},append=on", *machine,
            "-chardev", f"socket,id=ctl,fd={fds[0]}", "-device", f"virtio-serial-{bus}",
            "-device", "virtserialport,chardev=ctl,name=ctl",
            "-chardev", f"socket,id=qmp,fd={fds[1]}", "-mon", "chardev=qmp,mode=control",
            "-netdev", f"tap,id=net0,ifname={self.network.tap(self.number)},script=no,downscript=no",
            "-device", f"virtio-net-{bus},netdev=net0,id=nic0,mac=52:54:00:77:00:{self.number:02x}",
            "-device", f"virtio-rng-{bus}",
            "-append", f"console={CONSOLE[self.kernel.processor]} loglevel=5 panic=-1 oops=panic net.ifnames=0 audit=0 "
                       "cryptomgr.notests rcupdate.rcu_cpu_stall_timeout=60 "
                       f"dst.ip={self.number} dst.name={self.name} dst.id={self.machine_id}"]
        with open(self.rundir / f"{self.name}.qemu", "ab") as log:
            self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            pass_fds=fds, preexec_fn=die_with_parent)
        ctl_theirs.close()
        qmp_theirs.close()
        self.qmp = Qmp(qmp)
        return ctl

    def _obituary(self):
        return f"QEMU said: {(self.rundir / f'{self.name}.qemu').read_text(errors='replace')[-1000:]}\n" + super()._obituary()

    def _reap(self):
        super()._reap()
        if self.qmp is not None:
            self.qmp.close()
            self.qmp = None

    def load(self, params=""):
        self.run(f"modprobe dstor {params}")
        self.loaded = True

    def link(self, up):
        """The network cable: False pulls it out, True puts it back."""
        self.qmp.command("set_link", name="nic0", up=up)


def prepared(processor):
    """tests/arch/prepare, and what went wrong."""
    done = subprocess.run([TOP / "tests/arch/prepare", processor], capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stdout + done.stderr


def make(processor, *words):
    done = subprocess.run(["make", "-j2", "-f", "tests/arch/build.mk", f"NAME={processor}", *words], cwd=TOP,
                          capture_output=True, text=True, errors="replace")
    return done.returncode, done.stdout + done.stderr
