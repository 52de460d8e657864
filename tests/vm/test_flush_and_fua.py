# SPDX-License-Identifier: GPL-2.0
"""A flush is a flush of the exporter's disk, FUA is FUA there, and neither comes unasked."""
from common import Trace, device, export_and_attach, flush_count, guest_python, mapped, wait_state

WRITES = 20


def plain_writes(m, path):
    m.run(f"dd if=/dev/zero of={path} bs=4k count={WRITES} oflag=direct status=none")


def fsyncs(m, path, count=5):
    guest_python(m, f"""
        import os
        fd = os.open("{path}", os.O_RDWR)
        for n in range({count}):
            os.pwrite(fd, bytes([n]) * 4096, n * 4096)
            os.fsync(fd)
        print(0)
        """)


def test_flush_arrives_and_only_when_asked_for(machine):
    """A loop device has a volatile cache, no FUA, and counts what it is told."""
    m = machine
    disk = m.loopfile(16)
    path = export_and_attach(m, disk)
    before, counted = flush_count(m, disk), device(m)["stats"]["flushes"]
    with Trace(m, disk) as trace:
        plain_writes(m, path)
    assert flush_count(m, disk) == before and trace.flushes == trace.fuas == 0
    assert trace.count("W") >= WRITES
    with Trace(m, disk) as trace:
        fsyncs(m, path)
    assert flush_count(m, disk) - before == trace.flushes == 5
    assert device(m)["stats"]["flushes"] - counted == 5


def test_fua_arrives_as_fua(machine):
    """A disk with a volatile cache and FUA: synchronous direct writes carry the flag to the disk."""
    m = machine
    disk = m.ramdisk(16, cache_size=8)
    assert m.run(f"cat /sys/block/{disk[5:]}/queue/fua").out == "1\n"
    path = export_and_attach(m, disk)
    with Trace(m, disk) as trace:
        m.run(f"dd if=/dev/zero of={path} bs=4k count={WRITES} oflag=direct,dsync status=none")
    assert trace.fuas == WRITES, trace.bios
    with Trace(m, disk) as trace:
        plain_writes(m, path)
    assert trace.fuas == trace.flushes == 0 and trace.count("W") >= WRITES


def test_fua_of_a_peer_on_a_disk_without_it(machine):
    """The flag of the protocol is honoured whatever the disk can do: here by a flush after the write."""
    m = machine
    disk = m.loopfile(16)
    m.run(f"dst export data {disk} --allow any")
    before = flush_count(m, disk)
    guest_python(m, """
        from rawclient import *
        c = Raw("data")
        assert c.write(0, b"a" * 4096) == "OK"
        assert c.write(4096, b"b" * 4096, flags=FUA) == "OK"
        print(0)
        """)
    assert flush_count(m, disk) == before + 1


def test_disk_without_a_cache_is_spared(machine):
    """Write-through there is write-through here: fsync sends nothing at all."""
    m = machine
    disk = m.ramdisk(16)
    path = export_and_attach(m, disk)
    assert m.run("cat /sys/block/dst-d/queue/write_cache").out == "write through\n"
    with Trace(m, disk) as trace:
        fsyncs(m, path)
    assert trace.flushes == trace.fuas == 0 and trace.count("W") >= 5
    assert device(m)["stats"]["flushes"] == 0


def test_write_through_makes_every_write_durable(machine):
    m = machine
    disk = m.loopfile(16)
    path = export_and_attach(m, disk, options="--write-through")
    assert m.run("cat /sys/block/dst-d/queue/write_cache").out == "write through\n"
    before = flush_count(m, disk)
    plain_writes(m, path)
    # one flush may serve writes that were under way together; dd has one at a time
    assert flush_count(m, disk) - before == WRITES


def test_flush_of_a_file_is_its_fsync(machine):
    """An exported file: the file system below it flushes its own disk."""
    m = machine
    ram = m.ramdisk(32, cache_size=8)
    m.run(f"mkfs.ext4 -q {ram} && mount {ram} /mnt && head -c 8M /dev/zero >/mnt/f && sync")
    path = export_and_attach(m, "/mnt/f")
    plain_writes(m, path)
    with Trace(m, ram) as trace:
        fsyncs(m, path, 3)
    assert trace.flushes + trace.fuas + trace.count("FW") >= 3, trace.bios


def test_flush_that_fails_at_the_end(machine):
    """The disk cannot be flushed when the export is stopped: the disk forgets that it said so, the client's next flush does not."""
    m = machine
    ram, sectors = m.ramdisk(16, cache_size=8), 16 << 11
    disk = mapped(m, "x", f"0 {sectors} linear {ram} 0")
    path = export_and_attach(m, disk, attach="--ping 300ms --timeout 2s --retries 30")
    plain_writes(m, path)

    def becomes(table):
        m.run(f"dmsetup suspend --noflush x && dmsetup load x --table '0 {sectors} {table}' && dmsetup resume x")

    becomes(f"flakey {ram} 0 0 600 1 error_writes")
    got = m.run("dst unexport data --force", check=False)
    assert got.status == 1 and "could not be flushed" in got.err, got
    becomes(f"linear {ram} 0")
    m.run(f"dst export data {disk} --allow any")
    wait_state(m, "connected")
    assert m.run(f"sync {path}", check=False).status == 1
    fsyncs(m, path)
    # and this is forgotten after a stop in order
    plain_writes(m, path)
    m.run(f"dst unexport data --force && dst export data {disk} --allow any")
    wait_state(m, "connected")
    fsyncs(m, path)
