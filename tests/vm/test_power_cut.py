# SPDX-License-Identifier: GPL-2.0
"""The exporter's power fails while acked writes are in the cache of its disk: what a client without kept writes sees.

This is the control of all scenarios of kept writes: the same cut, of the same exporter, takes acked bytes for good, and
the next flush says so (P5).
"""
import json
import time

from common import attach_to, device, read_block, wait_state
from crash import URI, exporter

PATIENT = "--ping 300ms --timeout 2s --retries 60"
BLOCKS = 64

# Acked, and not flushed.
WRITES = """
import mmap, os
fd = os.open("/dev/dst-d", os.O_RDWR | os.O_DIRECT)
page = mmap.mmap(-1, 4096)
for n in range(%d):
    page[:] = bytes([65 + n]) * 4096
    assert os.pwrite(fd, page, n * 4096) == 4096
print("acked", flush=True)
input()
""" % BLOCKS

FLUSHES = """
import errno, json, os
fd, said = os.open("/dev/dst-d", os.O_RDWR), []
for _ in range(3):
    try:
        os.fsync(fd)
        said.append("ok")
    except OSError as e:
        said.append(errno.errorcode[e.errno])
print(json.dumps(said))
"""


def python(m, text):
    return m.run(f"python3 -c '{text}'").out


def acked_writes(m):
    """Somebody has the device open from now on: who opens it anew is not told of a loss of before."""
    job = m.start(f"python3 -c '{WRITES}' < <(sleep 600)")
    until = time.monotonic() + 30
    while "acked" not in job.out:
        assert job.running and time.monotonic() < until, job.err
        time.sleep(0.05)
    return job


def test_disk_loses_its_cache(machine):
    """The harness itself: what is flushed stays, and the rest goes."""
    with exporter(machine) as x:
        disk = x.disk
        x.run("dst unexport data")
        machine.run(f"cat /sys/block/{disk.path[5:]}/queue/write_cache | grep -q 'write back'")
        machine.run(f"dd if=/dev/urandom of={disk.path} bs=4k count=8 oflag=direct conv=fsync status=none; "
                    f"dd if=/dev/urandom of={disk.path} bs=4k count=8 seek=8 oflag=direct status=none")
        assert disk.off() == list(range(8, 16))
        assert machine.run(f"dd if={disk.path} of=/dev/null bs=4k count=1 iflag=direct", check=False).status
        disk.on()
        machine.run(f"dd if=/dev/urandom of={disk.path} bs=4k count=8 oflag=direct status=none; sync {disk.path}")
        assert disk.off() == []
        disk.on()


def test_cut_without_kept_writes_is_a_loss(machine):
    """Acked bytes are gone; one flush fails, and then flushes are true again."""
    m = machine
    with exporter(m) as x:
        attach_to(m, f"{URI} {PATIENT}")
        m.run("dd if=/dev/zero of=/dev/dst-d bs=4k count=64 oflag=direct conv=fsync status=none")
        job = acked_writes(m)
        assert x.cut() == list(range(BLOCKS)), "the cut did not take what was acked: the scenario shows nothing"
        wait_state(m, "connected", timeout=30)
        assert read_block(m, "/dev/dst-d") == ""
        assert json.loads(python(m, FLUSHES)) == ["EIO", "ok", "ok"]
        assert device(m)["stats"]["errors"] == 1
        job.kill()


def test_cut_with_write_through_takes_nothing(machine):
    m = machine
    with exporter(m, options="--write-through") as x:
        attach_to(m, f"{URI} {PATIENT}")
        job = acked_writes(m)
        assert x.cut() == []
        wait_state(m, "connected", timeout=30)
        assert json.loads(python(m, FLUSHES)) == ["ok"] * 3
        job.kill()
