# SPDX-License-Identifier: GPL-2.0
"""An export that moves between two machines which reach the same disk, by the cluster's agent: its manners, and what clients see."""
import shlex
import time
import xml.etree.ElementTree as ET

import pytest

from common import attach_to, device, export, wait_state
from harness import Disk
from torture import RECONNECTED, Rounds

SUCCESS, GENERIC, UNIMPLEMENTED, INSTALLED, CONFIGURED, NOT_RUNNING = 0, 1, 3, 5, 6, 7
FLOATING = "10.77.0.100"
STATE = "/media"
STOP = "/tmp/flushes-end"


def agent(m, action, path="", before="", **parameters):
    """Exit status of the agent, called as Pacemaker does."""
    given = {"name": "data", "path": path, "allow": "from=10.77.0.0/24 from=127.0.0.0/8", "state": STATE, **parameters}
    environment = " ".join(f"OCF_RESKEY_{key}={shlex.quote(value)}" for key, value in given.items())
    return m.run(f"{before} {environment} /dst/dist/ocf/dst {action}", check=False).status


def test_manners_of_the_agent(machine):
    m = machine
    disk, other = m.ramdisk(8), m.ramdisk(8)
    state = {"state": "/tmp/state"}
    m.run("mkdir /tmp/state")
    assert agent(m, "monitor", disk, **state) == NOT_RUNNING
    assert agent(m, "stop", disk, **state) == SUCCESS
    assert agent(m, "validate-all", disk, **state) == SUCCESS
    for _ in range(2):
        assert agent(m, "start", disk, **state) == SUCCESS
        assert agent(m, "monitor", disk, **state) == SUCCESS
    assert export(m)["allow"] == ["from=10.77.0.0/24", "from=127.0.0.0/8"]
    uuid = export(m)["uuid"]
    # it is remembered there, and nowhere else; a client does not keep it from being stopped
    m.run("test -s /tmp/state/export-data && ! test -e /var/lib/dst/export-data")
    attach_to(m, "dst://127.0.0.1/data")
    for _ in range(2):
        assert agent(m, "stop", disk, **state) == SUCCESS
        assert agent(m, "monitor", disk, **state) == NOT_RUNNING
    m.run("grep -q '^clean 1' /tmp/state/export-data && dst detach d --force")
    # only this disk under this name is it; and stopping is stopping
    m.run(f"dst export data {other} --allow any")
    assert agent(m, "monitor", disk, **state) == agent(m, "start", disk, **state) == GENERIC
    assert agent(m, "stop", disk, **state) == SUCCESS
    assert agent(m, "start", disk, options="--write-through --max-inflight 2M", **state) == SUCCESS
    assert export(m)["uuid"] == uuid and export(m)["max_inflight"] == 2 << 20
    # without the folder it can still be stopped, and not be started
    m.run("rm -r /tmp/state")
    assert agent(m, "stop", disk, **state) == SUCCESS
    assert agent(m, "start", disk, **state) == agent(m, "start", "/dev/nothing", **state) == INSTALLED
    assert agent(m, "start", disk, "mkdir /tmp/state;", allow="everybody", **state) == GENERIC
    assert agent(m, "monitor", disk, **state) == NOT_RUNNING
    for parameter in ("name", "path", "allow", "state"):
        assert agent(m, "validate-all", **{"path": disk, **state, parameter: ""}) == CONFIGURED
    assert agent(m, "migrate_to", disk, **state) == UNIMPLEMENTED
    # when the module does not answer, nobody knows whether it runs
    m.run("mkdir /tmp/bin")
    m.put("/tmp/bin/dst", "#!/bin/sh\nexit 1\n")
    for action in ("monitor", "stop"):
        assert agent(m, action, disk, "PATH=/tmp/bin:$PATH", **state) == GENERIC
    metadata = ET.fromstring(m.run("/dst/dist/ocf/dst meta-data").out)
    assert {a.get("name") for a in metadata.iter("action")} == {"start", "stop", "monitor", "validate-all", "meta-data"}
    assert {p.get("name") for p in metadata.iter("parameter")} == {"name", "path", "allow", "state", "options"}


class Flushes:
    """Writes with a flush after each, beyond what Rounds writes, until one fails or finish()."""

    def __init__(self, m, path):
        self.m = m
        m.run(f"rm -f {STOP}")
        self.job = m.start(f"until [ -e {STOP} ]; do dd if=/dev/urandom of={path} bs=4k count=1 seek=3000 oflag=direct "
                           "conv=notrunc,fsync status=none || exit 1; echo; done")

    def wait(self):
        """At least one more that began now."""
        done = len(self.job.out)
        until = time.monotonic() + RECONNECTED
        while len(self.job.out) < done + 2:
            assert self.job.running and time.monotonic() < until, self.job.err
            time.sleep(0.1)

    def finish(self):
        self.wait()
        self.m.run(f"touch {STOP}")
        self.job.wait(RECONNECTED, check=True)


def take_over(m, options=""):
    """What Pacemaker does with the group of Filesystem, dst, IPaddr2: its start."""
    m.run(f"mount {m.disk('state')} {STATE}")
    assert agent(m, "start", m.disk("data"), options=options) == SUCCESS
    m.run(f"ip addr add {FLOATING}/24 dev eth0 && busybox arping -q -U -c 3 -I eth0 {FLOATING}")


def hand_over(m):
    m.run(f"ip addr del {FLOATING}/24 dev eth0")
    assert agent(m, "stop", m.disk("data")) == SUCCESS
    assert agent(m, "monitor", m.disk("data")) == NOT_RUNNING
    m.run(f"umount {STATE}")


@pytest.mark.stock
@pytest.mark.limit(400)
def test_clients_go_on_while_the_export_moves(cluster):
    disks = [Disk("state", 16, "through", shared=True), Disk("data", 16, "keep", shared=True)]
    one, client, other = cluster(3, disks={"exporter": disks, "node3": disks})
    one.run(f"mkfs.ext4 -q {one.disk('state')}")
    take_over(one)
    path = attach_to(client, f"dst://{FLOATING}/data --ping 300ms --timeout 2s --retries 60")
    before = device(client)

    # in order, and back again: a disk with a volatile cache, and no flush fails
    load, flushes = Rounds(client, path, size="256k", jobs=1), Flushes(client, path)
    load.wait()
    for leaves, comes in ((one, other), (other, one)):
        hand_over(leaves)
        take_over(comes)
        load.wait(2)
        wait_state(client, "connected", timeout=RECONNECTED)
    flushes.finish()
    load.finish()

    # it is what moves along that makes it the same export
    hand_over(one)
    other.run("mkdir /tmp/state")
    assert agent(other, "start", other.disk("data"), state="/tmp/state") == SUCCESS
    other.run(f"ip addr add {FLOATING}/24 dev eth0 && busybox arping -q -U -c 3 -I eth0 {FLOATING}")
    wait_state(client, "suspended", timeout=RECONNECTED)
    other.run(f"ip addr del {FLOATING}/24 dev eth0")
    assert agent(other, "stop", other.disk("data"), state="/tmp/state") == SUCCESS

    # a node crashes: each ack since the last flush was durable, so no flush fails either
    take_over(other, "--write-through")
    wait_state(client, "connected", timeout=RECONNECTED)
    load, flushes = Rounds(client, path, size="256k", jobs=1), Flushes(client, path)
    load.wait()
    flushes.wait()
    other.kill()
    take_over(one, "--write-through")
    load.wait(2)
    flushes.finish()
    load.finish()
    after = device(client)
    assert (after["uuid"], after["stats"]["errors"]) == (before["uuid"], 0) and after["stats"]["reconnects"] >= 4, after
