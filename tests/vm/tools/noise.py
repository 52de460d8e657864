# SPDX-License-Identifier: GPL-2.0
"""Mode NOISE in Python, from docs/protocol.md and the RFCs; it shares nothing with wire/ and libsodium.

Slow, and not safe against somebody who measures time: for tests alone.
"""
import hashlib
import hmac
import struct

MAC = 16


# X25519, RFC 7748 -----------------------------------------------------------------------------------

P = 2 ** 255 - 19


def x25519(secret: bytes, point: bytes) -> bytes:
    k = bytearray(secret)
    k[0] &= 248
    k[31] = k[31] & 127 | 64
    k = int.from_bytes(k, "little")
    u = int.from_bytes(point, "little") & (1 << 255) - 1
    x2, z2, x3, z3 = 1, 0, u, 1
    swap = 0
    for t in reversed(range(255)):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        da, cb = d * a, c * b
        x3, z3 = (da + cb) ** 2 % P, u * (da - cb) ** 2 % P
        aa, bb = a * a % P, b * b % P
        e = aa - bb
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


def public(secret: bytes) -> bytes:
    return x25519(secret, (9).to_bytes(32, "little"))


# ChaCha20-Poly1305, RFC 8439 ------------------------------------------------------------------------

def block(key: bytes, counter: int, nonce: bytes) -> bytes:
    first = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *struct.unpack("<8I", key), counter,
             *struct.unpack("<3I", nonce)]
    s = first[:]
    for _ in range(10):
        for a, b, c, d in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                           (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            for into, add, turn, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                s[into] = s[into] + s[add] & 0xFFFFFFFF
                x = s[turn] ^ s[into]
                s[turn] = (x << by | x >> 32 - by) & 0xFFFFFFFF
    return struct.pack("<16I", *(x + y & 0xFFFFFFFF for x, y in zip(s, first)))


def crypt(key, nonce, data):
    stream = b"".join(block(key, 1 + i, nonce) for i in range((len(data) + 63) // 64))
    return bytes(x ^ y for x, y in zip(data, stream))


def tag(key, nonce, ad, data):
    one = block(key, 0, nonce)[:32]
    r = int.from_bytes(one[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    message = b"".join(x + bytes(-len(x) % 16) for x in (ad, data)) + struct.pack("<QQ", len(ad), len(data))
    acc = 0
    for i in range(0, len(message), 16):
        acc = (acc + int.from_bytes(message[i:i + 16] + b"\1", "little")) * r % (2 ** 130 - 5)
    return (acc + int.from_bytes(one[16:], "little") & (1 << 128) - 1).to_bytes(16, "little")


def nonce_of(n: int) -> bytes:
    return bytes(4) + struct.pack("<Q", n)


def seal(key: bytes, n: int, ad: bytes, data: bytes) -> bytes:
    out = crypt(key, nonce_of(n), data)
    return out + tag(key, nonce_of(n), ad, out)


def unseal(key: bytes, n: int, ad: bytes, sealed: bytes):
    """The data, or None."""
    data, mac = sealed[:-MAC], sealed[-MAC:]
    if len(sealed) < MAC or not hmac.compare_digest(mac, tag(key, nonce_of(n), ad, data)):
        return None
    return crypt(key, nonce_of(n), data)


# HMAC, HKDF -----------------------------------------------------------------------------------------

def mac(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def hkdf(salt, ikm, info=b"", n=1):
    prk, out = mac(salt, ikm), [b""]
    for i in range(n):
        out.append(mac(prk, out[-1], info, bytes([i + 1])))
    return out[1:]


# Noise_NNpsk0_25519_ChaChaPoly_SHA256 ---------------------------------------------------------------

class Noise:
    def __init__(self, initiator, prologue, psk, secret):
        self.initiator, self.secret, self.peer = initiator, secret, None
        self.h = self.ck = hashlib.sha256(b"Noise_NNpsk0_25519_ChaChaPoly_SHA256").digest()
        self.mix_hash(prologue)
        self.ck, h, self.k = hkdf(self.ck, psk, n=3)
        self.mix_hash(h)
        self.n, self.step = 0, 0

    def mix_hash(self, data):
        self.h = hashlib.sha256(self.h + data).digest()

    def mix_key(self, ikm):
        self.ck, self.k = hkdf(self.ck, ikm, n=2)
        self.n = 0

    def exchanged(self, key):
        self.mix_hash(key)
        self.mix_key(key)
        if self.step:
            self.mix_key(x25519(self.secret, self.peer))
        self.step += 1

    def write(self, payload=b""):
        key = public(self.secret)
        self.exchanged(key)
        sealed = seal(self.k, self.n, self.h, payload)
        self.mix_hash(sealed)
        return key + sealed

    def read(self, message):
        self.peer = message[:32]
        self.exchanged(self.peer)
        payload = unseal(self.k, self.n, self.h, message[32:])
        self.mix_hash(message[32:])
        return payload

    def split(self):
        """(key we send with, key we receive with)"""
        keys = hkdf(self.ck, b"", n=2)
        return tuple(keys if self.initiator else reversed(keys))


# DST's use of it, docs/protocol.md section 14 -------------------------------------------------------

def key_id(psk, key):
    return mac(psk, b"dst key id", key)[:16]


def proof(greeting):
    return hashlib.sha256(greeting[:48]).digest()[:16]


def frame_key(transport, handshake_hash, cipher):
    return hkdf(handshake_hash, transport, b"dst frames " + cipher.encode())[0]


def next_key(key):
    return hkdf(b"", key, b"dst rekey")[0]


class Direction:
    """Seals or opens one thing after another; most, most_bytes: uses of one key and bytes under it."""

    def __init__(self, key, most=1 << 22, most_bytes=1 << 36):
        self.key, self.n, self.most, self.bytes, self.most_bytes = key, 0, most, 0, most_bytes

    def begin(self):
        """Before the header of a frame. True: another key begins."""
        if self.n < self.most and self.bytes < self.most_bytes:
            return False
        self.key, self.n, self.bytes = next_key(self.key), 0, 0
        return True

    def seal(self, data, ad=b""):
        self.n += 1
        self.bytes += len(data)
        return seal(self.key, self.n - 1, ad, data)

    def open(self, sealed, ad=b""):
        self.n += 1
        self.bytes += len(sealed) - MAC
        return unseal(self.key, self.n - 1, ad, bytes(sealed))
