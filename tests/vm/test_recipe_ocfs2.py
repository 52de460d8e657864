# SPDX-License-Identifier: GPL-2.0
"""A cluster file system on a --shared export: two clients write to the same files; one dies, the other goes on."""
import time

import pytest

from common import attach_to, device, verify
from torture import PATIENT, serve

# o2cb's heartbeat is on the device, too: a node that could not write for (THRESHOLD - 1) * 2 s resets itself.
THRESHOLD = 16
DEAD = (THRESHOLD - 1) * 2
COUNTED = 40
CLUSTER = """cluster:
	heartbeat_mode = local
	node_count = 2
	name = dst
"""
NODE = """
node:
	number = {number}
	cluster = dst
	ip_port = 7777
	ip_address = {m.address}
	name = {m.name}
"""


def joins(m, nodes):
    m.run("mkdir -p /etc/ocfs2 && modprobe -a configfs ocfs2 ocfs2_stack_o2cb; mountpoint -q /sys/kernel/config || "
          "mount -t configfs configfs /sys/kernel/config")
    m.put("/etc/ocfs2/cluster.conf", CLUSTER + "".join(NODE.format(number=i, m=n) for i, n in enumerate(nodes)))
    m.run(f"o2cb register-cluster dst && echo {THRESHOLD} >/sys/kernel/config/cluster/dst/heartbeat/dead_threshold")


def count(m):
    """Adds to a number in a file, under a lock that both nodes see."""
    return m.start(f"for i in $(seq {COUNTED}); do flock /mnt/lock sh -c 'read -r n </mnt/n; echo $((n + 1)) >/mnt/n' || exit; done")


@pytest.mark.stock
@pytest.mark.limit(400)
def test_two_writers_and_one_dies(cluster):
    exporter, *nodes = cluster(3)
    serve(exporter, exporter.ramdisk(128, block_size=512), "--shared")
    for m in nodes:
        path = attach_to(m, f"dst://10.77.0.1/data {PATIENT}")
        joins(m, nodes)
    survivor, dies = nodes
    survivor.run(f"mkfs.ocfs2 -q -F -N 2 -b 4K -C 4K -J size=4M --cluster-stack=o2cb --cluster-name=dst {path}", timeout=120)
    for m in nodes:
        m.run(f"mount -t ocfs2 {path} /mnt", timeout=90)

    # what one writes the other reads
    survivor.run("cp -r /dst/docs /mnt/ && echo 0 >/mnt/n && touch /mnt/lock")
    dies.run("diff -r /dst/docs /mnt/docs && echo back >/mnt/docs/new")
    assert survivor.run("cat /mnt/docs/new").out == "back\n"
    # both at once, in the same file, over an outage
    jobs = [count(m) for m in nodes] + [m.start(verify(f"/mnt/{m.name}", size="2M", runtime=5)) for m in nodes]
    exporter.link(False)
    time.sleep(3)
    exporter.link(True)
    for job in jobs:
        job.wait(120, check=True)
    assert {m.run("cat /mnt/n").out for m in nodes} == {f"{2 * COUNTED}\n"}

    # in the middle of it one is gone; its locks are recovered once its heartbeat is missed
    count(dies)
    dies.wait_for(f"read -r n </mnt/n && [ $n -gt {2 * COUNTED} ]")
    dies.kill()
    count(survivor).wait(DEAD * 2 + 60, check=True)
    survivor.run(verify("/mnt/after", size="2M"), timeout=120)
    survivor.run("diff -r -x new /dst/docs /mnt/docs && rm -r /mnt/docs && umount /mnt", timeout=120)
    assert device(survivor)["stats"]["errors"] == 0
    survivor.run(f"fsck.ocfs2 -fn {path}", timeout=120)
