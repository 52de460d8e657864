# SPDX-License-Identifier: GPL-2.0
"""Each one-line mutant of wire/ is killed by the unit test that mutants.py names."""
from concurrent.futures import ThreadPoolExecutor

import pytest

import mutants
from mutants import MUTANTS, TOP


@pytest.fixture(scope="module")
def objects():
    return mutants.build()


def test_every_mutant_is_killed_by_its_test(objects):
    with ThreadPoolExecutor(2) as pool:
        failed = dict(zip(MUTANTS, pool.map(lambda name: mutants.failed_tests(name, objects), MUTANTS)))
    lives = {name: failed[name] for name in MUTANTS if MUTANTS[name][3] not in failed[name]}
    assert not lives, f"not killed by the test that is named: {lives}"
    print(f"{len(MUTANTS)} mutants of wire/ killed")


def test_each_file_of_wire_has_mutants():
    assert {row[0] for row in MUTANTS.values()} == {p.stem for p in (TOP / "wire").glob("*.c")}


def test_what_is_no_mutant_lives(objects):
    """A check that calls everything killed would not notice this."""
    name = "write-executed-twice"
    assert mutants.failed_tests(name, objects, (TOP / "wire/slot.c").read_text()) == []
    assert mutants.failed_tests(name, objects)


def test_a_mutant_whose_line_is_gone_is_noticed(monkeypatch):
    monkeypatch.setitem(MUTANTS, "gone", ("slot", "no such line", "", "slot_new_then_repeat", "slot"))
    with pytest.raises(ValueError, match="gone: 0 times"):
        mutants.mutated("gone")
