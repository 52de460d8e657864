#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Writes tests/fuzz/corpus/ from docs/vectors: one seed per vector, and a few sequences."""
from pathlib import Path

TOP = Path(__file__).parents[2]
KINDS = ["greeting", "hello", "welcome", "entry"]


def vectors():
    for path in sorted((TOP / "docs/vectors").glob("*.txt")):
        for block in path.read_text().split("\n\n"):
            pairs = [line.split(": ", 1) for line in block.splitlines() if ": " in line]
            if pairs and pairs[0][0] == "vector":
                yield dict(pairs), bytes.fromhex("".join(v for k, v in pairs if k == "hex"))


def seed(target, name, data):
    folder = TOP / "tests/fuzz/corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


for fields, raw in vectors():
    kind = fields["message"]
    if kind not in (*KINDS, "frame"):
        continue
    if kind == "frame":
        seed("fuzz_frame", fields["vector"], b"\x08" + raw[:32])
    else:
        seed("fuzz_handshake", f"{kind}-{fields['vector']}", bytes([KINDS.index(kind)]) + raw)

for block in (TOP / "docs/vectors/channel.txt").read_text().split("\n\n"):
    pairs = [line.split(": ", 1) for line in block.splitlines() if ": " in line]
    for number, (name, key) in enumerate([("handshake", "ask"), ("handshake", "answer"),
                                          ("sealed-hello", "sealed")]):
        if ["vector", name] in pairs:
            seed("fuzz_noise", key,
                 bytes([number]) + bytes.fromhex("".join(v for k, v in pairs if k == key)))

ADMIT, DONE, DROP, ASK = 0x00, 0x10, 0x20, 0x30
WRITE, READ = 1, 0
for name, steps in {
    "write-replay": [ADMIT + 1, WRITE, DONE + 1, 2, ADMIT + 1, WRITE, ASK + 1, 0],
    "read-again": [ADMIT + 1, READ, DONE + 1, 0, ADMIT + 1, READ, DONE + 1, 0],
    "drop-and-again": [ADMIT + 1, WRITE, DROP + 1, 0, ADMIT + 1, WRITE, DONE + 1, 0],
    "reuse-while-busy": [ADMIT + 1, WRITE, ADMIT + 2, WRITE, ASK + 1, 0, DONE + 1, 0],
    "stale": [ADMIT + 5, WRITE, DONE + 5, 0, ADMIT + 4, WRITE],
    "seq-zero": [ADMIT, WRITE, DONE, 0, DROP, 0, ASK, 0],
}.items():
    seed("fuzz_slot", name, bytes(steps))
