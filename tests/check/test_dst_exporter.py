# SPDX-License-Identifier: GPL-2.0
"""The utility without the module: its own speaking of the protocol, to an exporter, in the clear and with a key.

The exporter here is written from docs/protocol.md, not from wire/, so that the two check each other.
"""
import base64
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

from support import TOP
from utility import MEMORY, built, dst, fails    # noqa: F401

sys.path.insert(0, str(TOP / "tests/vm/tools"))
import noise  # noqa: E402


# An exporter ----------------------------------------------------------------------------------------

def crc32c(data):
    """Section 1 of the document."""
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


assert crc32c(b"123456789") == 0xe3069283


def sealed(size, *fields):
    """A message with (offset, bytes) fields, and its CRC."""
    message = bytearray(size - 4)
    for offset, value in fields:
        message[offset:offset + len(value)] = value
    return bytes(message) + struct.pack("<I", crc32c(message))


def greeting(status=0, version=1, version_min=1, magic=b"DSTstor1", required=0):
    return sealed(128, (0, magic), (8, struct.pack("<HHBB", version, version_min, 0, status)),
                  (16, struct.pack("<Q", required)))


def welcome(status=0, entries=0, reason=b"", waiting=0):
    return sealed(640, (0, bytes([status])), (112, struct.pack("<II", waiting, entries)), (256, reason))


def entry(name, size=1 << 30, access=2, flags=0):
    return sealed(128, (0, name), (64, bytes(range(16))), (80, struct.pack("<QIB", size, flags, access)))


def frame(kind, seq):
    return struct.pack("<BBHHHIIQQ", kind, 0, 0, 0, 0, 0, 0, seq, 0)


PING, PONG, CHANGE = 3, 4, 5


class Exporter:
    """Accepts connections and lets `talk` speak on each; what it says may be anything."""

    def __init__(self, talk):
        self.talk, self.faults = talk, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.uri = f"dst://127.0.0.1:{self.port}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                sock = self.listener.accept()[0]
            except OSError:
                return
            with sock:
                sock.settimeout(20)
                try:
                    self.talk(sock)
                except (ConnectionError, TimeoutError):
                    pass
                except AssertionError as fault:
                    self.faults.append(fault)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        assert not self.faults


def receive(sock, size):
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            raise ConnectionError
        data += more
    return data


def hear_hello(sock, kind):
    """What a client of version 1 must send, by the document."""
    g, h = receive(sock, 128), receive(sock, 640)
    assert g[:8] == b"DSTstor1" and struct.unpack("<HHBBH", g[8:16]) == (1, 1, 0, 0, 0)
    assert not any(g[16:124]) and struct.unpack("<I", g[124:])[0] == crc32c(g[:124])
    assert h[0] == kind and not any(h[1:176]) and not any(h[240:636])
    assert re.fullmatch(rb"[A-Za-z0-9_][A-Za-z0-9._-]*\0+|\0+", h[176:240])
    assert struct.unpack("<I", h[636:])[0] == crc32c(h[:636])


def lister(*messages):
    def talk(sock):
        hear_hello(sock, 2)
        sock.sendall(b"".join(messages))
        time.sleep(0.05)
    return talk


def test_list():
    entries = [entry(b"data"), entry(b"logs", size=3 << 29, access=1, flags=0x40), entry(b"a.b-c_9", access=0, flags=0x20)]
    with Exporter(lister(greeting(), welcome(entries=3), *entries)) as e:
        status, out, err = dst("list", e.uri)
        assert (status, err) == (0, "")
        rows = [line.split() for line in out.splitlines()]
        assert rows[0] == ["EXPORT", "SIZE", "ACCESS", "UUID"]
        assert rows[1:] == [["data", "1G", "write", "00010203-0405-0607-0809-0a0b0c0d0e0f"],
                            ["logs", "1.5G", "read", "00010203-0405-0607-0809-0a0b0c0d0e0f"],
                            ["a.b-c_9", "1G", "none", "00010203-0405-0607-0809-0a0b0c0d0e0f"]]
        status, out, err = dst("list", "--json", e.uri + "/ignored")
        assert (status, err) == (0, "")
        got = json.loads(out)["exports"]
        assert [x["name"] for x in got] == ["data", "logs", "a.b-c_9"]
        assert got[1] == {"name": "logs", "uuid": "00010203-0405-0607-0809-0a0b0c0d0e0f", "size": 3 << 29,
                          "access": "read", "read_only": True, "shared": False}
    with Exporter(lister(greeting(), welcome())) as e:
        assert json.loads(dst("list", e.uri, "--json")[1]) == {"exports": []}


def test_list_waits_when_told_to():
    with Exporter(lister(greeting(), welcome(status=1, waiting=3), welcome(status=1), welcome(entries=1), entry(b"x"))) as e:
        assert "x" in dst("list", e.uri)[1]


def test_list_over_other_transports(tmp_path):
    path = tmp_path / "a socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve():
            with listener.accept()[0] as sock:
                lister(greeting(), welcome(entries=1), entry(b"data"))(sock)
        threading.Thread(target=serve, daemon=True).start()
        status, out, err = dst("list", f"dst+unix:///?socket={str(path).replace(' ', '%20')}")
        assert (status, err) == (0, "") and "data" in out
    fails("list", f"dst+unix:///?socket={tmp_path}/none", status=1, words=["there is no such socket"])


def flipped(message, bit):
    data = bytearray(message)
    data[bit // 8] ^= 1 << bit % 8
    return bytes(data)


@pytest.mark.parametrize("messages, words", [
    ([b"SSH-2.0-OpenSSH_9.2\r\n"], ["does not speak the DST protocol"]),
    ([b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"x" * 600], ["does not speak the DST protocol"]),
    ([bytes(2000)], ["does not speak the DST protocol"]),
    ([flipped(greeting(), 8 * 20)], ["does not speak the DST protocol"]),
    ([greeting()[:-1]], ["closed the connection"]),
    ([], ["closed the connection"]),
    ([greeting(status=1, version=9, version_min=7)], ["versions 7 to 9", "not 1"]),
    ([greeting(status=2)], ["refuses", "feature"]),
    ([greeting(status=3)], ["admits only", "--key"]),
    ([greeting(status=4)], ["authentication failed", "key"]),
    ([greeting(status=5)], ["refuses", "too many"]),
    ([greeting(status=99)], ["refuses"]),
    ([greeting(version=2, version_min=2)], ["not known here"]),
    ([greeting(required=4)], ["not known here"]),
    ([greeting(), flipped(welcome(), 3)], ["checksum"]),
    ([greeting(), welcome()[:100]], ["closed the connection"]),
    ([greeting(), welcome(status=77)], ["unknown bits"]),
    ([greeting(), welcome(status=4)], ["refuses", "denied"]),
    ([greeting(), welcome(status=11, reason=b"come back on Monday")], ["refuses: come back on Monday"]),
    ([greeting(), welcome(reason=b"\x1b[31m" + b"x" * 20)], ["terminated"]),
    ([greeting(), welcome(entries=4097)], ["too long"]),
    ([greeting(), welcome(entries=2), entry(b"data")], ["closed the connection"]),
    ([greeting(), welcome(entries=2), entry(b"data"), flipped(entry(b"logs"), 11)], ["entry 2", "damaged"]),
    ([greeting(), welcome(entries=1), entry(b"\x1b[31m")], ["entry 1", "damaged"]),
    ([greeting(), welcome(entries=1), entry(b"")], ["entry 1", "damaged"]),
    ([greeting(), welcome(entries=1), entry(b"x" * 64)], ["entry 1", "damaged"]),
    ([greeting(), welcome(entries=1), entry(b"data", access=3)], ["entry 1", "damaged"]),
], ids=lambda x: x[0].replace(" ", "-") if x and isinstance(x[0], str) else "")
def test_list_of_an_exporter_that_errs(messages, words):
    with Exporter(lister(*messages)) as e:
        fails("list", e.uri, status=1, words=[f"127.0.0.1:{e.port}", *words])


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1", greeting()[:-1], greeting() + welcome()[:-1]],
                         ids=["nothing", "magic-only", "short-greeting", "short-welcome"])
def test_nothing_is_read_that_was_not_received(said):
    def talk(sock):
        sock.sendall(said)
        receive(sock, 128 + 640)
    with Exporter(talk) as e:
        done = subprocess.run([MEMORY, "list", e.uri], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1 and done.stderr.startswith("dst: list: ") and done.stderr.count("\n") == 1, done.stderr


def test_exporter_that_is_silent():
    """5 s for each answer, not for ever."""
    def silent(sock):
        hear_hello(sock, 2)
        sock.sendall(greeting() + welcome(entries=1)[:50])
        time.sleep(8)
    with Exporter(silent) as e:
        began = time.monotonic()
        fails("list", e.uri, status=1, words=[f"127.0.0.1:{e.port}", "does not answer within 5 s"])
        assert 4.5 < time.monotonic() - began < 7.5


def test_port_that_is_closed():
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    for command in ("list", "ping"):
        fails(command, f"dst://127.0.0.1:{port}", status=1, words=[f"127.0.0.1:{port}", "refused"])


def pinger(before=b"", answer=lambda seq: frame(PONG, seq)):
    def talk(sock):
        hear_hello(sock, 3)
        sock.sendall(greeting() + welcome() + before)
        expected = 0
        while True:
            f = receive(sock, 32)
            kind, seq = f[0], struct.unpack("<Q", f[16:24])[0]
            if kind == PONG:
                assert seq == 4711
                continue
            expected += 1
            assert f == frame(PING, expected)
            sock.sendall(answer(seq))
    return talk


def test_ping():
    with Exporter(pinger()) as e:
        began = time.monotonic()
        status, out, err = dst("ping", e.uri)
        took = time.monotonic() - began
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) == 5 and f"127.0.0.1:{e.port}" in lines[0] and "handshake" in lines[0]
    times = [float(re.fullmatch(rf"from 127.0.0.1:{e.port}: seq={n} time=(\S+) ms", line).group(1))
             for n, line in enumerate(lines[1:4], 1)]
    low, mean, high = map(float, re.fullmatch(r"3 round trips: min/avg/max = (\S+)/(\S+)/(\S+) ms", lines[4]).groups())
    assert (low, high) == (min(times), max(times)) and low <= mean <= high and 1.9 < took < 6


def test_ping_once_among_other_frames():
    """The exporter may ping, too, and tell news; it is answered."""
    news = struct.pack("<BBHHHIIQQ", CHANGE, 0, 2, 0, 0, 0, 0, 0, 0)
    with Exporter(pinger(before=frame(PING, 4711) + news + frame(PONG, 99))) as e:
        status, out, err = dst("ping", "-c", "1", e.uri + "/data")
        assert (status, err) == (0, "") and "seq=1" in out and "seq=2" not in out


@pytest.mark.parametrize("answer, word", [
    (lambda seq: frame(1, seq), "malformed frame"),
    (lambda seq: frame(99, seq), "malformed frame"),
    (lambda seq: b"x" * 32, "malformed frame"),
    (lambda seq: frame(PONG, seq + 1), "does not answer within 5 s"),
    (lambda seq: frame(PONG, 0) * 2000, "did not answer the ping"),
], ids=["request", "unknown", "garbage", "other-seq", "flood"])
def test_ping_of_an_exporter_that_errs(answer, word):
    with Exporter(pinger(answer=answer)) as e:
        status, _, err = dst("ping", e.uri, "-c", "1")
        assert status == 1 and err.count("\n") == 1 and word in err and str(e.port) in err, err


# With a key -----------------------------------------------------------------------------------------

def signed(message):
    return bytes(message[:124]) + struct.pack("<I", crc32c(message[:124]))


class Channel:
    """The exporter's end of section 13 of the document, over one connection."""

    def __init__(self, sock, psk, spoil=lambda answer: answer):
        self.sock = sock
        ask = receive(sock, 128)
        assert ask[12] == 1 and struct.unpack("<I", ask[124:])[0] == crc32c(ask[:124]) and not any(ask[96:124])
        assert ask[32:48] == noise.key_id(psk, ask[48:80])
        n = noise.Noise(False, ask[:48], psk, os.urandom(32))
        assert n.read(ask[48:96]) == b""
        answer = bytearray(greeting())
        answer[12] = 1
        answer[48:112] = n.write(noise.proof(answer))
        sock.sendall(signed(spoil(answer)))
        down, up = n.split()
        self.out, self.into, self.keys, self.hash = noise.Direction(down), noise.Direction(up), (down, up), n.h

    def hear(self, size, kind):
        h = self.into.open(receive(self.sock, size + 16))
        assert h is not None and h[0] == kind and struct.unpack("<I", h[636:])[0] == crc32c(h[:636])

    def say(self, *messages):
        self.sock.sendall(b"".join(self.out.seal(m) for m in messages))


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "key"
    path.touch(0o600)
    path.write_text(dst("genkey")[1])
    return path


def psk_of(path):
    return base64.b64decode(path.read_text())


def test_list_with_a_key(key):
    def talk(sock):
        c = Channel(sock, psk_of(key))
        c.hear(640, 2)
        c.say(welcome(status=1), welcome(entries=2), entry(b"data"), entry(b"logs"))
        time.sleep(0.05)
    with Exporter(talk) as e:
        status, out, err = dst("list", e.uri, "--key", key, "--json")
        assert (status, err) == (0, "") and [x["name"] for x in json.loads(out)["exports"]] == ["data", "logs"]


def test_ping_with_a_key(key):
    def talk(sock):
        c = Channel(sock, psk_of(key))
        c.hear(640, 3)
        c.say(welcome())
        out, into = (noise.Direction(noise.frame_key(k, c.hash, "chacha20-poly1305")) for k in c.keys)
        for seq in (1, 2):
            f = into.open(receive(sock, 48))
            assert f == frame(PING, seq)
            sock.sendall(out.seal(frame(PONG, seq)))
    with Exporter(talk) as e:
        status, out, err = dst("ping", e.uri, "--key", key, "-c", "2")
        assert (status, err) == (0, "") and "encrypted" in out and "seq=2" in out


def spoilt(at):
    def spoil(answer):
        answer[at] ^= 1
        return answer
    return spoil


@pytest.mark.parametrize("talk, words", [
    (lambda sock, psk: sock.sendall(greeting(status=4)), ["authentication failed"]),
    (lambda sock, psk: sock.sendall(greeting()), ["not known here"]),
    (lambda sock, psk: Channel(sock, psk, spoilt(100)), ["authentication failed", "does not have this key"]),
    (lambda sock, psk: Channel(sock, psk, spoilt(24)), ["authentication failed"]),
    (lambda sock, psk: Channel(sock, psk, lambda a: a[:48] + bytes(76)), ["authentication failed"]),
    (lambda sock, psk: Channel(sock, psk).sock.sendall(bytes(656)), ["changed on the way"]),
    (lambda sock, psk: Channel(sock, psk).sock.sendall(welcome() + bytes(16)), ["changed on the way"]),
], ids=["refused", "downgrade", "tag", "features", "no-message", "zeros", "in-the-clear"])
def test_exporter_without_the_key(key, talk, words):
    def serve(sock):
        talk(sock, psk_of(key))
        time.sleep(0.2)
    with Exporter(serve) as e:
        fails("list", e.uri, "--key", key, status=1, words=[f"127.0.0.1:{e.port}", *words])
