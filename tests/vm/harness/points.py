"""Points of delay and failure in dstor.ko, in builds with CONFIG_DST_DEBUG: see module/core/point.c."""
import time

from .boot import HarnessError

FILE = "/sys/kernel/debug/dst/points"
SYMBOL = b"dstor_point_reached"     # a dstor.ko that has points has this in its symbol table


def built_in(ko):
    """Has this dstor.ko points?"""
    return ko.exists() and SYMBOL in ko.read_bytes()


def listed(machine):
    """{name: (context, hits, waiting, order)} of all points."""
    got = machine.run(f"cat {FILE}", check=False)
    if got.status:
        raise HarnessError(f"{machine.name}: its dstor.ko has no points: build it with DST_DEBUG=y ({got.err.strip()})")
    rows = (line.split(None, 4) for line in got.out.splitlines())
    return {name: (context, int(hits), int(waiting), order) for name, context, hits, waiting, order in rows}


class Point:
    """One point with its order, which ends with release(), with the context, or when the machine is cleaned."""

    def __init__(self, machine, name, wait_ms=None, hold=False, fail=None, nth=None, times=None):
        self.m, self.name = machine, name
        if name not in listed(machine):
            raise HarnessError(f"{machine.name}: dstor.ko has no point {name}")
        words = [f"wait={wait_ms}" if wait_ms else "", "hold" if hold else "", f"fail={fail}" if fail else "",
                 f"nth={nth}" if nth else "", f"times={times}" if times is not None else ""]
        self._before = self.total
        # Without an order it only counts.
        self._write(" ".join(filter(None, words)) or "off")

    def _write(self, order):
        self.m.run(f"echo {self.name} {order} >{FILE}")

    @property
    def total(self):
        return listed(self.m)[self.name][1]

    @property
    def hits(self):
        """Since this order was given."""
        return self.total - self._before

    @property
    def waiting(self):
        """How many are inside right now."""
        return listed(self.m)[self.name][2]

    def reached(self, timeout=20):
        """Returns when somebody waits there."""
        until = time.monotonic() + timeout
        while not self.waiting:
            if time.monotonic() > until:
                raise TimeoutError(f"{self.m.name}: within {timeout} s nobody came to {self.name}: {listed(self.m)}")
            time.sleep(0.02)
        return self

    def release(self):
        """The order ends: all that wait go on, and others need not wait."""
        self._write("off")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.m.alive and self.m.loaded:
            self.release()
