# SPDX-License-Identifier: GPL-2.0
"""Who sees whom among the files: what they include, and (by nm) what they call."""
import re
from collections import defaultdict
from pathlib import PurePosixPath

import pytest

from support import BUILD, TOP, kernels, run, sources

# Which folders of the module a folder may see beside itself, lowest first. "" is main.c.
SEES = {
    "compat": [],
    "wire": [],
    "include": [],
    "core": ["compat", "wire", "include"],
    "conn": ["core", "compat", "wire", "include"],
    "client": ["conn", "core", "compat", "wire", "include"],
    "exporter": ["conn", "core", "compat", "wire", "include"],
    "control": ["client", "exporter", "conn", "core", "compat", "wire", "include"],
    "": ["control", "client", "exporter", "conn", "core", "compat", "wire", "include"],
}
# Files that call each other in a circle, and why they may. A new circle is an error, and so is
# one in this list that is gone.
CIRCLES = {
    ("conn/cipher.c", "conn/cipher_memory.c", "conn/connection.c", "conn/decrypt.c",
     "conn/encrypt.c", "conn/protection.c", "conn/receive.c", "conn/send.c"):
        "one connection: its two halves, and what each does where there is a cipher",
    ("exporter/listener.c", "exporter/peer.c"):
        "a listener makes peers and lives as long as they do",
}


def folder(name):
    """client for client/device.c; "" for main.c."""
    return PurePosixPath(name).parts[0] if "/" in name else ""


def includes(files):
    """{(file, header)} of includes of ours, and quoted ones not found. @files: {name: text}."""
    arrows, lost = set(), set()
    for name, text in files.items():
        for mark, header in re.findall(r'^[ \t]*#[ \t]*include[ \t]+(["<])([^">]+)[">]', text,
                                       re.M):
            near = str(PurePosixPath(name).parent / header)
            found = [n for n in (near, header, "include/uapi/" + header) if n in files]
            if found:
                arrows.add((name, found[0]))
            elif mark == '"':
                lost.add((name, header))
    return arrows, lost


def calls(symbols):
    """{(file, file)} of who uses what whom defines. @symbols: {file: (defined, undefined)}."""
    home = {symbol: name for name, (defined, _) in symbols.items() for symbol in defined}
    return {(name, home[symbol]) for name, (_, undefined) in symbols.items()
            for symbol in undefined if home.get(symbol, name) != name}


def forbidden(arrows):
    """Those between folders that SEES does not allow. A folder it does not know may see nothing."""
    return sorted((a, b) for a, b in arrows
                  if folder(a) != folder(b) and folder(b) not in SEES.get(folder(a), ()))


# What of a connection (struct dstor_conn) is conn/'s own: its halves and its flags.
PRIVATE = re.compile(r"(?:->|\.)\s*(?:rx|tx)\b|\bconn\s*(?:->|\.)\s*flags\b|\bDSTOR_CONN_[A-Z]\w*")
OUTSIDE = [name for name in SEES if name not in ("conn", "compat", "wire", "include")]


def over_the_wall(files):
    """(file, what) of uses of a connection's private members outside conn/. @files: {name: text}."""
    found = set()
    for name, text in files.items():
        if folder(name) in OUTSIDE:
            code = re.sub(r"/\*.*?\*/|//[^\n]*|^[ \t]*#[ \t]*(?:include|ifn?def|endif)[^\n]*", " ", text,
                          flags=re.S | re.M)
            found |= {(name, re.sub(r"\s", "", m)) for m in PRIVATE.findall(code)}
    return sorted(found)


def circles(arrows):
    """Groups of files that reach each other, each sorted."""
    to = defaultdict(set)
    for a, b in arrows:
        to[a].add(b)
    reach = {}
    for start in list(to):
        seen, left = set(), [start]
        while left:
            for name in to.get(left.pop(), ()):
                if name not in seen:
                    seen.add(name)
                    left.append(name)
        reach[start] = seen
    return {tuple(sorted(b for b in reach[a] if a in reach.get(b, ())))
            for a in reach if a in reach[a]}


def complaints(arrows, known):
    """What is wrong with them, a sentence each."""
    found = circles(arrows)
    return [f"{a} sees {b}" for a, b in forbidden(arrows)] + \
        ["a circle: " + ", ".join(c) for c in sorted(found - set(known))] + \
        ["no circle any more: " + ", ".join(c) for c in sorted(set(known) - found)]


@pytest.fixture(scope="module")
def files():
    """{name: text} as kbuild sees them: the folders of the module, wire/ and include/ beside."""
    found = {str(p.relative_to(TOP / "module")): p for p in sources("module")
             if "probes" not in p.parts}
    for path in sources("wire", "include"):
        found[str(path.relative_to(TOP))] = path
    assert len(found) > 50
    return {name: path.read_text() for name, path in found.items()}


@pytest.fixture(scope="module")
def symbols():
    """{file: (defined, undefined)} of the objects of the newest kernel."""
    # The same flags as in test_static.py, so that one of both compiles.
    kernel = kernels()[-1]
    status, output = run("make", "-j2", "module", f"KVER={kernel}", "OUT=build/check", "W=1",
                         "KCFLAGS=-Werror", timeout=540)
    assert status == 0, output[-4000:]
    objects = re.findall(r"\b[\w/]+\.o\b", " ".join(re.findall(
        r"^dstor-y [:+]?=(.*?[^\\])$", (TOP / "module/Kbuild").read_text(), re.S | re.M)))
    found = {}
    for name in objects:
        status, output = run("nm", BUILD / "check" / kernel / "src" / name)
        assert status == 0, output
        kinds = re.findall(r"([A-Za-z]) (\S+)$", output, re.M)
        found[name[:-2] + ".c"] = ({s for kind, s in kinds if kind.isupper() and kind != "U"},
                                   {s for kind, s in kinds if kind == "U"})
    return found


def test_every_source_is_built_and_in_a_known_folder(files, symbols):
    # What only a debug build has; test_static.py builds one.
    debug = re.findall(r"^dstor-\$\(CONFIG_DST_DEBUG\) \+= (\S+)\.o$",
                       (TOP / "module/Kbuild").read_text(), re.M)
    assert {name for name in files if name.endswith(".c")} == \
        set(symbols) | {f"{name}.c" for name in debug}
    assert {folder(name) for name in files} == set(SEES)


def test_folders_see_only_what_is_below_them(files):
    arrows, lost = includes(files)
    assert not lost
    assert len(arrows) > 100
    # Between headers there is no circle for which a reason can be thought of.
    assert not complaints(arrows, {})


def test_only_conn_touches_a_connection_inside(files):
    """The others have the functions of conn/connection.h."""
    assert not over_the_wall(files)
    # It reads the same files, and there it has something to find.
    inside = {f"client/{name}": text for name, text in files.items() if folder(name) == "conn"}
    assert {"client/conn/send.c", "client/conn/receive.c", "client/conn/connection.c"} <= \
        {name for name, _ in over_the_wall(inside)}


def test_files_call_only_what_is_below_them(symbols):
    arrows = calls(symbols)
    assert len(arrows) > 100
    assert not complaints(arrows, CIRCLES)


def test_the_floors_are_in_order():
    """Each folder sees only such as stand before it, and no side sees the other."""
    order = list(SEES)
    for name, seen in SEES.items():
        assert all(order.index(other) < order.index(name) for other in seen), name
    assert "client" not in SEES["exporter"] and "exporter" not in SEES["client"]
    assert not {"client", "exporter"} & set(SEES["conn"])
    assert not SEES["wire"]


def test_the_utility_sees_only_itself_wire_and_include():
    for source in sources("dst"):
        for name in re.findall(r'^\s*#\s*include\s+"([^"]+)"', source.read_text(), re.M):
            places = [source.parent, TOP / "dst", TOP / "wire", TOP / "include/uapi"]
            found = [(p / name).resolve() for p in places if (p / name).exists()]
            assert found, f"{source} includes {name}, which is not there"
            assert found[0].relative_to(TOP).parts[0] in ("dst", "wire", "include"), \
                f"{source} includes {name}"


# The rules can fail -------------------------------------------------------------------------------

@pytest.mark.parametrize("who, whom", [
    ("exporter/peer", "client/device"),
    ("client/device", "exporter/peer"),
    ("conn/send", "client/device"),
    ("conn/send", "exporter/peer"),
    ("wire/frame", "core/error"),
    ("wire/frame", "compat/compat"),
    ("compat/compat", "wire/frame"),
    ("core/error", "conn/send"),
    ("client/device", "control/netlink"),
    ("exporter/peer", "control/netlink"),
    ("core/error", "main"),
    ("control/netlink", "main"),
    ("new/folder", "core/error"),
    ("client/device", "new/folder"),
])
def test_a_forbidden_arrow_is_found(who, whom):
    """Made up: an include and a call, which are right but for where they lead."""
    arrows, lost = includes({f"{who}.c": f'#include "{whom}.h"\n', f"{whom}.h": ""})
    assert not lost
    assert complaints(arrows, {}) == [f"{who}.c sees {whom}.h"]
    arrows = calls({f"{who}.c": (set(), {"dstor_x", "memcpy"}), f"{whom}.c": ({"dstor_x"}, set())})
    assert complaints(arrows, {}) == [f"{who}.c sees {whom}.c"]


@pytest.mark.parametrize("who, code, what", [
    ("exporter/peer.c", "p->conn.rx.paused = true;", ".rx"),
    ("client/link.c", "list_add_tail(&m->entry, &c->tx.queue);", "->tx"),
    ("client/link.c", "struct x *r = &q->conn\n\t.rx;", ".rx"),
    ("exporter/hello.h", "return conn->rx.want;", "->rx"),
    ("control/netlink.c", "conn->flags |= 1;", "conn->flags"),
    ("client/watchdog.c", "test_bit(DSTOR_CONN_TX_FULL, f)", "DSTOR_CONN_TX_FULL"),
    ("core/work.c", "mutex_lock(&c->tx.lock);", "->tx"),
    ("main.c", "c->tx.now = NULL;", "->tx"),
])
def test_a_hand_over_the_wall_is_found(who, code, what):
    """Made up: each use that the rule is for."""
    assert over_the_wall({who: f"int f(void)\n{{\n\t{code}\n}}\n"}) == [(who, what)]


@pytest.mark.parametrize("who, code", [
    ("conn/send.c", "c->tx.now = NULL;"),
    ("wire/channel.c", "x->rx.key[0] = 1;"),
    ("exporter/peer.c", "/* under conn.tx.lock */"),
    ("exporter/peer.c", "dstor_tx_lock(&p->conn); // c->tx.lock"),
    ("client/link.c", "#include \"conn/connection.h\"\n#ifndef DSTOR_CONN_X\n#endif"),
    ("client/link.c", "sock->flags = q->tx_done + s.rx_bytes;"),
])
def test_what_is_not_over_the_wall_is_not_found(who, code):
    assert not over_the_wall({who: code})


def test_an_allowed_arrow_is_not_found():
    for who, seen in SEES.items():
        for whom in filter(None, [who, *seen]):
            name = f"{who}/a.c" if who else "main.c"
            assert not forbidden({(name, f"{whom}/b.h")})


def test_a_circle_is_found():
    a, b, c = "client/a.c", "client/b.c", "client/c.c"
    ring = calls({a: ({"f"}, {"g"}), b: ({"g"}, {"h"}), c: ({"h"}, {"f"})})
    assert complaints(ring, {}) == [f"a circle: {a}, {b}, {c}"]
    assert not complaints(ring, {(a, b, c): "made up"})
    assert complaints(ring, {(a, b): "made up"}) == \
        [f"a circle: {a}, {b}, {c}", f"no circle any more: {a}, {b}"]
    assert complaints({(a, b), (b, c), (a, c)}, {}) == []


def test_an_include_that_leads_nowhere_is_found():
    _, lost = includes({"client/a.c": '# include "b.h"\n#include "device.h"\n', "client/b.h": ""})
    assert lost == {("client/a.c", "device.h")}
