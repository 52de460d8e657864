# SPDX-License-Identifier: GPL-2.0
"""Nobody becomes the writer when the exporter could not remember it over a crash (P15)."""
from common import attach_to, export, fails, guest_python, read_block, write_block


def test_no_room_for_it(machine):
    m = machine
    disk = m.ramdisk(8)
    m.run("mkdir /tmp/small && mount -t tmpfs -o size=16k tmpfs /tmp/small && ! head -c 64k /dev/zero >/tmp/small/full")
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
