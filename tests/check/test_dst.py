# SPDX-License-Identifier: GPL-2.0
"""The utility without the module: its unit tests, its manners, and its own speaking of the protocol.

The exporter here is written from docs/protocol.md, not from wire/, so that the two check each other.
The utility under test is built with AddressSanitizer and UBSan.
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
from pathlib import Path

import pytest

from support import BUILD, TOP, run

sys.path.insert(0, str(TOP / "tests/vm/tools"))
import noise  # noqa: E402

DST = BUILD / "sanitized/dst"
MEMORY = BUILD / "memory/dst"  # the same under MemorySanitizer
UNITS = sorted(p.stem for p in (TOP / "tests/dst").glob("test_*.c"))
COMMANDS = ["export", "unexport", "attach", "detach", "show", "set", "list", "ping", "genkey", "up",
            "down", "save"]
without_module = pytest.mark.skipif(Path("/sys/module/dstor").exists(),
                                    reason="the module is loaded on this machine")


@pytest.fixture(scope="module", autouse=True)
def built():
    for target in ("dst-unit-binaries", "dst-sanitized", "dst-memory"):
        status, output = run("make", "-j2", "-f", "tests/dst/build.mk", target)
        assert status == 0, output[-4000:]


def dst(*args, timeout=30, **env):
    """Exit status, stdout, stderr."""
    done = subprocess.run([DST, *map(str, args)], capture_output=True, text=True, timeout=timeout,
                          check=False, env={**os.environ, "LC_ALL": "C", **env})
    assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def options(command):
    """What its help lists: {option: value, or None for a switch}."""
    found = re.findall(r"^  (?:--)?([a-z][a-z-]*)(?:[ =](\S+))?  ", dst("help", command)[1], re.M)
    return {name: value or None for name, value in found}


def fails(*args, status, words=(), timeout=30):
    """One line on stderr, nothing on stdout, the words in it."""
    got, out, err = dst(*args, timeout=timeout)
    assert (got, out) == (status, ""), (got, out, err)
    assert err.count("\n") == 1 and err.endswith("\n") and err.startswith("dst: "), err
    for word in words:
        assert word in err, err
    return err


@pytest.mark.parametrize("name", UNITS)
def test_unit(name):
    status, output = run(BUILD / "tests/dst" / name)
    assert status == 0, output[-4000:]
    passed = int(re.search(r"PASSED\s+\] (\d+) test", output).group(1))
    listed = len(re.findall(r"cmocka_unit_test\w*\(", (TOP / f"tests/dst/{name}.c").read_text()))
    assert passed == listed > 0


# Manners --------------------------------------------------------------------------------------------

def test_help_and_version():
    status, out, err = dst("--help")
    assert (status, err) == (0, "")
    for command in COMMANDS:
        assert re.search(rf"^  dst {command} ", out, re.M), command
        status, text, err = dst(command, "--help")
        assert (status, err) == (0, "") and text.startswith(f"usage: dst {command}"), command
        # an option of the command line contract that help does not mention is as good as not there
        assert dst(command, "x", "-h")[1] == text
        assert dst("help", command) == (0, text, "")
    status, out, err = dst("--version")
    assert (status, err) == (0, "") and re.fullmatch(r"dst \d\S*, protocol 1\n", out)


def test_manual_names_every_option_of_the_help():
    manual = (TOP / "docs/man/dst.8.scd").read_text().replace("\\", "")
    for command in COMMANDS:
        text = dst(command, "--help")[1]
        for option in set(re.findall(r"--[a-z-]+", text)):
            assert option in manual, f"dst {command} {option}"
        assert f"\n## dst {command}" in manual


def test_manuals_name_every_option_and_default():
    """dst(8) in the section of the command, dst.conf(5) in that of the object."""
    text = (TOP / "docs/man/dst.8.scd").read_text().replace("\\", "")
    manual = {title.split()[0]: body for title, body in
              re.findall(r"^## dst ([^\n]*)\n(.*?)(?=^##? )", text, re.S | re.M)}
    text = (TOP / "docs/man/dst.conf.5.scd").read_text().replace("\\", "")
    conf = {"export": text.split("# KEYS OF AN EXPORT")[1].split("\n# ")[0],
            "attach": text.split("# KEYS OF A DEVICE")[1].split("\n# ")[0]}
    for command, place in conf.items():
        found = options(command)
        assert len(found) > 8
        for name in found:
            assert f"*--{name}*" in manual[command], f"dst(8): {command} --{name}"
            assert f"*{name}*" in place or name == "name", f"dst.conf(5): {name}"
    for name in options("set"):
        assert f"*{name}*" in manual["set"], f"dst(8): set {name}="


def completions(*words):
    """What bash would offer for the last of the words."""
    script = (f"PATH={DST.parent}:$PATH; . {TOP}/dist/completion/dst.bash; compopt() {{ :; }}; "
              'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _dst; printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True, timeout=30, check=True)
    assert not done.stderr, done.stderr
    return done.stdout.split()


def test_completion_offers_every_option():
    assert completions("dst", "set", "d", "") == sorted(f"{name}=" for name in options("set"))
    for command in ("export", "attach"):
        assert set(completions("dst", command, "--")) == {f"--{name}" for name in options(command)}
    assert completions("dst", "det") == ["detach"]


def test_manual_names_the_parameters_of_the_module():
    manual = (TOP / "docs/man/dst.4.scd").read_text().replace("\\", "")
    names = {name for source in (TOP / "module").rglob("*.c") if not source.name.endswith(".mod.c")
             for name in re.findall(r"\bmodule_param(?:_\w+)?\((\w+),", source.read_text())}
    assert names
    for name in names:
        assert f"_{name}_" in manual, name


def test_every_document_counts_the_first_attempt():
    """A transaction fails after timeout × (retries + 1)."""
    for path in [TOP / "README.md", *(TOP / "docs").rglob("*.md"), *(TOP / "docs/man").glob("*.scd")]:
        for line in path.read_text().splitlines():
            assert not re.search(r"timeout[`*\s]*(×|times)[`*\s]*-*retries", line), f"{path}: {line}"


def test_events_are_known():
    text = re.search(r"enum dstor_event \{(.*?)\}", (TOP / "include/uapi/linux/dstor.h").read_text(), re.S).group(1)
    table = (TOP / "dst/events.c").read_text()
    names = re.findall(r"\bDSTOR_EVENT_\w+", text)
    assert len(names) > 5
    for name in names:
        assert f"[{name}] = " in table, name


@pytest.mark.parametrize("args", [
    ["frobnicate"],
    ["--frobnicate"],
    ["export"],
    ["export", "data"],
    ["export", "data", "/dev/null", "extra", "--allow", "any"],
    ["export", "data", "/dev/null"],
    ["export", "a/b", "/dev/null", "--allow", "any"],
    ["export", "data", "/dev/null", "--allow"],
    ["export", "data", "/dev/null", "--allow", "everybody"],
    ["export", "data", "/dev/null", "--allow", "ro"],
    ["export", "data", "/dev/null", "--allow", "any", "--max-inflight", "12Q"],
    ["export", "data", "/dev/null", "--allow", "any", "--max-inflight", "4K"],
    ["export", "data", "/dev/null", "--allow", "any", "--listen", "10.0.0.1"],
    ["export", "data", "/dev/null", "--allow", "any", "--listen", "dst://[::]/data"],
    ["export", "data", "/dev/null", "--allow", "any", "--checksum", ""],
    ["unexport"],
    ["unexport", "../a"],
    ["unexport", "a", "../b", "c"],
    ["attach"],
    ["attach", "dst://h/x", "dst://h/y"],
    ["attach", "dst://h"],
    ["attach", "http://h/x"],
    ["attach", "dst://h/x", "--frobnicate"],
    ["attach", "dst://h/x", "--timeout", "0"],
    ["attach", "dst://h/x", "--timeout", "5 s"],
    ["attach", "dst://h/x", "--retries", "-1"],
    ["attach", "dst://h/x", "--ping=never"],
    ["attach", "dst://h/x", "--connections", "65"],
    ["attach", "dst://h/x", "--queue-depth", "1025"],
    ["attach", "dst://h/x", "--max-io", "5000"],
    ["attach", "dst://h/x", "--max-io", "2M"],
    ["attach", "dst://h/x", "--name", ".x"],
    ["attach", "dst://h/x", "--read-only=yes"],
    ["detach"],
    ["detach", "/dev/sda/x"],
    ["detach", "d", "/dev/sda/x"],
    ["show", "a", "b"],
    ["show", "--colour"],
    ["set"],
    ["set", "d"],
    ["set", "d", "timeout"],
    ["set", "d", "timeout=x"],
    ["set", "d", "colour=red"],
    ["set", "d", "timeout=1s", "max-inflight=1M"],
    ["set", "d", "max-inflight=1K"],
    ["set", "d", "uri=dst://127.0.0.1"],
    ["set", "d", "checksum=none"],
    ["set", "d", "name=e"],
    ["set", "d", "crypto-threads=1025"],
    ["set", "d", "evict=a", "evict=b"],
    ["export", "data", "/dev/null", "--allow", "any", "--evict", "a"],
    ["export", "data", "/dev/null"] + ["--allow", "any"] * 65,
    ["attach", "dst://h/x", "--uri", "dst://h/y"],
    ["attach", "dst://h/x", "--crypto-threads", "1025"],
    ["attach", "dst://h/x", "--key", ""],
    ["list"],
    ["list", "nowhere"],
    ["ping", "dst://h", "-c", "0"],
    ["ping", "dst://h", "-c"],
    ["ping", "dst://h", "-x"],
    ["genkey", "now"],
    ["help", "frobnicate"],
    ["up", "a", "b"],
    ["up", "--force"],
    ["up", "--wait", "soon"],
    ["up", "--export", "a", "--device", "b"],
    ["down", "--wait", "1s"],
    ["save", "--export", "a"],
], ids=lambda args: " ".join(args)[:80])
def test_wrong_usage_is_exit_2_and_one_line(args):
    fails(*args, status=2)


def test_messages_name_the_command_and_what_was_given():
    assert fails("attach", "dst://h/x", "--timeout", "5x", status=2).startswith("dst: attach: ")
    fails("attach", "dst://h/x", "--timeout", "5x", status=2, words=["5x", "us ms s m h"])
    fails("attach", "dst://h/x", "--frobnicate", status=2, words=["--frobnicate", "--help"])
    fails("ping", "dst://h", "-x", status=2, words=["-x"])
    fails("list", "dst://evil\x1b[31m/", status=2)
    fails("export", "data", "/dev/null", status=2, words=["--allow"])


def test_configuration_file(tmp_path):
    """What cannot be, said before anything is done; without the module nothing runs."""
    conf = tmp_path / "dst.conf"
    fails("up", conf, status=1, words=[str(conf), "No such file"])
    conf.write_text("[export a]\npath = /dev/null\nallow = any\nmax-inflight = 1K\n")
    for command in (["up"], ["up", "--dry-run"], ["down"]):
        fails(*command, conf, status=1, words=[f"{conf}:4: max-inflight: ", "1M"])
    conf.write_text("[export a]\npath = /dev/null\nallow = any\n[device d]\nuri = dst://h/a\n")
    fails("up", "--dry-run", conf, "--device", "a", status=1, words=["no device \"a\""])
    assert dst("up", "--dry-run", conf) == (0, "+ export a /dev/null\n+ device d dst://h/a\n", "")
    assert dst("up", "--dry-run", conf, "--device=d") == (0, "+ device d dst://h/a\n", "")
    assert dst("down", conf) == (0, "", "")
    status, out, err = dst("save", "-")
    assert (status, err) == (0, "") and out.startswith("# ") and "[" not in out


def test_options_may_stand_anywhere(tmp_path):
    """... so this gets as far as the missing path."""
    missing = tmp_path / "disk"
    for args in (["--allow", "any", "data", missing], ["data", "--allow", "any", missing],
                 ["data", missing, "--allow=any"]):
        fails("export", *args, status=1, words=[str(missing), "No such file"])


def test_what_cannot_be_exported(tmp_path):
    fails("export", "data", "/dev/null", "--allow", "any", status=1,
          words=["/dev/null", "neither a block device nor a regular file"])
    fails("export", "data", tmp_path, "--allow", "any", status=1, words=[str(tmp_path)])


def test_host_that_does_not_exist():
    for args in (["attach", "dst://no-such-host.invalid/x"], ["list", "dst://no-such-host.invalid"],
                 ["ping", "dst://no-such-host.invalid"]):
        fails(*args, status=1, words=["no-such-host.invalid"])
    fails("list", "dst://[fe80::1%nonesuch0]", status=1, words=["fe80::1%nonesuch0"])


def test_keys(tmp_path):
    status, out, err = dst("genkey")
    assert (status, err) == (0, "") and len(base64.b64decode(out, validate=False)) == 32
    assert len({dst("genkey")[1] for _ in range(4)}) == 4
    key, disk = tmp_path / "key", tmp_path / "disk"
    disk.write_bytes(bytes(4096))

    def refused(*words):
        for args in (["attach", "dst://127.0.0.1/x", "--key", key], ["ping", "dst://h", "--key", key],
                     ["list", "dst://h", "--key", key],
                     ["export", "data", disk, "--allow", f"key={key}"]):
            err = fails(*args, status=1, words=[str(key), *words])
            assert out.strip() not in err
    refused("No such file")
    key.write_text(out)
    key.chmod(0o644)
    refused("chmod 600")
    key.chmod(0o600)
    key.write_text(out[:-3])
    key.chmod(0o600)
    refused("dst genkey")


def test_answer_that_cannot_be_written():
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([DST, "genkey"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1 and "No space left" in done.stderr


@without_module
def test_show_without_the_module():
    for args in ([], ["show"]):
        assert dst(*args) == (0, "", "")
    status, out, err = dst("show", "--json")
    assert (status, err) == (0, "") and json.loads(out) == {"exports": [], "devices": []}
    fails("show", "data", status=1, words=["data", "not loaded"])
    fails("detach", "/dev/dst-d", status=1, words=['"d"', "not loaded"])
    fails("unexport", "data", status=1, words=["data", "not loaded"])
    fails("unexport", "data", "logs", status=1, words=['"data"', "not loaded"])
    fails("detach", "dst-d", "e", status=1, words=['"d"', "not loaded"])
    fails("set", "dst-d", "timeout=1s", status=1, words=['"d"', "not loaded"])
    samples = {"ID|any": "any", "ID": "1" * 32, "UUID": "1" * 32, "FILE": "/dev/null",
               "URI": "dst://127.0.0.1/a", "TIME": "3s", "N": "3", "N|forever": "forever",
               "RULE": "any", "SIZE": "8M", "CLIENT": "c"}
    for name, value in options("set").items():
        fails("set", "d", f"{name}={samples[value]}", status=1, words=['"d"', "not loaded"])


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
