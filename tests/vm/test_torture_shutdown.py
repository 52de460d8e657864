# SPDX-License-Identifier: GPL-2.0
"""A client's machine shuts down with a mounted device whose exporter is gone: it does not wait for it."""
import time

import pytest

from common import attach_to
from torture import serve

BOUND = 60


def mounted(pair, options):
    exporter, client = pair
    serve(exporter, exporter.ramdisk(64))
    path = attach_to(client, f"dst://10.77.0.1/data {options}")
    # A lazy initialisation would have a transaction of its own open, and what is written waits for that one.
    client.run(f"mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 {path} && mount {path} /mnt && "
               "echo x >/mnt/x && sync -f /mnt && head -c 1M /dev/urandom >/mnt/y")
    exporter.freeze()
    return exporter, client


@pytest.mark.stock
@pytest.mark.limit(150)
def test_shutdown_with_the_exporter_gone(pair):
    """sync waits no longer than the budget, and nothing else waits."""
    exporter, client = mounted(pair, "--timeout 1s --retries 5")
    began = time.monotonic()
    client.shutdown(timeout=BOUND)
    assert 2 < time.monotonic() - began < BOUND, "it waits for what was to be written, and not for ever"
    exporter.thaw()


@pytest.mark.stock
@pytest.mark.limit(150)
def test_power_off_does_not_wait_for_ever(pair):
    """Without a sync, with I/O under way that would be retried for ever: the kernel's own part of it ends."""
    exporter, client = mounted(pair, "--retries forever")
    sync = client.start("exec sync -f /mnt")
    time.sleep(2)
    assert sync.running, "there was nothing to write"
    process = client.process
    client.start("busybox poweroff -n -f")
    try:
        process.wait(BOUND)
    finally:
        exporter.thaw()
