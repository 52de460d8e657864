# SPDX-License-Identifier: GPL-2.0
"""The path of one write, as docs/architecture.md has it: a table that is read back here.

A row is `| step | function | file | context | lock |`. Dots before a function give its depth: it is called
by the nearest row above that has one dot less. A row without dots is entered by another context.
An empty cell repeats the one above.
"""
import re
from collections import namedtuple

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
