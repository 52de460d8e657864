# SPDX-License-Identifier: GPL-2.0
"""A writer that stood still for longer than its lease, or was evicted: another machine writes, and it never does again."""
import time

import pytest

from common import attach_to, device, export, fails, read_block, wait_state, write_block, writes_on
from torture import serve

LEASE = 30      # the shortest there is
FROZEN = 35
BLOCKS = 64
ATTACH = "dst attach dst://10.77.0.1/data --name d"

# Writes all blocks over and over, several at a time, as long as it can.
FLOOD = ("fio --name=flood --filename={} --rw=randwrite --bs=4k --size=256k --direct=1 --ioengine=libaio --iodepth=16 "
         "--time_based --runtime=300 --minimal --buffer_pattern=0x31")


def flood_of(client):
    """The first writer, with its queue full."""
    path = attach_to(client, "dst://10.77.0.1/data --timeout 1s --retries 5 --ping 300ms")
    flood = client.start(FLOOD.format(path))
    writes_on(client, path, 100)
    return flood


def second_writes(second):
    """Every block of what the first one writes to, in another byte."""
    second.run(f"head -c {BLOCKS << 12} /dev/zero | tr '\\0' 2 | dd of=/dev/dst-d bs=64k iflag=fullblock oflag=direct status=none")


def never_again(exporter, client, disk, flood, *why):
    """The first one has failed and says why; not one byte of it arrived, and none does."""
    d = wait_state(client, "failed", timeout=15)
    assert any(word in d["reason"].lower() for word in why), d
    assert d["reason"] in client.run("dst show d").out
    assert flood.wait(15).status != 0
    assert write_block(client, "/dev/dst-d", "late", check=False).status != 0
    time.sleep(2)
    left = exporter.run(f"dd if={disk} bs=4k count={BLOCKS} iflag=direct status=none | tr -d 2 | wc -c").out.strip()
    assert left == "0", f"{left} bytes of the former writer reached the disk"
    assert device(client)["state"] == "failed"
    client.run("dst detach d")


@pytest.mark.stock
@pytest.mark.limit(300)
def test_the_former_writer_never_writes_again(cluster):
    exporter, client, second = cluster(3)
    disk = exporter.ramdisk(8)
    serve(exporter, disk)
    evicted_under_load(exporter, client, second, disk)
    evicted_while_away(exporter, client, second, disk)
    frozen_longer_than_its_lease(exporter, client, second, disk)


def evicted_under_load(exporter, client, second, disk):
    flood = flood_of(client)
    fails(second, ATTACH, "client")
    exporter.run("dst set data evict=client")
    second.run(ATTACH)
    second_writes(second)
    never_again(exporter, client, disk, flood, "evict")
    assert [c["address"].split(":")[0] for c in export(exporter)["clients"]] == ["10.77.0.3"]
    second.run("dst detach d")


def evicted_while_away(exporter, client, second, disk):
    """It learns it when it is back."""
    flood = flood_of(client)
    client.link(False)
    exporter.run("dst set data evict=client")
    second.run(ATTACH)
    second_writes(second)
    client.link(True)
    never_again(exporter, client, disk, flood, "evict", "expired", "another", "other")
    second.run("dst detach d")


def frozen_longer_than_its_lease(exporter, client, second, disk):
    flood = flood_of(client)
    client.freeze()
    began = time.monotonic()
    time.sleep(3)
    fails(second, ATTACH, "client")
    while second.run(ATTACH, check=False).status:
        assert time.monotonic() - began < LEASE + 15, "nobody else is let in"
        time.sleep(1)
    took = time.monotonic() - began
    assert took >= LEASE - 2, f"admitted after {took:.1f} s"
    second_writes(second)
    time.sleep(max(0, FROZEN - (time.monotonic() - began)))
    client.thaw()
    never_again(exporter, client, disk, flood, "expired", "lease", "other", "another")
    # the second goes on; the first may come back with a new attach, once it may
    write_block(second, "/dev/dst-d", "second")
    fails(client, ATTACH, "node3")
    second.run("dst detach d")
    client.run(ATTACH)
    assert read_block(client, "/dev/dst-d") == "second"
