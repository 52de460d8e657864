# SPDX-License-Identifier: GPL-2.0
"""The bytes of docs/protocol.md in Python, for the programs beside it: a reading of the document of its own.

Nothing here knows the project's C; it runs inside the test machines with the bare standard library.
"""
import struct

PORT = 7710
ATTACH, LIST, PING_KIND = 1, 2, 3
READ_ONLY, RESUME, KEEPS, RENEWAL = 1, 2, 4, 8
REQUEST, RESPONSE, PING, PONG, CHANGE, ASK, STATE, BYE, REPLAYED = range(1, 10)
READ, WRITE, FLUSH, DISCARD, WRITE_ZEROES = range(5)
FUA, PREFLUSH, RESEND = 0x1, 0x2, 0x200
STATE_WAITS, STATE_ALL = 4, 1

GREETING_STATUS = ["OK", "VERSION", "FEATURE", "KEY_REQUIRED", "REFUSED", "BUSY"]
WELCOME_STATUS = ["OK", "WAIT", "MALFORMED", "NO_EXPORT", "DENIED", "IN_USE", "STALE", "EXPIRED", "EVICTED",
                  "ALGORITHM", "STOPPING", "BUSY"]
STATUS = ["OK", "IO", "MEDIUM", "NO_SPACE", "NOT_SUPPORTED", "READ_ONLY", "RANGE", "INVALID", "TIMEOUT", "TARGET",
          "RESERVED", "PROTECTION", "NO_MEMORY", "TRANSPORT", "OFFLINE"]

GREETING = struct.Struct("<8sHHBBHQQ16s64s12s")
HELLO = struct.Struct("<BBHHHIIQ16s16s16s16sQIIII64s64s128s128s16sQQ108s")
WELCOME = struct.Struct("<BBHHHII16s16sQIIIIIIIIQ16sIIQ64s64s160s16s16sIIIIII16sBB2s144s")
FRAME = struct.Struct("<BBHHHIIQQ")
CRC = struct.Struct("<I")
HELLO_LEN, WELCOME_LEN = HELLO.size + CRC.size, WELCOME.size + CRC.size
assert HELLO_LEN == WELCOME_LEN == 640

HELLO_FIELDS = ("kind flags queue queues slots max_io reserved0 generation session client takeover uuid writer_token "
                "ping_ms timeout_ms retries reserved1 export client_name checksums ciphers life cookie last_seq reserved2").split()
WELCOME_FIELDS = ("status access queues slots grant_flags max_io disk_flags uuid instance size logical_block "
                  "physical_block io_min io_opt discard_granularity discard_alignment max_discard max_write_zeroes "
                  "writer_token holder waiting entries cookie checksum cipher reason exporter life dma_alignment "
                  "alignment_offset atomic_max atomic_boundary atomic_unit_min atomic_unit_max unique_id "
                  "unique_id_type unique_id_len reserved1 reserved2").split()
FRAME_FIELDS = "type op flags slot status length bytes seq offset".split()


def _table():
    out = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
        out.append(n)
    return out


_TABLE = _table()


def crc32c(data, crc=0):
    crc ^= 0xFFFFFFFF
    table = _TABLE
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


assert crc32c(b"123456789") == 0xE3069283


def seal(message):
    return message + CRC.pack(crc32c(message))


def greeting(magic=b"DSTstor1", version=1, version_min=1, mode=0, required=0, optional=0, key_id=b"",
             noise=b""):
    return seal(GREETING.pack(magic, version, version_min, mode, 0, 0, required, optional, key_id, noise, b""))


def hello(**fields):
    values = dict.fromkeys(HELLO_FIELDS, 0)
    for name in ("session", "client", "takeover", "uuid", "export", "client_name", "checksums", "ciphers", "life",
                 "reserved2"):
        values[name] = b""
    unknown = set(fields) - set(values)
    if unknown:
        raise KeyError(unknown)
    values.update(fields)
    return seal(HELLO.pack(*values.values()))


def parse_welcome(raw):
    if CRC.unpack(raw[WELCOME.size:])[0] != crc32c(raw[:WELCOME.size]):
        raise ValueError("a welcome with a wrong crc")
    values = dict(zip(WELCOME_FIELDS, WELCOME.unpack(raw[:WELCOME.size])))
    for name in ("checksum", "cipher", "reason"):
        values[name] = values[name].split(b"\0")[0].decode()
    values["status"] = WELCOME_STATUS[values["status"]]
    return values


def frame(**fields):
    unknown = set(fields) - set(FRAME_FIELDS)
    if unknown:
        raise KeyError(unknown)
    return FRAME.pack(*(fields.get(name, 0) for name in FRAME_FIELDS))


def parse_frame(raw):
    return dict(zip(FRAME_FIELDS, FRAME.unpack(raw)))


DIGEST_LENGTH = {"": 0, "none": 0, "crc32c": 4, "xxh64": 8, "sha256": 32, "hmac-sha256": 32}
