"""A machine that is a User Mode Linux process: boots in a second, two CPUs, a network.

Its disks are files of the host (ubd): a power cut loses nothing of them, so there is no "volatile" one.
A kernel without SMP (6.12, where the archive has no newer source) has one CPU.

It lives in its own process namespace, so that killing its first process leaves nothing behind.
"""
import os
import signal
import socket
import subprocess

from . import boot
from .machine import Machine
from .process import die_with_parent


class UmlMachine(Machine):
    def __init__(self, kernel, name, rundir, memory=None, disks=(), network=None, number=1):
        super().__init__(kernel, name, rundir)
        for d in disks:
            if d.cache == "volatile":
                raise boot.HarnessError(f"{name}: disk {d.serial}: User Mode Linux has no disk that loses writes")
        self._place(network, number, disks)
        self.memory = memory or (1536 if kernel.name == "uml-debug" else 1024)
        self.cpus = 2
        self.frozen = False

    def _processors(self):
        """Without seccomp=on User Mode Linux has one CPU."""
        return ["seccomp=on", f"ncpus={self.cpus}"] if self.kernel.has_smp else []

    def _spawn(self):
        ours, theirs = socket.socketpair()
        fd = theirs.fileno()
        command = ["unshare", "--pid", "--mount-proc", "--fork", "--kill-child=KILL", str(self.kernel.image),
                   f"mem={self.memory}M", f"initrd={boot.initrd(self.kernel)}", f"uml_dir={self.rundir}/",
                   f"umid={self.name}", "con=null", "con0=null,fd:1", f"ssl0=fd:{fd}", "ssl=null",
                   *self._processors(), "loglevel=5", "panic=-1", "cryptomgr.notests", "random.trust_bootloader=on",
                   "dst.root=hostfs", f"dst.project={boot.PROJECT}", f"dst.modules={self.kernel.modules.parent}",
                   f"dst.name={self.name}", f"dst.id={self.machine_id}", "dst.port=/dev/ttyS0"]
        command += [f"ubd{chr(ord('a') + n)}={d.path}" for n, d in enumerate(self.disks.values())]
        if self.network:
            command += [f"vec0:transport=raw,ifname={self.network.raw(self.number)},depth=128,gro=1,"
                        f"mac=52:54:00:77:00:{self.number:02x}", f"dst.ip={self.number}"]
            command = self.network.enter + command
        with open(self.console, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            pass_fds=[fd], preexec_fn=die_with_parent,
                                            env={**os.environ, "TMPDIR": "/dev/shm"})
        theirs.close()
        self.frozen = False
        return ours

    def _signal_kernel(self, number):
        """To our child's descendants that run the kernel's image and are not traced: those are the kernel
        itself, its CPUs are threads of it. The others are its user processes (traced, or of an image of
        their own with seccomp=on); they stand still without it, and a signal of ours would be fatal to it."""
        todo = [self.process.pid]
        while todo:
            pid = todo.pop()
            try:
                with open(f"/proc/{pid}/task/{pid}/children") as f:
                    todo += [int(p) for p in f.read().split()]
                with open(f"/proc/{pid}/status") as f:
                    traced = "TracerPid:\t0\n" not in f.read()
                own = os.path.realpath(f"/proc/{pid}/exe") == os.path.realpath(self.kernel.image)
                if own and not traced:
                    os.kill(pid, number)
            except (FileNotFoundError, ProcessLookupError):
                pass

    def link(self, up):
        """The network cable: False pulls it out on the host's side, True puts it back."""
        self.network.run(f"ip link set {self.network.tap(self.number)} {'up' if up else 'down'}")

    def disk(self, serial):
        """Its device in the machine, e.g. /dev/ubda."""
        if serial not in self.disks:
            raise KeyError(f"{self.name} has no disk {serial} (it has: {', '.join(self.disks) or 'none'})")
        return f"/dev/ubd{chr(ord('a') + list(self.disks).index(serial))}"

    def freeze(self):
        self._signal_kernel(signal.SIGSTOP)
        self.frozen = True

    def thaw(self):
        if self.frozen:
            self._signal_kernel(signal.SIGCONT)
            self.frozen = False
