"""A machine that is a User Mode Linux process: boots in a second, one CPU, no peers, no disks of its own.

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
    def __init__(self, kernel, name, rundir, memory=None):
        super().__init__(kernel, name, rundir)
        self.memory = memory or (1536 if kernel.name == "uml-debug" else 1024)
        self.frozen = False

    def _spawn(self):
        ours, theirs = socket.socketpair()
        fd = theirs.fileno()
        command = ["unshare", "--pid", "--mount-proc", "--fork", "--kill-child=KILL", str(self.kernel.image),
                   f"mem={self.memory}M", f"initrd={boot.initrd(self.kernel)}", f"uml_dir={self.rundir}/",
                   f"umid={self.name}", "con=null", "con0=null,fd:1", f"ssl0=fd:{fd}", "ssl=null",
                   "loglevel=5", "panic=-1", "cryptomgr.notests", "random.trust_bootloader=on",
                   "dst.root=hostfs", f"dst.project={boot.PROJECT}", f"dst.modules={self.kernel.modules.parent}",
                   f"dst.name={self.name}", f"dst.id={self.machine_id}", "dst.port=/dev/ttyS0"]
        with open(self.console, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            pass_fds=[fd], preexec_fn=die_with_parent,
                                            env={**os.environ, "TMPDIR": "/dev/shm"})
        theirs.close()
        self.frozen = False
        return ours

    def _signal_kernel(self, number):
        """To our child's descendants that are not traced: those are the kernel itself. The traced ones
        are its user processes; they stand still without it, and a signal of ours would be fatal to it."""
        todo = [self.process.pid]
        while todo:
            pid = todo.pop()
            try:
                with open(f"/proc/{pid}/task/{pid}/children") as f:
                    todo += [int(p) for p in f.read().split()]
                with open(f"/proc/{pid}/status") as f:
                    traced = "TracerPid:\t0\n" not in f.read()
                if pid != self.process.pid and not traced:
                    os.kill(pid, number)
            except (FileNotFoundError, ProcessLookupError):
                pass

    def freeze(self):
        self._signal_kernel(signal.SIGSTOP)
        self.frozen = True

    def thaw(self):
        if self.frozen:
            self._signal_kernel(signal.SIGCONT)
            self.frozen = False
