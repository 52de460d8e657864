# SPDX-License-Identifier: GPL-2.0
"""Sizes of files, functions and structs; names of statics carry their file's subject."""
import sizes
from support import TOP

KNOWN = TOP / "tests/check/one_word_statics.txt"


def present():
    return {f"{path.relative_to(TOP)} {name}" for path in sizes.sources()
            for name in sizes.one_word(path.read_text())}


def test_no_new_static_is_one_word():
    known, now = set(KNOWN.read_text().splitlines()), present()
    assert not now - known, "a stack trace shows these without their file: give them their subject"
    assert not known - now, f"these have better names by now: take them out of {KNOWN.name}"


def test_what_is_too_large_has_a_reason():
    found = {}
    for path in sizes.sources():
        found.update(sizes.oversize(str(path.relative_to(TOP)), path.read_text()))
    assert not [found[subject] for subject in found.keys() - sizes.REASONS.keys()]
    assert not sizes.REASONS.keys() - found.keys(), "these are small enough by now"


def test_what_is_too_large_is_found():
    text = ("void f(void)\n{\n" + 58 * "\tg();\n" + "}\n\n"
            "struct s {\n" + 31 * "\tint a;\n" + "};\n")
    assert sizes.oversize("a.c", text) == {"f()": "a.c:1: f() has 61 lines",
                                           "struct s": "a.c: struct s has 31 members"}
    assert sizes.oversize("a.c", 501 * "\n") == {"a.c": "a.c: 501 lines"}
    assert not sizes.oversize("a.c", text.replace("\tg();\n", "", 1)
                              .replace("\tint a;\n", "", 1) + 400 * "\n")


def test_functions_and_structs_are_seen():
    text = ("static int\nname_of(struct a *a,\n\tint b)\n{\n\treturn 0;\n}\n\n"
            "static void run(void)\n{\n\tif (x) {\n\t}\n}\n\nint shown(void)\n{\n}\n\n"
            "enum e verdict(int a)\n{\n}\n\nenum e {\n\tA,\n};\n\n"
            "struct s {\n\tint a;\t/* one; two */\n\tint b;\n};\n")
    assert [(n, s, lines) for n, s, _, lines in sizes.functions(text)] == \
        [("name_of", True, 6), ("run", True, 5), ("shown", False, 3),
         ("verdict", False, 3)]
    assert sizes.one_word(text) == ["run"]
    assert list(sizes.structs(text)) == [("s", 2)]
