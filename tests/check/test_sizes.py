# SPDX-License-Identifier: GPL-2.0
"""Names of statics carry their file's subject: the list of those that do not only becomes shorter."""
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
