# SPDX-License-Identifier: GPL-2.0
"""Mode NOISE at the edges: a stream that lacks bytes or has too many, and public keys that X25519 must refuse.

docs/vectors/edges.txt and points.txt say the same to the unit tests; here it is the module that is asked.
"""
from common import export, guest_python, make_keys, sums

HEAD = """
    from sealedclient import *
    import json
    results = {}
    """


def offer(m):
    key = make_keys(m, "a")
    disk = m.ramdisk(8)
    m.run(f"dst export data {disk} --allow key={key} --shared --cipher auto")
    return disk


def test_bytes_missing_or_too_many_at_each_edge(machine):
    """Of a header, its tag, the data, its tag: nothing that is cut off or shifted reaches the disk."""
    m = machine
    disk = offer(m)
    before = sums(m, disk)
    got = guest_python(m, HEAD + """
    x = b"x" * 512
    segments = [0, 32, 48, 560, 576]

    def edited(name, at, remove, insert=b""):
        c = Sealed("/tmp/a.key", "data")
        header = [frame(type=REQUEST, op=WRITE, length=512, bytes=512, seq=n + 1, offset=512 * n) for n in range(2)]
        raw = b"".join(c.sealed(h, x) for h in header)
        # The data of the first write never arrives whole: its last segment is changed, or all that is before it.
        c.send(raw[:at] + insert + raw[at + remove:])
        if remove == len(raw):
            c.sock.shutdown(socket.SHUT_WR)
        results[name] = c.answer()[0]
        c.sock.close()

    for at in segments[:-1]:
        edited(f"ends at {at}", at, 1152)
        if at:
            edited(f"ends before {at}", at - 1, 1152)
        edited(f"ends after {at}", at + 1, 1152)
        for size in (1, 16):
            edited(f"{size} more at {at}", at, 0, bytes(size))
            edited(f"{size} less at {at}", at, size)
    edited("ends before 576", 575, 1152)
    for at, size in zip(segments, (32, 16, 512, 16)):
        edited(f"without {at}", at, size)
    print(json.dumps(results))
    """, timeout=200)
    assert len(got) == 32 and set(got.values()) == {"closed"}, got
    assert sums(m, disk) == before
    assert export(m)["stats"]["auth_failures"] >= 16


def test_public_keys_of_low_order(machine):
    """Whoever has the key cannot make a connection whose secret everybody knows; what is not canonical is reduced."""
    m = machine
    offer(m)
    got = guest_python(m, HEAD + """
    P = noise.P
    low = [0, 1, 325606250916557431795983626356110631294008115727848805560023387167927233504,
           39382357235489614581723060781553021112529911719440698176882885853963445705823, P - 1, P, P + 1]

    def offered(value):
        c = Sealed("/tmp/a.key", "data", hello=False)
        point = value.to_bytes(32, "little")
        key_id = noise.key_id(c.psk, point)
        n = noise.Noise(True, wire.greeting(mode=NOISE, key_id=key_id)[:48], c.psk, bytes(32))
        n.exchanged(point)
        c.send(wire.greeting(mode=NOISE, key_id=key_id, noise=point + noise.seal(n.k, 0, n.h, b"")))
        answer = c.exactly(128)
        c.sock.close()
        return wire.GREETING_STATUS[answer[13]] if answer else CLOSED

    results["low"] = sorted({offered(v + high) for v in low for high in (0, 1 << 255)})
    results["other"] = sorted({offered(v) for v in (9, P + 9, P + 2, (1 << 255) - 1, (1 << 255) + 9)})
    print(json.dumps(results))
    """, timeout=100)
    assert got == {"low": ["REFUSED"], "other": ["OK"]}
