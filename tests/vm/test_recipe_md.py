# SPDX-License-Identifier: GPL-2.0
"""md over exporters: every level goes on without a member and gets it back; a machine is lost for shorter and for longer than the budget."""
import pytest

from common import attach_to, wait_state
from harness import Disk
from recipes import ARRAY, SPEED, becomes_whole, consistent, devices, members, re_added, stats, whole
from torture import RECONNECTED, Rounds, power_cut, serve

MEGABYTES = 16
LOAD = {"size": "256k", "jobs": 1}
LEVELS = {1: 2, 5: 3, 6: 4, 10: 4}
CREATE = f"mdadm --create {ARRAY} --run --metadata=1.2 --bitmap=internal --bitmap-chunk=1M"


@pytest.mark.stock
def test_every_level_without_a_member_and_with_it_again(machine):
    m = machine
    disks, paths = devices(m, max(LEVELS.values()), MEGABYTES)
    m.run(f"modprobe -a raid1 raid10 raid456; {SPEED}")
    for level, count in LEVELS.items():
        m.run(f"{CREATE} --level={level} --raid-devices={count} {' '.join(paths[:count])}")
        becomes_whole(m)
        load = Rounds(m, ARRAY, **LOAD)
        load.wait()
        # the one that goes, and only now: a busy machine must not use up the budget of the others
        m.run("dst set d0 timeout=500ms retries=1 && dst unexport e0 --force")
        m.wait_for("grep -qx 1 /sys/block/md7/md/degraded && dst set d0 timeout=5s retries=24")
        load.wait(2)
        m.run(f"dst export e0 {disks[0]} --allow from=127.0.0.0/8")
        re_added(m, paths[0])
        load.wait()
        load.finish()
        consistent(m)
        m.run(f"mdadm --stop {ARRAY} && mdadm --zero-superblock {' '.join(paths[:count])}")
    assert all(stats(m, f"d{i}")["errors"] == 0 for i in range(1, len(paths)))


@pytest.mark.stock
@pytest.mark.limit(400)
def test_raid10_of_two_machines_one_of_which_is_lost(cluster):
    """Each pair of members is on both. The one that goes loses its disks' caches, too: its exports are --write-through."""
    exporter, client, other = cluster(3, disks={"exporter": [Disk(s, MEGABYTES, "volatile") for s in "ab"]})

    def served():
        for serial in "ab":
            serve(exporter, exporter.disk(serial), "--write-through", name=serial)
    served()
    for serial in "ab":
        serve(other, other.ramdisk(MEGABYTES), name=serial)
    mine, others = [[attach_to(client, f"dst://{m.address}/{serial} --ping 300ms --timeout 2s --retries 60", name=f"{serial}{n}")
                     for serial in "ab"] for n, m in ((1, exporter), (3, other))]
    pairs = " ".join(f"{a} {b}" for a, b in zip(mine, others))
    client.run(f"modprobe raid10; {SPEED}; {CREATE} --level=10 --raid-devices=4 {pairs}")
    becomes_whole(client)
    load = Rounds(client, ARRAY, **LOAD)
    load.wait()

    def gone():
        exporter.kill()

    def back():
        exporter.boot()
        exporter.load()
        served()
    # shorter than the budget: md sees nothing of it
    gone()
    back()
    load.wait(2)
    assert whole(client), members(client)
    for serial in "ab":
        counted = stats(client, f"{serial}1")
        assert counted["reconnects"] > 0 and counted["errors"] == 0, counted
    # longer: it goes on with the other machine's, and gets back what it missed
    client.run("for d in a1 b1; do dst set $d timeout=1s retries=2; done")
    gone()
    client.wait_for("grep -qx 2 /sys/block/md7/md/degraded && for d in a1 b1; do dst set $d timeout=2s retries=60; done", timeout=60)
    load.wait(2)
    back()
    re_added(client, *mine)
    load.wait()
    load.finish()
    consistent(client)


@pytest.mark.stock
@pytest.mark.limit(300)
def test_member_that_lost_acked_writes_is_dropped(pair):
    """md does not look at a flush that fails; what it writes with FUA fails, too."""
    exporter, client = pair
    serve(exporter, exporter.disk("volatile"))
    path = attach_to(client, "dst://10.77.0.1/data --ping 300ms --timeout 2s --retries 60")
    # no bitmap and always "active": md writes nothing of its own
    client.run(f"modprobe raid1; {SPEED}; mdadm --create {ARRAY} --run --level=1 --raid-devices=2 --size={MEGABYTES}M "
               f"{client.ramdisk(2 * MEGABYTES)} {path}; echo 0 >/sys/block/md7/md/safe_mode_delay")
    becomes_whole(client)
    client.run(f"dd if=/dev/urandom of={ARRAY} bs=64k count=16 oflag=direct status=none")
    power_cut(exporter, lambda: exporter.disk("volatile"))
    wait_state(client, "connected", timeout=RECONNECTED)
    client.run(f"sync {ARRAY}", check=False)
    assert stats(client, "d")["errors"] >= 1 and "faulty" not in members(client), "the flush failed, and md minded"
    client.run(f"echo 0.2 >/sys/block/md7/md/safe_mode_delay; dd if=/dev/urandom of={ARRAY} bs=64k count=1 oflag=direct status=none")
    client.wait_for("grep -qx 1 /sys/block/md7/md/degraded", timeout=60)
    # removed, it is closed; as a new one it gets all
    client.run(f"mdadm {ARRAY} --remove {path} && mdadm --zero-superblock {path} && mdadm {ARRAY} --add {path}")
    becomes_whole(client)
    consistent(client)
