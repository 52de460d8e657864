# SPDX-License-Identifier: GPL-2.0
"""What cannot be done is refused with exit 1 and one line that says what failed, where and what there is."""
import pytest

from common import attach_to, device, export, export_and_attach, fails, guest_python, show

NOTHING = {"exports": [], "devices": []}


@pytest.fixture
def offered(machine):
    """Two exports; the machine and one of its disks."""
    disk = machine.ramdisk(8)
    machine.run(f"dst export data {disk} --allow any && dst export logs {machine.loopfile(8)} --allow any")
    return machine, disk


def test_attach_of_what_is_not_there(offered):
    m, _ = offered
    fails(m, "dst attach dst://127.0.0.1/dtaa", "dtaa", "data", "logs", "127.0.0.1:7710")
    fails(m, "dst attach dst://127.0.0.1:7719/data", "7719", "refused")
    fails(m, "dst attach dst://no-such-host.invalid/data", "no-such-host.invalid")
    fails(m, "dst attach dst://192.0.2.1/data", "192.0.2.1", "unreachable|route")
    assert show(m)["devices"] == []
    m.run("test ! -e /dev/dst-dtaa && test ! -e /dev/dst-data")


def test_names_that_are_taken(offered):
    m, disk = offered
    attach_to(m, "dst://127.0.0.1/data")
    fails(m, "dst attach dst://127.0.0.1/logs --name d", "d", "exists|taken|already|in use")
    fails(m, f"dst export data {m.ramdisk(8)} --allow any", "data", "exists|taken|already|in use")
    fails(m, f"dst export other {disk} --allow any", disk, "use|busy")
    assert [e["name"] for e in show(m)["exports"]] == ["data", "logs"]
    assert device(m)["state"] == "connected"


def test_paths_that_cannot_be_exported(machine):
    m = machine
    m.run("touch /tmp/empty; ln -s /tmp/nowhere /tmp/dangling")
    fails(m, "dst export e /tmp/missing --allow any", "/tmp/missing", "no such file")
    fails(m, "dst export e /tmp/dangling --allow any", "/tmp/dangling", "no such file")
    fails(m, "dst export e /tmp --allow any", "/tmp", "directory|regular file")
    fails(m, "dst export e /dev/null --allow any", "/dev/null", "block device|regular file")
    fails(m, "dst export e /tmp/empty --allow any", "/tmp/empty", "empty|no size|size|small")
    assert show(m) == NOTHING


def test_disks_that_are_in_use(machine):
    m = machine
    disk = m.ramdisk(16)
    m.run(f"mkfs.ext4 -q {disk} && mount {disk} /mnt")
    fails(m, f"dst export e {disk} --allow any", disk, "in use|busy|mounted")
    m.run("umount /mnt")
    m.run(f"dst export e {disk} --allow any")
    # ... and the other way round: an exported disk cannot be mounted for writing beside it
    assert m.run(f"mount {disk} /mnt", check=False).status != 0
    m.run("dst unexport e")
    m.run(f"mount {disk} /mnt")


def test_rules(machine):
    """Default deny; a rule that is none is refused."""
    m = machine
    disk = m.ramdisk(8)
    got = m.run(f"dst export e {disk}", check=False)
    assert got.status in (1, 2) and "--allow" in got.err and not got.out and len(got.err.splitlines()) == 1, got
    for rule in ("from=300.1.2.3/8", "from=10.0.0.0/33", "nobody", "key=/tmp/missing", "from="):
        got = m.run(f"dst export e {disk} --allow {rule}", check=False)
        assert got.status in (1, 2) and len(got.err.splitlines()) == 1 and got.err.startswith("dst: "), got
    m.run(f"dst export e {disk} --allow from=10.9.9.0/24")
    fails(m, "dst attach dst://127.0.0.1/e", "e", "allow|admit|denied")
    m.run("dst unexport e")
    m.run(f"dst export e {disk} --allow from=10.9.9.0/24 --allow from=127.0.0.0/8,ro --allow from=::1/128")
    assert attach_to(m, "dst://127.0.0.1/e", name="ro") and device(m, "ro")["read_only"]
    assert attach_to(m, "dst://[::1]/e", name="rw") and not device(m, "rw")["read_only"]


def test_names(machine):
    """1 to 63 of A-Z a-z 0-9 . _ - and nothing else."""
    m = machine
    disk = m.ramdisk(8)
    for name in ("x" * 64, "x" * 200, "'a b'", "a/b", "../x", ".x", "''", "ä"):
        for command in (f"dst export {name} {disk} --allow any", f"dst attach dst://127.0.0.1/data --name {name}",
                        f"dst unexport {name}", f"dst detach {name}"):
            got = m.run(command, check=False)
            # a name that cannot be is wrong usage or a failure like any other; never a crash, never silence
            assert got.status in (1, 2) and len(got.err.splitlines()) == 1 and got.err.startswith("dst: "), got
            assert len(got.err) < 600
    longest = "x" * 63
    m.run(f"dst export {longest} {disk} --allow any")
    assert export(m, longest)["path"] == disk
    # a device's name is the kernel's to limit ("dst-" and 31 bytes in all): refused or made, never cut
    name = "y" * 27
    got = m.run(f"dst attach dst://127.0.0.1/{longest} --name {name}", check=False)
    assert (got.status, got.out) == (0, f"/dev/dst-{name}\n"), got
    m.run(f"test -b /dev/dst-{name}")
    fails(m, f"dst attach dst://127.0.0.1/{longest} --name {'y' * 40} --read-only", "name|long|31|27")


def test_what_is_not_there(machine):
    m = machine
    fails(m, "dst detach nothing", "nothing")
    fails(m, "dst unexport nothing", "nothing")
    fails(m, "dst set nothing timeout=1s", "nothing")
    fails(m, "dst show nothing", "nothing")
    fails(m, "dst detach nothing --force", "nothing")
    fails(m, "dst unexport nothing --force", "nothing")
    fails(m, "dst list dst://127.0.0.1:7719", "7719", "refused")
    fails(m, "dst ping dst://127.0.0.1:7719", "7719", "refused")
    assert show(m) == NOTHING


def test_wrong_usage_is_exit_2(machine):
    m = machine
    for command in ("dst frobnicate", "dst attach", "dst attach dst://127.0.0.1/data --frobnicate", "dst export",
                    "dst export data", "dst set", "dst set data", "dst unexport", "dst detach", "dst list", "dst ping"):
        got = m.run(command, check=False)
        assert got.status == 2 and got.err and not got.out, got
    for command in ("http://127.0.0.1/data", "dst://127.0.0.1", "dst://h:99999/x", "dst://127.0.0.1/x --timeout 5x",
                    "dst://127.0.0.1/x --max-io 3", "dst://127.0.0.1/x --retries -1", "dst://127.0.0.1/x --ping 0",
                    "dst://127.0.0.1/x --connections 0", "dst://127.0.0.1/x --queue-depth 99999"):
        got = m.run(f"dst attach {command}", check=False)
        assert got.status in (1, 2) and got.err.startswith("dst: ") and not got.out, got


def test_set_of_what_cannot_be_set(offered):
    m, _ = offered
    attach_to(m, "dst://127.0.0.1/data")
    for pair in ("colour=red", "timeout", "timeout=", "timeout=x", "timeout=0", "retries=-3"):
        got = m.run(f"dst set d {pair}", check=False)
        assert got.status in (1, 2) and len(got.err.splitlines()) == 1 and got.err.startswith("dst: "), got
    fails(m, "dst set data evict=nobody", "nobody")
    d = device(m)
    assert (d["timeout_ms"], d["retries"]) == (5000, 24)


def test_busy_ends_are_not_torn_away(machine):
    """detach of a mounted device, unexport with clients, rmmod: refused; with --force, or later, they work."""
    m = machine
    path = export_and_attach(m, m.ramdisk(16))
    m.run(f"mkfs.ext4 -q {path} && mount {path} /mnt")
    fails(m, "dst detach d", "d", "use|busy|open|mounted")
    fails(m, "dst unexport data", "data", "client|use|busy")
    assert m.run("rmmod dstor", check=False).status != 0
    m.run("echo still here >/mnt/x && sync && grep -q here /mnt/x && umount /mnt")
    m.run("dst detach d && dst unexport data")
    assert show(m) == NOTHING


def test_second_writer_is_refused_with_the_name_of_the_first(machine):
    m = machine
    m.run(f"dst export data {m.ramdisk(8)} --allow any")
    guest_python(m, """
        from rawclient import *
        c = Raw("data", client_name=b"alpha")
        assert c.welcome["status"] == "OK"
        print(0)
        """)
    # its connection is gone, its lease is not
    said = fails(m, "dst attach dst://127.0.0.1/data --name d", "alpha", "data")
    assert "--shared" in said or "evict" in said or "read-only" in said, f"it does not say what to do: {said}"
    assert show(m)["devices"] == []


def test_shared_admits_two(machine):
    m = machine
    disk = m.ramdisk(8)
    m.run(f"dst export data {disk} --allow any --shared")
    for name in ("a", "b"):
        attach_to(m, "dst://127.0.0.1/data", name=name)
        m.run(f"echo {name} | dd of=/dev/dst-{name} bs=4k conv=sync oflag=direct status=none")
    assert len(export(m)["clients"]) == 2
    assert m.run("dd if=/dev/dst-a bs=4k count=1 iflag=direct status=none | head -c 1").out == "b"


def test_same_machine_twice(machine):
    """A second device of the same export on the same machine is another writer, not the first one reborn."""
    m = machine
    path = export_and_attach(m, m.ramdisk(8))
    fails(m, "dst attach dst://127.0.0.1/data --name again", "data")
    m.run(f"dd if=/dev/zero of={path} bs=4k count=10 oflag=direct status=none")
    assert device(m)["state"] == "connected"
    assert device(m)["stats"]["reconnects"] == 0
