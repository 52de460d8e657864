# SPDX-License-Identifier: GPL-2.0
"""module/version.h is the only place of the version, and everything that has one takes it from there.

That dstor.ko has it is shown where that is built, in test_static.py.
"""
import re

import pytest

from support import BUILD, TOP, VERSION, run
from test_static import tree

OTHER = "9.8.7"


def test_it_is_a_version():
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION)
    assert "MODULE_VERSION(DSTOR_RELEASE);" in (TOP / "module/main.c").read_text()


def test_utility():
    status, output = run(BUILD / "dst", "--version")
    assert status == 0 and output.startswith(f"dst {VERSION}, protocol ")


@pytest.mark.parametrize("page", sorted((TOP / "docs/man").glob("*.scd")), ids=lambda p: p.stem)
def test_manual(page):
    """In the footer of each page."""
    assert f'"DST {VERSION}"' in (BUILD / page.stem).read_text()


@pytest.mark.parametrize("options, version", [([], VERSION), ([f"DST_RELEASE={OTHER}"], OTHER)])
def test_dkms(tmp_path, options, version):
    """DKMS reads the version of the folder and that of the module; a package may have a later one."""
    status, output = run("make", "install-dkms-source", f"DESTDIR={tmp_path}", *options)
    assert status == 0, output
    folder = tmp_path / f"usr/src/dst-{version}"
    assert f'PACKAGE_VERSION="{version}"\n' in (folder / "dkms.conf").read_text()
    assert f'#define DSTOR_RELEASE "{version}"\n' in (folder / "version.h").read_text()


@pytest.mark.parametrize("options, version", [([], VERSION), ([f"DEB_VERSION={OTHER}"], OTHER)])
def test_debian(options, version):
    """The changelog has it, and gives it to all that debian/rules builds."""
    status, output = run("make", "-n", "deb", *options)
    assert status == 0 and f"s/@VERSION@/{version}/" in output, output
    changelog = (TOP / "dist/debian/changelog.in").read_text().splitlines()
    assert "@VERSION@" in changelog[0] and changelog[-1].endswith("  @DATE@") and "s/@DATE@/" in output
    rules = (TOP / "dist/debian/rules").read_text()
    for target in ("utility", "install-utility", "install-dkms-source"):
        assert re.search(rf"MAKE\) {target} .*DST_RELEASE=\$\(DEB_VERSION_UPSTREAM\)$", rules, re.M), target


def test_changelog():
    headings = re.findall(r"^## \[(.*?)\]", (TOP / "CHANGELOG.md").read_text(), re.M)
    assert headings[0] == "Unreleased" or headings[0] == VERSION


def test_it_stands_nowhere_else():
    number = re.compile(rf"(?<![\d.]){re.escape(VERSION)}(?![\d.])")
    found = [str(path.relative_to(TOP)) for path in tree()
             if "corpus" not in path.parts and number.search(path.read_text(errors="replace"))]
    assert set(found) <= {"module/version.h", "CHANGELOG.md"}
