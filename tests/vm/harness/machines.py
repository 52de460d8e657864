"""Makes machines of the right kind, and the directory their files live in."""
import os
import re
import shutil

from .boot import RUN
from .network import Network
from .qemu import QemuMachine
from .uml import UmlMachine


def new_rundir():
    """A directory for this process's machines; those of processes that died are removed."""
    RUN.mkdir(parents=True, exist_ok=True)
    for old in RUN.glob("run-*"):
        pid = re.match(r"run-(\d+)", old.name)
        if pid and not os.path.exists(f"/proc/{pid.group(1)}"):
            shutil.rmtree(old, ignore_errors=True)
    n = 0
    while True:
        path = RUN / f"run-{os.getpid()}-{n}"
        try:
            path.mkdir()
            return path
        except FileExistsError:
            n += 1


def single(kernel, rundir, name="machine", disks=()):
    """One machine that needs no other (not booted)."""
    if kernel.is_uml:
        return UmlMachine(kernel, name, rundir, disks=disks)
    return QemuMachine(kernel, name, rundir, disks=disks)


def names(count):
    """exporter, client, node3, node4 ..."""
    return ["exporter", "client", *(f"node{i}" for i in range(3, count + 1))][:count]


def cluster(kernel, rundir, count, disks=None, root=None):
    """Machines 10.77.0.1 ... on one bridge, booted together. disks: {machine name: [Disk, ...]}; root: instead of the host's."""
    network = Network(kernel, rundir, count)
    kind = UmlMachine if kernel.is_uml else QemuMachine
    out = [kind(kernel, name, rundir, disks=(disks or {}).get(name, ()), network=network, number=i)
           for i, name in enumerate(names(count), 1)]
    for m in out:
        m.root = root or m.root
    try:
        for m in out:
            m.start_boot()
        for m in out:
            m.finish_boot()
    except BaseException:
        # nobody else knows of those that did boot
        for m in out:
            m.kill()
        network.close()
        raise
    return network, out
