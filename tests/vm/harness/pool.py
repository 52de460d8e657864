"""Keeps booted machines between tests, and gives each test machines that are clean and loaded.

Only the machines of one group (kernel and kind) are kept at a time; tests are sorted by group.
"""
import shutil

from . import machines
from .boot import Kernel
from .qemu import default_disks


class Pair(tuple):
    """(exporter, client), also by name; .network is theirs."""

    def __new__(cls, members, network):
        self = super().__new__(cls, members)
        self.exporter, self.client = members
        self.network = network
        return self


class Pool:
    def __init__(self):
        self.rundir = machines.new_rundir()
        self.group = None
        self.members = []
        self.network = None
        self.kernels = {}
        self.extra = []

    def kernel(self, name):
        if name not in self.kernels:
            self.kernels[name] = Kernel(name)
        return self.kernels[name]

    def take(self, name, kind, fresh, load):
        """The members of the group "kind" ("single" or "pair") on that kernel, ready for a test."""
        if self.group != (name, kind):
            self.release()
            self._make(self.kernel(name), kind)
            self.group = (name, kind)
            fresh = False
        for m in self.members:
            if fresh or not m.alive or getattr(m, "unclean", None):
                m.kill()
        down = [m for m in self.members if not m.alive]
        for m in down:
            m.start_boot()
        for m in down:
            m.finish_boot()
        for m in self.members:
            m.forget_log()
            if load:
                m.ensure_loaded()
        return self.members

    def _make(self, kernel, kind):
        if kind == "single":
            m = machines.single(kernel, self.rundir)
            self.members = [m]
            m.boot()
        else:
            disks = {name: default_disks(kernel) for name in machines.names(2)}
            self.network, self.members = machines.cluster(kernel, self.rundir, 2, disks)

    def pair(self):
        return Pair(self.members, self.network)

    def cluster(self, name, count, disks, load, root=None):
        """Machines for one test only; close_extra() ends them."""
        rundir = machines.new_rundir()
        network, members = machines.cluster(self.kernel(name), rundir, count, disks, root)
        self.extra.append((network, members, rundir))
        for m in members:
            m.forget_log()
            if load:
                m.ensure_loaded()
        return members

    def close_extra(self):
        for network, members, rundir in self.extra:
            for m in members:
                m.kill()
            network.close()
            shutil.rmtree(rundir, ignore_errors=True)
        self.extra = []

    def release(self):
        for m in self.members:
            m.kill()
        if self.network:
            self.network.close()
        self.members, self.network, self.group = [], None, None

    def close(self):
        self.close_extra()
        self.release()
        shutil.rmtree(self.rundir, ignore_errors=True)
