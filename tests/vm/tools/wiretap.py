#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Somebody in between who cannot read what passes: keeps it all, and changes, repeats, drops or reorders bytes.

    wiretap.py LISTEN-PORT EXPORTER-PORT CONTROL-PORT

"up" is towards the exporter, "down" towards the client. The control port takes one command a line, as proxy.py does:

    flip up|down N        the bit flips in byte N (from 0) of what comes next in that direction
    repeat up|down N      the next N bytes pass twice
    drop up|down N        the next N bytes do not pass
    swap up|down N        the next N bytes pass after the N behind them
    reflect up|down N     the next N bytes go back to where they came from, too
    cut                   every connection is reset
    find HEX              how often those bytes were in what passed (before any change)
    status                counters, as JSON
"""
import json
import re
import select
import socket
import struct
import sys
import threading

RESET = struct.pack("ii", 1, 0)


class Tap:
    def __init__(self, exporter):
        self.exporter = exporter
        self.lock = threading.Lock()
        self.orders = {"up": None, "down": None}
        self.kept = []
        self.links = []
        self.changed = 0

    def apply(self, direction, held, data):
        """(bytes to pass on, bytes to send back); held keeps what waits for more."""
        with self.lock:
            order = self.orders[direction]
            if order is None:
                return data, b""
            name, n = order
            held += data
            if len(held) <= n or (name == "swap" and len(held) < 2 * n):
                # a byte is flipped as soon as it is there, and what precedes it need not wait
                if name != "flip":
                    if len(held) < n or name == "swap":
                        return b"", b""
                else:
                    self.orders[direction] = name, n - len(held)
                    out = bytes(held)
                    held.clear()
                    return out, b""
            out, back = bytearray(held), b""
            held.clear()
            self.orders[direction] = None
            self.changed += 1
        first, rest = out[:n], out[n:]
        if name == "flip":
            out[n] ^= 0x10
        elif name == "repeat":
            out = first + first + rest
        elif name == "drop":
            out = rest
        elif name == "swap":
            out = rest[:n] + first + rest[n:]
        elif name == "reflect":
            back = bytes(first)
        return bytes(out), back

    def pump(self, source, target, direction, kept):
        held = bytearray()
        try:
            while True:
                data = source.recv(1 << 18)
                if not data:
                    break
                kept += data
                out, back = self.apply(direction, held, data)
                if out:
                    target.sendall(out)
                if back:
                    source.sendall(back)
        except OSError:
            pass
        for s in (source, target):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def link(self, client):
        server = socket.create_connection(("127.0.0.1", self.exporter), 10)
        for s in (client, server):
            s.settimeout(None)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.lock:
            self.links.append((client, server))
            for source, target, direction in ((client, server, "up"), (server, client, "down")):
                self.kept.append(bytearray())
                threading.Thread(target=self.pump, args=(source, target, direction, self.kept[-1]),
                                 daemon=True).start()

    def obey(self, words):
        name = words[0]
        if name in ("flip", "repeat", "drop", "swap", "reflect"):
            with self.lock:
                self.orders[words[1]] = name, int(words[2])
        elif name == "cut":
            with self.lock:
                links, self.links = self.links, []
            for pair in links:
                for s in pair:
                    try:
                        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                        s.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        pass
                    s.close()
        elif name == "find":
            wanted = re.escape(bytes.fromhex(words[1]))
            return str(sum(len(re.findall(wanted, bytes(k))) for k in self.kept))
        elif name == "status":
            with self.lock:
                return json.dumps({"changed": self.changed, "waiting": [k for k, v in self.orders.items() if v],
                                   "connections": len(self.kept) // 2, "bytes": sum(map(len, self.kept))})
        else:
            raise ValueError(f"no such command: {words}")
        return "ok"

    def control(self, server):
        while True:
            peer = server.accept()[0]
            with peer, peer.makefile("rw") as stream:
                try:
                    for line in stream:
                        stream.write(self.obey(line.split()) + "\n")
                        stream.flush()
                except (OSError, ValueError, KeyError, IndexError) as e:
                    print(f"wiretap: {e!r}", file=sys.stderr, flush=True)


def main():
    listen, exporter, control = (int(a) for a in sys.argv[1:4])
    tap = Tap(exporter)
    listener = socket.create_server(("127.0.0.1", listen), backlog=64)
    server = socket.create_server(("127.0.0.1", control), backlog=8)
    threading.Thread(target=tap.control, args=(server,), daemon=True).start()
    print("ready", flush=True)
    while True:
        if not select.select([listener], [], [], 1)[0]:
            continue
        client = listener.accept()[0]
        try:
            tap.link(client)
        except OSError:
            client.close()


if __name__ == "__main__":
    main()
