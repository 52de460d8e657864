# SPDX-License-Identifier: GPL-2.0
"""Both ends of an earlier commit, built for a kernel from git's history. The baseline is the one of
dist/baseline: docs/compatibility.md.

They lie in ~/.cache/dst/baseline/COMMIT, which may be removed at any time.
"""
import fcntl
import os
import shutil
import subprocess

from harness.boot import CACHE, PROJECT, HarnessError

FILE = PROJECT / "dist/baseline"


class NoHistory(Exception):
    """There is nothing to build the baseline of, as in a tarball."""


def commit():
    lines = [line.strip() for line in FILE.read_text().splitlines() if line.strip() and line[0] != "#"]
    if len(lines) != 1:
        raise HarnessError(f"{FILE.relative_to(PROJECT)} names {len(lines)} commits, not one")
    return lines[0]


def git(*arguments, **more):
    return subprocess.run(["git", "-C", str(PROJECT), *arguments], check=False, capture_output=True, **more)


def sources(wanted):
    """The folder with the sources of the commit @wanted, unpacked once."""
    folder = CACHE / "baseline" / wanted
    if (folder / "Makefile").exists():
        return folder
    if git("cat-file", "-e", f"{wanted}^{{commit}}").returncode:
        raise NoHistory(f"no git history with the commit {wanted[:12]} here")
    new = folder.with_name(f"{wanted}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    archive = git("archive", wanted)
    if archive.returncode:
        raise HarnessError(archive.stderr.decode())
    subprocess.run(["tar", "-x", "-C", str(new)], input=archive.stdout, check=True)
    new.rename(folder)
    return folder


def build(kernel, wanted=None):
    """The folder that stands for build/ (Machine.load), with dstor.ko for @kernel and dst of a commit.

    @wanted: its full hash, the baseline's by default.
    """
    wanted = wanted or commit()
    (CACHE / "baseline").mkdir(parents=True, exist_ok=True)
    # Several runs may want it at once.
    with open(CACHE / "baseline/lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = sources(wanted)
        made = folder / "build"
        if not (made / kernel.release / "dstor.ko").exists() or not (made / "dst").exists():
            options = ["ARCH=um"] if kernel.is_uml else []
            done = subprocess.run(["make", "-C", str(folder), "module", "utility", f"KVER={kernel.release}",
                                   f"KDIR={kernel.build}", *options], check=False, capture_output=True, text=True,
                                  env={k: v for k, v in os.environ.items() if not k.startswith("MAKE")})
            if done.returncode:
                raise HarnessError(f"the commit {wanted[:12]} does not build:\n{done.stderr[-4000:]}")
    return made
