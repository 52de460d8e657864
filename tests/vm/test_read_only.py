# SPDX-License-Identifier: GPL-2.0
"""Read-only is enforced by the exporter, whatever the client believes."""
import pytest

from common import (attach_to, device, export, fails, guest_python, read_block, sums, wait_state,
                    write_block)

WAYS = {"export": ("--allow any --read-only", ""), "rule": ("--allow any,ro", ""), "client": ("--allow any", "--read-only")}


def read_only_device(m, disk, way):
    options, attach = WAYS[way]
    m.run(f"dst export data {disk} {options}")
    return attach_to(m, f"dst://127.0.0.1/data {attach}")


@pytest.mark.parametrize("way", WAYS)
def test_device_is_read_only(machine, way):
    m = machine
    disk = m.ramdisk(8)
    before = sums(m, disk)
    path = read_only_device(m, disk, way)
    assert m.run(f"blockdev --getro {path}").out == "1\n"
    assert device(m)["read_only"] is True and export(m)["read_only"] is (way == "export")
    assert m.run(f"blockdev --setrw {path}; echo x >{path}", check=False).status != 0
    assert m.run(f"dd if=/dev/urandom of={path} bs=4k count=1 oflag=direct", check=False).status != 0
    m.run(f"dd if={path} of=/dev/null bs=1M status=none")
    assert sums(m, disk) == before


@pytest.mark.parametrize("way, status", [("export", "READ_ONLY"), ("rule", "READ_ONLY"), ("client", "READ_ONLY")])
def test_peer_that_writes_all_the_same(machine, way, status):
    """A client that ignores what it was told gets READ_ONLY for each kind of write, and nothing happens."""
    m = machine
    disk = m.ramdisk(8)
    m.run(f"dd if=/dev/urandom of={disk} bs=1M count=8 oflag=direct status=none")
    before = sums(m, disk)
    m.run(f"dst export data {disk} {WAYS[way][0]}")
    got = guest_python(m, f"""
        from rawclient import *
        import json
        c = Raw("data", flags=READ_ONLY if {way == "client"} else 0)
        print(json.dumps([c.welcome["status"], c.welcome["access"], c.write(0, b"x" * 4096), c.write(4096, b"x" * 65536),
                          c.call(DISCARD, 0, 4096)[0], c.call(WRITE_ZEROES, 0, 4096)[0], c.flush(), c.read(0, 4096)[0]]))
        c.bye()
        """)
    assert got == ["OK", 1] + [status] * 4 + ["OK", "OK"]
    assert sums(m, disk) == before


def test_export_that_becomes_read_only(machine):
    """A device that was made to be written stays attached, and says why its writes fail."""
    m = machine
    disk = m.ramdisk(8)
    m.run(f"dst export data {disk} --allow any")
    path = attach_to(m, "dst://127.0.0.1/data --ping 300ms")
    write = f"dd if=/dev/urandom of={path} bs=4k count=1 oflag=direct status=none"
    m.run(write)
    for options, status in (("--read-only", 1), ("", 0)):
        m.run(f"dst unexport data --force && dst export data {disk} --allow any {options}")
        m.wait_for(f"{'' if status else '! '}dst show --why d | grep -q 'only reading'", 20)
        d = wait_state(m, "connected")
        assert ("only reading" in (d["reason"] or "")) == ("only reading" in m.run("dst show --why d").out) == bool(status), d
        assert m.run(write, check=False).status == status
        m.run(f"dd if={path} of=/dev/null bs=4k count=1 iflag=direct status=none")


def test_read_only_clients_need_no_lease(machine):
    """Any number of readers beside the one writer."""
    m = machine
    m.run(f"dst export data {m.ramdisk(8)} --allow any")
    attach_to(m, "dst://127.0.0.1/data", name="w")
    for name in "ab":
        attach_to(m, "dst://127.0.0.1/data --read-only", name=name)
    m.run("dd if=/dev/urandom of=/dev/dst-w bs=1M count=2 oflag=direct status=none")
    m.run("cmp -n $((2 << 20)) /dev/dst-w /dev/dst-a && cmp -n $((2 << 20)) /dev/dst-w /dev/dst-b")
    fails(m, "dst unexport data", "data")


def test_tools_see_that_it_is_read_only(machine):
    """... at once and from their own kernel, not when the data arrives somewhere."""
    m = machine
    path = read_only_device(m, m.ramdisk(8), "export")
    assert m.run("mkfs.ext4 -q /dev/dst-d", check=False).status != 0
    got = m.run(f"echo x | dd of={path} bs=512 conv=notrunc", check=False)
    assert got.status != 0 and "not permitted" in got.err, got
    assert device(m)["stats"]["writes"] == 0


TWO_QUEUES = """
    from rawclient import *
    import json, subprocess
    first = Raw("data", queues=2, **{first})
    second = Raw("data", queues=2, queue=1, **{{"session": first.fields["session"], "client": first.fields["client"], **{second}}})
    out = [first.welcome["access"], second.welcome["access"], first.write(0, b"before".ljust(4096))]
    subprocess.run("dst set data {rules}", shell=True, check=True)
    out += [first.write(0, b"after".ljust(4096)), second.read(0, 4096)[0]]
    print(json.dumps(out))
    """


def test_right_is_lost_by_every_connection(machine):
    """The newest connection of a session only reads; the one before it loses its right to write all the same."""
    m = machine
    disk = m.ramdisk(8)
    m.run(f"dst export data {disk} --allow any")
    got = guest_python(m, TWO_QUEUES.format(first={}, second='{"flags": READ_ONLY}', rules="allow=any,ro"))
    assert got == [2, 1, "OK", "closed", "OK"]
    assert m.run(f"head -c 6 {disk}").out == "before"
    # and the lease with it
    m.run("dst set data allow=any")
    assert guest_python(m, 'from rawclient import *\nprint(Raw("data").welcome["access"])') == 2


ANOTHER = """
    from rawclient import *
    import json
    c = Raw("data", source="127.0.0.2")
    print(json.dumps(c.write(0, bytes(4096))))
    c.bye()
    """
ONLY_READS = "dst show --why d | grep -q 'only reading'"
ONLY_ANOTHER_WRITES = "allow=any,ro allow=from=127.0.0.2/32"


def test_right_to_write_is_taken_away_live(machine):
    """Reads go on, nobody is evicted, what was acked is flushed; and it writes again unless somebody else did."""
    m = machine
    disk = m.ramdisk(16)
    m.run(f"dst export data {disk} --allow any")
    path = attach_to(m, "dst://127.0.0.1/data --ping 300ms")
    once = "dd bs=64k count=64 conv=notrunc status=none"
    writer = m.start(f"while {once} if=/dev/urandom of={path} oflag=direct; do :; done")
    reader = m.start(f"for i in $(seq 5); do {once} if={path} of=/dev/null iflag=direct || exit; sleep 0.1; done")
    m.wait_for("dst show d --json | grep -q '\"write_bytes\": [1-9]'")
    m.run("dst set data allow=any,ro")
    writer.wait(20)
    reader.wait(60, check=True)
    m.run(ONLY_READS)
    wait_state(m, "connected")
    assert [c["access"] for c in export(m)["clients"]] == ["read"]
    # what it wrote before can be made durable all the same
    m.run(f"blockdev --flushbufs {path}")

    m.run("dst set data allow=any")
    m.wait_for(f"! {ONLY_READS}", 20)
    write_block(m, path, "again")
    assert read_block(m, disk) == "again"

    m.run(f"dst set data {ONLY_ANOTHER_WRITES}")
    m.wait_for(ONLY_READS, 20)
    assert guest_python(m, ANOTHER) == "OK"
    m.run("dst set data allow=any")
    assert "another client became the writer" in wait_state(m, "failed", timeout=20)["reason"]


def test_right_to_write_comes_back_to_every_connection(machine):
    """... at once, and not to each with its next outage. Who asked only to read is left alone."""
    m = machine
    m.run(f"dst export data {m.ramdisk(8)} --allow any,ro")
    got = guest_python(m, """
        from rawclient import *
        import json, subprocess
        first = Raw("data", queues=2)
        second = Raw("data", queues=2, queue=1, session=first.fields["session"], client=first.fields["client"])
        reader = Raw("data", flags=READ_ONLY)
        out = [c.welcome["access"] for c in (first, second, reader)]
        subprocess.run("dst set data allow=any", shell=True, check=True)
        print(json.dumps(out + [c.read(0, 4096)[0] for c in (first, second, reader)]))
        """)
    assert got == [1, 1, 1, "closed", "closed", "OK"]


def test_writer_that_comes_back_to_read_gives_its_lease_back(machine):
    """The rules changed while the exporter was away: its former writer only reads, and another may write at once."""
    m = machine
    disk = m.ramdisk(8)
    m.run(f"dst export data {disk} --allow any")
    path = attach_to(m, "dst://127.0.0.1/data --retries forever --ping 300ms")
    write_block(m, path, "former")
    rules = " ".join(f"--{rule.replace('=', ' ', 1)}" for rule in ONLY_ANOTHER_WRITES.split())
    m.run(f"dst unexport data --force && dst export data {disk} {rules}")
    m.wait_for(ONLY_READS, 20)
    assert read_block(m, path) == "former"
    assert guest_python(m, ANOTHER) == "OK"
    wait_state(m, "connected")


@pytest.mark.parametrize("kept, after", [("127.0.0.3", ["closed", "OK"]), ("127.0.0.2", ["OK", "closed"])])
def test_right_of_one_address_is_lost(machine, kept, after):
    """A session may come from two addresses: what is taken from the one ends its connections, not those of the other."""
    m = machine
    disk = m.ramdisk(8)
    m.run(f"dst export data {disk} --allow from=127.0.0.2/32 --allow from=127.0.0.3/32")
    two = TWO_QUEUES.format(first={"source": "127.0.0.2"}, second={"source": "127.0.0.3"}, rules=f"allow=from={kept}/32")
    assert guest_python(m, two) == [2, 2, "OK", *after]
