# SPDX-License-Identifier: GPL-2.0
"""The exporter's real disk grows under load: within 3 s the client's device has grown too, and the new part works."""
import time

import pytest

from common import attach_to, device, export, read_block, write_block
from harness.disks import Disk
from torture import PATIENT, Rounds, connected, form, serve

TIMES = form(2, 20)
BEGIN, STEP = 32, 16     # MB
BOUND = 3
SLACK = 1                # of starting a command in a slow machine


@pytest.mark.stock
@pytest.mark.limit(form(200, 1200))
def test_disk_grows_under_load(cluster):
    exporter, client = cluster(2, {"exporter": [Disk("growing", BEGIN, "keep")]})
    disk = exporter.disk("growing")
    serve(exporter, disk)
    path = attach_to(client, f"dst://10.77.0.1/data {PATIENT}")
    load = Rounds(client, path)
    load.wait()
    for n in range(1, TIMES + 1):
        size = BEGIN + n * STEP
        began = time.monotonic()
        exporter.grow_disk("growing", size)
        while int(client.run("cat /sys/block/dst-d/size").out) != size << 11:
            assert time.monotonic() - began < BOUND + SLACK, f"not {size} MB after {BOUND} s: {device(client)} {export(exporter)}"
        last = (size << 8) - 1
        write_block(client, path, f"at the end of {size}", last)
        assert read_block(exporter, disk, last) == f"attheendof{size}"
        load.going()
    # the load moves beyond the old end
    load.finish()
    beyond = Rounds(client, path, offset=f"{BEGIN}M")
    beyond.wait()
    beyond.finish()
    d = connected(client)
    assert d["size"] == (BEGIN + TIMES * STEP) << 20 and d["stats"]["reconnects"] == 0, d
