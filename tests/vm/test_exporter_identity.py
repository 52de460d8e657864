# SPDX-License-Identifier: GPL-2.0
"""A device knows its exporter and its disk: another exporter that holds the same key gets no frame, and is named."""
import json
import re
import time

import pytest

from common import (Trace, attach_to, device, export, export_and_attach, fails, make_keys, read_block, sealed, wait_state,
                    write_block)

STATE = "/var/lib/dst/export-data"
FLOATING = "10.77.0.100"
OTHER = "0123456789abcdef0123456789abcdef"
OTHER_UUID = "01234567-89ab-8def-8123-456789abcdef"


def identity(m, name="data"):
    e = export(m, name)
    assert re.fullmatch(r"[0-9a-f]{32}", e["exporter"]) and re.fullmatch(r"[0-9a-f-]{36}", e["uuid"]), e
    return e["exporter"], e["uuid"]


def sysfs(m, name, dev="d"):
    return m.run(f"cat /sys/block/dst-{dev}/dst/{name}").out.strip()


def waiting_write(m, path, block=1):
    job = m.start(f"printf %-4096s waiting | dd of={path} bs=4k seek={block} iflag=fullblock oflag=direct conv=notrunc status=none")
    m.wait_for(f"[ $(cat /sys/block/$(basename {path})/inflight | awk '{{print $2}}') = 1 ]")
    return job


@pytest.mark.parametrize("clone", ["its own disk", "the same uuid"])
def test_another_exporter_with_the_same_key(machine, clone):
    m = machine
    disk, other = m.ramdisk(8), m.ramdisk(8)
    path = sealed(m, disk)
    mine, uuid = identity(m)
    d = device(m)
    assert (d["exporter"], d["uuid"]) == (mine, uuid) == (sysfs(m, "exporter"), sysfs(m, "uuid"))
    assert f"exporter {mine}, disk {uuid}" in m.run("dst show d").out and mine in m.run("dst show --why d").out
    write_block(m, path, "mine")
    monitor = m.start("exec dst monitor --json")
    time.sleep(0.3)
    m.run(f"dst unexport data --force && cp {STATE} /tmp/state")
    writer = waiting_write(m, path)
    if clone == "the same uuid":
        m.run(f"sed -i 's/^exporter .*/exporter {OTHER}/' {STATE}")
        other, theirs = disk, OTHER
    else:
        m.run(f"rm {STATE}")
        theirs = None
    with Trace(m, other) as trace:
        m.run(f"dst export data {other} --allow key=/tmp/a.key")
        theirs = theirs or identity(m)[0]
        assert (identity(m)[1] == uuid) == (clone == "the same uuid")
        d = wait_state(m, "suspended")
        assert d["reason"] == f"another exporter answers there: {theirs}, not {mine}" and d["stats"]["mismatches"] >= 1, d
        assert int(sysfs(m, "mismatches")) >= 1 and d["exporter"] == mine
        said = m.run("dst show --why d").out
        assert d["reason"] in said and "exporter=ID" in said, said
        assert all(c["access"] == "read" for c in export(m)["clients"]) or clone == "the same uuid"
        time.sleep(1)
        m.run("dst unexport data --force")
    assert trace.count("W") == 0, trace.bios
    assert writer.running
    events = [json.loads(line) for line in monitor.out.splitlines()]
    assert any(e["name"] == "d" and e.get("state") == "suspended" and mine in e.get("reason", "") for e in events), events
    monitor.kill()
    m.run(f"cp /tmp/state {STATE} && dst export data {disk} --allow key=/tmp/a.key")
    writer.wait(15, check=True)
    assert wait_state(m, "connected")["exporter"] == mine
    assert read_block(m, path) == "mine" and read_block(m, disk, 1) == "waiting"


def test_first_attach_insists(machine):
    m = machine
    m.run(f"dst export data {m.ramdisk(8)} --allow any")
    mine, uuid = identity(m)
    uri = "dst://127.0.0.1/data"
    fails(m, f"dst attach {uri} --exporter {OTHER}", "another exporter", f"{mine}, not {OTHER}")
    fails(m, f"dst attach {uri} --uuid {OTHER_UUID}", "different disk", f"{uuid}, not {OTHER_UUID}")
    # no lease was asked for: another client becomes the writer at once
    assert [c["access"] for c in export(m)["clients"]] == ["read", "read"]
    for bad in ("--exporter 12", f"--exporter {OTHER}0", f"--exporter {'0' * 32}", "--uuid any", "--uuid 0123-4567"):
        got = m.run(f"dst attach {uri} {bad}", check=False)
        assert got.status == 2 and "identity" in got.err, got
    path = attach_to(m, f"{uri} --exporter {mine.upper()} --uuid {uuid.replace('-', '')}")
    write_block(m, path, "written")
    assert "write" in [c["access"] for c in export(m)["clients"] if c["connections"]]
    m.run("dst detach d")
    # whichever answers is learned
    path = attach_to(m, f"{uri} --exporter any")
    assert device(m)["exporter"] == mine and read_block(m, path) == "written"


def test_changed_on_purpose(machine):
    """Another uri leads to the same exporter, unless another is named; and to the same disk, unless another is named."""
    m = machine
    first, second = m.ramdisk(8), m.ramdisk(8)
    path = export_and_attach(m, first, attach="--connections 2")
    m.run(f"dst export moved {second} --allow any")
    mine, uuid = identity(m)
    theirs, other_uuid = identity(m, "moved")
    assert mine != theirs and uuid != other_uuid
    write_block(m, path, "first")
    m.run("dst set d uri=dst://127.0.0.1/moved")
    writer = waiting_write(m, path)
    assert f"{theirs}, not {mine}" in wait_state(m, "suspended")["reason"]
    m.run(f"dst set d exporter={theirs}")
    m.wait_for(f"dst show d --json | grep -q 'UUID {other_uuid}, not {uuid}'")
    assert device(m)["state"] == "suspended" and device(m)["exporter"] == theirs and writer.running
    # one order leads back, with both
    m.run(f"dst set d uri=dst://127.0.0.1/data exporter={mine}")
    writer.wait(15, check=True)
    wait_state(m, "connected")
    assert read_block(m, path) == "first" and read_block(m, second, 1) == "" and read_block(m, first, 1) == "waiting"
    # it is known that the other one is a copy: all three are said, the exporter is learned
    m.run(f"dd if={first} of={second} bs=1M oflag=direct status=none")
    m.run(f"dst set d uri=dst://127.0.0.1/moved exporter=any uuid={other_uuid}")
    m.wait_for(f"dst show d --json | grep -q '\"exporter\": *\"{theirs}\"'")
    d = wait_state(m, "connected")
    assert (d["uuid"], d["read_only"]) == (other_uuid, False)
    write_block(m, path, "second", 2)
    assert read_block(m, second, 2) == "second" and read_block(m, first, 2) == "" and read_block(m, path) == "first"
    got = m.run("dst set d uuid=any; dst set d exporter=nobody", check=False)
    assert got.status == 2 and got.err.count("identity") == 2, got


def test_saved_and_brought_up(machine):
    m = machine
    disk = m.ramdisk(8)
    m.run("mkdir -p /etc/dst")
    export_and_attach(m, disk, attach="--connections 1")
    mine, uuid = identity(m)
    m.run("dst save")
    saved = m.run("cat /etc/dst/dst.conf").out
    assert f"\nexporter = {mine}\n" in saved and f"\nuuid = {uuid}\n" in saved
    assert m.run("dst up").out == "" and device(m)["stats"]["reconnects"] == 0
    # a wrong exporter is changed in place, and back; a wrong disk is refused before anything is done
    m.put("/tmp/x.conf", saved.replace(mine, OTHER))
    assert m.run("dst up /tmp/x.conf").out == f"~ device d exporter={OTHER}\n"
    wait_state(m, "suspended")
    assert m.run("dst up").out == f"~ device d exporter={mine}\n"
    wait_state(m, "connected")
    m.put("/tmp/x.conf", saved.replace(uuid, OTHER_UUID))
    fails(m, "dst up /tmp/x.conf", "uuid: ", "dst detach d")
    # the client's memory is gone, the file is not
    m.run("dst detach d")
    fails(m, "dst up /tmp/x.conf", r"/tmp/x.conf:\d+: uuid: ", uuid)
    m.run(f"dst unexport data && rm {STATE} && dst export data {disk} --allow any")
    fails(m, "dst up", r"dst.conf:\d+: exporter: ", "another exporter", mine)
    assert m.run("dst show --names").out == "export data\n"


def test_pinned_over_a_reboot_of_the_client(pair):
    exporter, client = pair
    mine, other = exporter.ramdisk(8), exporter.ramdisk(8)
    exporter.run(f"dst export data {mine} --allow any")
    path = attach_to(client, "dst://10.77.0.1/data --connections 1")
    write_block(client, path, "mine")
    client.run("mkdir -p /etc/dst && dst save")
    saved = client.get("/etc/dst/dst.conf")
    client.kill()
    exporter.run(f"dst unexport data --force && dst export data {other} --allow any")
    client.boot()
    client.load()
    client.run("mkdir -p /etc/dst")
    client.put("/etc/dst/dst.conf", saved)
    fails(client, "dst up", "uuid: ", "different disk")
    exporter.run(f"dst unexport data --force && dst export data {mine} --allow any")
    assert client.run("dst up").out.startswith("+ device d ")
    assert read_block(client, path) == "mine" and read_block(exporter, other) == ""


def same_disk(m):
    """A memory disk with the same name on each machine, as clones of one have it."""
    return m.run("[ -d /sys/module/null_blk ] || modprobe -q null_blk nr_devices=0; [ -d /sys/kernel/config/nullb ] || "
                 "mount -t configfs configfs /sys/kernel/config\nset -e; d=/sys/kernel/config/nullb/nullb_same; mkdir $d; "
                 "for v in size=8 memory_backed=1 blocksize=4096 irqmode=0; do echo ${v#*=} >$d/${v%=*}; done; echo 1 >$d/power; "
                 "read -r i <$d/index; for n in nullb_same nullb$i; do [ ! -b /dev/$n ] || echo /dev/$n; done").out.split()[0]


def floating(here, there=None):
    """The address of the exporter moves."""
    if there:
        there.run(f"ip addr del {FLOATING}/24 dev eth0")
    here.run(f"ip addr add {FLOATING}/24 dev eth0")


def test_same_image_and_a_splice(pair):
    """Both set up by themselves from one image: they differ. Who leads the client to the other one gains nothing."""
    exporter, client = pair
    key = make_keys(exporter, "a")
    client.run("umask 077; touch /tmp/a.key")
    client.put("/tmp/a.key", exporter.get("/tmp/a.key"))
    client.run("chmod 600 /tmp/a.key")
    disks = [same_disk(m) for m in (exporter, client)]
    own = client.run("cat /etc/machine-id").out
    client.put("/etc/machine-id", exporter.get("/etc/machine-id"))
    for m, disk in zip((exporter, client), disks):
        m.run(f"dst export data {disk} --allow key={key}")
    assert disks[0] == disks[1]
    (mine, uuid), (theirs, other_uuid) = identity(exporter), identity(client)
    assert mine != theirs and uuid != other_uuid
    client.put("/etc/machine-id", own)
    floating(exporter)
    path = attach_to(client, f"dst://{FLOATING}/data --key {key} --ping 300ms --timeout 1s --retries 60")
    write_block(client, path, "mine")
    # from now on its own machine has that address
    with Trace(client, disks[1]) as trace:
        floating(client, exporter)
        writer = waiting_write(client, path)
        d = wait_state(client, "suspended", timeout=30)
        assert f"{theirs}, not {mine}" in d["reason"] and d["stats"]["mismatches"], d
        time.sleep(1)
    assert trace.count("W") == 0 and writer.running, trace.bios
    floating(exporter, client)
    writer.wait(40, check=True)
    assert wait_state(client, "connected")["stats"]["errors"] == 0
    assert read_block(exporter, disks[0]) == "mine" and read_block(exporter, disks[0], 1) == "waiting"


def test_failover_with_the_state_folder(pair):
    """The identity travels with the state folder: another machine with it is the same exporter."""
    exporter, client = pair
    disks = [same_disk(m) for m in (exporter, client)]
    exporter.run(f"dst export data {disks[0]} --allow any")
    mine, uuid = identity(exporter)
    floating(exporter)
    path = attach_to(client, f"dst://{FLOATING}/data --ping 300ms --timeout 1s --retries 60")
    write_block(client, path, "before", flags="oflag=direct conv=notrunc,fsync")
    exporter.run("dst unexport data --force")
    client.run("mkdir -p /var/lib/dst")
    client.put(STATE, exporter.get(STATE))
    client.run(f"dst export data {disks[1]} --allow any")
    assert identity(client) == (mine, uuid)
    floating(client, exporter)
    d = wait_state(client, "connected", timeout=30)
    write_block(client, path, "after", 1, flags="oflag=direct conv=notrunc,fsync")
    assert d["stats"]["mismatches"] == 0 and read_block(client, disks[1], 1) == "after"
    client.run("dst detach d")
