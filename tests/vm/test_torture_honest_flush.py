# SPDX-License-Identifier: GPL-2.0
"""The exporter's machine loses power or is shut down: a flush tells whether acked writes were lost, and fsync keeps its word."""
import time

import pytest

from common import attach_to, device, read_block, wait_state, write_block
from torture import PATIENT, RECONNECTED, comes_up, connected, dice, form, power_cut, serve

CUTS_UNDER_EXT4 = form(2, 50)
CALLS = form(["fdatasync"], ["fsync", "fdatasync"])
BLOCKS = 8

# Writes BLOCKS acked blocks without a flush, waits for a line on stdin's behalf (a file), then flushes twice with one call.
FLUSHES = """
import errno, mmap, os, sys, time
fd = os.open("/dev/dst-d", os.O_RDWR | os.O_DIRECT)
page = mmap.mmap(-1, 4096)
for n in range(%(blocks)d):
    page[:4096] = bytes([65 + n]) * 4096
    assert os.pwrite(fd, page, n * 4096) == 4096
print("acked", flush=True)
while not os.path.exists("/tmp/flush"):
    time.sleep(0.05)
for _ in range(3):
    try:
        os.%(call)s(fd)
        print("ok", flush=True)
    except OSError as e:
        print(errno.errorcode[e.errno], flush=True)
"""


def acked_writes(client, program):
    client.put("/tmp/flushes.py", program)
    job = client.start("exec python3 /tmp/flushes.py")
    until = time.monotonic() + 20
    while "acked" not in job.out:
        assert job.running and time.monotonic() < until, job.err
        time.sleep(0.05)
    return job


def flushes(call="fsync"):
    return FLUSHES % {"call": call, "blocks": BLOCKS}


def answers(client, job):
    client.run("touch /tmp/flush")
    return job.wait(30, check=True).out.split()[1:]


def there(m, path):
    """Which of the acked blocks are on the disk."""
    return [read_block(m, path, n) == chr(65 + n) * 4096 for n in range(BLOCKS)]


@pytest.mark.stock
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.limit(200)
def test_what_was_lost_is_told_once(pair, call):
    """Acked without a flush, and gone with the power: one EIO, then flushes are true again."""
    exporter, client = pair
    serve(exporter, exporter.disk("volatile"))
    path = attach_to(client, f"dst://10.77.0.1/data {PATIENT}")
    client.run(f"dd if=/dev/zero of={path} bs=4k count={BLOCKS} oflag=direct conv=fsync status=none")
    job = acked_writes(client, flushes(call))
    power_cut(exporter, lambda: exporter.disk("volatile"))
    wait_state(client, "connected", timeout=RECONNECTED)
    assert there(exporter, exporter.disk("volatile")) == [False] * BLOCKS, "the power cut took nothing: the scenario shows nothing"
    assert answers(client, job) == ["EIO", "ok", "ok"]
    write_block(client, path, "anew", flags=f"oflag=direct conv=notrunc,{call}")
    assert read_block(exporter, exporter.disk("volatile")) == "anew"


# A write into a file, acked and not flushed; when asked, the disk is flushed by somebody else first, then the file.
TWO_WHO_ASK = """
import errno, mmap, os, time
disk = os.open("/dev/dst-d", os.O_RDONLY)
file = os.open("/mnt/file", os.O_CREAT | os.O_RDWR | os.O_DIRECT)
page = mmap.mmap(-1, 4096)
page[:] = b"A" * 4096
assert os.pwrite(file, page, 0) == 4096
print("acked", flush=True)
while not os.path.exists("/tmp/flush"):
    time.sleep(0.05)
for fd in disk, file:
    try:
        os.fsync(fd)
        print("ok", flush=True)
    except OSError as e:
        print(errno.errorcode[e.errno], flush=True)
"""


@pytest.mark.stock
@pytest.mark.limit(200)
def test_flush_whose_failure_nobody_minds(pair):
    """Flushes of jbd2's own, and ext4's of its tables, are not looked at: the file system hears of the loss all the same."""
    exporter, client = pair
    serve(exporter, exporter.disk("volatile"))
    path = attach_to(client, f"dst://10.77.0.1/data {PATIENT}")
    client.run(f"wipefs -qa {path}; mkfs.ext4 -q -E lazy_itable_init=0 {path} 32M && mount -o commit=300 {path} /mnt && sync -f /mnt")
    job = acked_writes(client, TWO_WHO_ASK)
    power_cut(exporter, lambda: exporter.disk("volatile"))
    wait_state(client, "connected", timeout=RECONNECTED)
    disk, file = answers(client, job)
    assert disk == "EIO" and file in ("EIO", "EROFS"), (disk, file)
    assert "may be lost" in client.run("dst show --why d").out
    client.run("umount /mnt", timeout=30)
    assert "may be lost" not in client.run("dst show --why d").out
    # who opens the device anew has not lost anything
    client.run(f"dd if=/dev/zero of={path} bs=4k count=1 seek=10000 oflag=direct,dsync status=none; e2fsck -p {path} || [ $? = 1 ]; "
               f"mount {path} /mnt && echo anew >/mnt/file && sync /mnt/file && umount /mnt && e2fsck -fn {path}")


@pytest.mark.stock
@pytest.mark.limit(200)
def test_write_through_has_nothing_to_lose(pair):
    """Every ack was durable: the same cut, no error, all data there."""
    exporter, client = pair
    serve(exporter, exporter.disk("volatile"), "--write-through")
    path = attach_to(client, f"dst://10.77.0.1/data {PATIENT}")
    job = acked_writes(client, flushes())
    power_cut(exporter, lambda: exporter.disk("volatile"), "--write-through")
    connected(client)
    assert answers(client, job) == ["ok"] * 3
    assert there(exporter, exporter.disk("volatile")) == [True] * BLOCKS and there(client, path) == [True] * BLOCKS


@pytest.mark.stock
@pytest.mark.parametrize("before, after", [("--write-through", ""), ("", "--write-through")], ids=["comes", "goes"])
@pytest.mark.limit(200)
def test_cache_changes_while_attached(pair, before, after):
    """It comes: nobody flushes a device that was made without one, and what is acked stays durable. It goes: nothing can be lost."""
    exporter, client = pair
    disk = exporter.disk("volatile")
    serve(exporter, disk, before)
    path = attach_to(client, f"dst://10.77.0.1/data {PATIENT}")
    assert client.run("cat /sys/block/dst-d/queue/write_cache").out == ("write through\n" if before else "write back\n")
    exporter.run("dst unexport data --force")
    serve(exporter, disk, after)
    connected(client)
    job = acked_writes(client, flushes())
    power_cut(exporter, lambda: exporter.disk("volatile"), after)
    connected(client)
    assert answers(client, job) == ["ok"] * 3
    assert there(exporter, exporter.disk("volatile")) == [True] * BLOCKS and there(client, path) == [True] * BLOCKS


@pytest.mark.stock
@pytest.mark.limit(200)
def test_orderly_shutdown_has_lost_nothing(pair):
    """The machine is shut down, not cut off: its disk was flushed, so nobody is told of a loss."""
    exporter, client = pair
    serve(exporter, exporter.disk("volatile"))
    path = attach_to(client, f"dst://10.77.0.1/data {PATIENT}")
    job = acked_writes(client, flushes())
    exporter.shutdown()
    comes_up(exporter, lambda: exporter.disk("volatile"))
    connected(client)
    assert answers(client, job) == ["ok"] * 3
    assert there(exporter, exporter.disk("volatile")) == [True] * BLOCKS and there(client, path) == [True] * BLOCKS


def check_file_system(client, path):
    """The journal is replayed, then nothing is wrong; every file whose fsync succeeded is right."""
    replay = client.run(f"e2fsck -p {path}", check=False)
    assert replay.status in (0, 1), replay
    client.run(f"e2fsck -fn {path}")
    client.run(f"mount {path} /mnt")
    kept = int(client.run("python3 /dst/tests/vm/tools/fsyncer.py check /mnt /tmp/promised").out)
    client.run("umount /mnt")
    return kept


@pytest.mark.stock
@pytest.mark.limit(form(240, 50 * 60))
def test_power_cuts_under_ext4(pair):
    """The exporter loses power at some moment of a file system's life, again and again."""
    exporter, client = pair
    when = dice("ext4")
    serve(exporter, exporter.disk("volatile"))
    path = attach_to(client, f"dst://10.77.0.1/data {PATIENT}")
    kept = []
    for _ in range(CUTS_UNDER_EXT4):
        client.run(f"wipefs -qa {path}; mkfs.ext4 -q {path} 32M && mount {path} /mnt && rm -f /tmp/promised && sync -f /mnt")
        job = client.start("exec python3 /dst/tests/vm/tools/fsyncer.py write /mnt /tmp/promised")
        client.wait_for("[ -s /tmp/promised ]")
        time.sleep(when.uniform(0, 3))
        power_cut(exporter, lambda: exporter.disk("volatile"))
        wait_state(client, "connected", timeout=RECONNECTED)
        time.sleep(1)
        # either it was told of a loss and stopped, or nothing was lost and it goes on
        if not job.running:
            assert "Errno" in job.err, job.err
        job.kill()
        job.wait(30)
        # a journal that was cut off may say so when it is unmounted
        client.run("umount /mnt", timeout=30)
        kept.append(check_file_system(client, path))
    assert min(kept) >= 1 and device(client)["stats"]["errors"] <= CUTS_UNDER_EXT4 * 8, kept
