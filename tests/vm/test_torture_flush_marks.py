# SPDX-License-Identifier: GPL-2.0
"""A power cut at any flush: the exporter's disk, replayed up to each mark, holds a clean ext4 and every file that was fsynced.

QEMU records what reaches the exporter's disk, in the format of dm-log-writes; nothing is cut in fact, all cuts are tried.
"""
import subprocess
import sys
import time
from pathlib import Path

import pytest

from common import TOOLS, attach_to
from harness.disks import FLUSH, read_log, replay
from torture import form, serve

sys.path.append(str(Path(__file__).parent / "tools"))
from fsyncer import contents, newest  # noqa: E402

MARKS = form(12, 200)
SECONDS = form(6, 60)
MEGABYTES = 64

# Beside the files that are fsynced: some that are rewritten and renamed, and nobody asks for.
DISORDER = ("mkdir /mnt/junk; n=0; while :; do n=$((n + 1)); head -c $((n * 7919 % 20000)) /dev/urandom >/mnt/junk/$((n % 7)); "
            "mv /mnt/junk/$((n % 7)) /mnt/junk/x$((n % 5)); sleep 0.05; done")


def run(*command):
    return subprocess.run(command, capture_output=True, check=False)


def check_file_system(image, copy, whole):
    """After its journal was replayed it is clean, and the files 1 to whole are as they were written."""
    run("cp", "--sparse=always", "--reflink=auto", image, copy)
    mended = run("e2fsck", "-E", "journal_only", "-fy", copy)
    assert mended.returncode in (0, 1), mended
    clean = run("e2fsck", "-fn", copy)
    assert clean.returncode == 0, clean
    for n in range(1, whole + 1):
        assert run("debugfs", "-R", f"cat /{n}", copy).stdout == contents(n), f"file {n} of {whole}"


@pytest.mark.stock
@pytest.mark.limit(form(150, 1200))
def test_every_flush_mark_is_a_safe_place(pair, tmp_path):
    exporter, client = pair
    serve(exporter, exporter.disk("volatile"))
    path = attach_to(client, "dst://10.77.0.1/data")
    client.run(f"mkfs.ext4 -q {path} {MEGABYTES}M && mount {path} /mnt && sync -f /mnt")
    disk = exporter.disks["volatile"]
    first = len(read_log(disk.log))
    jobs = [client.start(DISORDER), client.start(f"exec python3 {TOOLS}/fsyncer.py write /mnt /tmp/promised")]
    client.wait_for("[ -s /tmp/promised ]")
    time.sleep(SECONDS)
    for job in jobs:
        job.kill()
    client.wait_for("umount /mnt")
    client.run("dst detach d")
    files = int(client.run("tail -n 1 /tmp/promised").out)
    entries = read_log(disk.log)
    marks = [i for i, e in enumerate(entries) if i >= first and e[2] & FLUSH]
    assert files > 5 and len(marks) > files, (files, len(marks))
    wanted = set(marks[::max(1, len(marks) // MARKS)]) | {marks[-1]}

    # File n begins only when n - 1 is durable and was named: a block of it on the disk says that n - 1 must be there.
    image, copy, begun, checked = tmp_path / "image", tmp_path / "copy", 0, []
    run("cp", "--sparse=always", "--reflink=auto", disk.before, image)
    with open(image, "r+b") as target, open(disk.log, "rb") as log:
        for i, entry in enumerate(entries):
            begun = max(begun, newest(replay(target, log, entry)))
            if i in wanted:
                target.flush()
                check_file_system(image, copy, begun - 1)
                checked.append(begun)
    assert len(checked) >= min(MARKS, len(marks)) and checked[-1] >= files and checked[0] < files // 2, checked
