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

SUBMIT, ACK, FAIL, FENCE, FLUSH, CRASH = 0, 2, 4, 5, 6, 7
for name, steps in {
    "kept-and-replayed": [SUBMIT, 0, 3, ACK, 0, 0, CRASH, 0, 0],
    "flushed": [SUBMIT, 0, 3, ACK, 0, 0, FLUSH, 0, 0, FLUSH, 0, 0, CRASH, 0, 0],
    "ack-during-a-flush": [SUBMIT, 0, 3, FLUSH, 0, 0, ACK, 0, 0, FLUSH, 0, 0, CRASH, 0, 0],
    "newest": [SUBMIT, 0, 7, ACK, 0, 0, SUBMIT, 2, 1, ACK, 0, 0, CRASH, 0, 0],
    "durable-over-kept": [SUBMIT, 0, 7, ACK, 0, 0, SUBMIT, 2, 0x11, ACK, 0, 0, CRASH, 0, 0],
    "waits": [SUBMIT, 0, 3, SUBMIT, 2, 3, ACK, 0, 0, ACK, 0, 0, CRASH, 2, 0],
    "undecided": [SUBMIT, 0, 3, ACK, 0, 0, SUBMIT, 0, 3, FAIL, 0, 6, CRASH, 0, 0, FENCE, 0, 0],
    "crash-in-a-replay": [SUBMIT, 0, 7, ACK, 0, 0, SUBMIT, 9, 0xc3, ACK, 0, 0, CRASH, 4, 0],
}.items():
    seed("fuzz_keep", name, bytes(steps))
