# SPDX-License-Identifier: GPL-2.0
"""A write that hangs inside the exporter's disk, is resent and acked, and then newer data is acked: the disk ends with the newer.

The disk (tools/holdnbd.c) keeps one write back and does all others at once, so whoever does not wait for it loses.
"""
import time

import pytest

from common import attach_to, device, export, read_block, write_block
from torture import HoldingDisk, clock, connected, form, serve

HELD = form(8, 20)          # seconds the disk keeps the write
CONNECTIONS = form([2], [1, 2, 4])
TIMEOUT = 1                 # --timeout
PING = 0.5                  # --ping; silence is noticed after PING + TIMEOUT
CUT = form(3, 6)            # the link is away: longer than --timeout
RECONNECT = 2               # longest pause between two attempts
SLACK = 3                   # of a slow machine
BLOCK = 5
ATTACH = f"dst://10.77.0.1/data --timeout {TIMEOUT}s --ping {int(PING * 1000)}ms --retries 60"

# Writes once, directly, and says when that was acked, by the clock of the machine.
WRITER = """python3 -c '
import mmap, os, sys, time
page = mmap.mmap(-1, 4096)
page[:4096] = sys.argv[2].encode().ljust(4096)
fd = os.open(sys.argv[1], os.O_RDWR | os.O_DIRECT)
began = time.monotonic()
assert os.pwrite(fd, page, int(sys.argv[3]) * 4096) == 4096
print(time.monotonic() - began)' {path} {text} {block}"""


def start_write(m, path, text):
    return m.start("exec " + WRITER.format(path=path, text=text, block=BLOCK))


def seconds(job, timeout=60):
    return float(job.wait(timeout, check=True).out)


def test_the_disk_makes_ghosts(pair):
    """Without anybody's fence: what was held lands on what is newer. So the scenarios below can fail."""
    exporter, _ = pair
    disk = HoldingDisk(exporter, 120)
    old = start_write(exporter, disk.path, HoldingDisk.MAGIC)
    disk.wait("held")
    start_write(exporter, disk.path, HoldingDisk.MAGIC).wait(30, check=True)
    write_block(exporter, disk.path, "newer", BLOCK)
    assert read_block(exporter, disk.path, BLOCK) == "newer" and old.running
    disk.release()
    old.wait(30, check=True)
    assert read_block(exporter, disk.path, BLOCK) == HoldingDisk.MAGIC
    disk.end()


def cut_link(exporter, client):
    client.link(False)
    time.sleep(CUT)
    client.link(True)


def reset_by_client(exporter, client):
    client.run("dst set d uri=dst://10.77.0.1/data")


def reset_by_exporter(exporter, client):
    exporter.run("ss -K state established '( sport = :7710 )'")


def reset_again_and_again(exporter, client):
    """Each attempt to connect meets the same wait."""
    for _ in range(3):
        exporter.run("ss -K state established '( sport = :7710 )'")
        time.sleep(1)


HURTS = [cut_link, reset_by_client, reset_by_exporter, *form([], [reset_again_and_again])]


@pytest.mark.parametrize("connections", CONNECTIONS)
@pytest.mark.parametrize("hurt", HURTS)
def test_newer_data_stays(pair, hurt, connections):
    exporter, client = pair
    disk = HoldingDisk(exporter, HELD)
    serve(exporter, disk.path)
    path = attach_to(client, f"{ATTACH} --connections {connections}")
    old = start_write(client, path, HoldingDisk.MAGIC)
    held = disk.wait("held")
    hurt(exporter, client)
    took = seconds(old)
    released = disk.said("released")
    acked = clock(exporter)
    assert released, "the resend was acked while a copy of it was still inside the disk"
    # the pause is what the disk took, and what it takes to notice that
    assert released - held >= HELD - 0.1
    assert took <= HELD + TIMEOUT + RECONNECT + SLACK, f"paused {took:.1f} s for a write held {HELD} s"
    assert acked - released <= TIMEOUT + RECONNECT + SLACK
    write_block(client, path, "newer", BLOCK)
    time.sleep(form(2, HELD + 5))
    assert read_block(exporter, disk.path, BLOCK) == "newer" and read_block(client, path, BLOCK) == "newer"
    d = connected(client)
    assert d["stats"]["resends"] >= 1 and d["stats"]["reconnects"] >= 1, d
    assert export(exporter)["stats"]["fenced"] >= 1
    client.run("dst detach d")
    exporter.run("dst unexport data")
    disk.end()


@pytest.mark.limit(200)
def test_client_reboots_and_attaches_anew(pair):
    """Takeover: the new session is not let in before the old one's write is out of the disk."""
    exporter, client = pair
    disk = HoldingDisk(exporter, 120)
    serve(exporter, disk.path)
    path = attach_to(client, ATTACH)
    start_write(client, path, HoldingDisk.MAGIC)
    disk.wait("held")
    client.kill()
    client.boot()
    client.load()
    attach = client.start(f"dst attach {ATTACH} --name d")
    time.sleep(4)
    assert attach.running and not disk.said("released"), f"attached beside a write of its former life: {attach.wait(1)!r}"
    began = time.monotonic()
    disk.release()
    attach.wait(30, check=True)
    assert time.monotonic() - began <= TIMEOUT + RECONNECT + SLACK
    write_block(client, path, "newer", BLOCK)
    time.sleep(2)
    assert read_block(exporter, disk.path, BLOCK) == "newer" and read_block(client, path, BLOCK) == "newer"
    assert device(client)["stats"]["errors"] == 0
    client.run("dst detach d")
    exporter.run("dst unexport data")
    disk.end()
