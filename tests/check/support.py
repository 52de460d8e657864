# SPDX-License-Identifier: GPL-2.0
"""What the checks share: where things are, how to run them."""
import os
import re
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = TOP / "build"
BUILD.mkdir(exist_ok=True)
VERSION = re.search(r'^#define DSTOR_RELEASE "(.*)"$', (TOP / "module/version.h").read_text(),
                    re.M).group(1)


def run(*command, timeout=600, cwd=TOP, **env):
    """Run a command; its exit status and output (both streams). The limit only ends what hangs."""
    done = subprocess.run([str(c) for c in command], cwd=cwd, timeout=timeout, text=True,
                          errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env={**os.environ, "LC_ALL": "C", **env}, check=False)
    return done.returncode, done.stdout


def kernels():
    """Releases of the installed kernels that have headers."""
    return sorted(p.parent.name for p in Path("/lib/modules").glob("*/build")
                  if (p / "Makefile").exists())


def sources(*folders, suffixes=(".c", ".h")):
    return sorted(p for folder in folders for p in (TOP / folder).rglob("*")
                  if p.suffix in suffixes and not p.name.endswith(".mod.c"))
