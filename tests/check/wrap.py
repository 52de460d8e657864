#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Wraps paragraphs and items of lists that have a line of more than 80 columns, in place.

  tests/check/wrap.py FILE.md|FILE.scd...

Other paragraphs, blocks of commands, pictures, tables and headings stay as they are, and so do all words.
"""
import re
import sys
from pathlib import Path

WIDTH = 80
ITEM = re.compile(r" *(?:[-*]|\d+\.) +")
# At the beginning of a line these would make a list, a heading, a table or a quotation.
NOT_FIRST = re.compile(r"(?:[-+*#>=]+|\d+[.)]|\|.*)")


def is_verbatim(line, manual):
    """Never part of a paragraph. In a manual page a tab is the depth of a paragraph."""
    if not line.strip() or line.startswith(("#", "|", "```", "<!--", ">")):
        return True
    if manual:
        return line.endswith("++") or line.startswith("\t\t")
    return line.startswith(("    ", "\t")) or line.endswith(("  ", "\\"))


def pieces(text):
    """Words; what is in backticks stays together, and nothing follows that must not begin a line."""
    glued = re.sub(r"`[^`]*`", lambda m: m.group().replace(" ", "\0"), text).split()
    for number, word in enumerate(glued):
        word = word.replace("\0", " ")
        if number and NOT_FIRST.fullmatch(word):
            last += " " + word
            continue
        if number:
            yield last
        last = word
    if glued:
        yield last


def fill(text, first, rest):
    lines, line, room = [], first, True
    for piece in pieces(text):
        if not room and len((line + " " + piece).expandtabs(8)) > WIDTH:
            lines.append(line)
            line, room = rest, True
        line += piece if room else " " + piece
        room = False
    return lines + [line]


def wrap(text, manual=False):
    lines, out, fenced = text.split("\n"), [], False
    while lines:
        line = lines.pop(0)
        fenced ^= line.startswith("```")
        if fenced or is_verbatim(line, manual):
            out.append(line)
            continue
        item = None if manual else ITEM.match(line)
        first = item.group() if item else re.match(r"\s*", line).group()
        rest = " " * len(first) if item else first
        block = [line]
        while lines and not is_verbatim(lines[0].replace(rest, "", 1) if item else lines[0], manual) \
                and not (ITEM.match(lines[0]) and not manual) \
                and (not manual or lines[0].startswith("\t") == line.startswith("\t")):
            block.append(lines.pop(0))
        if any(len(one.expandtabs(8)) > WIDTH for one in block):
            block = fill(" ".join([line[len(first):], *(one.strip() for one in block[1:])]), first, rest)
        out += block
    return "\n".join(out)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for name in sys.argv[1:]:
        path = Path(name)
        path.write_text(wrap(path.read_text(), path.suffix == ".scd"))


if __name__ == "__main__":
    main()
