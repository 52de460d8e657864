#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Sizes and names of the C sources, read as text: kernel style has a function's braces in the first column.

  tests/check/sizes.py      lists files past 500 lines, functions past 60, structs past 30 members,
                            unless REASONS has one for it
"""
import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
FILE, FUNCTION, STRUCT = 500, 60, 30
# Reasons to be larger: of a file by its path, a function as "name()", "struct name".
REASONS = {
    "struct dstor_conn": "its two halves, rx and tx, are structs within it, and nothing outside "
                         "conn/ touches them",
    "struct dstor_welcome": "the bytes of a message of the protocol, in their order",
}
HEAD = re.compile(r"^(?!#|/|\s|\}|struct \w+ \{|(?:enum|union) \w* ?\{|typedef )([^;{}]*?)\b(\w+)\(", re.S)


def functions(text):
    """(name, is static, first line, lines) of each function that has a body."""
    lines = text.splitlines()
    begin = None
    for number, line in enumerate(lines, 1):
        if begin is None and line == "{":
            head = number - 1
            while head > 1 and lines[head - 2].strip() and not re.match(r"[}#]|.*(;|\*/)$", lines[head - 2]):
                head -= 1
            # ATTRIBUTE(x) before a name is no name
            found = HEAD.match(re.sub(r"\bATTRIBUTE\(\w+\)\s*", "",
                                      "\n".join(lines[head - 1:number - 1])))
            begin = (found, head)
        elif line == "}" and begin:
            found, head = begin
            if found:
                yield found.group(2), found.group(1).startswith("static"), head, number - head + 1
            begin = None


def structs(text):
    """(name, members) of each struct that is defined in the first column."""
    for found in re.finditer(r"^struct (\w+) \{\n(.*?)^\}", text, re.M | re.S):
        body = re.sub(r"/\*.*?\*/", "", found.group(2), flags=re.S)
        yield found.group(1), body.count(";")


def one_word(text):
    """Static functions whose name says nothing of the file's subject: one word, no underscore."""
    return sorted(name for name, is_static, _, _ in functions(text) if is_static and "_" not in name)


def sources():
    return sorted(p for folder in ("module", "wire", "dst") for p in (TOP / folder).rglob("*.[ch]")
                  if "probes" not in p.parts)


def oversize(name, text):
    """{subject, as REASONS names it: a sentence} of what is too large in the file @name."""
    found = {}
    lines = text.count("\n")
    if lines > FILE:
        found[name] = f"{name}: {lines} lines"
    for function, _, at, length in functions(text):
        if length > FUNCTION:
            found[f"{function}()"] = f"{name}:{at}: {function}() has {length} lines"
    for struct, members in structs(text):
        if members > STRUCT:
            found[f"struct {struct}"] = f"{name}: struct {struct} has {members} members"
    return found


def main():
    for path in sources():
        for subject, sentence in oversize(str(path.relative_to(TOP)), path.read_text()).items():
            if subject not in REASONS:
                print(sentence)
    return 0


if __name__ == "__main__":
    sys.exit(main())
