# SPDX-License-Identifier: GPL-2.0
"""Static analysis: compilers' warnings, sparse, checkpatch, cppcheck, and rules of the house."""
import re
from pathlib import Path

import pytest

from support import BUILD, TOP, VERSION, kernels, run, sources

# The only checks of checkpatch that are off, where, and why.
CHECKPATCH_IGNORE = {
    "wire": {
        "NEW_TYPEDEFS": "host.h defines the kernel's own integer names for userspace",
        "PREFER_KERNEL_TYPES": "... from those of the C library",
        "CAMELCASE": "host.h: _Static_assert is C's own name",
        "MACRO_ARG_REUSE": "CRC_OF uses its argument in sizeof; STEP is for constants",
    },
    "dst": {
        "MACRO_ARG_REUSE": "options.c: of one name of a member come its offset and its size",
    },
    "tests/wire": {
        "CAMELCASE": "CMUnitTest is cmocka's name",
        "MACRO_ARG_REUSE": "the expected value is a constant, a member is a name",
    },
    "tests/dst": {
        "CAMELCASE": "CMUnitTest is cmocka's name",
    },
    "tests/fuzz": {
        "CAMELCASE": "LLVMFuzzerTestOneInput is libFuzzer's name",
    },
}
LINE = 100  # .clang-format: ColumnLimit


def complaints(output):
    return [line for line in output.splitlines()
            if re.search(r"\b(warning|error)\b(?!\.[co]\b)", line, re.I)
            and not re.search(r"^(make|Makefile)|skipping BTF|compiler differs", line, re.I)]


def source_name(path):
    """wire/hello for .../wire/hello.c, exporter/hello for .../hello.o: both exist."""
    path = Path(path)
    return path.stem if path.parent.name in ("", "src") else f"{path.parent.name}/{path.stem}"


def test_there_is_a_kernel_to_build_for():
    assert kernels()


@pytest.mark.parametrize("kernel, debug", [*((k, "n") for k in kernels()),
                                           *((k, "y") for k in kernels()[-1:])])
def test_module_builds_without_a_warning_and_is_clean_under_sparse(kernel, debug):
    # -Werror: a warning leaves no object behind, so that it cannot hide in the next run.
    # A folder of its own: with other flags everything is compiled anew, here and in the next `make`.
    out = "check-debug" if debug == "y" else "check"
    status, output = run("make", "-j2", "module", f"KVER={kernel}", f"OUT=build/{out}", "W=1", "C=2",
                         "CF=-D__CHECK_ENDIAN__", "KCFLAGS=-Werror", f"DST_DEBUG={debug}")
    assert status == 0, output[-4000:]
    assert not complaints(output)
    checked = {source_name(name) for name in re.findall(r"CHECK\s+(\S+\.c)", output)}
    objects = re.findall(r"^dstor-y [:+]?=(.*?[^\\])$", (TOP / "module/Kbuild").read_text(),
                         re.S | re.M)
    wanted = {source_name(name) for name in re.findall(r"\S+\.o\b", " ".join(objects))}
    assert len(wanted) > 10
    assert not wanted - checked, "sparse did not see these\n" + output[-2000:]
    # The points of module/core/point.h, by symbol and by name, are in debug builds only.
    ko = (BUILD / out / kernel / "dstor.ko").read_bytes()
    for word in (b"dstor_point_", b"hold_max_ms", b"DONE_BEFORE_KICK"):
        assert (word in ko) == (debug == "y"), word
    assert f"\0version={VERSION}\0".encode() in ko


def test_byte_order_of_the_utility_under_sparse(tmp_path):
    """As in the module, a little-endian value is none of the processor's, on any processor."""
    flags = ["-D_GNU_SOURCE", '-DDST_RELEASE="x"', "-Idst", "-Iwire", "-Iinclude/uapi",
             *run("pkg-config", "--cflags", "libnl-genl-3.0")[1].split()]
    wrong = tmp_path / "wrong.c"
    wrong.write_text('#include "host.h"\nu32 f(__le32 x);\nu32 f(__le32 x) { return x; }\n')
    assert "restricted" in run("sparse", *flags, wrong)[1]
    for source in sources("wire", "dst", suffixes=(".c",)):
        status, output = run("sparse", *flags, source)
        assert status == 0 and not complaints(output), output


@pytest.fixture(scope="session")
def checkpatch():
    """The kernel's own script, from wherever the machine has it."""
    tarballs = sorted(Path("/usr/src").glob("linux-source-6.*.tar.xz"), reverse=True)
    kept = BUILD / "checkpatch"
    places = [*Path("/usr/src").glob("linux-*/scripts/checkpatch.pl"),
              *Path("/usr/lib").glob("linux-kbuild-*/scripts/checkpatch.pl"),
              *kept.glob("*/scripts/checkpatch.pl")]
    if not places:
        assert tarballs, "install the package linux-source-6.12 or linux-source-6.1"
        tarball = max(tarballs, key=lambda p: int(re.search(r"-6\.(\d+)", p.name).group(1)))
        kept.mkdir(parents=True, exist_ok=True)
        status, output = run("tar", "-C", kept, "-xJf", tarball, "--wildcards",
                             "*/scripts/checkpatch.pl", "*/scripts/spelling.txt",
                             "*/scripts/const_structs.checkpatch")
        assert status == 0, output
        places = list(kept.glob("*/scripts/checkpatch.pl"))
    return places[0]


@pytest.mark.parametrize("folder", ["module", "wire", "dst", "include", "tests/wire", "tests/dst",
                                    "tests/fuzz", "tests/sim", "tests/vm/tools"])
def test_checkpatch(checkpatch, folder):
    files = sources(folder)
    assert files
    ignore = CHECKPATCH_IGNORE.get(folder)
    _, output = run("perl", checkpatch, "--no-tree", "--strict", "--terse", "--show-types",
                    "--no-summary", f"--max-line-length={LINE}",
                    *(["--ignore=" + ",".join(ignore)] if ignore else []), "-f", *files,
                    cwd=BUILD)  # it leaves a cache where it runs
    said = [line for line in output.splitlines()
            if re.search(r":\d+: (ERROR|WARNING|CHECK):", line)]
    assert not said, "\n".join(said)


@pytest.mark.parametrize("folder", ["wire", "dst"])
def test_cppcheck(folder):
    files = sources(folder, suffixes=(".c",))
    assert files
    status, output = run("cppcheck", "-q", "-j2", "--enable=warning,performance,portability",
                         "--std=c11", "--error-exitcode=1", "--inline-suppr",
                         "--suppress=missingIncludeSystem", "-Iwire", "-Iinclude/uapi", "-Idst",
                         *files)
    assert status == 0, output


def test_gcc_analyzer_of_wire(tmp_path):
    for source in sources("wire", suffixes=(".c",)):
        status, output = run("gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror",
                             "-fanalyzer", "-c", source, "-o", tmp_path / "x.o")
        assert status == 0, output


def test_wire_needs_nothing_of_the_kernel_or_libc(tmp_path):
    """Its includes are its own, and all it links to is memcpy, memset, memcmp."""
    headers = {f'"{p.name}"' for p in (TOP / "wire").glob("*.h")}
    for source in sources("wire"):
        if source.name != "host.h":
            includes = re.findall(r'^\s*#\s*include\s+(\S+)', source.read_text(), re.M)
            assert set(includes) <= headers, source
            assert "__KERNEL__" not in source.read_text(), source
    own, wanted = set(), set()
    for source in sources("wire", suffixes=(".c",)):
        status, output = run("gcc", "-std=gnu11", "-O1", "-fno-builtin", "-c", source,
                             "-o", tmp_path / "x.o")
        assert status == 0, output
        for kind, name in re.findall(r"([A-Za-z]) (\w+)$", run("nm", tmp_path / "x.o")[1], re.M):
            (wanted if kind == "U" else own).add(name)
    assert wanted - own <= {"memcpy", "memset", "memcmp"}


def tree():
    """What is in the repository or would be; all there is but build/ where there is no repository."""
    # as root in somebody else's clone git wants to be told that this is meant
    status, output = run("git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard")
    names = output.splitlines() if status == 0 else \
        [str(p.relative_to(TOP)) for p in TOP.rglob("*")
         if not {"build", ".git", "__pycache__", ".pytest_cache"} & set(p.relative_to(TOP).parts[:-1])]
    found = [TOP / name for name in names if (TOP / name).is_file()]
    assert len(found) > 50
    return found


def test_no_leftovers_in_the_tree():
    """Nothing about the place it was written at, and nothing put off."""
    words = re.compile(r"(?<![\w.])/wo" r"rk\b(?!queue)|\.\./sha" r"red\b|\bTO" r"DO\b|\bFIX"
                       r"ME\b|\bXX" r"X\b")
    found = []
    for path in tree():
        if path.stat().st_size > 1 << 20 or "corpus" in path.parts:
            continue
        text = path.read_bytes()
        if b"\0" in text:
            continue
        for number, line in enumerate(text.decode(errors="replace").splitlines(), 1):
            if words.search(line):
                found.append(f"{path.relative_to(TOP)}:{number}: {line.strip()[:100]}")
    assert not found


def test_every_source_says_its_licence():
    without = [str(p.relative_to(TOP)) for p in tree()
               if p.suffix in (".c", ".h")
               and "SPDX-License-Identifier: " not in "\n".join(
                   p.read_text(errors="replace").splitlines()[:3])]
    assert not without


def test_what_describes_the_protocol_may_be_used_under_mit():
    """For whoever writes the other end."""
    for path in [TOP / "wire/protocol.h", *(TOP / "docs/vectors").glob("*.txt")]:
        assert "SPDX-License-Identifier: GPL-2.0 OR MIT" in path.read_text().splitlines()[0], path
    assert "MIT License" in (TOP / "LICENSES/MIT").read_text()
