# SPDX-License-Identifier: GPL-2.0
"""Other processors: the module and the utility compile without a warning, the unit tests hold under qemu-user."""
import re
import subprocess

import pytest

from machine import CACHE, PROCESSORS, STRICT, TOP, make, prepared

UNITS = sorted(p for folder in ("wire", "dst") for p in (TOP / "tests" / folder).glob("test_*.c"))

# What sparse says of the kernel's own headers: this_cpu operations on arm64, of any module.
HEADERS = re.compile(r"/usr/src/linux-headers-\S+/percpu\.h:\d+:\d+: warning: cast truncates bits from constant value")


@pytest.fixture(scope="module", params=PROCESSORS)
def processor(request):
    prepared(request.param)
    return request.param


def complaints(output):
    return [line for line in output.splitlines()
            if re.search(r"\b(warning|error):", line, re.I) and not HEADERS.search(line)]


def test_module_is_clean(processor):
    kernels = sorted(p.parent.name for p in (CACHE / processor).glob("*/release"))
    assert "6.1" in kernels and "6.12" in kernels
    status, output = make(processor, "modules", "C=2", "CF=-D__CHECK_ENDIAN__", *STRICT)
    assert status == 0, output[-4000:]
    assert not complaints(output)
    sources = re.findall(r"\b[\w/]+\.o\b", " ".join(re.findall(
        r"^dstor-y [:+]?=(.*?[^\\])$", (TOP / "module/Kbuild").read_text(), re.S | re.M)))
    for kernel in kernels:
        ko = TOP / "build/arch" / processor / kernel / "dstor.ko"
        release = (CACHE / processor / kernel / "release").read_text().strip()
        said = subprocess.run(["/sbin/modinfo", "-F", "vermagic", ko], capture_output=True, text=True, check=True).stdout
        assert said.startswith(release + " ")
        checked = set(re.findall(rf"CHECK\s+\S*/arch/{processor}/{re.escape(kernel)}/src/(\S+)\.c", output))
        assert {s.removesuffix(".o") for s in sources} <= checked, "sparse did not see all"


def test_utility_is_clean_and_runs(processor):
    status, output = make(processor, "utility")
    assert status == 0, output[-4000:]
    assert not complaints(output)
    out = emulated(processor, TOP / "build/arch" / processor / "dst", "--version")
    assert out.returncode == 0 and out.stdout.startswith("dst "), out


def emulated(processor, *command):
    return subprocess.run([f"qemu-{PROCESSORS[processor][2]}", "-L", CACHE / processor / "root", *command], timeout=110,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")


def test_units(processor):
    status, output = make(processor, "units")
    assert status == 0, output[-4000:]
    passed = 0
    for source in UNITS:
        out = emulated(processor, TOP / "build/arch" / processor / "units" / source.parent.name / source.stem)
        assert out.returncode == 0, f"{source.name}\n{out.stdout[-4000:]}"
        listed = len(re.findall(r"cmocka_unit_test\w*\(", source.read_text()))
        found = re.search(r"PASSED\s+\] (\d+) test", out.stdout)
        assert found and int(found.group(1)) == listed > 0, out.stdout[-4000:]
        passed += listed
    print(f"{processor}: {passed} unit tests passed")
