# SPDX-License-Identifier: GPL-2.0
"""docs/protocol.md is a specification: each requirement has a number, a test that exists, and a mutant that is known."""
import ast
import re

import pytest

import mutants_module
from mutants import MUTANTS as WIRE
from mutants_module import MUTANTS as MODULE, WITHOUT
from support import TOP
from test_sim import MUTANTS as SIMULATOR

TEXT = (TOP / "docs/protocol.md").read_text()
COLUMNS = 80


def known_tests():
    """Names of all unit tests of wire/ and of all tests of pytest."""
    names = {name for path in (TOP / "tests/wire").glob("test_*.c")
             for name in re.findall(r"cmocka_unit_test\w*\((\w+)", path.read_text())}
    for path in (TOP / "tests").rglob("test_*.py"):
        names |= {node.name for node in ast.walk(ast.parse(path.read_text()))
                  if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}
    return names


def sections(text):
    """{number: text}"""
    return {int(n): body for n, body in re.findall(r"^## (\d+)\. (.*?)(?=^## |\Z)", text, re.M | re.S)}


def killers(wire, module):
    """{mutant: the test that kills it}"""
    return {**{name: row[3] for name, row in wire.items()},
            **{name: re.search(r"::(\w+)", row[3]).group(1) for name, row in module.items()}}


def faults(text, tests, simulator, killed, without):
    """What is wrong with the requirements of the document, as sentences.

    killed: of wire/ and module/, {mutant: test}. without: {requirement without a mutant: reason}
    """
    seen = set()
    for number, body in sections(text).items():
        said = re.findall(r"^\*\*R(\d+)\.(\d+)\*\*", body, re.M)
        rows = re.findall(r"^\| R(\d+\.\d+) \| (.*?) \|(.*?)\|$", body, re.M)
        names = [f"{s}.{n}" for s, n in said]
        for name in names:
            if name in seen:
                yield f"R{name} stands twice"
            seen.add(name)
            if not name.startswith(f"{number}."):
                yield f"R{name} stands in section {number}"
        if [int(n) for _, n in said] != sorted(int(n) for _, n in said):
            yield f"section {number} is not in order"
        for name in set(re.findall(r"\*\*R(\d+\.\d+)\*\*", body)) - set(names):
            yield f"R{name} does not begin its paragraph"
        if [row[0] for row in rows] != names:
            yield f"section {number}: its table has not its requirements"
        for name, shown, mutants in rows:
            shown, mutants = (re.findall(r"`([\w-]+)`", cell) for cell in (shown, mutants))
            if not shown:
                yield f"R{name} has no test"
            for test in set(shown) - tests:
                yield f"R{name}: there is no test {test}"
            for mutant in set(mutants) - set(killed) - set(simulator):
                yield f"R{name}: there is no mutant {mutant}"
            for mutant in set(mutants) & set(killed):
                if killed[mutant] not in shown:
                    yield f"R{name}: {mutant} is killed by {killed[mutant]}, which is not beside it"
            if bool(mutants) == (f"R{name}" in without):
                yield f"R{name} has {'a mutant and a reason for none' if mutants else 'no mutant'}"
    for name in set(re.findall(r"\bR(\d+\.\d+)\b", text)) - seen:
        yield f"R{name} is referred to, and not there"


def too_long(text):
    """Lines of prose that are longer than 80 columns; tables and pictures are no prose."""
    prose = re.sub(r"^```.*?^```|^\|.*?$", "", text, flags=re.M | re.S)
    return [line for line in prose.splitlines() if len(line) > COLUMNS]


def test_each_requirement_has_a_number_and_a_test_that_exists():
    tests = known_tests()
    assert len(tests) > 400
    assert len(re.findall(r"^\*\*R\d+\.\d+\*\*", TEXT, re.M)) > 60
    assert not list(faults(TEXT, tests, SIMULATOR, killers(WIRE, MODULE), WITHOUT))


def test_each_section_with_a_must_has_requirements():
    for number, body in sections(TEXT).items():
        assert "MUST" not in body or f"**R{number}.1**" in body, number


def test_no_name_is_of_two_mutants():
    assert not set(WIRE) & set(SIMULATOR) and not set(MODULE) & (set(WIRE) | set(SIMULATOR))


def test_each_mutant_stands_beside_a_requirement():
    """A mutant that no requirement names tests something that the document does not say."""
    assert not (set(WIRE) | set(MODULE)) - set(re.findall(r"`([\w-]+)`", TEXT))


def test_each_mutant_of_the_module_has_its_line_and_its_scenario():
    """`make mutants-module` runs them; that they can run is seen here."""
    for name in MODULE:
        mutants_module.mutated(name)
        file, function, _ = mutants_module.scenario_of(name)
        assert f"\ndef {function}(" in (TOP / f"tests/vm/{file}.py").read_text(), name
    with pytest.raises(KeyError):
        mutants_module.mutated("no-such-mutant")


def test_a_mutant_is_killed_by_words_of_its_scenario_alone():
    """Not by a machine that dies, nor by a test that fails for another reason."""
    report = "{}\n=== short test summary info ===\nFAILED tests/vm/test_x.py::test_y\n"
    judge, name = mutants_module.judge, "pong-of-another-number"
    assert not judge(name, 1, report.format("E   assert {'pong': False} == {'pong': True}"))
    assert judge(name, 0, "1 passed") == "lives"
    assert "machine is at fault" in judge(name, 1, report.format("E   harness.channel.MachineDied: pong"))
    assert "something else" in judge(name, 1, report.format("E   dst attach: status 1\nthe log says pong"))
    assert "did not run" in judge(name, 4, "ERROR: not found: pong")


def test_prose_is_wrapped():
    assert not too_long(TEXT)


GOOD = """## 3. Greeting

**R3.1** A MUST.

**R3.2** Another MUST, as R3.1.

**R3.3** A MAY.

| requirement | test | mutant |
| --- | --- | --- |
| R3.1 | `test_a` | `m` |
| R3.2 | `test_a`, `b` | `n` |
| R3.3 | `b` | |
"""


def faults_of(text):
    wire, module = {"m": ("file", "old", "new", "test_a", "file")}, {"n": ("file", "old", "new", "test_file::b[x]", "words")}
    return list(faults(text, {"test_a", "b"}, {}, killers(wire, module), {"R3.3": "it is a permission"}))


def test_the_check_sees_what_is_wrong():
    assert faults_of(GOOD) == []
    for old, new, word in (("**R3.2**", "**R3.1**", "stands twice"), ("**R3.2**", "**R4.2**", "stands in section"),
                           ("| `b` |", "| `c` |", "no test c"), ("`m`", "`o`", "no mutant o"),
                           ("`test_a` | `m`", "`b` | `m`", "killed by test_a"),
                           ("`test_a`, `b`", "`test_a`", "killed by b"), ("`n`", "", "R3.2 has no mutant"),
                           ("| `b` | |", "| `b` | `n` |", "R3.3 has a mutant and a reason for none"),
                           ("`test_a`, `b`", "by hand", "R3.2 has no test"), ("as R3.1", "as R3.9", "R3.9 is referred to"),
                           ("| R3.2 | `test_a`, `b` | `n` |\n", "", "has not its requirements")):
        assert GOOD.count(old) == 1, old
        found = faults_of(GOOD.replace(old, new))
        assert any(word in fault for fault in found), (old, new, found)
    swapped = GOOD.replace("**R3.1**", "**R3.x**").replace("**R3.2**", "**R3.1**").replace("**R3.x**", "**R3.2**")
    assert "section 3 is not in order" in faults_of(swapped)
    assert too_long("x" * 81) and not too_long("|" + "x" * 99 + "|\n```\n" + "x" * 99 + "\n```\n" + "x" * 80)
