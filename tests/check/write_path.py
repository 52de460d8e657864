#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The path of one write, as docs/architecture.md has it: a table that is read back here.

  tests/check/write_path.py      writes that table anew after functions have moved to other files or
                                 rows were added: files by where functions are, steps in order

A row is `| step | function | file | context | lock |`. Dots before a function give its depth: the
nearest row above that has one dot less calls it. A row without dots is entered by another context.
An empty cell repeats the one above.
"""
import re
import sys
from collections import namedtuple

import sizes

# caller: the index of the row that calls it, or None.
Row = namedtuple("Row", "step function file context lock depth caller")
HEAD = re.compile(r"^\| *step *\| *function *\| *file *\| *context *\| *lock *\|$", re.M)


def rows(text):
    """The rows of the first such table of a page; none when it has no table."""
    found = HEAD.search(text)
    result, last = [], ["", "", "", ""]
    for line in text[found.end():].splitlines()[2:] if found else ():
        if not line.startswith("|"):
            break
        step, function, *rest = [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        dots, function = re.fullmatch(r"((?:· ?)*)`?(\w+)", function).groups()
        last = [cell or old for cell, old in zip([step, *rest], last)]
        depth = dots.count("·")
        caller = next((i for i in reversed(range(len(result))) if result[i].depth < depth), None)
        if depth and (caller is None or result[caller].depth != depth - 1):
            raise ValueError(f"{function}: no row above has one dot less")
        if not depth:
            caller = None
        result.append(Row(last[0], function, last[1], last[2], last[3], depth, caller))
    return result


def moves(path):
    """How often the file changes from one row to the next. A hand-over to another context is not one."""
    return sum(a.file != b.file for a, b in zip(path, path[1:]) if b.caller is not None)


def render(path):
    """The table of @path, its steps numbered anew: a letter for each context."""
    lines, letter, number, last = [], "A", 0, None
    for i, row in enumerate(path):
        if i and row.caller is None:
            letter, number = chr(ord(letter) + 1), 0
        number += 1
        same = [last and row.context == last.context, last and row.lock == last.lock]
        if row.caller is None:
            same = [False, False]
        cells = [f"{letter}{number}", "· " * row.depth + f"`{row.function}`", row.file,
                 *("" if repeated else cell for repeated, cell in zip(same, (row.context, row.lock)))]
        lines.append("|" + "".join(f" {cell} |" if cell else " |" for cell in cells) + "\n")
        last = row
    return "".join(lines)


def moved(path, homes):
    """@path with files as in @homes, {function: {file}}; as it was where that is not one file."""
    return [row._replace(file=next(iter(homes[row.function])))
            if row.file not in homes.get(row.function, ()) and len(homes.get(row.function, ())) == 1
            else row for row in path]


def main():
    page = sizes.TOP / "docs/architecture.md"
    text = page.read_text()
    homes = {}
    for source in sizes.sources():
        name = str(source.relative_to(sizes.TOP)).removeprefix("module/")
        if not name.startswith("dst/"):
            for function, *_ in sizes.functions(source.read_text()):
                homes.setdefault(function, set()).add(name)
    begin = text.index("\n", text.index("\n", HEAD.search(text).end()) + 1) + 1
    end = re.compile(r"^(?!\|)", re.M).search(text, begin).start()
    path = moved(rows(text), homes)
    page.write_text(text[:begin] + render(path) + text[end:])
    lost = [row for row in path if row.file not in homes.get(row.function, ())]
    for row in lost:
        print(f"{row.step} {row.function}: in none or several of the files: {row.file} is left")
    return bool(lost)


if __name__ == "__main__":
    sys.exit(main())
