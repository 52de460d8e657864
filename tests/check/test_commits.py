# SPDX-License-Identifier: GPL-2.0
"""The messages of commits follow the rule of CONTRIBUTING.md, and the rule finds what does not."""
import pytest

import commits
from support import TOP

BODY = "Problem, cause, repair, test.\n"


@pytest.mark.parametrize("subject", [
    "client: fail FUA writes after a detected cache loss",
    "tests/vm, docs: name the address beside the client",
    "README: say how long the gate takes",
    "wire: need a feature for each flag",
    "conn: process answers in batches",
    "dst: bring back the key's path",
    "exporter: ping a silent client", "tests: embed vectors", "conn: focus on one socket",
    "x: " + "a" * 69,
])
def test_good_subject(subject):
    assert not commits.objections(subject, BODY, 100)


@pytest.mark.parametrize("subject, word", [
    ("Read again: what a scenario says", "form"),
    ("Lines as long as they may be", "form"),
    ("client fail writes", "form"),
    ("client:fail writes", "form"),
    ("client: ", "form"),
    ("client: Fail writes", "capital"),
    ("client: fail writes.", "full stop"),
    ("client: failed writes end", "imperative"),
    ("client: failing writes", "imperative"),
    ("client: fails writes", "imperative"),
    ("x: " + "a" * 70, "73 characters"),
])
def test_bad_subject(subject, word):
    assert word in " ".join(commits.objections(subject, BODY, 100))


def test_body():
    good = "client: fail writes"
    assert not commits.objections(good, "", commits.TRIVIAL)
    assert "no body" in commits.objections(good, "", commits.TRIVIAL + 1)[0]
    assert "no body" in commits.objections(good, "Signed-off-by: A <a@b.c>\n", 100)[0]
    assert not commits.objections(good, BODY + "\nSigned-off-by: A <a@b.c>\n", 100)
    assert not commits.objections(good, "Cause: a race.\n", 100)


def test_contributing_states_the_rule():
    text = (TOP / "CONTRIBUTING.md").read_text()
    assert f"at most {commits.SUBJECT} characters" in " ".join(text.split())
    assert f"at most {commits.TRIVIAL} lines" in " ".join(text.split())


if commits.has_base():	# otherwise there is nothing to look at, and no such test in the list
    def test_messages_since_the_base():
        wrong = {f"{name} {subject}": found for name, subject, body, changed in commits.since_base()
                 if (found := commits.objections(subject, body, changed))}
        assert not wrong, "\n".join(f"{k}: {'; '.join(v)}" for k, v in wrong.items())
