# SPDX-License-Identifier: GPL-2.0
"""A mirror of a local disk and a device: an outage within the budget is not seen; one beyond it costs a leg, which comes back."""
import time

import pytest

from common import attach_to, device, wait_state
from torture import LONG, RECONNECTED, Rounds, form, serve

OUTAGE = form(10, 30)
MEGABYTES = 64
RESYNC_PART = 2     # --re-add copies less than one half of it: only what changed
ARRAY = "/dev/md7"


def mirror(client, *members):
    """Without a clean/dirty change at each pause, so that its event count stands still unless something happens."""
    client.run(f"modprobe -q raid1; mdadm --create {ARRAY} --run --level=1 --raid-devices=2 --metadata=1.0 --assume-clean "
               f"--bitmap=internal --bitmap-chunk=1M {' '.join(members)}")
    client.run("echo 0 >/sys/block/md7/md/safe_mode_delay")


def events(client, leg):
    return client.run(f"mdadm --examine {leg} | sed -n 's/ *Events : //p'").out.strip()


def attribute(client, name):
    """Of the array, from sysfs: /proc/mdstat waits for the bitmap, and so for the leg that is away."""
    return client.run(f"cat /sys/block/md7/md/{name}").out.split()[0]


def legs(client):
    return sorted(client.run("cat /sys/block/md7/md/dev-*/state").out.split())


def whole(client):
    """[UU], and nothing is copied."""
    return attribute(client, "degraded") == "0" and attribute(client, "sync_action") == "idle" and \
        legs(client) == ["in_sync", "in_sync"]


def seen(client):
    return attribute(client, "degraded"), attribute(client, "sync_action"), legs(client)


def outage_within_the_budget(client, local, away, back):
    load = Rounds(client, ARRAY)
    load.wait()
    before = events(client, local)
    away()
    time.sleep(OUTAGE)
    assert whole(client), seen(client)
    back()
    load.wait(2)
    assert whole(client), seen(client)
    assert events(client, local) == before
    load.finish()


def outage_beyond_it(client, path, away, back):
    """The array goes on with one leg; the other comes back and gets what it missed, no more."""
    client.run("dst set d timeout=1s retries=2")
    load = Rounds(client, ARRAY)
    load.wait()
    away()
    client.wait_for("grep -q 1 /sys/block/md7/md/degraded", timeout=30)
    load.wait(2)
    back()
    wait_state(client, "connected", timeout=RECONNECTED)
    client.run("dst set d timeout=2s retries=60")
    client.run(f"mdadm {ARRAY} --remove {path} && mdadm {ARRAY} --re-add {path}")
    client.wait_for("grep -q 0 /sys/block/md7/md/degraded", timeout=60)
    load.wait()
    load.finish()
    client.run(f"mdadm --wait {ARRAY}", check=False)
    assert whole(client), seen(client)


@pytest.mark.stock
@pytest.mark.limit(form(200, 400))
def test_mirror_of_a_disk_and_a_device(pair):
    exporter, client = pair
    disk, local = exporter.ramdisk(MEGABYTES), client.ramdisk(MEGABYTES)
    serve(exporter, disk)
    path = attach_to(client, "dst://10.77.0.1/data --ping 300ms --timeout 2s --retries 60")
    mirror(client, local, path)

    def away():
        client.link(False)

    def back():
        client.link(True)
    outage_within_the_budget(client, local, away, back)
    assert device(client)["stats"]["errors"] == 0
    outage_beyond_it(client, path, away, back)
    compare(client, local, path)


def test_re_add_copies_only_the_difference(pair):
    """Without a load: what went over the network is what was written meanwhile, in chunks of the bitmap."""
    exporter, client = pair
    local = client.ramdisk(MEGABYTES)
    serve(exporter, exporter.ramdisk(MEGABYTES))
    path = attach_to(client, "dst://10.77.0.1/data --ping 300ms --timeout 1s --retries 2")
    mirror(client, local, path)
    client.link(False)
    client.run(f"head -c 3M /dev/urandom | dd of={ARRAY} bs=64k iflag=fullblock oflag=direct seek=64 status=none")
    assert attribute(client, "degraded") == "1"
    client.link(True)
    wait_state(client, "connected", timeout=RECONNECTED)
    before = device(client)["stats"]["write_bytes"]
    client.run(f"mdadm {ARRAY} --remove {path} && mdadm {ARRAY} --re-add {path}")
    client.wait_for("grep -q 0 /sys/block/md7/md/degraded", timeout=60)
    copied = device(client)["stats"]["write_bytes"] - before
    assert 3 << 20 <= copied < (MEGABYTES << 20) // RESYNC_PART, copied
    compare(client, local, path)


def compare(client, *members):
    """Both hold the same data; metadata 1.0 is at their ends."""
    size = int(client.run(f"blockdev --getsize64 {ARRAY}").out)
    client.run(f"mdadm --stop {ARRAY}")
    client.run(f"cmp -n {size} {' '.join(members)}")


if LONG:
    @pytest.mark.limit(600)
    def test_mirror_of_two_exporters(cluster):
        exporter, client, second = cluster(3)
        for m in (exporter, second):
            serve(m, m.ramdisk(MEGABYTES))
        devices = [attach_to(client, f"dst://10.77.0.{n}/data --ping 300ms --timeout 2s --retries 60", name=name)
                   for n, name in ((3, "e"), (1, "d"))]
        mirror(client, *devices)
        for m in (exporter, second):
            outage_within_the_budget(client, devices[0], m.freeze, m.thaw)
        outage_beyond_it(client, devices[1], exporter.freeze, exporter.thaw)
        compare(client, *devices)
