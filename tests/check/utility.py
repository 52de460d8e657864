# SPDX-License-Identifier: GPL-2.0
"""The utility as tests of its manners call it: built with AddressSanitizer and UBSan, and with MemorySanitizer."""
import fcntl
import os
import re
import subprocess
from pathlib import Path

import pytest

from support import BUILD, run

DST = BUILD / "sanitized/dst"
MEMORY = BUILD / "memory/dst"  # the same under MemorySanitizer
COMMANDS = ["export", "unexport", "attach", "detach", "show", "set", "list", "ping", "genkey", "up",
            "down", "save"]
without_module = pytest.mark.skipif(Path("/sys/module/dstor").exists(),
                                    reason="the module is loaded on this machine")


@pytest.fixture(scope="module", autouse=True)
def built():
    with (BUILD / "utility.lock").open("w") as lock:  # other files of tests/check build the same
        fcntl.flock(lock, fcntl.LOCK_EX)
        for target in ("dst-unit-binaries", "dst-sanitized", "dst-memory"):
            status, output = run("make", "-j2", "-f", "tests/dst/build.mk", target)
            assert status == 0, output[-4000:]


def dst(*args, timeout=30, **env):
    """Exit status, stdout, stderr."""
    done = subprocess.run([DST, *map(str, args)], capture_output=True, text=True, timeout=timeout,
                          check=False, env={**os.environ, "LC_ALL": "C", **env})
    assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def options(command):
    """What its help lists: {option: value, or None for a switch}."""
    found = re.findall(r"^  (?:--)?([a-z][a-z-]*)(?:[ =](\S+))?  ", dst("help", command)[1], re.M)
    return {name: value or None for name, value in found}


def fails(*args, status, words=(), timeout=30):
    """One line on stderr, nothing on stdout, the words in it."""
    got, out, err = dst(*args, timeout=timeout)
    assert (got, out) == (status, ""), (got, out, err)
    assert err.count("\n") == 1 and err.endswith("\n") and err.startswith("dst: "), err
    for word in words:
        assert word in err, err
    return err
