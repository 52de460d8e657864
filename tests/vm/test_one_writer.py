# SPDX-License-Identifier: GPL-2.0
"""Without --shared one client writes; the next one only after it left, was evicted, or was silent for its budget."""
import re
import time

import pytest

from common import (attach_to, device, export, export_and_attach, fails, guest_python, mapped, read_block, wait_state,
                    write_block, writes_on)
from gate import brief

LEASE = "/var/lib/dst/.lease-data"

# A second client, of another machine as far as the exporter can tell.
RIVAL = """
    from rawclient import *
    import json
    c = Raw("data", client_name=b"rival")
    out = [c.welcome["status"], c.welcome["reason"]]
    if out[0] == "OK":
        out.append(c.write(0, b"rival".ljust(4096)))
        c.bye()
    print(json.dumps(out))
    """


def test_second_writer_waits_for_the_first_to_leave(machine):
    m = machine
    path = export_and_attach(m, m.ramdisk(8))
    write_block(m, path, "first")
    status, reason = guest_python(m, RIVAL)
    assert status == "IN_USE" and re.search(rf"in use by {m.name} \(127\.0\.0\.1:\d+\)$", reason), reason
    assert read_block(m, path) == "first" and device(m)["stats"]["reconnects"] == 0
    m.run("dst detach d")
    assert guest_python(m, RIVAL)[::2] == ["OK", "OK"]
    attach_to(m, "dst://127.0.0.1/data")
    assert read_block(m, path) == "rival"


def test_evicted_writer_has_failed_and_says_so(machine):
    m = machine
    path = export_and_attach(m, m.ramdisk(8))
    write_block(m, path, "first")
    m.run(f"dst set data evict={m.name}")
    d = wait_state(m, "failed")
    assert "evict" in d["reason"], d
    assert "failed" in m.run("dst show d").out
    for command in (f"dd if={path} of=/dev/null bs=4k count=1 iflag=direct", f"dd if=/dev/zero of={path} bs=4k count=1 oflag=direct"):
        got = m.run(command, check=False, timeout=10)
        assert got.status != 0 and "error" in got.err, got
    assert export(m)["clients"] == []
    assert guest_python(m, RIVAL)[::2] == ["OK", "OK"]
    # it never comes back by itself, but a new attach is a new client
    assert device(m)["state"] == "failed"
    m.run("dst detach d")
    attach_to(m, "dst://127.0.0.1/data")
    assert read_block(m, path) == "rival"
    write_block(m, path, "back")


def test_why_it_was_evicted_stays(machine):
    """The connections learn it one after the other, and some of them only that they were cut."""
    m = machine
    disk = m.ramdisk(16)
    m.run(f"dst export data {disk} --allow from=127.0.0.0/8")
    for _ in range(brief(4, 12)):
        path = attach_to(m, "dst://127.0.0.1/data --connections 8")
        job = m.start(f"fio --name=x --filename={path} --rw=randwrite --bs=4k --direct=1 --ioengine=libaio --iodepth=16 "
                      "--size=8M --time_based --runtime=60 --minimal --numjobs=4")
        writes_on(m, path)
        m.run(f"dst set data evict={m.name}")
        wait_state(m, "failed")
        assert job.wait(20).status != 0
        time.sleep(0.3)
        d = device(m)
        assert d["state"] == "failed" and "evict" in d["reason"], d["reason"]
        m.run("dst detach d")


def test_evicted_with_io_under_way(machine):
    """What was under way ends with an error, at once."""
    m = machine
    path = export_and_attach(m, m.ramdisk(16))
    job = m.start(f"fio --name=x --filename={path} --rw=randwrite --bs=4k --direct=1 --ioengine=libaio --iodepth=16 --size=8M "
                  "--time_based --runtime=60 --minimal")
    writes_on(m, path)
    m.run(f"dst set data evict={m.name}")
    assert job.wait(10).status != 0
    wait_state(m, "failed")
    m.run("dst detach d")


def test_evicted_while_it_drains_stays_evicted(machine):
    """Its write is on a disk that hangs: the file says at once that nobody is the writer, and the next one waits all the same."""
    m = machine
    m.run("modprobe -q dm_mod")
    disk = mapped(m, "x", f"0 16384 linear {m.ramdisk(8)} 0")
    m.run(f"dst export data {disk} --allow any")
    got = guest_python(m, f"""
        from rawclient import *
        import json, subprocess

        def sh(command):
            subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL)

        a = Raw("data", client_name=b"alpha")
        out = [a.write(0, b"a" * 4096)]
        sh("dmsetup suspend --noflush x")
        a.request(WRITE, 0, 4096, b"b" * 4096)
        time.sleep(0.5)
        sh("! dst set data evict=alpha --wait 100ms")
        kept = open("{LEASE}", "rb").read()
        b = Raw("data", hello=False)
        b.greet()
        b.sock.sendall(hello(**b.fields))
        first = b.exactly(WELCOME_LEN)
        out.append(parse_welcome(first)["status"])
        sh("dmsetup resume x")
        while parse_welcome(first)["status"] == "WAIT":
            first = b.exactly(WELCOME_LEN)
        out.append(parse_welcome(first)["status"])
        # what was kept when it was evicted is what a crash would have left
        sh("dst unexport data --force")
        open("{LEASE}", "wb").write(kept)
        sh("dst export data {disk} --allow any")
        out.append(a.resume().welcome["status"])
        c = Raw("data")
        print(json.dumps(out + [c.welcome["status"], c.read(0, 4096)[1][:1] == b"b"]))
        """)
    assert got == ["OK", "WAIT", "OK", "EXPIRED", "OK", True]


@pytest.mark.parametrize("shared", ["", "--shared"])
@pytest.mark.parametrize("change", ["evict=alpha", "allow=any,ro"])
def test_eviction_returns_when_the_fence_holds(machine, shared, change):
    """Until then a write may still land, and on a shared export nobody else waits for it."""
    m = machine
    m.run("modprobe -q dm_mod")
    disk = mapped(m, "x", f"0 16384 linear {m.ramdisk(8)} 0")
    m.run(f"dst export data {disk} --allow any {shared}")
    job = guest_python(m, """
        from rawclient import *
        import subprocess
        a = Raw("data", client_name=b"alpha")
        subprocess.run("dmsetup suspend --noflush x", shell=True, check=True)
        a.request(WRITE, 0, 4096, b"b" * 4096)
        time.sleep(60)
        """, start=True)
    m.wait_for("dmsetup info x | grep -q SUSPENDED && dst show data --json | grep -q '\"in_flight\": 1'")
    began = time.monotonic()
    fails(m, f"dst set data {change} --wait 2s", "has changed", "still on its disk")
    assert time.monotonic() - began >= 2
    again = m.start("dst set data allow=any,ro --wait 30s")
    time.sleep(1)
    assert again.running
    m.run("dmsetup resume x")
    again.wait(10, check=True)
    assert m.run(f"head -c 2 {disk}").out == "bb"
    job.kill()
    assert (export(m)["clients"] == []) == (change == "evict=alpha")


def test_writes_of_a_connection_before_count_when_a_right_is_lost(machine):
    """The session's newest connection only reads, and waits; a write of the one before is still on its way to the disk."""
    m = machine
    m.run("modprobe -q dm_mod")
    disk = mapped(m, "x", f"0 16384 linear {m.ramdisk(8)} 0")
    m.run(f"dst export data {disk} --allow any")
    job = guest_python(m, """
        from rawclient import *
        import subprocess
        a = Raw("data", client_name=b"alpha")
        subprocess.run("dmsetup suspend --noflush x", shell=True, check=True)
        a.request(WRITE, 0, 4096, b"b" * 4096)
        time.sleep(1)
        a.resume(flags=READ_ONLY | wire.RESUME)
        """, start=True)
    m.wait_for("dmsetup info x | grep -q SUSPENDED && dst show data --json | grep -q '\"access\": \"read\"'")
    fails(m, "dst set data allow=any,ro --wait 2s", "has changed", "still on its disk")
    m.run("dst set data allow=any --wait 100ms", check=False)
    another = "from rawclient import *\nimport json\nprint(json.dumps(Raw('data').welcome['status']))\n"
    assert guest_python(m, another) == "IN_USE"
    m.run("dmsetup resume x")
    m.wait_for(f"head -c 2 {disk} | grep -q bb")
    assert guest_python(m, another) == "OK"
    job.kill()


def test_lease_of_a_silent_writer_ends(machine):
    """timeout x retries, at least 30 s: refused before, admitted after, and the old one is EXPIRED or evicted for good."""
    m = machine
    m.run(f"dst export data {m.ramdisk(8)} --allow any")
    got = guest_python(m, """
        from rawclient import *
        import json
        a = Raw("data", client_name=b"alpha", ping_ms=500, timeout_ms=500, retries=2)
        assert a.write(0, b"a" * 4096) == "OK"
        a.sock.close()
        began = time.monotonic()
        refused = 0
        while True:
            b = Raw("data", client_name=b"beta")
            if b.welcome["status"] == "OK":
                break
            assert b.welcome["status"] == "IN_USE" and "alpha" in b.welcome["reason"], b.welcome
            refused += 1
            assert time.monotonic() - began < 60
            time.sleep(1)
        took = time.monotonic() - began
        again = a.resume().welcome["status"]
        print(json.dumps([refused, took, again, b.write(0, b"b" * 4096)]))
        """, timeout=90)
    refused, took, again, wrote = got
    assert refused > 10 and 28 <= took <= 40, got
    assert again in ("EXPIRED", "EVICTED") and wrote == "OK"


def test_rebooted_client_takes_its_own_lease_over(machine):
    """The same machine id with a new session: IN_USE names the old session, takeover fences it once it is silent."""
    m = machine
    m.run(f"dst export data {m.ramdisk(8)} --allow any")
    got = guest_python(m, """
        from rawclient import *
        import json
        me = bytes(range(16))
        a = Raw("data", client=me, ping_ms=500, timeout_ms=500)
        assert a.write(0, b"a" * 4096) == "OK"
        b = Raw("data", client=me)
        out = [b.welcome["status"], b.welcome["holder"] == a.fields["session"]]
        other = Raw("data", takeover=a.fields["session"])
        out += [other.welcome["status"], other.welcome["holder"] == bytes(16)]
        b = Raw("data", client=me, takeover=a.fields["session"])
        out += [b.waits > 0, b.welcome["status"], b.write(0, b"b" * 4096), a.write(0, b"x" * 4096),
                b.read(0, 1 << 12)[1] == b"b" * 4096]
        print(json.dumps(out))
        """)
    assert got == ["IN_USE", True, "IN_USE", True, True, "OK", "OK", "closed", True]


TWIN = """
    from rawclient import *
    import json
    c = Raw("data", client=bytes.fromhex("{id}"), takeover=bytes.fromhex("{session}"))
    print(json.dumps([c.welcome["status"], c.welcome["reason"], c.welcome["holder"] == bytes(16)]))
    """


def test_twin_takes_nothing_from_the_living(machine):
    """Two machines that were cloned with their machine-id: the second is refused, and both sides say why."""
    m = machine
    path = export_and_attach(m, m.ramdisk(8), attach="--connections 2 --ping 300ms")
    write_block(m, path, "first")
    first = export(m)["clients"][0]
    twin = "another machine with the same machine-id, at 127.0.0.1:"
    status, reason, nameless = guest_python(m, TWIN.format(**first))
    assert status == "IN_USE" and twin in reason and nameless, reason
    assert twin in m.run("dmesg").out
    d = device(m)
    assert d["state"] == "connected" and d["stats"]["reconnects"] == 0, d
    write_block(m, path, "again")
    assert [c["session"] for c in export(m)["clients"]] == [first["session"]]
    # and when it goes without a word, it is its successor's
    m.run("ip link set lo down; dst detach d --force; ip link set lo up")
    assert guest_python(m, TWIN.format(**first))[0] == "OK"


def test_id_of_a_session_proves_nothing_after_a_restart(machine):
    """The exporter knows the holder from its file alone: who shows its ids, and no token, is anybody."""
    m = machine
    disk = m.ramdisk(8)
    m.run(f"dst export data {disk} --allow any")
    got = guest_python(m, f"""
        from rawclient import *
        import json, subprocess
        a = Raw("data", client_name=b"alpha")
        out = [a.write(0, b"a" * 4096)]
        subprocess.run("dst unexport data --force && dst export data {disk} --allow any", shell=True, check=True)
        out.append(a.resume(writer_token=0).welcome["status"])
        # nor has it let go of the lease when it is gone
        for fields in ({{}}, {{"flags": READ_ONLY}}, {{"flags": READ_ONLY, "client": a.fields["client"]}}):
            c = Raw("data", session=a.fields["session"], **fields)
            out.append(c.welcome["status"])
            c.sock.close()
        out.append(Raw("data").welcome["status"])
        a = a.resume(generation=9)
        print(json.dumps(out + [a.welcome["status"], a.write(0, b"b" * 4096)]))
        """)
    assert got == ["OK", "IN_USE", "MALFORMED", "MALFORMED", "OK", "IN_USE", "OK", "OK"]


def test_absent_writer_is_evicted_beside_a_reader(machine):
    """After a restart it is known by its name alone; others that are attached are in nobody's way."""
    m = machine
    disk = m.ramdisk(8)
    m.run(f"dst export data {disk} --allow any")
    guest_python(m, 'from rawclient import *\nprint(0 if Raw("data", client_name=b"alpha").welcome["status"] == "OK" else 1)')
    m.run(f"dst unexport data --force && dst export data {disk} --allow any")
    attach_to(m, "dst://127.0.0.1/data --read-only", name="r")
    status, reason = guest_python(m, RIVAL)
    assert status == "IN_USE" and "alpha" in reason
    fails(m, "dst set data evict=beta", 'has no client "beta"', f"it has {m.name}")
    m.run("dst set data evict=alpha")
    assert guest_python(m, RIVAL)[::2] == ["OK", "OK"]
    assert device(m, "r")["state"] == "connected" and device(m, "r")["stats"]["reconnects"] == 0


def test_successor_learns_since_when_the_writer_is_silent(machine):
    m = machine
    export_and_attach(m, m.ramdisk(8))
    m.run("ip link set lo down; dst detach d --force; ip link set lo up")
    m.wait_for("dst show data --json | grep -q '\"connections\": *0'")
    status, reason = guest_python(m, RIVAL)
    assert status == "IN_USE" and f"dst set data evict={m.name}" in reason, reason
    assert re.search(rf"in use by {m.name} \(127\.0\.0\.1:\d+\), silent for ", reason), reason


def test_write_to_a_device_whose_lease_is_elsewhere_is_refused_by_name(machine):
    m = machine
    m.run(f"dst export data {m.ramdisk(8)} --allow any")
    guest_python(m, 'from rawclient import *\nprint(0 if Raw("data", client_name=b"alpha").welcome["status"] == "OK" else 1)')
    fails(m, "dst attach dst://127.0.0.1/data", "alpha")
    assert attach_to(m, "dst://127.0.0.1/data --read-only")
    m.run("dst detach d && dst set data evict=alpha")
    attach_to(m, "dst://127.0.0.1/data")


def test_lease_outlives_the_exporter(machine):
    """An exporter that comes back, in order or not, keeps the place of its writer; eviction frees it."""
    m = machine
    disk = m.ramdisk(8)
    export_and_attach(m, disk)
    m.run("dst unexport data --force")
    m.run(f"dst export data {disk} --allow any")
    stranger = "from rawclient import *\nimport json\nprint(json.dumps(Raw('data').welcome['status']))\n"
    assert guest_python(m, stranger) == "IN_USE"
    m.wait_for("dst show --json | grep -q '\"state\": *\"connected\"'")
    # the writer goes without a word, and the exporter too
    m.run("ip link set lo down; dst detach d --force; dst unexport data --force; ip link set lo up")
    m.run(f"dst export data {disk} --allow any")
    assert guest_python(m, stranger) == "IN_USE"
    m.run("dst set data evict=$(hostname)")
    assert guest_python(m, stranger) == "OK"
