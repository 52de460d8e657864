# SPDX-License-Identifier: GPL-2.0
"""A disk in a machine's memory with a volatile cache that is really lost: a power cut that takes a moment, on any kernel.

null_blk has a cache, too, but overwrites in place what is on its medium already: a write of a block that was flushed
once is durable at once. So this one is a program (tools/cutnbd.c).
"""
import subprocess
import time
from pathlib import Path

from . import boot

SOURCE = Path(__file__).resolve().parents[1] / "tools/cutnbd.c"


def cutnbd():
    """The program, compiled on the host."""
    def make(tmp):
        subprocess.run(["gcc", "-O2", "-Wall", "-static", "-o", tmp, SOURCE], check=True)
    return boot.cached(boot.RUN / f"cutnbd-{boot.digest(SOURCE.read_bytes())}", make)


class VolatileDisk:
    """/dev/nbd0: what is written is lost at off(), unless it was flushed, or written with FUA."""
    path = "/dev/nbd0"

    def __init__(self, m, mb=32, flush_ms=0):
        self.m = m
        m.put("/tmp/cutnbd", cutnbd())
        m.run("modprobe -q nbd nbds_max=1 max_part=0; true")
        self.job = m.start(f"exec /tmp/cutnbd {self.path} {mb} {flush_ms}")
        self._said("ready", 0)

    def _said(self, word, before, timeout=60):
        """The newest line that begins with @word, once there are more of them than @before."""
        until = time.monotonic() + timeout
        while len(lines := self._lines(word)) <= before:
            assert self.job.running and time.monotonic() < until, f"no {word}: {self.job.out} {self.job.err}"
            time.sleep(0.02)
        return lines[-1]

    def _lines(self, word):
        return [line for line in self.job.out.split("\n")[:-1] if line.split()[:1] == [word]]

    def _signal(self, signal, word):
        before = len(self._lines(word))
        self.m.run(f"kill -{signal} $(pgrep -o cutnbd)")
        return self._said(word, before)

    def off(self):
        """The power fails. The blocks of 4 KiB that it takes: their cache was not what the medium is."""
        return [int(n) for n in self._signal("USR1", "off").split()[1:]]

    def on(self):
        self._signal("USR2", "on")

    def blink(self):
        """off() and on(), with no request in between but one that flushes right now: that one fails."""
        before = len(self._lines("on"))
        self.m.run("pid=$(pgrep -o cutnbd); kill -USR1 $pid; kill -USR2 $pid")
        self._said("on", before)
        return [int(n) for n in self._lines("off")[-1].split()[1:]]
