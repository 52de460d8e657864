"""A machine that is a stock Debian kernel in QEMU: the truth. Two CPUs, disks, a network, faults by QMP."""
import json
import socket
import subprocess
import threading
import time

from . import boot
from .disks import Disk
from .machine import Machine
from .process import die_with_parent


VIRTIOFSD = "/usr/lib/qemu/virtiofsd"  # of the package qemu-system-common


class Qmp:
    """QEMU's monitor: one command, one answer; events are passed over."""

    def __init__(self, sock):
        self.file = sock.makefile("rw")
        self.lock = threading.Lock()
        sock.settimeout(30)
        self.sock = sock
        self.greeted = False

    def command(self, name, /, **arguments):
        with self.lock:
            if not self.greeted:
                json.loads(self.file.readline())
                self.greeted = True
                self._exchange("qmp_capabilities", {})
            return self._exchange(name, arguments)

    def _exchange(self, name, arguments):
        self.file.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            answer = json.loads(self.file.readline())
            if "error" in answer:
                raise boot.HarnessError(f"qmp {name}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def close(self):
        self.file.close()
        self.sock.close()


class QemuMachine(Machine):
    def __init__(self, kernel, name, rundir, disks=(), network=None, number=1, memory=1024, cpus=2):
        super().__init__(kernel, name, rundir)
        self.memory, self.cpus, self.nic = memory, cpus, "virtio-net-pci"
        self._place(network, number, disks)
        self.qmp = None
        self.frozen = False
        self.files = None
        self.own = None
        self.servers = []

    def use_initrd(self, initrd, append):
        """From the next boot on: this initramfs and these words on the command line, instead of the harness's.

        What it boots must start the agent, with the port that is called "ctl".
        """
        self.own = (initrd, append)

    def use_systemd(self, files):
        """From the next boot on: systemd is its init, and the files are there, {path: str or (mode, bytes)}."""
        self.files = {path: what if isinstance(what, tuple) else (0o644, what.encode()) for path, what in files.items()}

    def _initrd(self):
        if self.own:
            return self.own[0]
        if self.files is None:
            return boot.initrd(self.kernel)
        return boot.initrd(self.kernel, extra=self.files, into=self.rundir / f"{self.name}.initrd")

    def _spawn(self):
        self._end_servers()
        ctl, ctl_theirs = socket.socketpair()
        qmp, qmp_theirs = socket.socketpair()
        fds = [ctl_theirs.fileno(), qmp_theirs.fileno()]
        append = boot.CMDLINE + f"dst.root={self.kernel.root_fs} dst.name={self.name} dst.id={self.machine_id}"
        command = boot.qemu_base(self.kernel, boot.accelerator(self.kernel)) + [
            "-smp", str(self.cpus), "-m", str(self.memory), "-initrd", str(self._initrd()),
            "-chardev", f"file,id=con,path={self.console},append=on", "-serial", "chardev:con",
            "-chardev", f"socket,id=ctl,fd={fds[0]}", "-device", "virtio-serial-pci",
            "-device", "virtserialport,chardev=ctl,name=ctl",
            "-chardev", f"socket,id=qmp,fd={fds[1]}", "-mon", "chardev=qmp,mode=control",
            "-device", "virtio-rng-pci"]
        shares = {"root": self.root, "dst": boot.PROJECT}
        if not (self.root / "lib/modules" / self.kernel.release).exists():
            shares["modules"] = self.kernel.modules.parent
            append += f" dst.modules={self.kernel.root_fs}"
        command += self._shares(shares)
        for disk in self.disks.values():
            disk.prepare_boot()
            command += disk.arguments()
        if self.files is not None:
            append += boot.SYSTEMD
        if self.network:
            command = self.network.enter + command + [
                "-netdev", f"tap,id=net0,ifname={self.network.tap(self.number)},script=no,downscript=no",
                "-device", f"{self.nic},netdev=net0,id=nic0,mac=52:54:00:77:00:{self.number:02x}"]
            append += f" dst.ip={self.number}"
        if self.own:
            append = boot.CMDLINE + self.own[1]
        with open(self.rundir / f"{self.name}.qemu", "ab") as log:
            self.process = subprocess.Popen(command + ["-append", append], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, pass_fds=fds, preexec_fn=die_with_parent)
        ctl_theirs.close()
        qmp_theirs.close()
        self.qmp = Qmp(qmp)
        self.frozen = False
        return ctl

    def _shares(self, folders):
        """QEMU's arguments for folders of the host that the machine mounts, read-only, by these names."""
        out = []
        for name, folder in folders.items():
            if self.kernel.root_fs == "9p":
                out += ["-fsdev", f"local,id={name},path={folder},security_model=none,readonly=on,multidevs=remap",
                        "-device", f"virtio-9p-pci,fsdev={name},mount_tag={name}"]
                continue
            # The server knows no "read-only": it sees a mount that is.
            path = self.rundir / f"{self.name}.{name}.fs"
            path.unlink(missing_ok=True)
            with socket.socket(socket.AF_UNIX) as listening, open(self.rundir / f"{self.name}.qemu", "ab") as log:
                listening.bind(str(path))
                listening.listen()
                fd = listening.fileno()
                self.servers.append(subprocess.Popen(
                    ["unshare", "--mount", "sh", "-ec", 'mount --make-rprivate /; mount --bind "$1" "$1"; '
                     'mount -o remount,bind,ro "$1"; exec "$2" --fd="$3" -o source="$1",sandbox=chroot,cache=always',
                     "sh", folder, VIRTIOFSD, str(fd)],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[fd], preexec_fn=die_with_parent))
            out += ["-chardev", f"socket,id={name},path={path}", "-device", f"vhost-user-fs-pci,chardev={name},tag={name}"]
        if self.servers:
            out += ["-object", f"memory-backend-memfd,id=ram,size={self.memory}M,share=on", "-machine", "memory-backend=ram"]
        return out

    def _end_servers(self):
        for server in self.servers:
            server.kill()
            server.wait()
        self.servers = []

    def _obituary(self):
        errors = (self.rundir / f"{self.name}.qemu").read_text(errors="replace")[-1000:]
        return f"QEMU said: {errors}\n" + super()._obituary()

    def _reap(self):
        super()._reap()
        if self.qmp is not None:
            self.qmp.close()
            self.qmp = None
        self._end_servers()

    # Faults -------------------------------------------------------------------------------------

    def link(self, up):
        """The network cable: False pulls it out, True puts it back."""
        self.qmp.command("set_link", name="nic0", up=up)

    def freeze(self):
        """Stops the whole machine, its clock included; peers see silence."""
        self.qmp.command("stop")
        self.frozen = True

    def thaw(self):
        if self.frozen:
            self.qmp.command("cont")
            self.frozen = False

    def snapshot(self):
        """Keeps the state of the whole machine, its memory too; it runs on.

        Only for a machine without disks that mounts no folder of the host: see use_initrd().
        """
        file = self.rundir / f"{self.name}.snapshot"
        if not file.exists():
            self._job("blockdev-create", options={"driver": "file", "filename": str(file), "size": 0})
            self.qmp.command("blockdev-add", driver="file", filename=str(file), **{"node-name": "memory-file"})
            self._job("blockdev-create", options={"driver": "qcow2", "file": "memory-file", "size": self.memory << 20})
            self.qmp.command("blockdev-add", driver="qcow2", file="memory-file", **{"node-name": "memory"})
        self._job("snapshot-save", tag="kept", vmstate="memory", devices=["memory"])

    def restore(self):
        """From here on it is what it was at its last snapshot(); its peers are not."""
        self._job("snapshot-load", tag="kept", vmstate="memory", devices=["memory"])

    def _job(self, name, **arguments):
        # QEMU says nothing while it saves or loads memory.
        self.qmp.sock.settimeout(200)
        self.qmp.command(name, **{"job-id": "job", **arguments})
        until = time.monotonic() + 120
        while True:
            job = next(j for j in self.qmp.command("query-jobs") if j["id"] == "job")
            if job["status"] == "concluded":
                break
            if time.monotonic() > until:
                raise boot.HarnessError(f"qmp {name}: not done after 120 s: {job}")
            time.sleep(0.05)
        self.qmp.command("job-dismiss", id="job")
        if "error" in job:
            raise boot.HarnessError(f"qmp {name}: {job['error']}")

    def kill(self, lose_cache=True):
        """A power cut. Disks with cache="volatile" lose what was not flushed, unless lose_cache=False."""
        was_running = self.process is not None
        super().kill()
        if was_running and lose_cache:
            for disk in self.disks.values():
                disk.lose_cache()


    def _end(self):
        self.kill(lose_cache=False)

    def grow_disk(self, serial, size_mb):
        """The disk grows while the machine runs."""
        disk = self.disks[serial]
        disk.grow(size_mb)
        self.qmp.command("block_resize", **{"node-name": disk.node, "size": size_mb << 20})

    def disk(self, serial):
        """Its device in the machine, e.g. /dev/vda."""
        if serial not in self.disks:
            raise KeyError(f"{self.name} has no disk {serial} (it has: {', '.join(self.disks) or 'none'})")
        return self.run(f"readlink -e /dev/disk/by-id/virtio-{serial}").out.strip()


def default_disks(kernel):
    """What every machine of a network has; nothing that User Mode Linux cannot have."""
    data = [Disk("data", 256, "keep")]
    return data if kernel.is_uml else [*data, Disk("volatile", 256, "volatile")]
