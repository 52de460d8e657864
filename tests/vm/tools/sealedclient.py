# SPDX-License-Identifier: GPL-2.0
"""A client with a key that says what it is told to, right or wrong: rawclient.py for mode NOISE.

    from sealedclient import *
    c = Sealed("/tmp/a.key", "data")      # connects, greets, says hello; c.welcome["status"]
    print(c.write(0, b"x" * 4096))        # "OK", ... or "closed"
"""
import base64

from rawclient import *  # noqa: F401,F403
import noise
import wire

NOISE = 1
CHACHA = "chacha20-poly1305"


def psk_of(path):
    with open(path, encoding="ascii") as f:
        return base64.b64decode(f.read())


class Sealed(Raw):  # noqa: F405
    def __init__(self, key, export, hello=True, **fields):
        self.psk = psk_of(key)
        self.sent = []
        super().__init__(export, hello=False, **{"checksums": "", "ciphers": CHACHA.encode(),
                                                  "ping_ms": 20000, **fields})
        if hello:
            assert self.greet_with_key() == "OK"
            self.say_hello()

    def ask(self):
        """Our greeting, and the handshake it begins."""
        secret = os.urandom(32)  # noqa: F405
        key_id = noise.key_id(self.psk, noise.public(secret))
        head = wire.greeting(mode=NOISE, key_id=key_id)[:48]
        self.noise = noise.Noise(True, head, self.psk, secret)
        return wire.greeting(mode=NOISE, key_id=key_id, noise=self.noise.write())

    def greet_with_key(self, raw=None):
        """raw: somebody else's greeting, whose secret we have not."""
        own = raw is None or hasattr(self, "noise")
        raw = raw or self.ask()
        self.sent.append(raw)
        if not self.send(raw):
            return CLOSED  # noqa: F405
        self.said = self.exactly(128)
        if self.said is None:
            return CLOSED  # noqa: F405
        if not self.said[13] and own:
            if self.noise.read(self.said[48:112]) != noise.proof(self.said):
                return "WRONG"
            up, down = self.noise.split()
            self.out, self.into, self.keys = noise.Direction(up), noise.Direction(down), (up, down)
        return wire.GREETING_STATUS[self.said[13]]

    def say_hello(self, timeout=30, raw=None):
        raw = raw or self.out.seal(wire.hello(**self.fields))
        self.sent.append(raw)
        if not self.send(raw):
            return None
        while True:
            raw = self.exactly(wire.WELCOME_LEN + 16, timeout)
            if raw is None:
                return None
            self.welcome = wire.parse_welcome(self.into.open(raw))
            if self.welcome["status"] != "WAIT":
                break
        self.out, self.into = (noise.Direction(noise.frame_key(k, self.noise.h, CHACHA)) for k in self.keys)
        return self.welcome

    def sealed(self, header, data=b""):
        self.out.begin()
        raw = self.out.seal(header)
        return raw + self.out.seal(data, header) if data else raw

    def send_frame(self, header, data=b"", *_):
        return self.send(self.sealed(header, data))

    def receive(self, timeout=30, pongs=True):
        while True:
            raw = self.exactly(48, timeout)
            if raw is None:
                return None
            self.into.begin()
            header = self.into.open(raw)
            assert header is not None, "a header that does not open"
            f = wire.parse_frame(header)
            data = self.into.open(self.exactly(f["length"] + 16), header) if f["length"] else b""
            if f["type"] == wire.PING:
                if pongs:
                    self.send_frame(wire.frame(type=wire.PONG, seq=f["seq"]))
                continue
            return f, data
