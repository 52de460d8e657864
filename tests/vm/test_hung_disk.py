# SPDX-License-Identifier: GPL-2.0
"""The exporter's disk hangs: what the exporter has is in progress, all of it, and no budget runs out meanwhile."""
import time

import pytest

from common import PROXY, Proxy, device, export_and_attach, guest_python, mapped, read_block, write_block

# Each request has 3 s. Silence is death after 2 s: the first scenario of a machine may stand still for one.
BUDGET = "--ping 1s --timeout 1s --retries 2"
HUNG = 9  # s


def hang_dm(m):
    disk = mapped(m, "x", f"0 {16 << 11} linear {m.ramdisk(16)} 0")
    return disk, "dmsetup suspend --noflush --nolockfs x", "dmsetup resume x"


def hang_file(m):
    disk = m.ramdisk(64)
    m.run(f"mkfs.ext4 -q {disk} && mkdir -p /mnt && mount {disk} /mnt && truncate -s 16M /mnt/file && "
          "dd if=/dev/zero of=/mnt/file bs=1M count=16 conv=notrunc status=none && sync", timeout=60)
    return "/mnt/file", "fsfreeze -f /mnt", "fsfreeze -u /mnt"


def hang_beneath_writes(m, path, stop, go, size):
    """A hundred writes wait three times as long as their budget. None of them fails, and no connection ends."""
    m.run(stop)
    job = m.start(f"fio --name=x --filename={path} --rw=randwrite {size} --direct=1 --ioengine=libaio --iodepth=128 --minimal")
    m.wait_for("[ $(cat /sys/block/dst-d/inflight | awk '{print $2}') -gt 100 ]")
    time.sleep(HUNG)
    stats = device(m)["stats"]
    m.run(go)
    job.wait(30, check=True)
    assert stats["reconnects"] == stats["errors"] == stats["resends"] == 0, stats
    assert device(m)["stats"]["errors"] == 0


@pytest.mark.parametrize("hang", [hang_file, hang_dm])
def test_a_disk_that_hangs_fails_nothing(machine, hang):
    """A hundred writes wait three times as long as their budget; then an outage has a whole budget again."""
    m = machine
    disk, stop, go = hang(m)
    path = export_and_attach(m, disk, attach=f"--connections 1 {BUDGET}")
    hang_beneath_writes(m, path, stop, go, "--bs=4k --size=512k")
    write_block(m, path, "after")
    assert read_block(m, path) == "after"
    # no slot keeps the time of its former request: the next outage ends after 3 s, and not 9 s later
    m.run("dst unexport data --force")
    began = time.monotonic()
    assert m.run(f"dd if={path} of=/dev/null bs=4k count=1 iflag=direct status=none", check=False, timeout=30).status != 0
    took = time.monotonic() - began
    assert took < HUNG, f"an outage after the hang lasted {took:.1f} s"


def test_an_outage_above_a_slow_disk(machine):
    """The connection is cut while a disk has work for two budgets: the exporter says that it gets less (R9.16)."""
    m = machine
    # 50 times a second it does 20 KiB: one write, and none that is larger, or was merged.
    disk = m.ramdisk(16, mbps=1, hw_queue_depth=512)
    m.run(f"echo 2 >/sys/block/$(basename $(realpath {disk}))/queue/nomerges")
    with Proxy(m) as proxy:
        path = export_and_attach(m, disk, port=PROXY,
                                 attach="--connections 1 --queue-depth 512 --ping 1s --timeout 1s --retries 3")
        job = m.start(f"fio --name=x --filename={path} --rw=write --bs=16k --size=8M --direct=1 --ioengine=libaio --iodepth=512 "
                      "--minimal")
        m.wait_for("[ $(cat /sys/block/dst-d/inflight | awk '{print $2}') -gt 400 ]")
        time.sleep(0.3)
        began = time.monotonic()
        proxy.do("cut")
        job.wait(60, check=True)
        took = time.monotonic() - began
        stats = device(m)["stats"]
        assert stats["errors"] == 0 and stats["reconnects"] == 1, stats
        assert took > 6, f"the disk was done after {took:.1f} s: too fast to show anything"


def test_an_exporter_that_is_full_says_so(machine):
    """Twice as much is requested as the exporter may hold: it reads no further, no question either."""
    m = machine
    disk, stop, go = hang_dm(m)
    path = export_and_attach(m, disk, "--max-inflight 1M", attach=f"--connections 1 {BUDGET}")
    hang_beneath_writes(m, path, stop, go, "--bs=16k --size=2m")


def test_one_answer_speaks_for_all(machine):
    """STATE says ALL, of a request that the exporter has never seen, too."""
    m = machine
    disk, stop, go = hang_dm(m)
    m.run(f"dst export data {disk} --allow any; {stop}")
    got = guest_python(m, f"""
        from rawclient import *
        import json, subprocess
        c = Raw("data", ping_ms=20000)
        for slot in range(3):
            c.request(WRITE, 4096 * slot, 4096, b"a" * 4096, slot=slot)
        time.sleep(0.5)
        out = []
        for slot, seq in ((0, 1), (7, 99)):
            c.send_frame(frame(type=ASK, slot=slot, seq=seq))
            f, _ = c.receive()
            out.append([f["type"] == STATE, f["status"], f["flags"]])
        subprocess.run("{go}", shell=True, check=True)
        for _ in range(3):
            f, _ = c.receive()
            out.append([f["type"] == RESPONSE, f["status"], f["flags"]])
        print(json.dumps(out))
        """)
    assert got == [[True, 1, 1], [True, 0, 1]] + [[True, 0, 0]] * 3
