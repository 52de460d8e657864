#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Writes at random places and sizes through one or more openings of a disk, and keeps a copy in memory.

    scatter.py write DEVICE SEED COUNT [direct|buffered|both] [block]    writes, reads all back, prints the SHA-256
    scatter.py sum DEVICE...                                             SHA-256 of each, read past the page cache
"""
import hashlib
import mmap
import os
import random
import sys

CHUNK = 1 << 20
LARGEST = 3 << 19


def size_of(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        return os.lseek(fd, 0, os.SEEK_END)
    finally:
        os.close(fd)


def aligned(length):
    return mmap.mmap(-1, length)


def read_all(path):
    """All bytes, with direct I/O."""
    size, out = size_of(path), bytearray()
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    buffer = aligned(CHUNK)
    while len(out) < size:
        got = os.preadv(fd, [buffer], len(out))
        if not got:
            raise EOFError(f"{path} ends at {len(out)} of {size}")
        out += buffer[:got]
    os.close(fd)
    return out


def write(path, seed, count, how, block):
    rng = random.Random(seed)
    size = size_of(path)
    shadow = read_all(path)
    pool = random.Random(seed + 1).randbytes(2 * LARGEST)
    fds = {"direct": os.open(path, os.O_RDWR | os.O_DIRECT), "buffered": os.open(path, os.O_RDWR)}
    choices = [how] if how != "both" else ["direct", "buffered"]
    buffer = aligned(LARGEST)
    for n in range(count):
        # one mode after the other, never mixed on dirty pages
        mode = choices[n * len(choices) // count]
        if n and mode != choices[(n - 1) * len(choices) // count]:
            os.fsync(fds["buffered"])
        length = rng.choice([block, 4096, rng.randrange(1, 64) * block, rng.randrange(1, LARGEST // block) * block])
        offset = rng.randrange(0, (size - length) // block + 1) * block
        at = rng.randrange(0, LARGEST)
        data = pool[at:at + length]
        if mode == "direct":
            buffer[:length] = data
            with memoryview(buffer) as view:
                done = os.pwritev(fds[mode], [view[:length]], offset)
        else:
            done = os.pwrite(fds[mode], data, offset)
        if done != length:
            raise OSError(f"short write: {done} of {length} at {offset}")
        shadow[offset:offset + length] = data
    os.fsync(fds["buffered"])
    now = read_all(path)
    if now != shadow:
        at = next(i for i in range(0, size, block) if now[i:i + block] != shadow[i:i + block])
        raise ValueError(f"{path} differs from what was written, first at byte {at}")
    print(hashlib.sha256(shadow).hexdigest())


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), (sys.argv[5:] or ["both"])[0],
              int((sys.argv[6:] or ["512"])[0]))
    else:
        for name in sys.argv[2:]:
            print(hashlib.sha256(read_all(name)).hexdigest())
