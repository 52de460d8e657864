#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Figures of one or several states of the sources, side by side, as a table of Markdown.

  tests/check/measure.py [STATE...]   a folder or a git commit each; default: this folder
  make measure BASE=14bad67           that commit and this folder

Works for the present layout of module/ and for the flat one before it. Needs universal-ctags.

How it counts, and where its figures for 14bad67 differ from those of the review of 2026-11-28, which
counted in part by hand:
- Sources are module/ without compat/probes/, wire/, dst/ and include/. Functions and members are those
  of ctags; a function begins in the line of its name. All figures of length, depth, goto, names, width
  and of the large structs are the review's. It has 51 structs of the module, this script 49: here a
  nested struct without a name is no struct of its own, its members are those of the outer one.
- Headless: comments whose first word has a capital and is in HEADLESS, of all comments. The review
  has 14 % of the module's and 4 % of wire/'s, this script 12 % and 4 %: its split of comments is
  not known.
- Circles and arrows: functions and data of another .c file that are named dstor_*. Arrows go up from a
  folder to one that stands above it; a file of the flat layout counts for the folder of FLAT. The
  review's 18 symbols are those to be moved until the folders have no circle, which includes helpers
  of a file that knows both sides; this script counts symbols that are used upwards.
- One write: the table of its docs/architecture.md, or else the table of this folder or of
  write_path_COMMIT.md, whichever has the functions of the sources in their files. A move is a change of file from one row to the next of one context. The review has
  13 files and 58 moves, this script 15 and 57: two files more are the clock (main.c) and the
  latency's bucket (config.h).
- An option is named where its words stand together, as in queue-depth or QUEUE_DEPTH. The review has
  8 files of dst/ and 23 in all, this script 7 and 25: the review counts set.c and device.h, which do
  not name it, and leaves out the benchmarks and the machines of the tests.
- Commits are without merges, so the review's 89 are 85 and its median of 82 characters is 84.
- Prose is without code blocks, tables, headings and empty lines. The long lines are the review's;
  of all lines it has 50 of README and 533 of docs/, with some that are left out here.
"""
import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path, PurePosixPath

import write_path

TOP = Path(__file__).resolve().parents[2]
HEADLESS = set("what who whoever whatever which nobody somebody nothing those not now until as of or "
               "once only never still without with then".split())
# Floors of the module's folders, lowest first. A call or an include may only lead down.
FLOORS = {"compat": 0, "wire": 0, "include": 0, "core": 1, "conn": 2, "client": 3, "exporter": 3,
          "control": 4, "main": 5}
# The flat layout: to which folder a file belongs by what it does.
FLAT = {
    "main": "main.c",
    "control": "config.h netlink.c netlink.h netlink_show.c",
    "client": "device.c device.h device_control.c device_list.c link.c monitor.c sysfs.c trace.c "
              "trace.h transaction.c",
    "exporter": "command.c disk.c export.c export.h handshake.c lease_file.c limiter.c listener.c "
                "peer.c peer_hello.c session.c",
    "conn": "cipher.c cipher.h connection.c connection.h digest.c digest.h open.c primitives.c "
            "receive.c seal.c send.c transport.c transport.h",
    "core": "event.c event.h netns.c netns.h stats.c",
}
FOLDER_OF = {name: folder for folder, names in FLAT.items() for name in names.split()}
SEVERAL = 5		# of the largest structs, that many are shown


def git(*words, cwd=TOP):
    return subprocess.run(["git", "-c", "safe.directory=*", *words], cwd=cwd, check=True, text=True,
                          errors="replace", stdout=subprocess.PIPE).stdout


def blank(text):
    """Without comments and what is in strings; lines stay where they are."""
    def gone(found):
        kept = found.group()
        if kept[0] in "\"'":
            return '""' if kept[0] == '"' else "0"
        return "\n" * kept.count("\n") or " "
    pattern = r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])+'"
    return re.sub(pattern, gone, text, flags=re.S)


def quantile(values, part):
    """The value below which @part of them lie; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0


def median(values):
    return int(statistics.median(values)) if values else 0


def spread(values):
    return f"{median(values)}, {quantile(values, .9)}, {max(values, default=0)}"


def share(some, all_of):
    return f"{some} ({100 * some / all_of:.1f} %)" if all_of else "-"


def columns(line):
    return len(line.expandtabs(8))


def strong(arrows):
    """Groups of more than one that reach each other, the largest first (Tarjan)."""
    to = defaultdict(set)
    for a, b in arrows:
        to[a].add(b)
    number, low, stack, found = {}, {}, [], []

    def visit(node):
        number[node] = low[node] = len(number)
        stack.append(node)
        for other in to.get(node, ()):
            if other not in number:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], number[other])
        if low[node] == number[node]:
            group = stack[stack.index(node):]
            del stack[stack.index(node):]
            if len(group) > 1:
                found.append(sorted(group))
    for node in sorted(to):
        if node not in number:
            visit(node)
    return sorted(found, key=len, reverse=True)


class State:
    """One state of the sources, in the folder @root."""

    def __init__(self, label, root, commits=None, repository=TOP):
        self.label, self.root, self.commits, self.repository = label, root, commits, repository
        if (root / ".git").exists():
            names = git("ls-files", "-coz", "--exclude-standard", cwd=root).split("\0")
        else:
            names = [str(p.relative_to(root)) for p in root.rglob("*")]
        self.names = sorted(n for n in names if n and (root / n).is_file()
                            and not (root / n).is_symlink())
        self.raw = {n: (root / n).read_bytes().decode(errors="replace") for n in self.names
                    if not n.endswith((".png", ".gz"))}
        self.code = {n: blank(t) for n, t in self.raw.items() if self.is_source(n)}
        self.tags = self.read_tags()

    @staticmethod
    def is_source(name):
        return name.endswith((".c", ".h")) and "/probes/" not in name and \
            name.startswith(("module/", "wire/", "dst/", "include/"))

    def read_tags(self):
        command = ["ctags", "--languages=C", "--langmap=C:.c.h", "--output-format=json", "--sort=no",
                   "--kinds-C=fpsmv", "-I", "__ro_after_init,__read_mostly,__init,__exit",
                   "--fields=+neKsZf", "-f", "-", "-L", "-"]
        out = subprocess.run(command, cwd=self.root, input="\n".join(self.code), check=True, text=True,
                             stdout=subprocess.PIPE).stdout
        tags = [json.loads(line) for line in out.splitlines()]
        return [t for t in tags if t.get("_type") == "tag"]

    def sources(self, part, suffix=(".c", ".h")):
        return [n for n in self.code if n.startswith(part + "/") and n.endswith(suffix)]

    def functions(self, part):
        return [t for t in self.tags if t["kind"] == "function" and t["path"].startswith(part + "/")]

    def body(self, tag):
        """From the line of its name to its last brace, without comments."""
        return "\n".join(self.code[tag["path"]].splitlines()[tag["line"] - 1:tag["end"]])

    def depth(self, tag):
        """Braces open at once, the function's own among them."""
        now = most = 0
        for sign in re.findall("[{}]", self.body(tag)):
            now += 1 if sign == "{" else -1
            most = max(most, now)
        return most


def is_static(tag):
    return bool(tag.get("file"))


def c_figures(state, part):
    """Sections 1 and 2 of the review, for one folder of sources."""
    sources = state.sources(part)
    if not sources:
        return
    per_c = [state.raw[n].count("\n") for n in state.sources(part, ".c")]
    lines = sum(state.raw[n].count("\n") for n in sources)
    functions = state.functions(part)
    lengths = [t["end"] - t["line"] + 1 for t in functions]
    code = [line for n in sources for line in state.code[n].splitlines() if line.strip()]
    yield "files (.c / .h), lines", f"{len(per_c)} / {len(sources) - len(per_c)}, {lines:,}"
    yield "lines per .c: median, p90, max", spread(per_c)
    yield "functions", str(len(functions))
    yield "function length: median, p90, max", spread(lengths)
    yield "functions above 60 lines", str(sum(n > 60 for n in lengths))
    yield "brace depth >= 3", share(sum(state.depth(t) >= 3 for t in functions), len(functions))
    gotos = sum(len(re.findall(r"\bgoto\b", line)) for line in code)
    yield "goto per kLOC", f"{1000 * gotos / len(code):.1f}"
    structs = Counter(struct_of(t) for t in state.tags
                      if t["kind"] == "member" and t["path"] in sources and struct_of(t))
    yield f"structs; members of the largest {SEVERAL}", \
        f"{len(structs)}; {', '.join(str(n) for _, n in structs.most_common(SEVERAL))}"
    yield "the largest structs", ", ".join(n for n, _ in structs.most_common(SEVERAL))
    yield from names_of_statics([t for t in functions if is_static(t)])
    comments = [c for n in sources for c in comment_starts(state.raw[n])]
    yield "comments with a headless start", share(sum(c in HEADLESS for c in comments), len(comments))
    wide = [columns(line) for n in sources for line in state.raw[n].splitlines() if line.strip()]
    yield "lines > 80; > 100 columns", \
        f"{share(sum(n > 80 for n in wide), len(wide))}; {sum(n > 100 for n in wide)}"


def struct_of(tag):
    """The named struct that a member is in, also through structs and unions without a name."""
    scope = [s for s in tag.get("scope", "").split("::") if s and not s.startswith("__anon")]
    return scope[0] if scope and tag.get("scopeKind") in ("struct", "union") else None


def names_of_statics(statics):
    names = [t["name"] for t in statics]
    one = [n for n in names if "_" not in n]
    yield "statics with one-word names", share(len(one), len(names))
    yield "median length of a static's name", str(median([len(n) for n in names]))
    files = defaultdict(set)
    for tag in statics:
        files[tag["name"]].add(tag["path"])
    many = {n: f for n, f in files.items() if len(f) > 1}
    yield "same static in several files: names, functions", \
        f"{len(many)}, {sum(len(f) for f in many.values())}"


def comment_starts(text):
    """The first word of each comment but the licence; in lower case if it has a capital."""
    for found in re.finditer(r"/\*(.*?)\*/|//([^\n]*)", text, re.S):
        words = re.findall(r"[A-Za-z][\w']*", found.group(1) or found.group(2) or "")
        if words and words[0] != "SPDX":
            yield words[0].lower() if words[0][0].isupper() else ""


# Who calls whom -----------------------------------------------------------------------------------

def floor(name):
    """The folder of a file of the module, wire/ or include/, in either layout."""
    parts = PurePosixPath(name).parts
    if parts[0] != "module":
        return parts[0]
    return parts[1] if len(parts) > 2 else FOLDER_OF.get(parts[1], "core")


def is_up(a, b):
    """A way back up, or from one side to the other."""
    a, b = floor(a), floor(b)
    return a != b and FLOORS.get(b, 0) >= FLOORS.get(a, 0) and "include" not in (a, b)


def calls(state):
    """{(file, file): symbols} of functions and data of other .c files, in module/ and wire/."""
    parts = ("module/", "wire/")
    home = {t["name"]: t["path"] for t in state.tags
            if t["kind"] in ("function", "variable") and t["path"].endswith(".c")
            and t["path"].startswith(parts) and not is_static(t) and "scope" not in t}
    own = defaultdict(set)
    for tag in state.tags:
        if tag["kind"] in ("function", "variable"):
            own[tag["path"]].add(tag["name"])
    arrows = defaultdict(set)
    for name, text in state.code.items():
        if not name.startswith(parts) or not name.endswith(".c"):
            continue
        text = re.sub(r"\b(?:struct|enum|union)\s+\w+", "", text)
        for word in set(re.findall(r"(?<![.>])\bdstor_\w+\b", text)):
            if home.get(word, name) != name and word not in own[name]:
                arrows[name, home[word]].add(word)
    return arrows


def includes(state):
    """{(file, file)} of what module/, wire/ and include/ include of each other."""
    arrows = set()
    for name in state.code:
        if name.startswith("dst/"):
            continue
        for header in re.findall(r'^[ \t]*#[ \t]*include[ \t]+["<]([^">]+)[">]', state.raw[name], re.M):
            folder = PurePosixPath(name).parent
            for near in (folder / header, PurePosixPath("module") / header, PurePosixPath(header),
                         PurePosixPath("include") / header, PurePosixPath("include/uapi") / header):
                if str(near) in state.code:
                    arrows.add((name, str(near)))
                    break
    return arrows


def structure(state):
    called, included = calls(state), includes(state)
    for what, arrows in (("calls", set(called)), ("includes", included)):
        groups = strong(arrows)
        yield f"circles of files by {what}: how many, sizes", \
            f"{len(groups)}: {', '.join(str(len(g)) for g in groups)}" if groups else "0"
    up = {(a, b): words for (a, b), words in called.items() if is_up(a, b)}
    symbols = {word for words in up.values() for word in words}
    yield "arrows up by calls: between files, symbols", f"{len(up)}, {len(symbols)}"
    yield "arrows up by includes: between files", str(sum(is_up(a, b) for a, b in included))
    groups = strong({(floor(a), floor(b)) for a, b in [*called, *included] if floor(a) != floor(b)})
    yield "circles of folders: sizes", ", ".join(str(len(g)) for g in groups) or "0"


def path_of(state):
    """The path of a write: of its own page, or one of this folder that fits. None without."""
    def place(name):
        return next((n for n in ("module/" + name, name) if n in state.code), name)
    defined = {(t["path"], t["name"]) for t in state.tags if t["kind"] == "function"}
    texts = [state.raw.get("docs/architecture.md", ""), (TOP / "docs/architecture.md").read_text()]
    texts += [p.read_text() for p in sorted((TOP / "tests/check").glob("write_path_*.md"))]
    for text in texts:
        path = write_path.rows(text)
        if path and all((place(row.file), row.function) in defined for row in path):
            return path
    return None


def one_write(state):
    path = path_of(state)
    if not path:
        return
    letters = sorted({row.step[0] for row in path})
    yield "files that it crosses", str(len({row.file for row in path}))
    yield "moves between files", str(write_path.moves(path))
    yield f"of these in the contexts {', '.join(letters)}", ", ".join(
        str(write_path.moves([row for row in path if row.step[0] == letter])) for letter in letters)
    yield "hand-overs between contexts", str(sum(row.caller is None for row in path) - 1)
    yield "steps; distinct functions", f"{len(path)}; {len({(r.file, r.function) for r in path})}"


# The rest -----------------------------------------------------------------------------------------

def option(state, words):
    pattern = re.compile("[-_]?".join(words), re.I)
    # Figures of benchmarks, and this script with its test, say nothing of the option.
    files = [n for n, text in state.raw.items() if pattern.search(text)
             and not n.startswith(("docs/bench", ".ci")) and "measure" not in n]
    yield "files that name it: dst/", str(sum(n.startswith("dst/") for n in files))
    parts = ("include/", "module/", "dst/", "dist/", "docs/", "tests/")
    yield "files that name it: " + ", ".join(parts), \
        ", ".join(str(sum(n.startswith(p) for n in files)) for p in parts)
    yield "files that name it: all", str(len(files))


def tests(state):
    def lines(names):
        return sum(state.raw[n].count("\n") for n in names)
    tested = [n for n in state.raw if n.startswith("tests/") and "/corpus/" not in n]
    c_lines = lines(state.code)
    yield "test lines / C lines", f"{lines(tested):,} / {c_lines:,} = {lines(tested) / c_lines:.2f}"
    without = [n for n in tested if not n.startswith("tests/bench/")]
    yield "the same without bench", f"{lines(without) / c_lines:.2f}"


def commits(state):
    if not state.commits:
        return
    out = git("log", "--no-merges", "--format=%s%x1f%b%x1e", state.commits, cwd=state.repository)
    found = [entry.strip("\n").split("\x1f") for entry in out.split("\x1e") if entry.strip("\n")]
    if not found:
        return
    subjects = [len(subject) for subject, _ in found]
    yield "commits without merges", f"{len(found)} ({state.commits})"
    yield "subject: median, p90, max", spread(subjects)
    yield "subject > 72", share(sum(n > 72 for n in subjects), len(found))
    trailer = re.compile(r"^(Signed-off-by|Co-authored-by|Reviewed-by):.*$", re.M | re.I)
    yield "with a body", share(sum(bool(trailer.sub("", b).strip()) for _, b in found), len(found))


def prose(state):
    def count(names):
        wide = all_of = longest = 0
        for name in names:
            for line in prose_lines(state.raw[name]):
                all_of += 1
                wide += len(line) > 100
                longest = max(longest, len(line))
        return f"{wide} of {all_of}, longest {longest}"
    yield "README: lines > 100 columns", count(["README.md"] if "README.md" in state.raw else [])
    pages = [n for n in state.raw if re.fullmatch(r"docs/[^/]+\.md", n)]
    yield "docs/*.md: lines > 100 columns", count(pages)
    yield "docs/man: lines > 100 columns", count([n for n in state.raw if n.startswith("docs/man/")])


def prose_lines(text):
    """Lines of text: no code blocks, tables, headings, empty lines."""
    code = False
    for line in text.splitlines():
        if line.startswith("```"):
            code = not code
        elif not code and line.strip() and not line.startswith(("|", "#", "    ", "\t")):
            yield line


GROUPS = [
    ("module/", lambda s: c_figures(s, "module")),
    ("wire/", lambda s: c_figures(s, "wire")),
    ("dst/", lambda s: c_figures(s, "dst")),
    ("structure", structure),
    ("one 4 KiB write", one_write),
    ("the option queue-depth", lambda s: option(s, ["queue", "depth"])),
    ("tests", tests),
    ("commits", commits),
    ("prose", prose),
]


def table(states):
    lines = ["| what | " + " | ".join(s.label for s in states) + " |",
             "| --- |" + " --- |" * len(states)]
    for title, figures in GROUPS:
        found = [dict(figures(state)) for state in states]
        names = dict.fromkeys(name for column in found for name in column)
        if names:
            lines.append(f"| **{title}** |" + " |" * len(states))
        for name in names:
            lines.append(f"| {name} | " + " | ".join(c.get(name, "-") for c in found) + " |")
    return "\n".join(lines) + "\n"


def unpack(commit, folder):
    folder.mkdir()
    done = subprocess.run(["git", "-c", "safe.directory=*", "archive", commit], cwd=TOP,
                          stdout=subprocess.PIPE, check=False)
    if done.returncode:
        sys.exit(f"measure: {commit} is neither a folder nor a commit")
    subprocess.run(["tar", "x", "-C", folder], input=done.stdout, check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("states", nargs="*", default=["."], metavar="STATE",
                        help="a folder, or a commit of this repository; several make columns")
    parser.add_argument("--commits", metavar="RANGE", help="whose subjects the last column has; "
                        "otherwise all up to the first commit, then those since the one before")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dst-measure.") as where:
        states, before = [], None
        for number, name in enumerate(args.states):
            root, label, repository = Path(name).resolve(), name, TOP
            if not root.is_dir():
                root, tip = Path(where) / str(number), name
                unpack(name, root)
            else:
                repository, tip = root, "HEAD" if (root / ".git").exists() else None
                label = "this folder" if root == TOP else name
            commits = f"{before}..{tip}" if tip and before else tip
            if number == len(args.states) - 1 and args.commits:
                commits = args.commits
            states.append(State(label, root, commits, repository))
            before = tip or before
        sys.stdout.write(table(states))


if __name__ == "__main__":
    sys.exit(main())
