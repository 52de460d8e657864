# SPDX-License-Identifier: GPL-2.0
"""Nobody becomes the writer when the exporter could not remember it over a crash (P15)."""
import pytest

from common import attach_to, export, fails, guest_python, read_block, write_block

LEASE = "/var/lib/dst/.lease-data"
STRANGER = "from rawclient import *\nimport json\nprint(json.dumps(Raw('data').welcome['status']))\n"
FIRST = "from rawclient import *\nimport json\nc = Raw('data')\nprint(json.dumps(c.write(0, bytes(4096))))\nc.bye()\n"

# Overwrites the first bytes of the newer of the two records, or of both.
DAMAGE = f"""
    import struct
    with open("{LEASE}", "r+b") as f:
        numbers = {{}}
        for at in (0, 4096):
            f.seek(at)
            magic, number = struct.unpack("<8sQ", f.read(16).ljust(16))
            if magic == b"DSTleas3":
                numbers[number] = at
        for number in sorted(numbers)[%s:]:
            f.seek(numbers[number] + 100)
            f.write(b"torn")
        print(len(numbers))
    """


def test_no_room_for_it(machine):
    m = machine
    disk = m.ramdisk(8)
    # As dst export makes it; the disk is full since.
    m.run("mkdir /tmp/small && mount -t tmpfs -o size=16k tmpfs /tmp/small && printf DSTfresh >/tmp/small/lease && "
          "! head -c 64k /dev/zero >/tmp/small/full")
    try:
        got = guest_python(m, f"""
        from genl import *
        got = Netlink().call(CMD.EXPORT_ADD, {{**export("{disk}"), A.LEASE_FILE: text(A.LEASE_FILE, "/tmp/small/lease")}})
        print('"' + got.error + '"')
        """)
        assert got == "OK"
        fails(m, "dst attach dst://127.0.0.1/data --name d", "data", "cannot keep the lease")
        # Whoever only reads needs none.
        attach_to(m, "dst://127.0.0.1/data --read-only", name="r")
        m.run("rm /tmp/small/full")
        path = attach_to(m, "dst://127.0.0.1/data")
        write_block(m, path, "mine")
        assert read_block(m, path) == "mine"
        assert len(export(m)["clients"]) == 2
        m.run("dst detach d && dst detach r && dst unexport data")
    finally:
        m.run("umount -l /tmp/small")


def test_save_that_was_torn_loses_nothing(machine):
    """The record before it counts: whoever was told of the save would have been told after it."""
    m = machine
    disk = m.ramdisk(8)
    m.run(f"dst export data {disk} --allow any")
    assert m.get(LEASE) == b"DSTfresh"
    assert guest_python(m, FIRST) == "OK"
    m.run("dst unexport data")
    before = m.get(LEASE)
    for damaged, status in ((False, "OK"), (True, "IN_USE")):
        m.put(LEASE, before)
        if damaged:
            assert guest_python(m, DAMAGE % -1) == 2
        m.run(f"dst export data {disk} --allow any")
        assert guest_python(m, STRANGER) == status
        m.run("dst unexport data --force")


@pytest.mark.parametrize("damage", ["", "head -c 8192 /dev/zero", "echo rubbish"])
def test_damaged_file_is_not_believed(machine, damage):
    """It does not say that nobody wrote: the export is refused, in words, until somebody has looked."""
    m = machine
    disk = m.ramdisk(8)
    m.run(f"dst export data {disk} --allow any && dst unexport data && ({damage or ':'}) >{LEASE}")
    fails(m, f"dst export data {disk} --allow any", LEASE, "damaged", "remove it")
    m.run(f"rm {LEASE} && dst export data {disk} --allow any")
    assert guest_python(m, STRANGER) == "OK"


def test_both_records_damaged(machine):
    m = machine
    disk = m.ramdisk(8)
    m.run(f"dst export data {disk} --allow any")
    attach_to(m, "dst://127.0.0.1/data")
    m.run("dst detach d && dst unexport data")
    assert guest_python(m, DAMAGE % -2) == 2
    fails(m, f"dst export data {disk} --allow any", LEASE, "damaged")
