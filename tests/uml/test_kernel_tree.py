# SPDX-License-Identifier: GPL-2.0
"""The sources in a kernel tree: built as a module, and built into a kernel that boots with them."""
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent / "in-tree"


@pytest.mark.parametrize("answer, says", [
    ("m", "builds as a module"),
    ("y", "builds into the kernel, and starts there"),
])
def test_kernel_tree(answer, says):
    done = subprocess.run([SCRIPT, answer], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
    assert says in done.stdout
    # what the compiler or the linker complained about, if anything
    assert "warning" not in done.stdout.lower(), done.stdout[-4000:]
