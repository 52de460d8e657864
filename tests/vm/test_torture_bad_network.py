# SPDX-License-Identifier: GPL-2.0
"""Slow, lossy, corrupting and reordering networks on both ends, under fio with verify: slow, but right and without an error."""
import pytest

from common import attach_to, sums
from torture import Rounds, connected, form, serve

SECONDS = form(6, 120)
EVILS = {
    "delay": "delay 200ms",
    "loss": "loss 5%",
    "corruption": "corrupt 1%",
    "reordering": "delay 20ms reorder 25% 50%",
}


@pytest.mark.limit(form(150, 600))
@pytest.mark.parametrize("evil", EVILS)
def test_network_is_bad(pair, evil):
    exporter, client = pair
    disk = exporter.ramdisk(16)
    serve(exporter, disk)
    path = attach_to(client, "dst://10.77.0.1/data --checksum crc32c")
    for m in pair:
        m.run(f"modprobe -q sch_netem; tc qdisc add dev eth0 root netem {EVILS[evil]}")
    load = Rounds(client, path, size="256k", depth=16)
    client.run(f"sleep {SECONDS}")
    load.wait(timeout=90)
    dropped = client.run("tc -s qdisc show dev eth0").out
    load.finish()
    for m in pair:
        m.run("tc qdisc del dev eth0 root")
    assert "netem" in dropped
    connected(client)
    assert sums(client, path) == sums(exporter, disk)
