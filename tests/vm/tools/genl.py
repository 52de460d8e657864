# SPDX-License-Identifier: GPL-2.0
"""Netlink requests to dstor.ko, right or wrong, and allocations that fail in them: scenarios import it inside a test machine.

    from genl import *
    n = Netlink()
    n.call(EXPORT_DEL, [text(A.NAME, "data")])      # Answer: .error ("ENOENT" or "OK"), .text, .attrs
    n.call(..., nth=3)                              # the third allocation of this system call fails; .fired says whether
"""
import errno
import os
import re
import socket
import struct
import types

HEADER = open("/dst/include/uapi/linux/dstor.h", encoding="ascii").read()
FAULTS = "/sys/kernel/debug"


def enum(name, prefix):
    """The constants of an enum of the header, without the prefix."""
    body = re.sub(r"/\*.*?\*/", "", re.search(rf"enum {name} \{{(.*?)\}}", HEADER, re.S).group(1), flags=re.S)
    names = [n.split("=")[0].strip() for n in body.split(",") if n.strip()]
    return types.SimpleNamespace(**{n.removeprefix(prefix): i for i, n in enumerate(names)})


CMD = enum("dstor_cmd", "DSTOR_CMD_")
A = enum("dstor_attr", "DSTOR_A_")
ADDRESS = enum("dstor_address_attr", "DSTOR_ADDRESS_")
RULE = enum("dstor_rule_attr", "DSTOR_RULE_")

NETLINK_GENERIC, GENL_ID_CTRL, CTRL_CMD_GETFAMILY = 16, 16, 3
CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 1, 2
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 1, 4, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
SOL_NETLINK, NETLINK_CAP_ACK, NETLINK_EXT_ACK = 270, 10, 11
NESTED = 0x8000


def attr(kind, data):
    return struct.pack("<HH", len(data) + 4, kind) + data + bytes(-len(data) % 4)


def text(kind, value):
    return attr(kind, value.encode() + b"\0")


def u32(kind, value):
    return attr(kind, struct.pack("<I", value))


def u64(kind, value):
    return attr(kind, struct.pack("<Q", value))


def nest(kind, *parts):
    return attr(kind | NESTED, b"".join(parts))


def parse(data):
    out = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("<HH", data)
        out.setdefault(kind & 0x3fff, data[4:length])
        data = data[(length + 3) & ~3:]
    return out


def address(kind=A.ADDRESS, port=7710, family=socket.AF_INET, **without):
    """127.0.0.1; without=(ADDRESS.X, ...): those are left out."""
    parts = {ADDRESS.FAMILY: u32(ADDRESS.FAMILY, family), ADDRESS.TYPE: u32(ADDRESS.TYPE, socket.SOCK_STREAM),
             ADDRESS.PROTOCOL: u32(ADDRESS.PROTOCOL, socket.IPPROTO_TCP),
             ADDRESS.SOCKADDR: attr(ADDRESS.SOCKADDR, struct.pack("<H", family) + struct.pack(">H", port) +
                                    bytes([127, 0, 0, 1]) + bytes(8)),
             ADDRESS.TEXT: text(ADDRESS.TEXT, f"127.0.0.1:{port}")}
    return nest(kind, *(part for at, part in parts.items() if at not in without.get("without", ())))


def export(path, name="data", rules=(nest(A.ALLOW, text(RULE.TEXT, "any")),), listen=(address(A.LISTEN),)):
    """Attributes of EXPORT_ADD, as a dict: what a scenario takes out or replaces is called by its number."""
    return {A.NAME: text(A.NAME, name), A.PATH: text(A.PATH, path), A.UUID: attr(A.UUID, b"u" * 16),
            A.INSTANCE: attr(A.INSTANCE, os.urandom(16)), A.EXPORTER: attr(A.EXPORTER, os.urandom(16)),
            A.LISTEN: b"".join(listen), A.ALLOW: b"".join(rules)}


def device(name="d", export="data", addresses=(address(),)):
    """Attributes of DEVICE_ADD, likewise."""
    return {A.NAME: text(A.NAME, name), A.EXPORT: text(A.EXPORT, export), A.CLIENT_ID: attr(A.CLIENT_ID, b"c" * 16),
            A.URI: text(A.URI, "dst://127.0.0.1/data"), A.TIMEOUT_MS: u32(A.TIMEOUT_MS, 5000), A.RETRIES: u32(A.RETRIES, 24),
            A.PING_MS: u32(A.PING_MS, 1000), A.CONNECTIONS: u32(A.CONNECTIONS, 1), A.QUEUE_DEPTH: u32(A.QUEUE_DEPTH, 16),
            A.MAX_IO: u32(A.MAX_IO, 1 << 20), A.CHECKSUMS: text(A.CHECKSUMS, "crc32c"), A.ADDRESS: b"".join(addresses)}


class Answer:
    def __init__(self, number, said, attrs, fired):
        self.error = "OK" if not number else errno.errorcode.get(-number, str(number))
        self.text, self.attrs, self.fired = said, attrs, fired


class Netlink:
    def __init__(self):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
        self.sock.bind((0, 0))
        self.sock.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
        self.sock.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
        self.sock.settimeout(60)
        self.seq = 0
        self.family = GENL_ID_CTRL
        found = self.call(CTRL_CMD_GETFAMILY, [text(CTRL_ATTR_FAMILY_NAME, "dstor")])
        self.family = struct.unpack("<H", found.attrs[CTRL_ATTR_FAMILY_ID])[0]

    def call(self, cmd, attrs, nth=0, dump=False):
        """attrs: a list, or a dict of which the values are sent."""
        self.seq += 1
        body = struct.pack("<BBH", cmd, 1, 0) + b"".join(attrs.values() if isinstance(attrs, dict) else attrs)
        flags = NLM_F_REQUEST | (NLM_F_DUMP if dump else NLM_F_ACK)
        message = struct.pack("<IHHII", len(body) + 16, self.family, flags, self.seq, 0) + body
        fired = False
        if nth:
            with open("/proc/thread-self/fail-nth", "r+b", buffering=0) as f:
                f.write(b"%d" % nth)
                failed = self._send(message)
                fired = int(f.read()) == 0
                f.write(b"0")
        else:
            failed = self._send(message)
        return Answer(-failed, "", {}, fired) if failed else self._answer(fired)

    def _send(self, message):
        try:
            self.sock.sendto(message, (0, 0))
            return 0
        except OSError as e:
            return e.errno

    def _answer(self, fired):
        attrs = {}
        while True:
            try:
                data = self.sock.recv(1 << 17)
            except OSError as e:
                # The kernel had no memory for the answer: the command was carried out or not.
                return Answer(-e.errno, "", {}, fired)
            while data:
                length, kind, flags, seq, _ = struct.unpack_from("<IHHII", data)
                message, data = data[16:length], data[(length + 3) & ~3:]
                if seq != self.seq:
                    continue
                if kind in (NLMSG_ERROR, NLMSG_DONE):
                    number = struct.unpack_from("<i", message)[0]
                    # NLM_F_ACK_TLVS: behind the header of the request (NETLINK_CAP_ACK) there are attributes.
                    said = parse(message[20 if kind == NLMSG_ERROR else 4:]) if flags & 0x200 else {}
                    return Answer(number, said.get(1, b"").rstrip(b"\0").decode(errors="replace"), attrs, fired)
                attrs = parse(message[4:]) or attrs


def may_fail():
    """Allocations of any kind may be made to fail, and the log says nothing of it."""
    for name, values in {"failslab": {"ignore-gfp-wait": "N", "verbose": "0"},
                         "fail_page_alloc": {"ignore-gfp-wait": "N", "ignore-gfp-highmem": "N", "min-order": "0",
                                             "verbose": "0"}}.items():
        for key, value in values.items():
            with open(f"{FAULTS}/{name}/{key}", "w", encoding="ascii") as f:
                f.write(value)
