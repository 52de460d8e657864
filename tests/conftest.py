# SPDX-License-Identifier: GPL-2.0
"""How several processes of pytest share the tests: see tests/run, which starts them."""
import os
from pathlib import Path

import pytest


def weight(item):
    """How much of the host it takes: tests/vm/conftest.py marks what needs machines."""
    marker = item.get_closest_marker("weight")
    return marker.args[0] if marker else 0


def kernel_of(item):
    params = item.callspec.params if hasattr(item, "callspec") else {}
    return params.get("kernel_name", "host")


def unit(item):
    """What one process takes at a time: the tests of a file on one kernel, with as many machines."""
    return f"{weight(item)}-{kernel_of(item)}-{item.path.stem}"


def emulates(item):
    """Its machines have two processors each, which wait for one another: with others beside them, mostly in vain."""
    return weight(item) > 0 and not kernel_of(item).startswith("uml-")


def claimed(folder, items, backwards):
    """The tests of those units that no other process has taken yet; a unit is taken when its first test is asked for.

    Half of the processes begin at the other end, with the tests of several machines: what needs most of the host
    does not meet its like there.
    """
    units = {}
    for item in items:
        units.setdefault(unit(item), []).append(item)
    for name, members in reversed(units.items()) if backwards else units.items():
        try:
            (folder / name).touch(exist_ok=False)
        except FileExistsError:
            continue
        yield from members


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session):
    folder = os.environ.get("DST_TESTS_TAKEN")
    if not folder or session.config.option.collectonly or session.testsfailed:
        return None
    number = int(os.environ["DST_TEST_PROCESS"])
    machines = number < max(1, (os.cpu_count() or 1) // 4)
    # What only this process may run comes first there: the others find enough to do.
    items = sorted((i for i in session.items if machines or not emulates(i)), key=lambda i: not emulates(i))
    mine = claimed(Path(folder), items, not machines and number % 2)
    item = next(mine, None)
    while item is not None:
        following = next(mine, None)
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
        item = following
    return True


def pytest_runtest_logreport(report):
    """tests/run keeps how long each test took: seconds, phase, name."""
    kept = os.environ.get("DST_TEST_DURATIONS")
    if kept:
        with open(kept, "a", encoding="ascii", errors="replace") as f:
            f.write(f"{report.duration:.2f}\t{report.when}\t{report.nodeid}\n")
