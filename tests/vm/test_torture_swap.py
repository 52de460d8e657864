# SPDX-License-Identifier: GPL-2.0
"""Swap on a device, in a machine with 256 MB whose programs use more than it has: nothing stands still, all comes back as it was.

Its network card is one whose driver takes the memory for what it receives from the reserves that the kernel keeps for this. virtio_net
does not: with that the machine stands still, whatever the disk over the network is.
"""
import pytest

from common import attach_to
from torture import form, serve, unhurt

SECONDS = form(30, 300)
PAGES = 30000
PROGRAM = f"""
import random, sys, time
began, area, number = time.time(), bytearray({PAGES} << 12), [0] * {PAGES}

def visit(page):
    at = page << 12
    assert area[at:at + 8] == (number[page] << 20 | page if number[page] else 0).to_bytes(8, "little"), page
    number[page] += 1
    area[at:at + 8] = (number[page] << 20 | page).to_bytes(8, "little")

for page in range({PAGES}):
    visit(page)
while time.time() < began + {SECONDS}:
    first = random.randrange({PAGES} - 64)
    for page in range(first, first + 64):
        visit(page)
for page in range({PAGES}):
    visit(page)
"""


@pytest.mark.stock
@pytest.mark.limit(900 + 2 * SECONDS)
def test_swap_in_a_small_machine(pair):
    exporter, client = pair
    serve(exporter, exporter.ramdisk(384))
    client.kill()
    before = client.memory, client.nic
    client.memory, client.nic = 256, "e1000e"
    try:
        client.boot()
        client.load()
        client.wait_for("timeout 1 bash -c '</dev/tcp/10.77.0.1/7710'")
        path = attach_to(client, "dst://10.77.0.1/data")
        client.run(f"mkswap {path} && swapon {path}")
        client.put("/tmp/program.py", PROGRAM)
        jobs = [client.start("python3 /tmp/program.py") for _ in range(2)]
        for job in jobs:
            job.wait(300 + 2 * SECONDS, check=True)
        d = unhurt(client)
        assert d["stats"]["write_bytes"] > 64 << 20 and d["stats"]["read_bytes"] > 64 << 20, d["stats"]
        client.run("swapoff -a", timeout=120)
        client.run("dst detach d")
    finally:
        client.memory, client.nic = before
        client.kill()
