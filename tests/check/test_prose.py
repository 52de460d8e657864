# SPDX-License-Identifier: GPL-2.0
"""The form of documents: what of CONTRIBUTING.md, section Style, a script can see."""
import pytest

from measure import columns, prose_lines
from support import TOP

WIDTH = 80
PAGES = sorted([*TOP.glob("*.md"), *(TOP / "docs").glob("*.md"), *(TOP / "tests").rglob("README.md")])


def wide(text):
    return [line for line in prose_lines(text) if columns(line) > WIDTH]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(TOP)))
def test_prose_is_wrapped(page):
    assert not wide(page.read_text())


def test_what_is_too_wide_is_found():
    long = "x" * (WIDTH + 1)
    assert wide(f"# H\n\n{long}\n") == [long] and wide(f"- {long}\n")
    assert not wide(f"# {long}\n\n| {long} |\n\n    {long}\n\n```\n{long}\n```\n{'×' * WIDTH}\n")
