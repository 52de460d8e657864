# SPDX-License-Identifier: GPL-2.0
"""docs/glossary.md: what it names exists, and the documents use its terms alone."""
import re

from support import TOP, sources

TEXT = (TOP / "docs/glossary.md").read_text()
DOCUMENTS = ("docs/architecture.md", "docs/protocol.md")
ENTRY = re.compile(r"^\*\*([\w ]+)\*\*: (.+?)\s+In code: (.+?)\.(?:\s+Not: (.+?)\.)?$", re.S)
WORDS = 25


def entries(text):
    """(term, sentence, names in code, words that are not used) of each entry."""
    for paragraph in text.split("\n\n"):
        if paragraph.startswith("**"):
            found = ENTRY.match(paragraph.strip())
            assert found, f"not an entry: {paragraph}"
            term, sentence, code, words = (" ".join((part or "").split()) for part in found.groups())
            yield term, sentence, re.findall(r"`(.+?)`", code), words.split(", ") if words else []


def missing(names, top, code):
    """Names of @names that are neither a file below @top nor a symbol of the text @code."""
    for name in names:
        there = (top / name).is_file() if "/" in name else \
            re.search(rf"\b{re.escape(name)}\b", code)
        if not there:
            yield name


def used(words, document):
    """Words of @words that the prose of @document has; code and names of files are not prose."""
    prose = re.sub(r"^```.*?^```|`[^`]*`|\]\([^)]*\)|dst monitor", "", document, flags=re.M | re.S)
    for word in words:
        if re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", " ".join(prose.split()), re.I):
            yield word


def test_each_term_is_one_short_sentence_and_stands_once():
    terms = list(entries(TEXT))
    names = [term for term, *_ in terms]
    assert len(names) >= 40 and len(set(names)) == len(names)
    for term, sentence, code, words in terms:
        assert len(sentence.split()) <= WORDS, f"{term}: more than {WORDS} words"
        assert code, term
        assert not set(words) & set(names), f"{term}: a term is not a word to be avoided"


def test_what_it_names_exists():
    code = "\n".join(p.read_text() for p in sources("module", "wire", "dst", "include", "tests/sim"))
    names = [name for _, _, names, _ in entries(TEXT) for name in names]
    assert not list(missing(names, TOP, code))


def test_documents_use_its_terms():
    words = [word for *_, words in entries(TEXT) for word in words]
    for name in DOCUMENTS:
        assert not list(used(words, (TOP / name).read_text())), name


def test_what_is_wrong_is_seen():
    text = "**lease**: The right to write.\nIn code: `struct gone`, `no/such.c`. Not: lock,\nwrite lock.\n"
    (term, sentence, code, words), = entries(text)
    assert (term, sentence, code, words) == \
        ("lease", "The right to write.", ["struct gone", "no/such.c"], ["lock", "write lock"])
    assert list(missing(code, TOP, "struct goner { };")) == code
    assert not list(missing(["struct gone"], TOP, "struct gone;"))
    assert list(used(words, "A write\nlock.")) == words
    assert not list(used(words, "`lock`, lockdep, sub-lock, [x](lock.md)\n```\nlock\n```\n"))
