#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""A network that does what it is told, between a client and an exporter: reads frames, passes them on, and
can cut, stall, delay, corrupt or hold them.

    proxy.py LISTEN-PORT EXPORTER-PORT CONTROL-PORT

"up" is towards the exporter, "down" towards the client. The control port takes one command a line and answers each
with one line; common.Proxy is its other end:

    cut                          every connection is reset; new ones are admitted
    cut-in-data up|down N        each of the next N frames with data is cut off half-way, and its connection reset
    refuse, accept               connections are (not) admitted; existing ones go on
    stall up|down|both, go       nothing is read any more; go: it is again
    delay up|down MS             each frame is kept that long
    corrupt up|down header|data N    one bit of each of the next N frames (with data) flips
    hold                         the next write and all that follows it there stays here, though the connection be cut
    release                      what is held goes on to the exporter, on the connection it came from
    status                       counters, as JSON
"""
import json
import os
import select
import socket
import struct
import sys
import threading
import time
import zlib

import wire

RESET = struct.pack("ii", 1, 0)


class Closed(Exception):
    """A side went away."""


class State:
    """What was ordered, and what was seen. The lock guards all of it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.links = []
        self.admit = True
        self.stalled = {"up": False, "down": False}
        self.delay = {"up": 0.0, "down": 0.0}
        self.corrupt = {}
        self.cut_in_data = {"up": 0, "down": 0}
        self.hold = False
        self.requests = {}
        self.seen = dict.fromkeys("connections corrupted requests writes resent identical unmarked held cut "
                                  "refused".split(), 0)
        self.different = []


class Link:
    def __init__(self, state, client, port):
        self.state, self.client = state, client
        self.number = state.seen["connections"]
        self.server = socket.create_connection(("127.0.0.1", port), 10)
        for s in (self.client, self.server):
            s.settimeout(None)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.kind = self.digest = None
        self.who = b""
        self.held = None
        self.welcomed = threading.Event()
        for pump in (self.up, self.down):
            threading.Thread(target=self.pump, args=(pump,), daemon=True).start()

    def pump(self, work):
        try:
            work()
        except (Closed, OSError):
            pass
        self.end()

    def end(self, reset=False):
        self.welcomed.set()
        sides = [self.client] if self.held is not None else [self.client, self.server]
        for s in sides:
            try:
                if reset:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            # close() alone does not wake the thread that waits in recv(); shutdown did
            s.close()

    # Passing on ---------------------------------------------------------------------------------

    def exactly(self, s, length, direction):
        data = bytearray()
        while len(data) < length:
            while self.state.stalled[direction]:
                time.sleep(0.005)
            part = s.recv(min(length - len(data), 1 << 18))
            if not part:
                raise Closed
            data += part
        return data

    def send(self, s, data, direction):
        while self.state.stalled[direction]:
            time.sleep(0.005)
        s.sendall(data)

    def up(self):
        self.server.sendall(self.exactly(self.client, 128, "up"))
        hello = self.exactly(self.client, wire.HELLO_LEN, "up")
        self.kind = hello[0]
        self.who = bytes(hello[24:40]) + bytes(hello[2:4])
        self.server.sendall(hello)
        self.welcomed.wait()
        while True:
            self.frame(self.client, self.server, "up")

    def down(self):
        self.send(self.client, self.exactly(self.server, 128, "down"), "down")
        while True:
            welcome = self.exactly(self.server, wire.WELCOME_LEN, "down")
            if welcome[0] != 1:
                break
            self.send(self.client, welcome, "down")
        name = bytes(welcome[128:192]).split(b"\0")[0].decode()
        self.digest = wire.DIGEST_LENGTH[name]
        plain = self.kind != wire.ATTACH or welcome[0]
        self.welcomed.set()
        self.send(self.client, welcome, "down")
        while plain:
            self.send(self.client, self.exactly(self.server, 1, "down"), "down")
        while True:
            self.frame(self.server, self.client, "down")

    def frame(self, source, target, direction):
        raw = self.exactly(source, 32 + self.digest, direction)
        f = wire.parse_frame(bytes(raw[:32]))
        if f["length"]:
            raw += self.exactly(source, f["length"] + self.digest, direction)
        if direction == "up" and f["type"] == wire.REQUEST:
            self.note(f, raw)
        state = self.state
        if state.delay[direction]:
            time.sleep(state.delay[direction])
        self.spoil(f, raw, direction)
        with state.lock:
            cut = f["length"] and state.cut_in_data[direction]
            if cut:
                state.cut_in_data[direction] -= 1
                state.seen["cut"] += 1
            if state.hold and direction == "up" and f["type"] == wire.REQUEST and f["op"] == wire.WRITE:
                state.hold = False
                self.held = bytearray()
            if self.held is not None and direction == "up":
                self.held += raw
                state.seen["held"] += 1
                return
        if cut:
            target.sendall(raw[:len(raw) // 2])
            self.end(reset=True)
            raise Closed
        self.send(target, raw, direction)

    def note(self, f, raw):
        """Is a transaction that was seen before the same, apart from the flag and so the header's digest?"""
        state, data = self.state, raw[32 + self.digest:len(raw) - self.digest]
        key = (self.who, f["slot"], f["seq"])
        same = {**f, "flags": f["flags"] & ~wire.RESEND}
        image = (tuple(same.values()), zlib.crc32(data), zlib.adler32(data))
        with state.lock:
            state.seen["requests"] += 1
            state.seen["writes"] += f["op"] == wire.WRITE
            marked = bool(f["flags"] & wire.RESEND)
            if key not in state.requests:
                state.requests[key] = image, self.number, marked
                return
            before, number, was_marked = state.requests[key]
            state.seen["resent"] += 1
            # an older connection's thread may be the later one to read what it had got
            state.seen["unmarked"] += not (marked if self.number >= number else was_marked)
            if before == image:
                state.seen["identical"] += 1
            else:
                state.different.append([before, image])

    def spoil(self, f, raw, direction):
        with self.state.lock:
            where, left = self.state.corrupt.get(direction, ("", 0))
            if not left or (where == "data" and not f["length"]):
                return
            self.state.corrupt[direction] = (where, left - 1)
            self.state.seen["corrupted"] += 1
        at = 32 + self.digest + f["length"] // 2 if where == "data" else 24
        raw[at] ^= 0x10


class Proxy:
    def __init__(self, listen, exporter):
        self.state = State()
        self.listen, self.exporter = listen, exporter
        self.listener = None

    def open(self):
        self.listener = socket.create_server(("127.0.0.1", self.listen), backlog=64, reuse_port=False)

    def serve(self):
        """Admits connections for ever; the listening socket is closed while they are refused."""
        while True:
            if self.state.admit and self.listener is None:
                self.open()
            if not self.state.admit and self.listener is not None:
                self.listener.close()
                self.listener = None
            if self.listener is None:
                time.sleep(0.01)
                continue
            if not select.select([self.listener], [], [], 0.02)[0]:
                continue
            client = self.listener.accept()[0]
            try:
                link = Link(self.state, client, self.exporter)
            except OSError:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                client.close()
                self.state.seen["refused"] += 1
                continue
            with self.state.lock:
                self.state.links.append(link)
                self.state.seen["connections"] += 1

    # Commands -----------------------------------------------------------------------------------

    def control(self, server):
        while True:
            peer = server.accept()[0]
            with peer, peer.makefile("rw") as stream:
                try:
                    for line in stream:
                        stream.write(self.obey(line.split()) + "\n")
                        stream.flush()
                except (OSError, ValueError, KeyError, IndexError) as e:
                    print(f"proxy: {e!r}", file=sys.stderr, flush=True)

    def obey(self, words):
        state, name = self.state, words[0]
        if name == "status":
            with state.lock:
                return json.dumps({**state.seen, "different": state.different[:3],
                                   "open": sum(x.client.fileno() >= 0 for x in state.links)})
        if name == "cut":
            with state.lock:
                links, state.links = state.links, [x for x in state.links if x.held is not None]
            for link in links:
                link.end(reset=True)
        elif name == "cut-in-data":
            state.cut_in_data[words[1]] = int(words[2])
        elif name in ("refuse", "accept"):
            state.admit = name == "accept"
            while (self.listener is not None) != state.admit:
                time.sleep(0.005)
        elif name in ("stall", "go"):
            for direction in ("up", "down"):
                if name == "go":
                    state.stalled[direction] = False
                elif words[1] in (direction, "both"):
                    state.stalled[direction] = True
        elif name == "delay":
            state.delay[words[1]] = int(words[2]) / 1000
        elif name == "corrupt":
            with state.lock:
                state.corrupt[words[1]] = (words[2], int(words[3]))
        elif name == "hold":
            state.hold = True
        elif name == "release":
            return self.release()
        else:
            raise ValueError(f"no such command: {words}")
        return "ok"

    def release(self):
        """Says how many bytes went out, and to how many connections that the exporter had closed they could not."""
        sent = refused = 0
        with self.state.lock:
            held = [x for x in self.state.links if x.held is not None]
        for link in held:
            try:
                # twice: the first send() to a closed peer only provokes its reset
                half = len(link.held) // 2
                link.server.sendall(link.held[:half])
                time.sleep(0.1)
                link.server.sendall(link.held[half:])
                sent += len(link.held)
            except OSError:
                refused += 1
            link.server.close()
            link.held = None
        return json.dumps({"bytes": sent, "refused": refused, "held": len(held)})


def main():
    listen, exporter, control = (int(a) for a in sys.argv[1:4])
    proxy = Proxy(listen, exporter)
    proxy.open()
    orders = socket.create_server(("127.0.0.1", control), backlog=8)
    threading.Thread(target=proxy.control, args=(orders,), daemon=True).start()
    print("ready", flush=True)
    proxy.serve()


if __name__ == "__main__":
    sys.setswitchinterval(0.001)
    os.umask(0o077)
    main()
