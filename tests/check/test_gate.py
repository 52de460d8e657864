# SPDX-License-Identifier: GPL-2.0
"""The gate leaves scenarios out (tests/vm/gate.py), but no promise without one, and no scenario without a kernel."""
import re
import sys

import pytest

from support import TOP, run

sys.path.insert(0, str(TOP / "tests/vm"))
import gate  # noqa: E402


def promises(text):
    """{"P1": {"test_flush_and_fua", ...}}: the rows of docs/promises.md, and the scenarios that they name."""
    rows = re.findall(r"^\| (P\d+) \|.*\|(.*)\|$", text, re.M)
    return {name: set(re.findall(r"\btest_\w+", shown)) for name, shown in rows}


def selected(*options):
    """{file: {kernel}} of the scenarios that pytest would run."""
    status, output = run(sys.executable, "-B", "-m", "pytest", "--co", "-q", "tests/vm", *options)
    assert status == 0, output[-2000:]
    found = {}
    for stem, params in re.findall(r"^tests/vm/(\w+)\.py::\w+(?:\[(.*)\])?$", output, re.M):
        found.setdefault(stem, set()).add(re.match(r"(uml-\w+|[\w.]*)", params).group(0))
    return found


def uncovered(wanted, found):
    """The promises none of whose scenarios is in @found."""
    return sorted(name for name, stems in wanted.items() if not stems & set(found))


@pytest.fixture(scope="module")
def in_gate():
    return selected("--gate")


def test_every_promise_has_a_scenario_in_the_gate(in_gate):
    wanted = promises((TOP / "docs/promises.md").read_text())
    assert len(wanted) == 15 and all(wanted.values())
    assert not uncovered(wanted, in_gate)


def test_a_promise_without_one_would_be_seen():
    wanted = promises("| P1 | **An ack.** | test_a, test_b |\n| P2 | **No ghosts.** | test_c |\n")
    assert wanted == {"P1": {"test_a", "test_b"}, "P2": {"test_c"}}
    assert uncovered(wanted, {"test_b": {"6.1"}}) == ["P2"]


def test_only_what_is_shown_elsewhere_is_left_out(in_gate):
    left_out = set(selected()) - set(in_gate)
    assert left_out == set(gate.LONG)
    for instead in gate.LONG.values():
        assert set(re.findall(r"\w+", instead)) <= set(in_gate)


def test_every_kernel_of_the_gate_has_its_share(in_gate):
    kernels = set().union(*in_gate.values()) - {""}
    listed = {line.split()[0] for line in (TOP / "dist/kernels").read_text().splitlines()
              if line.endswith("\tgate")}
    assert kernels == listed
    for stem in in_gate:
        if gate.CORE.fullmatch(stem):
            assert in_gate[stem] >= {k for k in listed if not k.startswith("uml-")}, stem
