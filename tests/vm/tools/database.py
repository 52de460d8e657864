# SPDX-License-Identifier: GPL-2.0
"""A load like a database's on a raw device, which knows what has to be there; and somebody who reads it beside.

    database.py write DEVICE PAGES STOP SEED    until the file STOP exists; then reads all pages
    database.py watch DEVICE PAGES STOP         reads all the time

A page of 4 KiB holds its number and a version, which only grows. A writer writes a few pages, now and then flushes, and
reads pages in between: each must have the last version that it wrote. A watcher never sees an older version than before.
Both print a line of JSON with what they did, or what was wrong and exit with 1.
"""
import json
import mmap
import os
import random
import struct
import sys

HEAD = struct.Struct("<8sQQ")
PAGE = 4096


class Disk:
    def __init__(self, path, pages, write):
        self.fd = os.open(path, (os.O_RDWR if write else os.O_RDONLY) | os.O_DIRECT)
        self.pages = pages
        self.buffer = mmap.mmap(-1, PAGE)
        self.counts = dict.fromkeys(("writes", "flushes", "reads"), 0)

    def write(self, page, version):
        head = HEAD.pack(b"dst-page", page, version)
        self.buffer[:] = head * (PAGE // len(head)) + bytes(PAGE % len(head))
        if os.pwrite(self.fd, self.buffer, page * PAGE) != PAGE:
            raise OSError("a short write")
        self.counts["writes"] += 1

    def read(self, page):
        """The version of @page; 0 if it was never written. A page that is torn or another's ends us."""
        if os.preadv(self.fd, [self.buffer], page * PAGE) != PAGE:
            raise OSError("a short read")
        self.counts["reads"] += 1
        data = bytes(self.buffer)
        if data == bytes(PAGE):
            return 0
        head = data[:HEAD.size]
        magic, number, version = HEAD.unpack(head)
        if magic != b"dst-page" or number != page or data != head * (PAGE // len(head)) + bytes(PAGE % len(head)):
            sys.exit(f"page {page} is torn, or another's: {data[:48]!r}")
        return version

    def flush(self):
        os.fdatasync(self.fd)
        self.counts["flushes"] += 1


def write(disk, stop, seed):
    dice = random.Random(seed)
    last = [disk.read(n) for n in range(disk.pages)]
    version = max(last)

    def check(page):
        there = disk.read(page)
        if there != last[page]:
            sys.exit(f"page {page} has version {there}, and {last[page]} was acked")

    while not os.path.exists(stop):
        for _ in range(dice.randint(1, 12)):
            page = dice.randrange(disk.pages)
            version += 1
            disk.write(page, version)
            last[page] = version
        if dice.random() < 0.2:
            disk.flush()
        check(dice.randrange(disk.pages))
    for page in range(disk.pages):
        check(page)


def watch(disk, stop):
    seen = [0] * disk.pages
    while not os.path.exists(stop):
        for page in range(disk.pages):
            there = disk.read(page)
            if there < seen[page]:
                sys.exit(f"page {page} has version {there}, and had {seen[page]} before")
            seen[page] = there


def main():
    what, path, pages, stop = sys.argv[1:5]
    disk = Disk(path, int(pages), what == "write")
    if what == "write":
        write(disk, stop, sys.argv[5])
    else:
        watch(disk, stop)
    print(json.dumps(disk.counts))


if __name__ == "__main__":
    main()
