# SPDX-License-Identifier: GPL-2.0
"""An exporter that comes back from a power cut with another disk, or a shrunken one, under the name: nothing is written to it."""
import pytest

from common import Trace, attach_to, device, export, read_block, wait_state, write_block
from torture import PATIENT, RECONNECTED, serve

WAITING = "printf %-4096s {} | dd of={} bs=4k seek={} iflag=fullblock oflag=direct conv=notrunc status=none"


@pytest.mark.stock
@pytest.mark.limit(200)
def test_other_disk_after_a_power_cut(pair):
    exporter, client = pair
    serve(exporter, exporter.disk("data"), "--write-through")
    path = attach_to(client, f"dst://10.77.0.1/data {PATIENT}")
    uuid = export(exporter)["uuid"]
    write_block(client, path, "mine")
    exporter.kill()
    writer = client.start(WAITING.format("waiting", path, 1))
    exporter.boot()
    exporter.load()
    other = exporter.disk("volatile")
    with Trace(exporter, other) as trace:
        serve(exporter, other, "--write-through")
        assert export(exporter)["uuid"] != uuid
        d = wait_state(client, "suspended", timeout=RECONNECTED)
        assert any(word in d["reason"].lower() for word in ("uuid", "other disk", "another disk", "different")), d
        assert d["reason"] in client.run("dst show d").out
        reader = client.start(f"dd if={path} of=/dev/null bs=4k count=1 iflag=direct status=none")
        client.run("sleep 3")
        assert writer.running and reader.running and device(client)["state"] == "suspended"
        exporter.run("dst unexport data --force")
    assert trace.count("[WD]") == 0, trace.bios
    serve(exporter, exporter.disk("data"), "--write-through")
    writer.wait(RECONNECTED, check=True)
    reader.wait(RECONNECTED, check=True)
    assert export(exporter)["uuid"] == uuid and device(client)["stats"]["errors"] == 0
    assert read_block(exporter, exporter.disk("data")) == "mine"
    assert read_block(exporter, exporter.disk("data"), 1) == "waiting"


def test_smaller_disk(pair):
    """The same file, shorter; then at its old size again."""
    exporter, client = pair
    exporter.run(f"mkfs.ext4 -q {exporter.disk('data')} && mount {exporter.disk('data')} /mnt && truncate -s 16M /mnt/f")
    serve(exporter, "/mnt/f")
    path = attach_to(client, f"dst://10.77.0.1/data {PATIENT}")
    write_block(client, path, "mine")
    exporter.run("dst unexport data --force && truncate -s 8M /mnt/f && sha256sum /mnt/f >/tmp/sum")
    writer = client.start(WAITING.format("waiting", path, 1))
    serve(exporter, "/mnt/f")
    d = wait_state(client, "suspended", timeout=RECONNECTED)
    assert any(word in d["reason"].lower() for word in ("small", "shr", "size")), d
    client.run("sleep 2")
    assert writer.running
    exporter.run("dst unexport data --force && sha256sum -c --status /tmp/sum && truncate -s 16M /mnt/f")
    serve(exporter, "/mnt/f")
    writer.wait(RECONNECTED, check=True)
    assert read_block(client, path) == "mine" and read_block(exporter, "/mnt/f", 1) == "waiting"
    assert device(client)["state"] == "connected" and device(client)["stats"]["errors"] == 0
    client.run("dst detach d")
    exporter.run("dst unexport data && umount /mnt")
