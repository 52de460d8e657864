# SPDX-License-Identifier: GPL-2.0
"""An exporter that says what it is told to, right or wrong: scenarios import it inside a test machine.

    from rawexporter import *
    serve(7712, wrong=[{"slot": 1}])      # the first read from 1 MiB on is answered with that slot, and so on

It has one disk of 8 MiB with zeros, takes no keys, and answers without digests.
"""
import os
import socket
import threading
import time

import wire

SIZE = 8 << 20
FROM = 1 << 20
ID = [bytes([n]) * 16 for n in range(1, 5)]


def exactly(sock, length):
    data = bytearray()
    while len(data) < length:
        part = sock.recv(length - len(data))
        if not part:
            raise ConnectionError
        data += part
    return bytes(data)


def welcome(hello, **fields):
    values = {"access": 2, "queues": 64, "slots": hello["slots"], "max_io": hello["max_io"], "uuid": ID[0],
              "instance": ID[1], "size": SIZE, "logical_block": 512, "physical_block": 4096,
              "cookie": int.from_bytes(os.urandom(8), "little") | 1, "checksum": b"none", "exporter": ID[2],
              "life": ID[3], "dma_alignment": 511, **fields}
    texts = dict.fromkeys(("uuid", "instance", "holder", "checksum", "cipher", "reason", "exporter", "life", "unique_id",
                           "reserved1", "reserved2"), b"")
    assert not set(values) - set(wire.WELCOME_FIELDS), fields
    return wire.seal(wire.WELCOME.pack(*(values.get(n, texts.get(n, 0)) for n in wire.WELCOME_FIELDS)))


def answer(f, **wrong):
    """The response to a request, with @wrong fields in place of the right ones, and data of the length it says."""
    read = f["op"] == wire.READ
    fields = {"type": wire.RESPONSE, "op": f["op"], "slot": f["slot"], "seq": f["seq"],
              "length": f["bytes"] if read else 0}
    fields.update({name: fields.get(name, 0) + value for name, value in wrong.items()})
    return wire.frame(**fields) + bytes(fields["length"])


def frames(sock, wrong, waits, flags):
    kept = None
    while True:
        f = wire.parse_frame(exactly(sock, 32))
        exactly(sock, f["length"])
        if f["type"] == wire.ASK and waits:
            waits -= 1
            sock.sendall(wire.frame(type=wire.STATE, slot=f["slot"], seq=f["seq"], status=wire.STATE_WAITS,
                                    flags=flags))
        elif f["type"] == wire.ASK and kept:
            sock.sendall(answer(kept))
            kept = None
        elif f["type"] == wire.REQUEST and waits and f["op"] == wire.READ and f["offset"] >= FROM:
            kept = f
        elif f["type"] == wire.PING:
            print("PING", flush=True)
            sock.sendall(wire.frame(type=wire.PONG, seq=f["seq"]))
        elif f["type"] == wire.BYE:
            raise ConnectionError
        elif f["type"] == wire.REQUEST:
            bad = wrong.pop(0) if wrong and f["op"] == wire.READ and f["offset"] >= FROM and \
                not f["flags"] & wire.RESEND else {}
            sock.sendall(answer(f, **bad))


def serve(port, wrong=(), greeting=None, notices=(), waits=0, waits_flags=wire.STATE_ALL, **fields):
    """Until it is killed: one connection after another; greeting, fields: of its greeting and its welcome.

    notices: CHANGE frames behind the welcome, a list for each connection. waits: how often it says WAITS, with
    waits_flags, before it answers the read.
    """
    wrong, notices = list(wrong), list(notices)
    listener = socket.create_server(("127.0.0.1", port))
    print("ready", flush=True)
    while True:
        sock, _ = listener.accept()
        try:
            exactly(sock, 128)
            sock.sendall(wire.greeting(**greeting or {}))
            hello = dict(zip(wire.HELLO_FIELDS, wire.HELLO.unpack(exactly(sock, wire.HELLO_LEN)[:-4])))
            sock.sendall(welcome(hello, **fields))
            for change in notices.pop(0) if notices else ():
                sock.sendall(wire.frame(type=wire.CHANGE, **change))
            frames(sock, wrong, waits, waits_flags)
        except ConnectionError:
            pass
        sock.close()


def serve_waiting(port, every=0.3):
    """Says WAIT to each hello, until the client or this program ends."""
    listener = socket.create_server(("127.0.0.1", port), backlog=64)
    print("ready", flush=True)

    def wait(sock):
        try:
            exactly(sock, 128)
            sock.sendall(wire.greeting())
            hello = dict(zip(wire.HELLO_FIELDS, wire.HELLO.unpack(exactly(sock, wire.HELLO_LEN)[:-4])))
            while True:
                sock.sendall(welcome(hello, status=wire.WELCOME_STATUS.index("WAIT"), reason=b"for ever"))
                print("WAIT", flush=True)
                time.sleep(every)
        except OSError:
            sock.close()

    while True:
        threading.Thread(target=wait, args=(listener.accept()[0],), daemon=True).start()
