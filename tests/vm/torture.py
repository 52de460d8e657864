# SPDX-License-Identifier: GPL-2.0
"""What the long scenarios (test_torture_*.py) share: how often, a load that verifies itself, exporters that come and go.

DST_TORTURE=1 in the environment chooses the long form of each; `make torture` sets it.
"""
import os
import random
import subprocess
import time
from pathlib import Path

from common import attach_to, device, wait_state
from harness import boot

LONG = os.environ.get("DST_TORTURE") == "1"
STOP = "/tmp/rounds-end"
# Patience for a machine that boots under TCG with others beside it.
PATIENT = "--ping 300ms --timeout 2s --retries 60"
RECONNECTED = 30


def form(short, long):
    """The value for this run."""
    return long if LONG else short


def dice(*seed):
    """Random numbers that are the same in every run of a test."""
    return random.Random(repr(seed))


def serve(exporter, disk, options="", name="data"):
    exporter.run(f"dst export {name} {disk} --allow from=10.77.0.0/24 {options}")


def comes_up(exporter, disk, options=""):
    """After a power cut or a shutdown."""
    exporter.boot()
    exporter.load()
    serve(exporter, disk() if callable(disk) else disk, options)


def power_cut(exporter, disk, options=""):
    exporter.kill()
    comes_up(exporter, disk, options)


def connected(client, name="d"):
    """Until it is, and no transaction has failed; what `dst show` says."""
    d = wait_state(client, "connected", name, timeout=RECONNECTED)
    assert d["stats"]["errors"] == 0, d
    return d


class Rounds:
    """fio in rounds until finish(): each writes all its blocks, then reads all and compares.

    The contents are the block's address and the round's number, not a checksum of themselves: with --verify=crc32c
    fio takes what a former round wrote for right, and so would not see a stale write.
    """

    def __init__(self, m, path, size=form("512k", "2M"), jobs=form(2, 3), depth=8, blocks="4k/70:16k/30", offset="0"):
        self.m = m
        m.run(f"rm -f {STOP}")
        self.job = m.start(
            f"n=0; until [ -e {STOP} ]; do n=$((n + 1)); fio --name=v --filename={path} --rw=randwrite --bssplit={blocks} "
            f"--direct=1 --ioengine=libaio --iodepth={depth} --size={size} --numjobs={jobs} --offset={offset} "
            f"--offset_increment={size} --verify=pattern --verify_pattern='%o\"round-'$n'\"' --verify_fatal=1 "
            f"--verify_state_save=0 --do_verify=1 "
            f"--randseed=$n --group_reporting --output-format=terse --output=/tmp/fio.$n || "
            f"{{ cat /tmp/fio.$n >&2; exit 1; }}; echo $n; done")

    @property
    def done(self):
        return len(self.job.out.split())

    def wait(self, more=1, timeout=120):
        """Until so many more rounds have ended."""
        wanted, until = self.done + more, time.monotonic() + timeout
        while self.done < wanted:
            assert self.job.running, f"fio ended: {self.job.wait(1)!r}"
            assert time.monotonic() < until, f"no {more} rounds of fio in {timeout} s"
            time.sleep(0.1)

    def going(self):
        assert self.job.running, f"fio ended: {self.job.wait(1)!r}"

    def finish(self, timeout=120):
        """The last round ends; every one was right."""
        self.going()
        self.m.run(f"touch {STOP}")
        self.job.wait(timeout, check=True)
        assert self.done >= 1


def pair_under_load(pair, disk, export="", attach=PATIENT, **load):
    """An exporter, a client with a device, and a load on it."""
    exporter, client = pair
    serve(exporter, disk, export)
    path = attach_to(client, f"dst://10.77.0.1/data {attach}")
    return exporter, client, path, Rounds(client, path, **load)


def unhurt(client, *counters):
    """Connected, no error; each of these has counted something."""
    d = connected(client)
    for name in counters:
        assert d["stats"][name] > 0, (name, d["stats"])
    return d


def state(m, name="d"):
    return device(m, name)["state"]


# A disk that keeps one write back ------------------------------------------------------------------

HOLDNBD = Path(__file__).resolve().parent / "tools/holdnbd.c"


def holdnbd():
    """tools/holdnbd.c, compiled on the host."""
    def make(tmp):
        subprocess.run(["gcc", "-O2", "-Wall", "-static", "-o", tmp, HOLDNBD], check=True)
    return boot.cached(boot.RUN / f"holdnbd-{boot.digest(HOLDNBD.read_bytes())}", make)


class HoldingDisk:
    """/dev/nbd0 in a machine; the first write whose data begins with MAGIC stays inside for so many seconds."""
    MAGIC = "held-write"

    def __init__(self, m, seconds, megabytes=16):
        self.m, self.path = m, "/dev/nbd0"
        m.put("/tmp/holdnbd", holdnbd())
        m.run("modprobe -q nbd nbds_max=1 max_part=0")
        self.job = m.start(f"exec /tmp/holdnbd {self.path} {megabytes} {seconds} {self.MAGIC}")
        self.wait("ready")

    def said(self, word):
        """The machine's time at which it was said, or None."""
        for line in self.job.out.splitlines():
            if line.startswith(word):
                return float(line.split()[1]) if " " in line else 0.0
        return None

    def wait(self, word, timeout=30):
        until = time.monotonic() + timeout
        while self.said(word) is None:
            assert self.job.running and time.monotonic() < until, f"the disk did not say {word}: {self.job.out} {self.job.err}"
            time.sleep(0.02)
        return self.said(word)

    def release(self):
        """Now, instead of when its time is over."""
        self.m.run("kill -USR1 $(pgrep -o holdnbd)")
        return self.wait("released")

    def end(self):
        """In order: nothing may use it any more."""
        self.m.run(f"python3 -c 'import fcntl, os; fcntl.ioctl(os.open(\"{self.path}\", os.O_RDWR), 0xab08)'")
        self.job.wait(20)


def clock(m):
    """The machine's monotonic clock, as HoldingDisk tells times."""
    return float(m.run("python3 -c 'import time; print(time.monotonic())'").out)
