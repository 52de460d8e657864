# SPDX-License-Identifier: GPL-2.0
"""The rule for messages of commits: CONTRIBUTING.md, section Commits."""
import re

from support import run

# Older messages do not follow the rule.
BASE = "4938a4f9a747f8e99e197b68369022955b659fa2"
SUBJECT = 72
TRIVIAL = 20		# changed lines that need no body
AREA = r"[a-z0-9][a-z0-9_./-]*|Makefile|README|CHANGELOG|CONTRIBUTING|MAINTAINERS|SECURITY"
SHAPE = re.compile(rf"(?:{AREA})(?:, (?:{AREA}))*: (.+)")
# Forms of the first word that are no imperative; "need", "embed", "bring", "pass" and "focus" are.
NOT_IMPERATIVE = re.compile(r"(?!(?:\w*eed|embed|shed|\w*(?:br|str)ing|ring|ping)\b)"
                            r"\w+(?:ed|ing|[^sui\W]s)\b")
TRAILER = re.compile(r"^(?:[A-Z][\w-]+-by|Fixes|Link|Cc): .*$", re.M)


def objections(subject, body, changed):
    """What is wrong with a message. @changed: lines added and removed by the commit."""
    found = []
    if len(subject) > SUBJECT:
        found.append(f"the subject has {len(subject)} characters, {SUBJECT} at most")
    shape = SHAPE.fullmatch(subject)
    if not shape:
        found.append('the subject has not the form "area: summary"')
    else:
        summary = shape.group(1)
        if re.match(r"[A-Z][a-z]", summary):
            found.append("the summary begins with a capital")
        if summary.endswith("."):
            found.append("the subject ends with a full stop")
        if NOT_IMPERATIVE.match(summary):
            found.append(f'"{summary.split()[0]}" is no imperative')
    if changed > TRIVIAL and not TRAILER.sub("", body).strip():
        found.append(f"there is no body, and {changed} lines change")
    return found


def git(*words):
    """As root in somebody else's clone git wants to be told that this is meant."""
    return run("git", "-c", "safe.directory=*", *words)


def has_base():
    """False in a tarball, in a shallow clone, and in a tree that was begun anew."""
    return git("merge-base", "--is-ancestor", BASE, "HEAD")[0] == 0


def since_base():
    """(hash, subject, body, changed lines) of each commit after the base that is no merge."""
    status, output = git("log", "--no-merges", "--numstat", "--format=%x1e%h%x1f%s%x1f%b%x1f", f"{BASE}..HEAD")
    assert status == 0, output
    for entry in output.split("\x1e")[1:]:
        name, subject, body, numbers = entry.split("\x1f")
        yield name, subject, body.strip(), sum(int(n) for n in re.findall(r"\b\d+(?=\t)", numbers))
