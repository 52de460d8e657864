# SPDX-License-Identifier: GPL-2.0
"""An end of the baseline (dist/baseline) works with an end of this tree, both ways: docs/compatibility.md.

The baseline is built from git's history, once for each kernel. So this is not in the gate.
"""
import time

import pytest

import baseline
from common import attach_to, device, make_keys, sums, verify, wait_state, write_block

pytestmark = pytest.mark.limit(900)


@pytest.fixture
def old(kernel):
    """The folder of the baseline's build."""
    try:
        return baseline.build(kernel)
    except baseline.NoHistory as why:
        pytest.skip(str(why))


@pytest.fixture(params=["old-client", "old-exporter"])
def ends(request, pair, old):
    """(exporter, client), one of them of the baseline."""
    exporter, client = pair
    m = client if request.param == "old-client" else exporter
    m.unload()
    m.load(build=old)
    return exporter, client


@pytest.mark.parametrize("way", ["plain", "key"])
def test_an_old_and_a_new_end(ends, way):
    """Data, a flush, an outage with a resume, and an orderly end."""
    exporter, client = ends
    disk, allow, options = exporter.ramdisk(32), "any", ""
    if way == "key":
        key = make_keys(exporter, "a")
        client.put(key, exporter.get(key))
        client.run(f"chmod 600 {key}")
        allow, options = f"key={key}", f"--key {key}"
    exporter.run(f"dst export data {disk} --allow {allow}")
    path = attach_to(client, f"dst://10.77.0.1/data {options}")
    client.run(verify(path, size="4M", bs="16k"), timeout=200)
    client.run(f"blockdev --flushbufs {path}")

    # The exporter goes and comes back: the device resumes, and what was under way is sent again.
    exporter.run("dst unexport data --force")
    job = client.start(f"printf %-4096s later | dd of={path} bs=4096 seek=7 iflag=fullblock oflag=direct status=none")
    wait_state(client, "reconnecting")
    time.sleep(0.5)
    exporter.run(f"dst export data {disk} --allow {allow}")
    job.wait(60, check=True)
    wait_state(client, "connected", timeout=30)
    write_block(client, path, "last", block=8)
    d = device(client)
    assert d["stats"]["errors"] == 0 and d["stats"]["reconnects"] >= 1, d
    assert sums(client, path) == sums(exporter, disk)
    client.run("dst detach d")
    exporter.run("dst unexport data")
