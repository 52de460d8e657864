# SPDX-License-Identifier: GPL-2.0
"""The unit tests of wire/, with gcc and with clang, under ASan and UBSan."""
import re

import pytest

from support import BUILD, TOP, run

NAMES = sorted(p.stem for p in (TOP / "tests/wire").glob("test_*.c"))


@pytest.fixture(scope="module")
def built():
    status, output = run("make", "-j2", "-f", "tests/wire/build.mk", "unit-binaries")
    assert status == 0, output[-4000:]


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("name", NAMES)
def test_unit(built, name, compiler, record_property):
    status, output = run(BUILD / "tests" / compiler / name)
    assert status == 0, output[-4000:]
    ran = int(re.search(r"Running (\d+) test", output).group(1))
    passed = int(re.search(r"PASSED\s+\] (\d+) test", output).group(1))
    listed = len(re.findall(r"cmocka_unit_test\w*\(", (TOP / f"tests/wire/{name}.c").read_text()))
    assert passed == ran == listed > 0
    record_property("unit tests", passed)
    print(f"{name} ({compiler}): {passed} unit tests passed")


def declared(header):
    """Names of the functions that a header of wire/ declares."""
    text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
    return set(re.findall(r"\b(dstor_\w+)\([^;{]*\);", text))


def test_every_function_of_wire_is_called():
    functions = {f for header in (TOP / "wire").glob("*.h") for f in declared(header)}
    assert len(functions) > 60
    tests = "".join(p.read_text() for p in (TOP / "tests/wire").glob("*.[ch]"))
    assert not {f for f in functions if f + "(" not in tests}


def test_each_file_of_wire_has_its_header(tmp_path):
    """What x.c offers is what x.h declares, and x.h compiles without another before it."""
    names = {p.stem for p in (TOP / "wire").glob("*.c")}
    assert names | {"host", "protocol"} == {p.stem for p in (TOP / "wire").glob("*.h")}
    for name in sorted(names):
        program = tmp_path / "alone.c"
        program.write_text(f'#include "{name}.h"\n')
        status, output = run("gcc", "-std=gnu11", "-Wall", "-Werror", "-Iwire", "-fsyntax-only",
                             program)
        assert status == 0, output
        status, output = run("gcc", "-std=gnu11", "-c", TOP / f"wire/{name}.c",
                             "-o", tmp_path / "x.o")
        assert status == 0, output
        offered = set(re.findall(r" T (\w+)$", run("nm", tmp_path / "x.o")[1], re.M))
        assert offered == declared(TOP / f"wire/{name}.h"), name


def test_vectors_are_what_their_maker_makes(tmp_path):
    """docs/vectors comes from an implementation in Python that shares nothing with wire/."""
    status, output = run("/usr/bin/python3", "tests/wire/make_vectors.py", tmp_path)
    assert status == 0, output
    made = {p.name: p.read_text() for p in tmp_path.glob("*.txt")}
    kept = {p.name: p.read_text() for p in (TOP / "docs/vectors").glob("*.txt")}
    assert made and made == kept


def test_protocol_document_has_every_code_of_the_header():
    text = (TOP / "docs/protocol.md").read_text()
    header = re.sub(r"/\*.*?\*/", "", (TOP / "wire/protocol.h").read_text(), flags=re.S)
    missing = []
    for name, body in re.findall(r"enum (dstor_\w+) \{(.*?)\}", header, re.S):
        for constant, value in re.findall(r"(DSTOR_\w+) = ([^,]+),", body):
            if constant.endswith("_MAX") and name != "dstor_limits":
                continue
            row = re.search(rf"^\| *(\S+) *\| *`{constant}` *\|", text, re.M)
            if not row or eval(row.group(1).replace(",", "")) != eval(value):  # noqa: S307
                missing.append(constant)
    assert not missing


def test_protocol_document_has_every_field_at_its_offset(tmp_path):
    """The byte tables of the document against what the compiler says."""
    text = (TOP / "docs/protocol.md").read_text()
    header = re.sub(r"/\*.*?\*/", "", (TOP / "wire/protocol.h").read_text(), flags=re.S)
    wanted, lines = [], []
    for struct, body in re.findall(r"^struct (dstor_\w+) \{(.*?)^\};", header, re.S | re.M):
        for field in re.findall(r"(\w+)(?:\[\w+\])?;", body):
            wanted.append((struct, field))
            lines.append(f'printf("%zu %zu\\n", offsetof(struct {struct}, {field}), '
                         f'sizeof(((struct {struct} *)0)->{field}));')
    program = tmp_path / "offsets.c"
    program.write_text('#include <stdio.h>\n#include "protocol.h"\nint main(void)\n{\n'
                       + "\n".join(lines) + "\nreturn 0;\n}\n")
    status, output = run("gcc", "-Iwire", program, "-o", tmp_path / "offsets")
    assert status == 0, output
    offsets = run(tmp_path / "offsets")[1].splitlines()
    assert len(offsets) == len(wanted) > 60
    wrong = []
    for (struct, field), row in zip(wanted, offsets):
        offset, size = row.split()
        section = re.search(rf"`struct {struct}`(.*?)(?=^#|\Z)", text, re.S | re.M)
        if not section or not re.search(rf"^\| *{offset} *\| *{size} *\| *`{field}` *\|",
                                        section.group(1), re.M):
            wrong.append(f"{struct}.{field}: offset {offset}, size {size}")
    assert not wrong
