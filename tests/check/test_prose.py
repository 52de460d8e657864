# SPDX-License-Identifier: GPL-2.0
"""The form of documents and comments: the part of CONTRIBUTING.md, section Style, that a script can see."""
import re

import pytest

from measure import HEADLESS, columns, comment_starts, prose_lines
from support import TOP, sources
from wrap import wrap

WIDTH = 80
HEADLESS_SHARE = 0.02	# of comments: of the kernel's own drivers 1 to 2 % begin so
# Of a document no sentence may begin so, unless it is a question.
NO_ACTOR = re.compile(r"(?:^|(?<=[.:!?] ))[*_(]*(?:What|Who|Whoever|Whatever|Nobody|Somebody) [^.?]*[.:]")
PAGES = sorted([*TOP.glob("*.md"), *(TOP / "docs").glob("*.md"), *(TOP / "tests").rglob("README.md")])
MANUALS = sorted((TOP / "docs/man").glob("*.scd"))


def manual(path):
    """As a document: a tab is the depth of a paragraph there, "++" ends a line of commands."""
    lines = path.read_text().splitlines()
    lines = ["" if re.match(r"[#*_].*\S[*_]$", line) or line.endswith("++") else line.strip() for line in lines]
    return "\n".join(lines)


def wide(text):
    return [line for line in prose_lines(text) if columns(line) > WIDTH]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(TOP)))
def test_prose_is_wrapped(page):
    assert not wide(page.read_text()), f"run tests/check/wrap.py {page.relative_to(TOP)}"


@pytest.mark.parametrize("page", MANUALS, ids=lambda p: p.stem)
def test_manuals_are_wrapped_and_name_the_actor(page):
    found = [line for line in page.read_text().splitlines()
             if columns(line) > WIDTH and not line.endswith("++")]
    assert not found
    assert len(paragraphs(manual(page))) > 10
    assert not without_actor(manual(page))


def test_what_is_too_wide_is_found():
    long = "x" * (WIDTH + 1)
    assert wide(f"# H\n\n{long}\n") == [long] and wide(f"- {long}\n")
    assert not wide(f"# {long}\n\n| {long} |\n\n    {long}\n\n```\n{long}\n```\n{'×' * WIDTH}\n")


def paragraphs(text):
    """Each as one line: what prose_lines() gives, cut at empty lines and at items of a list."""
    kept = set(prose_lines(text))
    lines = [line if line in kept else "" for line in text.splitlines()]
    lines = [re.sub(r"^\s*(?:[-*]|\d+\.) +", "\n", line) for line in lines]
    return [" ".join(p.split()) for p in re.split(r"\n\s*\n", "\n".join(lines)) if p.strip()]


def without_actor(text):
    return [m.group() for p in paragraphs(text) for m in NO_ACTOR.finditer(p)]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(TOP)))
def test_sentences_name_the_actor(page):
    assert not without_actor(page.read_text())


def test_a_sentence_without_an_actor_is_found():
    assert without_actor("Who has that\nreads disks.") and without_actor("It is. Nobody waits.")
    assert without_actor("- a\n- **What is left** is gone.")
    assert not without_actor("Who may attach? A client.\n\n    What is code.\n\nIt says what. Whole.")


@pytest.mark.parametrize("folder", ["module", "wire", "dst"])
def test_comments_name_the_actor(folder):
    """Not "Who sees it sees the reason" but "A reader that sees @failed sees the reason"."""
    starts = [(path, word) for path in sources(folder) if "probes" not in path.parts
              for word in comment_starts(path.read_text())]
    found = [f"{path.relative_to(TOP)}: {word}" for path, word in starts if word in HEADLESS]
    assert len(starts) > 100
    assert len(found) <= HEADLESS_SHARE * len(starts), "\n".join(found)


@pytest.mark.parametrize("page", [*PAGES, *MANUALS], ids=lambda p: str(p.relative_to(TOP)))
def test_wrapped_pages_stay_as_they_are(page):
    assert wrap(page.read_text(), page.suffix == ".scd") == page.read_text()


def test_wrapping_keeps_words_and_blocks():
    words = "word `a b` - " * 12
    block = f"| {words} |\n\n    {words}\n\n```\n{words}\n```\n\n# {words}\n"
    assert wrap(block) == block
    for before in (words, f"- {words}\n- {words}", f"1. x\n   {words}"):
        after = wrap(before)
        assert after.split() == before.split() and max(map(len, after.splitlines())) <= WIDTH
        assert len(re.findall(r"^(?:-|\d+\.) ", after, re.M)) == len(re.findall(r"^(?:-|\d+\.) ", before, re.M))
        assert wrap(after) == after and after.count("`a b`") == 12 * before.count(words)
    manual = f"*--x*\n\t{words}\n\n\t{words}++\n"
    after = wrap(manual, manual=True).splitlines()
    assert after[0] == "*--x*" and all(line.startswith("\t") for line in after[1:] if line)
    assert after[-1] == f"\t{words}++"
