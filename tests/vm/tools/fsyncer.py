#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Files that were promised to be durable, and whether they are.

    fsyncer.py write FOLDER LIST     files for ever, each fsynced and then named in LIST (kept elsewhere); ends at an error
    fsyncer.py check FOLDER LIST     every file of LIST is there and right; prints how many
"""
import hashlib
import os
import random
import re
import sys


def contents(n):
    """Of file n: 1 byte to 40 KiB that only n makes; each block says which it is."""
    size = random.Random(n).randrange(1, 40 << 10)
    name = f"FILE-{n}-".encode()
    block = (name + hashlib.sha512(name).digest() * 64)[:4096]
    return (block * (size // len(block) + 1))[:size]


def newest(data):
    """The highest n of which a block is in there, or 0."""
    found = (re.match(rb"FILE-(\d+)-", data[at:at + 32]) for at in range(0, len(data), 4096))
    return max((int(m.group(1)) for m in found if m), default=0)


def write(folder, names):
    """Written under another name, fsynced, renamed, its folder fsynced: as careful programs do."""
    directory = os.open(folder, os.O_RDONLY)
    with open(names, "a", buffering=1) as done:
        n = 0
        while True:
            n += 1
            fd = os.open(f"{folder}/new", os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
            data = contents(n)
            while data:
                data = data[os.write(fd, data):]
            os.fsync(fd)
            os.close(fd)
            os.rename(f"{folder}/new", f"{folder}/{n}")
            os.fsync(directory)
            done.write(f"{n}\n")


def check(folder, names):
    with open(names) as f:
        promised = [int(line) for line in f]
    wrong = []
    for n in promised:
        try:
            with open(f"{folder}/{n}", "rb") as f:
                if f.read() != contents(n):
                    wrong.append(f"{n} is not what was written")
        except OSError as e:
            wrong.append(str(e))
    if wrong:
        sys.exit(f"{len(wrong)} of {len(promised)}: " + "; ".join(wrong[:10]))
    print(len(promised))


if __name__ == "__main__":
    {"write": write, "check": check}[sys.argv[1]](*sys.argv[2:])
