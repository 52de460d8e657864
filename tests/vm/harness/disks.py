"""Disks of a QEMU machine: sparse host files, found in the guest by serial, kept over boots and power cuts.

cache says what the guest is told and what a power cut takes:
  "through"   no volatile cache announced; every acked write is kept
  "keep"      a volatile cache is announced, but a power cut loses nothing (default)
  "volatile"  a volatile cache is announced, and m.kill() loses every write after the last flush

"volatile" works by recording: QEMU's blklogwrites logs each write and flush in order; after the cut
the disk becomes what it was at boot, plus the log up to its last flush. m.kill(lose_cache=False) keeps all.

image: a file of the host that it is a copy of, instead of blank.
"""
import struct
import subprocess

SECTOR = 512
SUPER = struct.Struct("<QQQI")
ENTRY = struct.Struct("<QQQQ")
LOG_MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD = 1, 2, 4


class Disk:
    """image: what it begins with. shared: the same Disk may be given to several machines, which all reach it, as one of a SAN."""

    def __init__(self, serial, size_mb=256, cache="keep", image=None, shared=False):
        if cache not in ("through", "keep", "volatile") or (shared and cache == "volatile"):
            raise ValueError(f"no such cache: {cache}")
        self.serial, self.size_mb, self.cache, self.shared = serial, size_mb, cache, shared
        self.path, self.image = None, image

    def create(self, rundir, machine):
        if self.shared and self.path:
            return
        self.path = rundir / f"{machine}-{self.serial}.img"
        self.before = self.path.with_suffix(".before")
        self.log = self.path.with_suffix(".log")
        if self.image:
            subprocess.run(["cp", "--sparse=always", "--reflink=auto", self.image, self.path], check=True)
        with open(self.path, "ab") as f:
            f.truncate(self.size_mb << 20)

    def prepare_boot(self):
        if self.cache == "volatile":
            subprocess.run(["cp", "--sparse=always", "--reflink=auto", self.path, self.before], check=True)
            self.log.write_bytes(b"")

    def grow(self, size_mb):
        if self.cache == "volatile":
            raise ValueError("a disk with a volatile cache cannot grow")
        with open(self.path, "r+b") as f:
            f.truncate(size_mb << 20)
        self.size_mb = size_mb

    def arguments(self):
        """For the QEMU command line."""
        node = f"file-{self.serial}"
        out = ["-blockdev", f"driver=file,node-name={node},filename={self.path},discard=unmap,cache.direct=off"]
        if self.cache == "volatile":
            out += ["-blockdev", f"driver=file,node-name=log-{self.serial},filename={self.log}",
                    "-blockdev", f"driver=blklogwrites,node-name=top-{self.serial},file={node},log=log-{self.serial},"
                                 "discard=unmap"]
            node = f"top-{self.serial}"
        write_cache = "off" if self.cache == "through" else "on"
        return out + ["-device", f"virtio-blk-pci,drive={node},serial={self.serial},id=disk-{self.serial},"
                                 f"write-cache={write_cache},share-rw={'on' if self.shared else 'off'}"]

    @property
    def node(self):
        return f"file-{self.serial}"

    def lose_cache(self):
        """Makes the disk what a power cut leaves of it; returns how many writes were lost."""
        if self.cache != "volatile":
            return 0
        entries = read_log(self.log)
        flushes = [i for i, (_, _, flags, _) in enumerate(entries) if flags & FLUSH]
        keep = entries[:flushes[-1] + 1] if flushes else []
        with open(self.before, "r+b") as disk, open(self.log, "rb") as log:
            for entry in keep:
                replay(disk, log, entry)
        self.before.replace(self.path)
        return sum(1 for e in entries[len(keep):] if e[1])


def replay(disk, log, entry):
    """Does to a disk what an entry of read_log() says; the data it writes (a discard: none)."""
    sector, sectors, flags, at = entry
    disk.seek(sector * SECTOR)
    if flags & DISCARD:
        for done in range(0, sectors * SECTOR, 1 << 20):
            disk.write(bytes(min(1 << 20, sectors * SECTOR - done)))
        return b""
    log.seek(at)
    data = log.read(sectors * SECTOR)
    disk.write(data)
    return data


def read_log(path):
    """[(sector, sectors, flags, offset of the data in the log)] of a dm-log-writes log."""
    out = []
    end = path.stat().st_size
    with open(path, "rb") as log:
        head = log.read(SUPER.size)
        if len(head) < SUPER.size:
            return out
        magic, _, entries, sector_size = SUPER.unpack(head)
        if magic != LOG_MAGIC:
            return out
        at = sector_size
        for _ in range(entries):
            log.seek(at)
            raw = log.read(ENTRY.size)
            if len(raw) < ENTRY.size:
                break
            sector, sectors, flags, data_len = ENTRY.unpack(raw)
            at += sector_size
            data = 0 if flags & DISCARD else sectors * SECTOR
            if at + data > end:
                break
            out.append((sector, sectors, flags, at))
            at += data
    return out
