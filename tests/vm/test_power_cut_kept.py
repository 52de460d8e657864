# SPDX-License-Identifier: GPL-2.0
"""A crash of the exporter is a pause, too: with kept writes no error, and every acked write is there (P5, P7).

A cut counts if the disk lost blocks that it had acked and something was sent again. test_power_cut.py has the control.
"""
import json
import time

import pytest

from common import attach_to, device, wait_state
from crash import URI, exporter
from torture import Rounds, dice, form

CUTS = form(4, 25)
KEEP = "--keep 64M"
PATIENT = "--ping 300ms --timeout 2s --retries 60"
PAGES = 1024
STOP = "/tmp/stop"
TOOL = "python3 /dst/tests/vm/tools/database.py"
KEY = "/tmp/test.key"


def load(m, seed, name="d", what="write"):
    m.run(f"rm -f {STOP}")
    return m.start(f"exec {TOOL} {what} /dev/dst-{name} {PAGES} {STOP} {seed}")


def going(*jobs):
    for job in jobs:
        assert job.running, f"it ended: {job.out!r} {job.err!r}"


def finish(m, *jobs):
    going(*jobs)
    m.run(f"touch {STOP}")
    return [json.loads(job.wait(90, check=True).out) for job in jobs]


def healthy(m, name="d"):
    d = wait_state(m, "connected", name, timeout=30)
    assert d["stats"]["errors"] == 0, d
    return d


def cuts(m, x, jobs, seed, n=CUTS, pause=(0.2, 2.5), between=lambda: None):
    """So many cuts that took something. The longest pause from the cut to a connected device."""
    when, done, longest = dice(seed), 0, 0
    for _ in range(4 * n):
        if done == n:
            break
        time.sleep(when.uniform(*pause))
        replays = device(m)["stats"]["replays"]
        began = time.monotonic()
        lost = x.cut()
        between()
        healthy(m)
        longest = max(longest, time.monotonic() - began)
        until = time.monotonic() + 20
        while lost and device(m)["stats"]["replays"] == replays and time.monotonic() < until:
            time.sleep(0.05)
        going(*jobs)
        done += bool(lost) and device(m)["stats"]["replays"] > replays
    assert done == n, f"only {done} cuts took something"
    print(f"{n} cuts, the longest {longest:.1f} s")


@pytest.mark.limit(form(300, 1800))
@pytest.mark.parametrize("attach, options, how", [
    ("", "", {}), ("--connections 4", "", {}), ("--keep 1M", "", {"flush_ms": 30}), (f"--key {KEY}", f"key={KEY}", {}),
], ids=["plain", "four-connections", "near-the-bound", "cipher"])
def test_database(machine, attach, options, how):
    """Pages with versions, a flush now and then: every page has the last version that was acked."""
    m = machine
    m.run(f"dst genkey {KEY}")
    with exporter(m, allow=options or "from=10.9.0.0/16", **how) as x:
        attach_to(m, f"{URI} {PATIENT} {attach if '--keep' in attach else f'{KEEP} {attach}'}")
        job = load(m, attach)
        cuts(m, x, [job], attach)
        did, = finish(m, job)
        d = healthy(m)
        print(did, d["stats"])
        if "1M" in attach:
            assert d["stats"]["own_flushes"] > 0


@pytest.mark.limit(form(300, 1800))
def test_fio_verify(machine):
    m = machine
    with exporter(m) as x:
        path = attach_to(m, f"{URI} {PATIENT} {KEEP}")
        rounds = Rounds(m, path)
        cuts(m, x, [rounds.job], "fio")
        rounds.finish()
        healthy(m)


@pytest.mark.limit(form(300, 1800))
@pytest.mark.parametrize("make", ["mkfs.ext4 -q -E lazy_itable_init=0", "mkfs.xfs -q -f"], ids=["ext4", "xfs"])
def test_file_system(machine, make):
    """No remount, no failed fsync, and a clean file system at the end."""
    m = machine
    xfs = "xfs" in make
    with exporter(m, mb=320 if xfs else 32) as x:
        path = attach_to(m, f"{URI} {PATIENT} {KEEP}")
        m.run(f"{make} {path} && mount {path} /mnt && sync -f /mnt", timeout=60)
        try:
            job = m.start("exec python3 /dst/tests/vm/tools/fsyncer.py write /mnt /tmp/promised")
            m.wait_for("[ -s /tmp/promised ]")
            cuts(m, x, [job], make)
            going(job)
            job.kill()
            job.wait(30)
            assert " rw," in m.run(f"grep '^{path} /mnt ' /proc/mounts").out
            m.run("sync -f /mnt && python3 /dst/tests/vm/tools/fsyncer.py check /mnt /tmp/promised", timeout=60)
        finally:
            m.run("umount /mnt", timeout=60, check=False)
        m.run(f"xfs_repair -n {path}" if xfs else f"e2fsck -fn {path}", timeout=60)
        healthy(m)


@pytest.mark.limit(form(300, 1800))
def test_reader_beside(machine):
    """Another device reads all the time: no page ever goes back to an older version."""
    m = machine
    with exporter(m) as x:
        attach_to(m, f"{URI} {PATIENT} {KEEP}")
        attach_to(m, f"{URI} {PATIENT} --read-only", name="r")
        writer = load(m, "reader")
        reader = m.start(f"exec {TOOL} watch /dev/dst-r {PAGES} {STOP}")
        cuts(m, x, [writer, reader], "reader", between=lambda: wait_state(m, "connected", "r", timeout=30))
        print(finish(m, writer, reader))
        healthy(m)
        healthy(m, "r")


@pytest.mark.points
@pytest.mark.limit(200)
def test_cut_during_the_replay(machine):
    """All is sent again and not live yet: the power fails once more, and it begins anew."""
    m = machine
    with exporter(m) as x:
        attach_to(m, f"{URI} {PATIENT} {KEEP}")
        job = load(m, "twice")
        time.sleep(1)
        assert x.cut()
        with m.point("REPLAY_OVER", hold=True) as point:
            assert x.cut() is not None
            point.reached()
            first = x.cut()
            point.release()
        healthy(m)
        assert first, "the second cut took nothing"
        time.sleep(1)
        finish(m, job)
        healthy(m)


@pytest.mark.limit(200)
def test_cut_during_a_flush(machine):
    """The disk flushes for a second; the power fails in between. The flush neither fails nor lies."""
    m = machine
    with exporter(m, flush_ms=1000) as x:
        attach_to(m, f"{URI} {PATIENT} {KEEP}")
        for n in range(3):
            m.run(f"dd if=/dev/urandom of=/tmp/data bs=64k count=8 status=none; dd if=/tmp/data of=/dev/dst-d bs=64k seek={8 * n} "
                  "oflag=direct status=none")
            job = m.start(f"sync /dev/dst-d")
            time.sleep(0.5)
            x.cut()
            assert job.wait(60).status == 0
            m.run(f"dd if=/dev/dst-d bs=64k skip={8 * n} count=8 iflag=direct status=none | cmp - /tmp/data")
            assert x.cut() == []
            healthy(m)
