# SPDX-License-Identifier: GPL-2.0
"""The files by which others join the project name what is there."""
import re

import pytest

from support import BUILD, TOP, run

PAGES = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "tests/vm/README.md",
         *sorted(f"docs/{p.name}" for p in (TOP / "docs").glob("*.md"))]
# Of the tree, as the pages name them; what a target builds (build/) is not.
PLACES = ("dist/", "docs/", "dst/", "include/", "module/", "tests/", "wire/", ".ci/")


def targets():
    text = "".join((TOP / name).read_text() for name in ("Makefile", "dist/install.mk"))
    return set(re.findall(r"^([a-z][a-z-]*):", text, re.M))


def missing_files(text, folder):
    """Links, relative to @folder, and code in backticks that begins with a folder of the tree."""
    links = [folder / link for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text)]
    named = [TOP / name for name in re.findall(r"`([\w.-]+/[\w./-]*)[` ]", text)
             if name.startswith(PLACES)]
    return [str(path) for path in links + named if not path.exists()]


def missing_targets(text):
    """`make NAME` in backticks, or in a line of a block of commands."""
    named = re.findall(r"(?:`| {4})make ([a-z][a-z-]*)\b(?!=)", text)
    return sorted(set(named) - targets())


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_files_and_targets_that_exist(page):
    text = (TOP / page).read_text()
    assert not missing_files(text, (TOP / page).parent)
    assert not missing_targets(text)


def test_what_does_not_exist_is_found():
    assert missing_files("see [it](nowhere.md#part)", TOP)
    assert missing_files("`dst/nowhere.c`", TOP) and missing_files("`tests/nowhere COMMIT`", TOP)
    assert not missing_files("`dst/main.c`, `build/dst`, [it](README.md), <https://x.y/z>", TOP)
    assert missing_targets("`make nowhere`") == missing_targets("    make nowhere X=1") == ["nowhere"]
    assert not missing_targets("`make test`, `make`, `make KVER=x`")


def test_recipes_name_the_steps_of_each_kind():
    """A recipe that lost a file of the interface would lead a newcomer to half a change."""
    text = (TOP / "CONTRIBUTING.md").read_text()
    recipes = dict(re.findall(r"^### A new ([a-z ]+)\n(.*?)(?=^### |\Z)", text, re.S | re.M))
    assert set(recipes) == {"option", "flag of a request", "event", "counter"}
    for name, recipe in recipes.items():
        shared = {"docs/protocol.md", "wire/protocol.h"} if "flag" in name else \
            {"include/uapi/linux/dstor.h", "include/dstor.yaml"}
        files = set(re.findall(r"`((?:module|wire|dst|include|docs|tests)/[\w./-]+\.\w+)`", recipe))
        assert shared <= files and len(files) > 5, name


def test_maintainers_name_what_is_there():
    found = re.findall(r"^F:\t(\S+)$", (TOP / "MAINTAINERS").read_text(), re.M)
    assert "*" in found
    for name in found:
        assert list(TOP.glob(name)), name


def test_one_address_for_mail():
    """The maintainers', as the packages have it; pages for people name the file that has it."""
    address = re.search(r"^Maintainer: .* <(.*)>$", (TOP / "dist/debian/control").read_text(), re.M)
    for name in ("MAINTAINERS", "dist/debian/changelog.in"):
        assert set(re.findall(r"<([^<>\s]+@[^<>\s]+)>", (TOP / name).read_text())) == \
            {address.group(1)}, name
    for name in ("README.md", "SECURITY.md"):
        text = (TOP / name).read_text()
        assert "@" not in text and "[MAINTAINERS](MAINTAINERS)" in text, name


def test_security_policy_promises_no_times():
    """Nobody has decided any."""
    assert not re.search(r"\b(day|week|month|hour)s?\b", (TOP / "SECURITY.md").read_text())


def test_help_lists_every_target_in_its_group():
    """What has a "##" is in one group that help knows, in a line that a terminal holds."""
    text = "".join((TOP / name).read_text() for name in ("Makefile", "dist/install.mk"))
    groups = re.findall(r"^([a-z][a-z-]*):[^#\n]*##([a-z]*)", text, re.M)
    status, output = run("make", "help")
    assert status == 0
    shown = re.findall(r"^  ([a-z][a-z-]*) ", output, re.M)
    assert sorted(shown) == sorted(name for name, _ in groups) and len(shown) > 20
    for _, group in groups:
        assert re.search(rf"^title-{group} := \S", text, re.M), group
    assert max(len(line) for line in output.splitlines()) <= 80


def test_readme_is_short():
    """A hundred lines of 80 columns, and a disk after 150 words."""
    text = (TOP / "README.md").read_text()
    assert len(text.splitlines()) <= 100
    assert max(len(line) for line in text.splitlines()) <= 80
    before, disk, _ = text.partition("\n    dst attach dst://")
    assert disk and len([word for word in before.split() if re.search(r"\w", word)]) + 3 <= 150


def test_figures_of_readme_are_those_of_the_page():
    """The medians of the ratios to nvme-tcp, which `make bench` prints."""
    page = (TOP / "docs/performance.md").read_text()
    readme = (TOP / "README.md").read_text()
    tables = {"User Mode Linux 7.3": page.split("| quartiles of |")[1].split("\n\n")[0]}
    head, *rows = re.findall(r"^\| ([^|]*) \| ([^|]*QD\d+|\d\.\d\d) \| (.*) \|$", readme, re.M)
    columns = [head[1], *head[2].split(" | ")]
    assert {row[0] for row in rows} == set(tables) and len(columns) == 4
    for kernel, first, rest in rows:
        for column, figure in zip(columns, [first, *rest.split(" | ")], strict=True):
            what, depth = column.split()
            median = re.search(rf"^\| {what} 4 KiB {depth} \| \S+ (\S+) ", tables[kernel], re.M)
            assert figure == median.group(1), f"{kernel}: {column}"
    assert "`make bench`" in readme


PUBLIC_PAGES = sorted([*TOP.glob("*.md"), *(TOP / "docs").glob("*.md"), *(TOP / "docs/man").glob("*.scd")])


def commands(text):
    """(command, options, KEY= words) of each `dst ...` in backticks or in a block of commands."""
    text = re.sub(r"\\(?=[\[\]-])|\*", "", text) if "# NAME" in text else text
    text = re.sub(r"\\\n\s*", "", text)
    found = re.findall(r"`dst ([^`]*)`", text)
    found += re.findall(r"^(?:    |\t).*?(?<![\w/.-])dst ([^#\n;&|]*)", text, re.M)
    for line in found:
        words = line.split()
        if words and re.fullmatch(r"[a-z]+", words[0]):
            yield words[0], re.findall(r"(?<!\S)--[a-z][a-z-]*", line), \
                re.findall(r"(?<!\S)([a-z][a-z-]*)=", line)


@pytest.fixture(scope="module")
def helps():
    """{command: its help}"""
    names = re.findall(r"^  dst ([a-z]+) ", run(BUILD / "dst", "--help")[1], re.M)
    return {name: run(BUILD / "dst", "help", name)[1] for name in names}


def unknown(text, helps):
    wrong = []
    for command, options, keys in commands(text):
        if command not in helps:
            wrong.append(command)
            continue
        known = re.findall(r"--[a-z][a-z-]*", helps[command])
        wrong += [f"{command} {option}" for option in options if option not in known]
        if command == "set":
            wrong += [f"set {key}=" for key in keys if not re.search(rf"^  {key}=", helps[command], re.M)]
    return wrong


@pytest.mark.parametrize("page", PUBLIC_PAGES, ids=lambda p: str(p.relative_to(TOP)))
def test_pages_show_commands_that_exist(page, helps):
    assert not set(unknown(page.read_text(), helps)) - {"help"}


def test_a_command_that_does_not_exist_is_found(helps):
    assert "set" in helps and "monitor" in helps and len(helps) > 10
    text = "`dst frob x`, `dst set d frob=1`\n\n    umount /mnt && dst detach d --frob   # --no\n"
    assert unknown(text, helps) == ["frob", "set frob=", "detach --frob"]
    assert not unknown("`dst set d key=/x`\n\n    dst attach dst://h/x --name d --key /x\n", helps)
