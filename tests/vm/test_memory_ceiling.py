# SPDX-License-Identifier: GPL-2.0
"""More in flight than the exporter may hold: it reads on when it has room; nobody is thrown out for it (P11)."""
from common import device, export, export_and_attach, verify


def test_clients_wait_for_room(machine):
    m = machine
    path = export_and_attach(m, m.ramdisk(64), options="--max-inflight 1M", attach="--connections 2")
    m.run(verify(path, size="16M", options="--bsrange=4k-128k --iodepth=32"), timeout=60)
    d = device(m)
    assert d["stats"]["errors"] == d["stats"]["reconnects"] == d["stats"]["resends"] == 0, d
    assert export(m)["in_flight"] == 0
