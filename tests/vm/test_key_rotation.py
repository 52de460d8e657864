# SPDX-License-Identifier: GPL-2.0
"""Keys are changed under load: no error, no outage that is counted or told, and nobody is locked out on the way."""
import json
import time

import pytest

from common import (PROXY, Wiretap, attach_to, device, export, fails, make_keys, read_block, start_load, verify, wait_state,
                    write_block)

OLD, NEW = "/tmp/a.key", "/tmp/b.key"
BOTH = f"--allow client=db,key={OLD} --allow client=db,key={NEW}"
DEBUGFS = "/sys/kernel/debug/dst"


def offer(m, rules=BOTH, options="", size=64):
    """An export for client "db" and both of its keys, which are made."""
    make_keys(m, "a", "b", "c")
    disk = m.ramdisk(size)
    m.run(f"dst export data {disk} {rules} {options}")
    return disk


def attach(m, key=OLD, options="", port=7710, name="d"):
    return attach_to(m, f"dst://127.0.0.1:{port}/data --key {key} {options}", name=name)


def client(m):
    found = export(m)["clients"]
    assert len(found) == 1, found
    return found[0]


def wait_key(m, key, timeout=10):
    """Until every connection uses that key."""
    until = time.monotonic() + timeout
    while client(m)["key"] != key:
        assert time.monotonic() < until, f"not all use {key} after {timeout} s: {client(m)}, {device(m)}"
        time.sleep(0.05)


def undisturbed(m, session, live, name="d"):
    """The session, no outage, no error."""
    d = device(m, name)
    assert d["state"] == "connected" and not d["reason"], d
    for counter in ("errors", "reconnects", "auth_failures", "checksum_errors"):
        assert d["stats"][counter] == 0, (counter, d["stats"])
    assert client(m)["session"] == session and client(m)["connections"] == live
    # Where an answer took too long, the connection was cut off, and the request is sent again.
    assert export(m)["stats"]["fenced"] <= d["stats"]["resends"], d["stats"]
    return d


def opened(m):
    """Connections that the machine has accepted so far."""
    names, values = (line.split()[1:] for line in m.run("grep ^Tcp: /proc/net/snmp").out.splitlines())
    return int(values[names.index("PassiveOpens")])


def vanish(m):
    """As of a machine that loses its power: no BYE, which would give the lease back, gets through."""
    m.run("ip link set lo down; dst detach d --force; ip link set lo up")


@pytest.mark.points
def test_old_connection_ends_before_the_new_one_is_granted(machine):
    """The exporter ends the one behind the hello of the other: no outage, also when the client sees that long before the grant."""
    m = machine
    offer(m, size=8)
    path = attach(m, options="--connections 1")
    session = client(m)["session"]
    with m.point("FENCE_BEFORE_GRANT", hold=True) as point:
        m.run(f"dst set d key={NEW}")
        point.reached()
        write = m.start(f"dd if=/dev/zero of={path} bs=4k count=1 oflag=direct status=none")
        time.sleep(1)
        # not by `dst show`, which waits for the export, too
        assert m.run("cat /sys/block/dst-d/dst/state").out.strip() == "connected"
        point.release()
    write.wait(10, check=True)
    wait_key(m, NEW)
    undisturbed(m, session, 1)


@pytest.mark.parametrize("connections", [1, 3])
def test_rotation_under_load(machine, connections):
    """Three commands. The device is connected all the time, for whoever watches at either end."""
    m = machine
    key = make_keys(m, "a", "b")
    m.run(f"dst export data {m.ramdisk(64)} --allow key={key}")
    path = attach(m, options=f"--connections {connections}")
    session = client(m)["session"]
    events = m.start("dst monitor --json")
    m.wait_for("pgrep -x dst && sleep 0.3")
    load = start_load(m, path, runtime=5, size="4M", jobs=2)
    m.run(f"dst set data allow=client=db,key={OLD} allow=client=db,key={NEW}")
    assert client(m)["rule_client"] == "db" and client(m)["key"] == OLD
    began = time.monotonic()
    m.run(f"dst set d key={NEW}")
    wait_key(m, NEW)
    print(f"{connections} connections in {time.monotonic() - began:.2f} s")
    m.run(f"dst set data allow=client=db,key={NEW}")
    load.wait(60, check=True)
    undisturbed(m, session, connections)
    told = [json.loads(line)["event"] for line in events.out.splitlines()]
    assert not {"device-state", "client-left", "client-joined"} & set(told), told
    assert f"key = {NEW}" in m.run("dst save -").out


def test_a_key_that_the_exporter_does_not_have_yet(machine):
    """The connections stay as they are and `dst show` says why; they follow once it has the key."""
    m = machine
    offer(m, f"--allow key={OLD}")
    path = attach(m, options="--connections 2")
    session = client(m)["session"]
    m.run(f"dst set d key={NEW}")
    m.wait_for("dst show d --json | grep -q 'former keys.*no rule with this key'")
    write_block(m, path, "kept")
    d = device(m)
    assert d["state"] == "connected" and d["stats"]["reconnects"] == d["stats"]["errors"] == 0
    m.run(f"dst set data allow=client=db,key={OLD} allow=client=db,key={NEW} && dst set d key={NEW}")
    wait_key(m, NEW)
    assert client(m)["session"] == session and client(m)["connections"] == 2
    d = device(m)
    assert not d["reason"] and d["stats"]["reconnects"] == 0 and read_block(m, path) == "kept"


@pytest.mark.parametrize("before, after", [(OLD, NEW), (NEW, OLD), (OLD, OLD)])
def test_client_that_rebooted_takes_over_with_either_key(machine, before, after):
    """Its former session has the lease; it is the same client's, whichever key that used."""
    m = machine
    offer(m)
    path = attach(m, before)
    start_load(m, path, runtime=60)
    vanish(m)
    former = export(m)["clients"]
    began = time.monotonic()
    path = attach(m, after)
    assert time.monotonic() - began < 8
    write_block(m, path, "reborn")
    assert client(m)["session"] not in [c["session"] for c in former]


@pytest.mark.parametrize("restarted", [False, True])
def test_other_clients_key_takes_nothing_over(machine, restarted):
    """The machine is the same, the client is not: its lease stays its own, in the next life of the exporter, too."""
    m = machine
    rules = BOTH + " --allow client=other,key=/tmp/c.key"
    disk = offer(m, rules)
    path = attach(m)
    start_load(m, path, runtime=60)
    vanish(m)
    if restarted:
        m.run(f"dst unexport data --force && dst export data {disk} {rules}")
        time.sleep(4)
    fails(m, "dst attach dst://127.0.0.1/data --name d --key /tmp/c.key", "in use")
    attach(m, NEW)


@pytest.mark.parametrize("before, after", [(OLD, NEW), (NEW, OLD)])
def test_resume_with_the_other_key(machine, before, after):
    """The key is changed while nothing is connected; the session goes on, and every write of it."""
    m = machine
    disk = offer(m)
    with Wiretap(m):
        path = attach(m, before, "--connections 2", port=PROXY)
        session = client(m)["session"]
        load = start_load(m, path, runtime=3, size="4M")
    wait_state(m, "reconnecting")
    m.run(f"dst set d key={after}")
    with Wiretap(m):
        wait_state(m, "connected")
        load.wait(60, check=True)
        assert client(m)["session"] == session
        wait_key(m, after)
        assert device(m)["stats"]["errors"] == 0
        write_block(m, path, "one")
        assert read_block(m, disk) == "one"


def test_removing_a_key_ends_only_what_uses_it(machine):
    """Its session survives, and goes on with the other key; another client notices nothing."""
    m = machine
    offer(m, BOTH + " --allow client=other,key=/tmp/c.key", "--shared")
    path = attach(m, options="--connections 2")
    other = attach(m, "/tmp/c.key", name="o")
    session = next(c for c in export(m)["clients"] if c["rule_client"] == "db")["session"]
    others = m.start(verify(other, runtime=8, size="2M", options="--offset=32M"))
    load = start_load(m, path, runtime=5, size="2M")
    m.run(f"dst set data allow=client=db,key={NEW} allow=client=other,key=/tmp/c.key")
    m.wait_for("dst show d --json | grep -q 'no rule with this key'", timeout=20)
    m.run(f"dst set d key={NEW}")
    wait_state(m, "connected")
    load.wait(60, check=True)
    others.wait(60, check=True)
    d = device(m)
    assert d["stats"]["errors"] == 0 and d["stats"]["reconnects"] == 2
    d = device(m, "o")
    assert d["stats"]["reconnects"] == d["stats"]["errors"] == 0
    assert session in [c["session"] for c in export(m)["clients"]]
    # the last key of a client goes, and its session with it
    m.run("dst set data allow=client=other,key=/tmp/c.key")
    assert [c["rule_client"] for c in export(m)["clients"]] == ["other"]
    m.run("dst detach d --force")


def test_a_client_is_shown_and_evicted_by_its_name(machine):
    m = machine
    offer(m)
    attach(m)
    assert "client db" in m.run("dst show data").out
    m.run("dst set data evict=db")
    wait_state(m, "failed")
    m.run("dst detach d --force")


def test_only_from_key_to_key(machine):
    """Words for the other ways, and for a client without a key."""
    m = machine
    offer(m, f"--allow any --allow key={OLD}")
    attach_to(m, "dst://127.0.0.1/data")
    fails(m, f"dst set d key={NEW}", "attached without a key", "detach")
    m.run("dst detach d")
    attach(m)
    assert m.run("dst set d key=", check=False).status == 2
    for rule in ("client=db", "any,client=db"):
        got = m.run(f"dst set data allow={rule}", check=False)
        assert got.status == 2 and "key=FILE" in got.err, got


@pytest.mark.points
@pytest.mark.parametrize("limit", ["fresh_ms", "fresh_bytes"])
def test_fresh_keys_by_time_and_by_bytes(machine, limit):
    """Every day, and every 2^40 bytes: here much sooner. Nothing is counted, nothing told, nothing resent."""
    m = machine
    offer(m)
    path = attach(m, options="--connections 2")
    session, file = client(m)["session"], f"{DEBUGFS}/{limit}"
    assert int(m.run(f"cat {file}").out) == {"fresh_ms": 86400000, "fresh_bytes": 1 << 40}[limit]
    before = opened(m)
    usual = m.run(f"cat {file}").out.strip()
    renewed, rounds = 0, 0
    try:
        m.run(f"echo {500 if limit == 'fresh_ms' else 1 << 20} >{file}")
        # How much is written in a while is the computer's affair.
        while renewed < 6 and rounds < 8:
            start_load(m, path, runtime=5, size="4M", jobs=2).wait(60, check=True)
            renewed = opened(m) - before
            rounds += 1
    finally:
        m.run(f"echo {usual} >{file}")
    d = undisturbed(m, session, 2)
    print(f"{renewed} times, {d['stats']['resends']} resent")
    assert renewed >= 6 and d["stats"]["resends"] == 0
    m.run(verify(path, size="2M"), timeout=60)
