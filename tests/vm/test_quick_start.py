# SPDX-License-Identifier: GPL-2.0
"""The quick start of README.md on two machines, as it is written: only the disk and the addresses are others."""
import re

from common import device
from harness.boot import PROJECT


def blocks(disk):
    """The commands of each block, but for the installation."""
    text = (PROJECT / "README.md").read_text().split("\n## Quick start\n")[1].split("\n## ")[0]
    for here, there in (("/dev/sdb", disk), ("10.0.0.0/24", "10.77.0.0/24"), ("10.0.0.2", "10.77.0.1")):
        assert here in text
        text = text.replace(here, there)
    found = [block.splitlines() for block in re.findall(r"(?:^    .*\n)+", text, re.M)]
    install, *rest = [[line.strip() for line in block] for block in found]
    assert "apt-get" in install[0] and [len(block) for block in rest] == [1, 2, 2, 3]
    return rest


def test_quick_start_of_the_readme(pair):
    exporter, client = pair
    (export,), (attach, mount), (leave, unexport), (key, export_key, attach_key) = blocks(exporter.ramdisk(16))
    exporter.run(export)
    assert client.run(attach).out == "/dev/dst-data\n"
    client.run(f"{mount} && echo kept >/mnt/file", timeout=60)
    assert "data" in exporter.run("dst show").out and "/dev/dst-data" in client.run("dst show").out
    client.run(leave, timeout=60)
    exporter.run(unexport)
    # with a key, instead; the file system is still there
    exporter.run(f"mkdir -p /etc/dst; {key}")
    secret = exporter.run("cat /etc/dst/key").out
    client.run(f"mkdir -p /etc/dst; (umask 077; echo '{secret.strip()}' >/etc/dst/key)")
    exporter.run(export_key)
    client.run(f"{attach_key} && mount /dev/dst-data /mnt && grep -x kept /mnt/file", timeout=60)
    assert device(client, "data")["cipher"] not in ("", "none")
    assert "works" in client.run("dst show --why data").out
    client.run(leave, timeout=60)
    exporter.run(unexport)
