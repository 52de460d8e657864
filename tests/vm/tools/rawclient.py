# SPDX-License-Identifier: GPL-2.0
"""A client that says what it is told to, right or wrong: scenarios import it inside a test machine.

    from rawclient import *
    c = Raw("data")                       # connects, greets, says hello; c.welcome["status"]
    print(c.write(0, b"x" * 4096))        # "OK", "READ_ONLY", ... or "closed"
"""
import os
import socket
import time

from wire import *  # noqa: F401,F403
import wire

CLOSED = "closed"


class Raw:
    def __init__(self, export, host="127.0.0.1", port=wire.PORT, hello=True, connect_timeout=10, source=None, narrow=False,
                 **fields):
        """narrow: neither socket takes more than some ten KiB that nobody reads."""
        self.checksum = fields.pop("checksums", "crc32c")
        self.fields = {"kind": wire.ATTACH, "queues": 1, "slots": 16, "max_io": 1 << 20, "generation": 1,
                       "session": os.urandom(16), "client": os.urandom(16), "ping_ms": 1000, "timeout_ms": 5000,
                       "retries": 24, "export": export.encode(), "client_name": b"raw",
                       "checksums": self.checksum.encode(), **fields}
        self.host, self.port = host, port
        self.sock = socket.socket()
        if narrow:
            # the exporter's buffer grows with the size of a segment, which is 64 KiB on the loopback
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1000)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
        if source:
            self.sock.bind((source, 0))
        self.sock.settimeout(connect_timeout)
        self.sock.connect((host, port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.seq = 0
        self.welcome = None
        self.waits = 0
        self.pings = 0
        self.digests = self.checksum == "crc32c" and self.fields["kind"] == wire.ATTACH
        if hello:
            self.greet()
            self.say_hello()

    # The handshake ------------------------------------------------------------------------------

    def greet(self, **fields):
        self.sock.sendall(wire.greeting(**fields))
        answer = self.exactly(128)
        return CLOSED if answer is None else wire.GREETING_STATUS[answer[13]]

    def say_hello(self, timeout=30):
        """Waits until the exporter's last welcome; None when it closed without one."""
        self.sock.sendall(wire.hello(**self.fields))
        while True:
            raw = self.exactly(wire.WELCOME_LEN, timeout)
            if raw is None:
                return None
            self.welcome = wire.parse_welcome(raw)
            if self.welcome["status"] != "WAIT":
                return self.welcome
            self.waits += 1

    def resume(self, **fields):
        """Another connection of the same session, the next generation."""
        old = {**self.fields, "checksums": self.checksum}
        name = old.pop("export").decode()
        new = Raw(name, self.host, self.port,
                  **{**old, "generation": old["generation"] + 1, "flags": old.get("flags", 0) | wire.RESUME,
                     "uuid": self.welcome["uuid"], "writer_token": self.welcome["writer_token"],
                     "life": self.welcome["life"], "cookie": self.welcome["cookie"],
                     "last_seq": self.seq, **fields})
        new.seq = self.seq
        return new

    # Bytes --------------------------------------------------------------------------------------

    def exactly(self, length, timeout=30):
        """length bytes; None when the peer closed; TimeoutError when it does nothing."""
        self.sock.settimeout(timeout)
        data = bytearray()
        while len(data) < length:
            try:
                part = self.sock.recv(length - len(data))
            except ConnectionError:
                return None
            if not part:
                return None
            data += part
        return bytes(data)

    def send(self, raw):
        """False when the peer has closed."""
        try:
            self.sock.sendall(raw)
            return True
        except ConnectionError:
            return False

    def send_frame(self, header, data=b"", spoil_header=False, spoil_data=False):
        raw = header
        if self.digests:
            raw += wire.CRC.pack(wire.crc32c(header) ^ spoil_header)
        if data:
            raw += data
            if self.digests:
                raw += wire.CRC.pack(wire.crc32c(header + data) ^ spoil_data)
        return self.send(raw)

    def receive(self, timeout=30, pongs=True):
        """The next (frame, data) that is not a PING (answered, if pongs); None when the peer closed."""
        until = time.monotonic() + timeout
        while True:
            raw = self.exactly(32, max(until - time.monotonic(), 0.01))
            if raw is None:
                return None
            f = wire.parse_frame(raw)
            if self.digests and self.exactly(4) != wire.CRC.pack(wire.crc32c(raw)):
                raise ValueError("a header with a wrong digest")
            data = self.exactly(f["length"]) if f["length"] else b""
            if data and self.digests and self.exactly(4) != wire.CRC.pack(wire.crc32c(raw + data)):
                raise ValueError("data with a wrong digest")
            if f["type"] == wire.PING:
                self.pings += 1
                if pongs:
                    self.send_frame(wire.frame(type=wire.PONG, seq=f["seq"]))
                continue
            return f, data

    def closed_within(self, seconds, pongs=False):
        """How long until the peer closed; None when it did not."""
        began = time.monotonic()
        try:
            while self.receive(seconds - (time.monotonic() - began), pongs):
                pass
        except TimeoutError:
            return None
        return time.monotonic() - began

    # Requests -----------------------------------------------------------------------------------

    def request(self, op, offset, extent, data=b"", seq=None, slot=0, flags=0, spoil_header=False, spoil_data=False,
                **more):
        """more: any field of the header, said instead of what would be right."""
        if seq is None:
            self.seq += 1
            seq = self.seq
        header = wire.frame(**{"type": wire.REQUEST, "op": op, "flags": flags, "slot": slot, "length": len(data),
                               "bytes": extent, "seq": seq, "offset": offset, **more})
        return self.send_frame(header, data, spoil_header, spoil_data)

    def answer(self, timeout=30):
        """The next response as (status, data); ("closed", b"") when there is none to come."""
        while True:
            got = self.receive(timeout)
            if got is None:
                return CLOSED, b""
            if got[0]["type"] == wire.RESPONSE:
                return wire.STATUS[got[0]["status"]], got[1]

    def call(self, op, offset, extent, data=b"", **more):
        self.request(op, offset, extent, data, **more)
        return self.answer()

    def write(self, offset, data, **more):
        return self.call(wire.WRITE, offset, len(data), data, **more)[0]

    def read(self, offset, length):
        return self.call(wire.READ, offset, length)

    def flush(self):
        return self.call(wire.FLUSH, 0, 0)[0]

    def bye(self):
        self.send_frame(wire.frame(type=wire.BYE))
        self.closed_within(5)
        self.sock.close()
