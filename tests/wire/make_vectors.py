#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Writes docs/vectors/*.txt from the byte tables of docs/protocol.md.

A second, independent implementation of the encoding: it shares nothing with
wire/, so that the unit tests compare two readings of the document.

    make_vectors.py [DIRECTORY]     (default: docs/vectors beside this tree)
"""
import hashlib
import struct
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parents[1] / "vm/tools"))
import noise  # noqa: E402

# (name, struct format); "text" fields are Ns, ids are 16s. Sizes as in docs/protocol.md.
GREETING = [("magic", "8s"), ("version", "H"), ("version_min", "H"), ("mode", "B"),
            ("status", "B"), ("reserved0", "H"), ("features_required", "Q"),
            ("features_optional", "Q"), ("key_id", "16s"), ("noise", "64s"),
            ("reserved1", "12s"), ("crc", "I")]
HELLO = [("kind", "B"), ("flags", "B"), ("queue", "H"), ("queues", "H"), ("slots", "H"),
         ("max_io", "I"), ("reserved0", "I"), ("generation", "Q"), ("session", "16s"),
         ("client", "16s"), ("takeover", "16s"), ("uuid", "16s"), ("writer_token", "Q"),
         ("ping_ms", "I"), ("timeout_ms", "I"), ("retries", "I"), ("reserved1", "I"),
         ("export", "64s"), ("client_name", "64s"), ("checksums", "128s"), ("ciphers", "128s"),
         ("life", "16s"), ("cookie", "Q"), ("last_seq", "Q"), ("reserved2", "108s"), ("crc", "I")]
WELCOME = [("status", "B"), ("access", "B"), ("queues", "H"), ("slots", "H"),
           ("grant_flags", "H"), ("max_io", "I"), ("disk_flags", "I"), ("uuid", "16s"),
           ("instance", "16s"), ("size", "Q"), ("logical_block", "I"), ("physical_block", "I"),
           ("io_min", "I"), ("io_opt", "I"), ("discard_granularity", "I"),
           ("discard_alignment", "I"), ("max_discard", "I"), ("max_write_zeroes", "I"),
           ("writer_token", "Q"), ("holder", "16s"), ("waiting", "I"), ("entries", "I"),
           ("cookie", "Q"), ("checksum", "64s"), ("cipher", "64s"), ("reason", "160s"),
           ("exporter", "16s"), ("life", "16s"), ("dma_alignment", "I"),
           ("alignment_offset", "I"), ("atomic_max", "I"), ("atomic_boundary", "I"),
           ("atomic_unit_min", "I"), ("atomic_unit_max", "I"), ("unique_id", "16s"),
           ("unique_id_type", "B"), ("unique_id_len", "B"), ("reserved1", "2s"),
           ("reserved2", "144s"), ("crc", "I")]
ENTRY = [("name", "64s"), ("uuid", "16s"), ("size", "Q"), ("disk_flags", "I"),
         ("access", "B"), ("reserved", "31s"), ("crc", "I")]
FRAME = [("type", "B"), ("op", "B"), ("flags", "H"), ("slot", "H"), ("status", "H"),
         ("length", "I"), ("bytes", "I"), ("seq", "Q"), ("offset", "Q")]
LAYOUT = {"greeting": GREETING, "hello": HELLO, "welcome": WELCOME, "entry": ENTRY,
          "frame": FRAME}
SIZE = {"greeting": 128, "hello": 640, "welcome": 640, "entry": 128, "frame": 32}
TEXT = {"magic", "export", "client_name", "checksums", "ciphers", "checksum", "cipher",
        "reason", "name"}


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


assert crc32c(b"123456789") == 0xE3069283


def encode(message: str, fields: dict) -> bytes:
    out = b""
    for name, fmt in LAYOUT[message]:
        value = fields.get(name, 0)
        if fmt.endswith("s"):
            if isinstance(value, str):
                value = value.encode() if name in TEXT else bytes.fromhex(value)
            out += struct.pack(fmt, value or b"")
        else:
            out += struct.pack("<" + fmt, value)
    assert len(out) == SIZE[message], (message, len(out))
    assert not set(fields) - {n for n, _ in LAYOUT[message]}, fields
    if message != "frame":
        out = out[:-4] + struct.pack("<I", crc32c(out[:-4]))
    return out


def ident(first: int) -> str:
    return bytes(range(first, first + 16)).hex()


def show(name, value):
    return str(value) if isinstance(value, str) or value < 65536 else hex(value)


def vector(name, message, fields, expect="ok", *, data=b"", digest="none", **more):
    raw = encode(message, fields)
    lines = [f"vector: {name}", f"message: {message}"]
    lines += [f"{k}: {v}" for k, v in more.items()]
    lines += [f"{k}: {show(k, v)}" for k, v in fields.items()]
    if message == "frame":
        lines.append(f"digest: {digest}")
        if data:
            lines += [f"data: {data[i:i + 32].hex()}" for i in range(0, len(data), 32)]
        if digest == "crc32c":
            header = raw
            raw += struct.pack("<I", crc32c(header))
            if data:
                raw += data + struct.pack("<I", crc32c(header + data))
        else:
            raw += data
    else:
        lines.append(f"crc: {struct.unpack('<I', raw[-4:])[0]:#010x}")
    lines.append(f"expect: {expect}")
    lines += [f"hex: {raw[i:i + 32].hex()}" for i in range(0, len(raw), 32)]
    return "\n".join(lines) + "\n"


HEAD = """# SPDX-License-Identifier: GPL-2.0 OR MIT
# Test vectors of the DST protocol, version 1; docs/protocol.md, "Test vectors", explains the lines.
# Made by tests/wire/make_vectors.py; the unit tests build and parse every one of them.
"""

hello = {"kind": 1, "queue": 1, "queues": 4, "slots": 128, "max_io": 1 << 20, "generation": 1,
         "session": ident(0x10), "client": ident(0x30), "ping_ms": 1000, "timeout_ms": 5000,
         "retries": 24, "export": "data", "client_name": "alpha", "checksums": "crc32c"}
welcome = {"status": 0, "access": 2, "queues": 64, "slots": 128, "max_io": 1 << 20,
           "disk_flags": 0x1b, "uuid": ident(0x50), "instance": ident(0x70), "size": 1 << 30,
           "logical_block": 512, "physical_block": 4096, "io_min": 4096, "io_opt": 65536,
           "discard_granularity": 4096, "max_discard": 0x40000000,
           "max_write_zeroes": 0x40000000, "writer_token": 0x0123456789abcdef,
           "cookie": 0x1122334455667788, "checksum": "crc32c", "exporter": ident(0x90),
           "life": ident(0xb0), "dma_alignment": 511}


def req(op, **kw):
    return {"type": 1, "op": op, **kw}


def files():
    v = vector
    yield "greeting.txt", [
        v("client-plain", "greeting", {"magic": "DSTstor1", "version": 1, "version_min": 1}),
        v("client-newer-and-us", "greeting",
          {"magic": "DSTstor1", "version": 3, "version_min": 1, "features_optional": 1 << 63}),
        v("client-too-new", "greeting",
          {"magic": "DSTstor1", "version": 3, "version_min": 2}, "version"),
        v("client-required-feature", "greeting",
          {"magic": "DSTstor1", "version": 1, "version_min": 1, "features_required": 1 << 40},
          "feature"),
        v("client-noise", "greeting",
          {"magic": "DSTstor1", "version": 1, "version_min": 1, "mode": 1, "key_id": ident(1)}),
        v("exporter-key-required", "greeting",
          {"magic": "DSTstor1", "version": 1, "version_min": 1, "status": 3}),
        v("not-ours", "greeting", {"magic": "DSTstor9", "version": 1, "version_min": 1}, "close"),
    ]
    yield "hello.txt", [
        v("attach", "hello", hello),
        v("resume", "hello", {**hello, "flags": 2, "generation": 7, "uuid": ident(0x50),
                              "writer_token": 0x0123456789abcdef, "life": ident(0xb0),
                              "cookie": 0x1122334455667788, "last_seq": 1000}),
        v("keeps", "hello", {**hello, "flags": 4}),
        v("renewal", "hello", {**hello, "flags": 2 | 8, "generation": 8, "uuid": ident(0x50),
                               "writer_token": 0x0123456789abcdef, "life": ident(0xb0),
                               "cookie": 0x1122334455667788, "last_seq": 1000}),
        v("renewal-without-resume", "hello", {**hello, "flags": 8}, "malformed"),
        v("past-without-resume", "hello", {**hello, "cookie": 1}, "malformed"),
        v("takeover-after-reboot", "hello", {**hello, "session": ident(0x20),
                                             "takeover": ident(0x10)}),
        v("read-only-forever", "hello", {**hello, "flags": 1, "retries": 0xffffffff,
                                         "checksums": "none"}),
        v("ciphers", "hello", {**hello, "checksums": "", "ciphers": "aes-256-gcm,chacha20-poly1305"}),
        v("list", "hello", {"kind": 2, "client": ident(0x30), "client_name": "alpha"}),
        v("ping", "hello", {"kind": 3}),
        v("unknown-kind", "hello", {**hello, "kind": 4}, "malformed"),
        v("unknown-flag", "hello", {**hello, "flags": 16}, "malformed"),
        v("generation-zero", "hello", {**hello, "generation": 0}, "malformed"),
        v("queue-beyond-queues", "hello", {**hello, "queue": 4}, "malformed"),
        v("path-as-name", "hello", {**hello, "export": "../data"}, "malformed"),
    ]
    yield "welcome.txt", [
        v("granted", "welcome", welcome),
        v("granted-read-only", "welcome", {**welcome, "access": 1, "disk_flags": 0x5b,
                                           "writer_token": 0}),
        v("granted-with-limits", "welcome",
          {**welcome, "grant_flags": 3, "dma_alignment": 3, "alignment_offset": 3584,
           "atomic_max": 65536, "atomic_boundary": 131072, "atomic_unit_min": 512,
           "atomic_unit_max": 32768, "unique_id": ident(0xd0), "unique_id_type": 3,
           "unique_id_len": 16}),
        v("wait", "welcome", {"status": 1, "waiting": 3}),
        v("in-use", "welcome", {"status": 5, "holder": ident(0x10),
                                "reason": "export \"data\" is written by alpha (10.0.0.3)"}),
        v("stale", "welcome", {"status": 6}),
        v("no-export", "welcome", {"status": 3, "reason": "no export \"dtaa\""}),
        v("list-of-two", "welcome", {"status": 0, "entries": 2}, hello="list"),
        v("more-slots-than-wanted", "welcome", {**welcome, "slots": 129}, "refused"),
        v("checksum-not-offered", "welcome", {**welcome, "checksum": "none"}, "refused"),
        v("block-of-3000", "welcome", {**welcome, "logical_block": 3000}, "refused"),
        v("unknown-status", "welcome", {"status": 12}, "refused"),
        v("no-cookie", "welcome", {**welcome, "cookie": 0}, "refused"),
        v("no-exporter", "welcome", {**welcome, "exporter": "00" * 16}, "refused"),
        v("no-life", "welcome", {**welcome, "life": "00" * 16}, "refused"),
        v("unknown-grant-flag", "welcome", {**welcome, "grant_flags": 4}, "refused"),
        v("dma-alignment-is-no-mask", "welcome", {**welcome, "dma_alignment": 512}, "refused"),
        v("atomic-unit-above-max", "welcome",
          {**welcome, "atomic_max": 4096, "atomic_unit_min": 512, "atomic_unit_max": 8192},
          "refused"),
        v("unique-id-without-type", "welcome", {**welcome, "unique_id_len": 8}, "refused"),
    ]
    yield "entry.txt", [
        v("writable", "entry", {"name": "data", "uuid": ident(0x50), "size": 1 << 30,
                                "disk_flags": 0x1b, "access": 2}),
        v("read-only", "entry", {"name": "logs.2", "uuid": ident(0x60), "size": 512,
                                 "disk_flags": 0x40, "access": 1}),
        v("unknown-access", "entry", {"name": "data", "size": 512, "access": 3}, "refused"),
    ]
    block = bytes(i * 7 & 255 for i in range(512))
    yield "frame.txt", [
        v("write-no-digest", "frame",
          req(1, flags=4, slot=3, status=0x4002, length=512, bytes=512, seq=1, offset=1 << 20),
          data=block, sender="client"),
        v("write-crc32c", "frame",
          req(1, flags=4, slot=3, status=0x4002, length=512, bytes=512, seq=1, offset=1 << 20),
          data=block, digest="crc32c", sender="client"),
        v("write-fua-resent", "frame",
          req(1, flags=0x201, slot=127, length=512, bytes=512, seq=0x1122334455667788,
              offset=(1 << 30) - 512), data=block, digest="crc32c", sender="client"),
        v("read-crc32c", "frame", req(0, flags=0x40, slot=0, bytes=4096, seq=2),
          digest="crc32c", sender="client"),
        v("flush", "frame", req(2, slot=5, seq=9), digest="crc32c", sender="client"),
        v("discard", "frame", req(3, slot=6, bytes=0x3ffff000, seq=10, offset=4096),
          digest="crc32c", sender="client"),
        v("write-zeroes-nounmap", "frame", req(4, flags=0x80, slot=7, bytes=8192, seq=11),
          sender="client"),
        v("write-ok", "frame", {"type": 2, "op": 1, "slot": 3, "seq": 1}, digest="crc32c",
          sender="exporter"),
        v("read-ok", "frame", {"type": 2, "op": 0, "slot": 0, "length": 512, "seq": 2},
          data=block, digest="crc32c", sender="exporter"),
        v("read-medium-error", "frame", {"type": 2, "op": 0, "slot": 0, "status": 2, "seq": 2},
          digest="crc32c", sender="exporter"),
        v("ping", "frame", {"type": 3, "seq": 42}, sender="client"),
        v("pong", "frame", {"type": 4, "seq": 42}, sender="exporter"),
        v("change-size", "frame", {"type": 5, "flags": 1, "offset": 1 << 31},
          sender="exporter"),
        v("change-stopping", "frame", {"type": 5, "flags": 2}, sender="exporter"),
        v("change-stopping-flushed", "frame", {"type": 5, "flags": 2 | 16}, sender="exporter"),
        v("change-access", "frame", {"type": 5, "flags": 8, "status": 1}, sender="exporter"),
        v("change-access-flushed", "frame", {"type": 5, "flags": 8 | 16, "status": 1},
          sender="exporter"),
        v("change-disk-gone", "frame", {"type": 5, "flags": 32, "status": 1},
          sender="exporter"),
        v("change-disk-back", "frame", {"type": 5, "flags": 32}, sender="exporter"),
        v("change-disk-hangs", "frame", {"type": 5, "flags": 32, "status": 2},
          sender="exporter"),
        v("change-evicted", "frame", {"type": 5, "flags": 4}, sender="exporter"),
        v("change-flushed-alone", "frame", {"type": 5, "flags": 16}, "close",
          sender="exporter"),
        v("change-evicted-flushed", "frame", {"type": 5, "flags": 4 | 16}, "close",
          sender="exporter"),
        v("change-disk-flushed", "frame", {"type": 5, "flags": 32 | 16}, "close",
          sender="exporter"),
        v("change-access-none", "frame", {"type": 5, "flags": 8}, "close", sender="exporter"),
        v("change-stopping-with-a-code", "frame", {"type": 5, "flags": 2, "status": 1}, "close",
          sender="exporter"),
        v("change-stopping-with-a-size", "frame", {"type": 5, "flags": 2, "offset": 4096},
          "close", sender="exporter"),
        v("change-access-and-disk", "frame", {"type": 5, "flags": 8 | 32, "status": 1},
          "close", sender="exporter"),
        v("change-disk-unknown", "frame", {"type": 5, "flags": 32, "status": 3}, "close",
          sender="exporter"),
        v("replayed", "frame", {"type": 9}, sender="client"),
        v("test-flag-not-agreed", "frame", req(0, flags=0x8000, bytes=512, seq=3), "close",
          sender="client"),
        v("ask", "frame", {"type": 6, "slot": 3, "seq": 1}, sender="client"),
        v("state-busy", "frame", {"type": 7, "slot": 3, "status": 1, "seq": 1},
          sender="exporter"),
        v("state-busy-all", "frame", {"type": 7, "flags": 1, "slot": 3, "status": 1, "seq": 1},
          sender="exporter"),
        v("state-damaged", "frame", {"type": 7, "slot": 3, "status": 3, "seq": 1},
          sender="exporter"),
        v("state-waits", "frame", {"type": 7, "slot": 3, "status": 4, "seq": 1},
          sender="exporter"),
        v("state-unknown-code", "frame", {"type": 7, "slot": 3, "status": 5, "seq": 1}, "close",
          sender="exporter"),
        v("bye", "frame", {"type": 8}, sender="client"),
        v("beyond-the-end", "frame", req(0, bytes=1024, seq=3, offset=(1 << 30) - 512),
          "range", sender="client"),
        v("offset-plus-bytes-overflows", "frame",
          req(0, bytes=4096, seq=3, offset=(1 << 64) - 4096), "range", sender="client"),
        v("misaligned", "frame", req(0, bytes=512, seq=3, offset=511), "invalid",
          sender="client"),
        v("write-longer-than-extent", "frame", req(1, length=1024, bytes=512, seq=3), "close",
          sender="client"),
        v("unknown-op", "frame", req(5, bytes=512, seq=3), "close", sender="client"),
        v("slot-beyond", "frame", req(0, slot=128, bytes=512, seq=3), "close",
          sender="client"),
        v("response-unknown-status", "frame", {"type": 2, "op": 1, "status": 15, "seq": 1},
          "close", sender="exporter"),
    ]


def lines_of(**values):
    """key: value; what is long, in several lines."""
    out = []
    for name, value in values.items():
        if isinstance(value, bytes):
            out += [f"{name}: {value[i:i + 32].hex()}" for i in range(0, len(value), 32)]
        else:
            out.append(f"{name}: {value}")
    return "\n".join(out) + "\n"


def channel():
    """Mode NOISE from the greetings to the second key of the frames."""
    psk = bytes(range(0x80, 0xa0))
    secret = {"client": bytes(range(0x20, 0x40)), "exporter": bytes(range(0x60, 0x80))}
    base = {"magic": "DSTstor1", "version": 1, "version_min": 1, "mode": 1}
    key_id = noise.key_id(psk, noise.public(secret["client"])).hex()
    prologue = encode("greeting", {**base, "key_id": key_id})[:48]
    client = noise.Noise(True, prologue, psk, secret["client"])
    exporter = noise.Noise(False, prologue, psk, secret["exporter"])
    ask = encode("greeting", {**base, "key_id": key_id, "noise": client.write().hex()})
    assert exporter.read(ask[48:96]) == b""
    proof = noise.proof(encode("greeting", base))
    answer = encode("greeting", {**base, "noise": exporter.write(proof).hex()})
    assert client.read(answer[48:112]) == proof and client.h == exporter.h
    up, down = client.split()
    assert (down, up) == exporter.split()
    yield lines_of(vector="handshake", message="channel", psk=psk, client_secret=secret["client"],
                   exporter_secret=secret["exporter"], ask=ask, answer=answer, hash=client.h,
                   client_key=up, exporter_key=down)

    sealed = noise.Direction(up)
    plain = encode("hello", {**hello, "checksums": "", "ciphers": "chacha20-poly1305"})
    yield lines_of(vector="sealed-hello", message="channel", plain=plain, sealed=sealed.seal(plain))
    cipher = "chacha20-poly1305"
    key = noise.frame_key(up, client.h, cipher)
    frames = noise.Direction(key, 4)
    data = bytes(i * 7 & 255 for i in range(512))
    for n in range(3):
        header = encode("frame", req(1, slot=3, length=512, bytes=512, seq=n + 1, offset=4096 * n))
        frames.begin()
        yield lines_of(vector=f"frame-{n}", message="channel", cipher=cipher, most=frames.most,
                       key=frames.key, nonce=frames.n, header=header, data=data,
                       sealed=frames.seal(header) + frames.seal(data, header))


DATA = bytes(i * 7 & 255 for i in range(512))


def rekey():
    """Both limits of a key, both directions: the last frame under it, and the first two under the next."""
    for sender in ("client", "exporter"):
        for limit, nonce, total in (("uses", (1 << 22) - 1, 4096), ("bytes", 1000, (1 << 36) - 1)):
            d = noise.Direction(hashlib.sha256(f"{sender} {limit}".encode()).digest())
            d.n, d.bytes = nonce, total
            for n, name in enumerate(("last", "first", "second")):
                fields = (req(1, slot=3, length=512, bytes=512, seq=n + 1) if sender == "client" else
                          {"type": 2, "op": 0, "slot": 3, "length": 512, "seq": n + 1})
                if name == "first":
                    fields = {**fields, "op": 2, "length": 0, "bytes": 0}
                header, before = encode("frame", fields), (d.n, d.bytes, d.key)
                replaced = d.begin()
                data = DATA[:fields["length"]]
                sealed = d.seal(header) + (d.seal(data, header) if data else b"")
                yield lines_of(vector=f"{sender}-{limit}-{name}", message="rekey", sender=sender,
                               nonce=before[0], bytes=before[1], key=before[2], replaced=int(replaced),
                               sealed_key=d.key, header=header, **({"data": data} if data else {}),
                               sealed=sealed)


P = noise.P
# All points whose order divides the cofactor 8, in every encoding of 255 bits; RFC 7748, 6.1.
LOW_ORDER = [("zero", 0), ("one", 1),
             ("order-8-a", 325606250916557431795983626356110631294008115727848805560023387167927233504),
             ("order-8-b", 39382357235489614581723060781553021112529911719440698176882885853963445705823),
             ("minus-one", P - 1), ("zero-non-canonical", P), ("one-non-canonical", P + 1)]
OTHER = [("base", 9), ("two", 2), ("base-non-canonical", P + 9), ("two-non-canonical", P + 2),
         ("largest", (1 << 255) - 1)]
HIGH = 1 << 255


def points():
    """What an exporter does with a client's public key, and what X25519 makes of it."""
    psk, secret = bytes(range(0x80, 0xa0)), bytes(range(0x60, 0x80))
    base = {"magic": "DSTstor1", "version": 1, "version_min": 1, "mode": 1}
    cases = LOW_ORDER + OTHER
    for name, value in cases + [(n + "-high-bit", v + HIGH) for n, v in cases]:
        point = value.to_bytes(32, "little")
        low = name.removesuffix("-high-bit") in dict(LOW_ORDER)
        shared = noise.x25519(secret, point)
        assert (shared == bytes(32)) == low, name
        key_id = noise.key_id(psk, point).hex()
        prologue = encode("greeting", {**base, "key_id": key_id})[:48]
        # Who sends this needs no secret of the point: the first message has none in it.
        client, exporter = (noise.Noise(i, prologue, psk, secret) for i in (True, False))
        client.exchanged(point)
        first = point + noise.seal(client.k, 0, client.h, b"")
        ask = encode("greeting", {**base, "key_id": key_id, "noise": first.hex()})
        assert exporter.read(first) == b""
        more = {}
        if not low:
            proof = noise.proof(encode("greeting", base))
            more["answer"] = encode("greeting", {**base, "noise": exporter.write(proof).hex()})
            more["hash"] = exporter.h
        yield lines_of(vector=name, message="point", psk=psk, secret=secret, point=point, shared=shared, ask=ask,
                       **more, expect="close" if low else "ok")


def edges():
    """Two frames, and what a receiver finds when bytes are missing, or are too many, at the edge of a segment."""
    key = bytes(range(0x40, 0x60))
    d = noise.Direction(key)
    header = [encode("frame", req(1, slot=3, length=512, bytes=512, seq=n + 1, offset=4096 * n)) for n in range(2)]
    stream = b"".join(d.seal(h) + d.seal(DATA, h) for h in header)
    segment = [32, 16, 512, 16]
    at = [sum((segment * 2)[:i]) for i in range(9)]
    yield lines_of(vector="whole", message="edge", key=key, stream=stream, at=0, remove=0, opened=4, expect="ok")

    def case(name, at, remove, insert=b""):
        edited = stream[:at] + insert + stream[at + remove:]
        d, opened, expect = noise.Direction(key), 0, "ok"
        while edited and expect == "ok":
            ad, size = (b"", 32) if opened % 2 == 0 else (plain, 512)
            part, edited = edited[:size + 16], edited[size + 16:]
            if len(part) < size + 16:
                expect = "end"
                break
            plain = d.open(part, ad)
            expect, opened = ("close", opened) if plain is None else ("ok", opened + 1)
        yield lines_of(vector=name, message="edge", at=at, remove=remove, **({"insert": insert} if insert else {}),
                       opened=opened, expect=expect)

    for n, place in enumerate(at):
        for off in (-1, 0, 1) if 0 < place < len(stream) else (0,):
            yield from case(f"ends-at-{n}{off:+d}", place + off, len(stream) - place - off)
        for size in (1, 16):
            yield from case(f"{size}-more-at-{n}", place, 0, bytes(size))
            if place + size <= len(stream):
                yield from case(f"{size}-less-at-{n}", place, size)
        if n < 8:
            yield from case(f"without-segment-{n}", place, (segment * 2)[n])


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2] / "docs/vectors"
    root.mkdir(parents=True, exist_ok=True)
    for name, vectors in files():
        (root / name).write_text(HEAD + "\n" + "\n".join(vectors))
    for maker in (channel, rekey, points, edges):
        (root / f"{maker.__name__}.txt").write_text(HEAD + "\n" + "\n".join(maker()))


if __name__ == "__main__":
    main()
