# SPDX-License-Identifier: GPL-2.0
"""The exporter's machine really loses its power, and the client has kept its writes: no error, all is there (P5, P7).

crash.py imitates a crash within one machine, hundreds of times; here QEMU ends, and another kernel boots.
"""
import json
import time

import pytest

from common import attach_to, device
from torture import PATIENT, connected, dice, form, power_cut, serve

pytestmark = [pytest.mark.stock, pytest.mark.limit(form(400, 3600))]
CUTS = form(2, 12)
PAGES = 1024
STOP = "/tmp/stop"


def test_database_over_power_cuts(pair):
    exporter, client = pair
    when = dice("machine")
    serve(exporter, exporter.disk("volatile"))
    attach_to(client, f"dst://10.77.0.1/data {PATIENT} --keep 64M")
    job = client.start(f"exec python3 /dst/tests/vm/tools/database.py write /dev/dst-d {PAGES} {STOP} machine")
    for _ in range(CUTS):
        time.sleep(when.uniform(1, 4))
        power_cut(exporter, lambda: exporter.disk("volatile"))
        connected(client)
        assert job.running, (job.out, job.err)
    client.run(f"touch {STOP}")
    did = json.loads(job.wait(120, check=True).out)
    stats = connected(client)["stats"]
    assert stats["replays"] >= 1, "no cut took anything"
    print(did, stats)
    # what the last flush covered is on the disk itself
    client.run("sync /dev/dst-d")
    assert device(client)["stats"]["errors"] == 0
