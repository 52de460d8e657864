# SPDX-License-Identifier: GPL-2.0
"""dst(4) lists the lines that the module writes into the kernel log, with their levels: all of them, and no others."""
import re

from support import TOP, sources

LEVELS = {"err": "error", "warn": "warning", "notice": "notice", "info": "info"}
CALL = re.compile(r'\bpr_(\w+?)(?:_ratelimited|_once)?\(\s*"(.*?)"(?=\s*[,)])', re.S)
OTHER = re.compile(r"\b(?:printk\w*|dev_(?:err|warn|notice|info|dbg)\w*|pr_(?:debug|cont|emerg|alert|crit)\w*)\(")


def shape(text):
    """The text with a * in place of what differs from line to line."""
    return re.sub(r"(?:%\*?\w*?(?:llu|d|u|s|phN))+|\b[A-Z]+\b(?: [A-Z]+\b)*", "*", text)


def written(text):
    """{shape: level} of the calls in a source."""
    found = {}
    for level, line in CALL.findall(text):
        assert line.startswith("dstor: ") and line.endswith("\\n"), line
        found[shape(line[len("dstor: "):-2].replace('\\"', '"'))] = LEVELS[level]
    return found


def listed(manual):
    """{shape: level} of the entries in dst(4)."""
    section = manual.split("\n## Kernel log\n")[1].split("\n## ")[0]
    entries = re.findall(r"^(_.*_)\n\tLevel (\w+)", section, re.M)
    assert len(entries) == len(re.findall(r"^_", section, re.M)), "an entry without a level"
    return {shape(line): level for lines, level in entries for line in lines[1:-1].split("_, _")}


def faults(lines, entries):
    """As sentences. An entry that ends in ... names the beginning of a line."""
    def is_of(line, entry):
        return re.fullmatch(re.escape(entry).replace(r"\*", ".+").replace(r"\ \.\.\.", ".+"), line)
    for line, level in lines.items():
        matching = [entry for entry in entries if is_of(line, entry)]
        if not matching:
            yield f"dst(4) lacks: {line}"
        elif entries[matching[0]] != level:
            yield f"{line} is of level {level}"
    for entry in entries:
        if not any(is_of(line, entry) for line in lines):
            yield f"the module never writes: {entry}"


def test_manual_lists_the_lines_of_the_kernel_log():
    lines = {}
    for path in sources("module"):
        text = path.read_text()
        assert not OTHER.search(text), path
        lines |= written(text)
    assert len(lines) > 20
    assert list(faults(lines, listed((TOP / "docs/man/dst.4.scd").read_text()))) == []


MANUAL = """
## Kernel log

_dst-NAME: attached, N bytes_, _dst-NAME: lost ..._
\tLevel info.

## Netlink
"""
SOURCE = """
	pr_info("dstor: dst-%s: attached, %llu bytes\\n", name, size);
	pr_info_ratelimited("dstor: dst-%s: lost with all of it\\n",
			    name);
"""


def test_the_check_sees_what_is_wrong():
    def found(source=SOURCE, manual=MANUAL):
        return list(faults(written(source), listed(manual)))
    assert not found()
    assert found(SOURCE.replace("attached", "away")) == ["dst(4) lacks: dst-*: away, * bytes",
                                                         "the module never writes: dst-*: attached, * bytes"]
    assert found(SOURCE.replace("pr_info(", "pr_err(")) == ["dst-*: attached, * bytes is of level error"]
    assert found(SOURCE.replace("lost", "gone"))[0] == "dst(4) lacks: dst-*: gone with all of it"
    assert found(manual=MANUAL.replace("_, _", "_\n\tLevel info.\n\n_dst-NAME: more_\n\tLevel info.\n\n_")) == [
        "the module never writes: dst-*: more"]
