# SPDX-License-Identifier: GPL-2.0
"""What the kernel's own tracing sees of the data path: which bytes are copied, and what is allocated for an I/O.

Probes on TCP count the bytes it was given and those that it took by reference, and what is copied out of its segments; events of kmalloc
and kmem_cache_alloc tell their callers.
"""
import re
from contextlib import contextmanager

import pytest

from common import attach_to

pytestmark = [pytest.mark.stock, pytest.mark.limit(600)]
TRACING = "/sys/kernel/tracing"
MB = 32


HIST = "hist:keys=common_pid:vals=bytes:size=4096"


@contextmanager
def copies(m):
    """The dict that it gives has afterwards how many bytes that machine's TCP took by a copy and by reference, and gave out by a copy."""
    counted = {}
    m.run(f"""
        mountpoint -q {TRACING} || mount -t tracefs tracefs {TRACING}; cd {TRACING}; echo >kprobe_events
        echo 'r:dsttest/all tcp_sendmsg_locked bytes=$retval:s32' >>kprobe_events
        if grep -q ' skb_splice_from_iter$' /proc/kallsyms; then
            echo 'r:dsttest/reference skb_splice_from_iter bytes=$retval:s32' >>kprobe_events
        else
            echo 'r:dsttest/reference do_tcp_sendpages bytes=$retval:s32' >>kprobe_events
        fi
        echo 'p:dsttest/out skb_copy_datagram_iter bytes=$arg4:s32' >>kprobe_events
        for e in events/dsttest/*/; do echo '{HIST} if bytes > 0' >$e/trigger; done""")
    try:
        yield counted
        said = m.run(f"cd {TRACING}/events/dsttest; for e in all reference out; do sed \"s/^/$e /\" $e/hist; done").out
        for name in ("all", "reference", "out"):
            counted[name] = sum(int(n) for n in re.findall(rf"^{name} \{{.*bytes: +(\d+)", said, re.M))
        # before 6.5 what goes by reference has a call of its own
        splices = m.run("grep -q ' skb_splice_from_iter$' /proc/kallsyms", check=False).status == 0
        counted["copied"] = counted.pop("all") - counted["reference"] * splices
        assert not re.search(r"Dropped: [1-9]", said), said
    finally:
        m.run(f"cd {TRACING}; for e in events/dsttest/*/; do echo '!{HIST} if bytes > 0' >$e/trigger; done; echo >kprobe_events")


@pytest.mark.parametrize("checksum", ["none", "crc32c"])
def test_each_byte_is_copied_once(pair, checksum):
    """... by the receiver, out of the network's buffers. Nobody copies what is sent: neither a write's data nor a read's."""
    exporter, client = pair
    exporter.run(f"dst export data {exporter.ramdisk(MB)} --allow any --checksum none,crc32c")
    path = attach_to(client, f"dst://{exporter.address}/data --checksum {checksum}")
    data = MB << 20
    for direction, command, sender, receiver in (
            ("write", f"dd if=/dev/zero of={path} bs=1M count={MB} oflag=direct status=none", client, exporter),
            ("read", f"dd if={path} of=/dev/null bs=1M iflag=direct status=none", exporter, client)):
        with copies(sender) as sent, copies(receiver) as received:
            client.run(command, timeout=120)
        # What is copied beside the data are frames.
        frames = data // 100
        assert data - frames < sent["reference"] < data + frames and 0 < sent["copied"] < frames, (direction, sent, received)
        assert sent["out"] < frames, (direction, sent, received)
        if checksum == "none" or direction == "write":
            assert data <= received["out"] < data + frames, (direction, sent, received)
        else:
            # A client digests while it copies, so the network's function does not see it.
            assert received["out"] < frames, (direction, sent, received)
        assert received["reference"] == 0 and 0 < received["copied"] < frames, (direction, sent, received)


PROGRAM = """
import socket, threading
listener = socket.create_server(("127.0.0.1", 9999))
threading.Thread(target=lambda: socket.create_connection(("127.0.0.1", 9999)).sendall(bytes(%d)), daemon=True).start()
taker, left = listener.accept()[0], %d
while left:
    left -= len(taker.recv(65536))
"""


def test_the_probes_see_copies(pair):
    """A program that sends and receives as much."""
    data = MB << 20
    pair.client.put("/tmp/program.py", PROGRAM % (data, data))
    with copies(pair.client) as counted:
        pair.client.run("python3 /tmp/program.py", timeout=120)
    assert counted["copied"] >= data and counted["out"] >= data and counted["reference"] == 0, counted


@pytest.mark.parametrize("checksum", ["none", "crc32c"])
def test_the_client_allocates_nothing(pair, checksum):
    """... of its own: what the block layer and the network allocate is theirs, from their pools and with the reserves."""
    exporter, client = pair
    exporter.run(f"dst export data {exporter.ramdisk(MB)} --allow any --checksum none,crc32c")
    path = attach_to(client, f"dst://{exporter.address}/data --checksum {checksum} --connections 2")
    events = "for e in kmalloc kmem_cache_alloc kmalloc_node kmem_cache_alloc_node; do [ ! -e events/kmem/$e ] || "
    key = "hist:keys=call_site.sym:size=8192"
    client.run(f"mountpoint -q {TRACING} || mount -t tracefs tracefs {TRACING}; cd {TRACING}; "
               f"{events} echo '{key}' >events/kmem/$e/trigger; done")
    try:
        load = ("fio --name=l --filename={} --rw=randrw --bssplit=4k/50:64k/30:1m/20 --direct=1 --ioengine=libaio --iodepth=16 --fsync=20 "
                "--time_based --runtime=8")
        client.run(load.format(path), timeout=120)
        callers = f"cd {TRACING}; {events} cat events/kmem/$e/hist; done"
        io = client.run(callers).out
        assert "[dstor]" not in io, [line for line in io.splitlines() if "[dstor]" in line]
        assert not re.search(r"Dropped: [1-9]", io), "the table was too small"
        # the events do see us: a device more is made of allocations
        client.run(f"dst attach dst://{exporter.address}/data --name e --read-only --checksum {checksum}")
        assert "[dstor]" in client.run(callers).out
    finally:
        client.run(f"cd {TRACING}; {events} echo '!{key}' >events/kmem/$e/trigger; done")
