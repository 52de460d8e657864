# SPDX-License-Identifier: GPL-2.0
"""dist/baseline names a commit of this history, and the tree accepts what its ends send: docs/compatibility.md.

tests/vm/test_old_peer.py runs the ends themselves, where there is time to build them.
"""
import commits
from support import TOP

BASELINE, *MORE = [line for line in (TOP / "dist/baseline").read_text().splitlines() if line and line[0] != "#"]
VECTORS = TOP / "docs/vectors"


def blocks(text):
    """{name: lines} of a file of vectors."""
    found = [[line for line in block.splitlines() if line and line[0] != "#"] for block in text.split("\n\n")]
    return {lines[0].removeprefix("vector: "): lines for lines in found if lines}


def broken(old, new):
    """Names of vectors of the text @old that the text @new lacks, or has with other bytes.

    What was refused may be accepted one day, with a feature. All else stays.
    """
    kept = blocks(new)
    return [name for name, lines in blocks(old).items()
            if not any(line.startswith("expect: ") and line != "expect: ok" for line in lines) and kept.get(name) != lines]


def test_a_changed_vector_is_noticed():
    good = "# of nothing\n\nvector: a\nexpect: ok\nhex: 00\n\nvector: b\nexpect: close\nhex: 01\n\nvector: c\nkey: 02\n"
    assert list(blocks(good)) == ["a", "b", "c"]
    assert broken(good, good) == broken(good, good + "\nvector: d\nhex: 03\n") == []
    assert broken(good, good.replace("hex: 00", "hex: 10")) == ["a"]
    assert broken(good, good.replace("expect: close", "expect: ok")) == []
    assert broken(good, good.replace("key: 02", "key: 12")) == ["c"] == broken(good, good[:good.index("\nvector: c")])


def test_the_baseline_is_one_commit():
    assert not MORE and len(BASELINE) == 40 and not set(BASELINE) - set("0123456789abcdef"), BASELINE


if commits.has_base():	# otherwise there is no history to look at, and no such tests in the list
    def test_the_baseline_is_part_of_the_history():
        status, output = commits.git("merge-base", "--is-ancestor", BASELINE, "HEAD")
        assert status == 0, f"no former commit of this tree: {BASELINE} {output}"

    def test_what_the_baseline_sends_is_accepted():
        status, names = commits.git("ls-tree", "--name-only", f"{BASELINE}:docs/vectors")
        assert status == 0 and len(names.split()) >= 6, names
        wrong = {}
        for name in names.split():
            status, old = commits.git("show", f"{BASELINE}:docs/vectors/{name}")
            assert status == 0 and blocks(old), name
            new = (VECTORS / name).read_text() if (VECTORS / name).exists() else ""
            if found := broken(old, new):
                wrong[name] = found
        assert not wrong, f"other bytes than at the baseline: {wrong}"
