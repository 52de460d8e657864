# SPDX-License-Identifier: GPL-2.0
"""An exporter that loses its power, in one machine: what takes QEMU half a minute takes a second here.

The exporter is in a network namespace, with a disk that loses its cache. crash() cuts the wire first, so that nothing
the exporter does from then on is seen by its clients; then the disk; and the export goes away without having flushed
it. come_back() exports the disk anew: another instance, with an empty memory of sessions, and the lease from its file.
The kernel lives on, which a real crash does not let it: test_power_cut_of_a_machine.py has those.
"""
from contextlib import contextmanager

from common import export
from harness.power import VolatileDisk

HOST = "10.9.1.1"
URI = f"dst://{HOST}/data"
WIRE = f"""
set -e
ip netns add far
ip link add near1 type veth peer name far1 netns far
ip addr add 10.9.1.2/24 dev near1; ip link set near1 up
ip -n far addr add {HOST}/24 dev far1; ip -n far link set far1 up; ip -n far link set lo up
"""


class Exporter:
    def __init__(self, m, mb=32, flush_ms=0, options="", allow="from=10.9.0.0/16"):
        self.m, self.options, self.allow = m, options, allow
        m.run(WIRE)
        self.disk = VolatileDisk(m, mb, flush_ms)
        self.export()

    def run(self, command, **how):
        """In its network namespace."""
        return self.m.run(f"ip netns exec far {command}", **how)

    def export(self):
        self.run(f"dst export data {self.disk.path} --allow {self.allow} {self.options}")

    def crash(self):
        """Blocks of 4 KiB that were written, by what the disk had told, and that are gone."""
        self.m.run("ip link set near1 down")
        lost = self.disk.off()
        gone = self.run("dst unexport data --force", check=False, timeout=60)
        assert "could not be flushed" in gone.err, f"that was no crash: {gone}"
        self.disk.on()
        return lost

    def come_back(self, options=None):
        self.options = self.options if options is None else options
        self.export()
        self.m.run("ip link set near1 up")

    def cut(self, options=None):
        """A power cut from its begin to its end; the blocks that it took."""
        lost = self.crash()
        self.come_back(options)
        return lost

    def show(self):
        return export(self.m)


@contextmanager
def exporter(m, **how):
    try:
        yield Exporter(m, **how)
    finally:
        if m.alive:
            m.run("ip link set near1 up; for d in /dev/dst-*; do [ ! -b $d ] || dst detach ${d#/dev/dst-} --force; done; "
                  "dst unexport data --force; ip netns del far; ip link del near1", check=False, timeout=60)
            m.wait_for("[ -z \"$(ip netns list)\" ]")
