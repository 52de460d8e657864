# SPDX-License-Identifier: GPL-2.0
"""Many devices of one client: those whose exporter does not answer take nothing from the others."""
import time

import pytest

from common import attach_to, device, guest_python, show, wait_state

SILENT = 7714
DEVICES, CONNECTIONS = 17, 64   # more than the workers of one workqueue, of which the newest kernels allow 1024


def silent_exporter(m):
    """The kernel accepts for it, and it never reads."""
    job = guest_python(m, f"""
    import socket, time
    s = socket.create_server(("127.0.0.1", {SILENT}), backlog=4096)
    print("ready", flush=True)
    time.sleep(3600)
    """, start=True)
    until = time.monotonic() + 60
    while "ready" not in job.out:
        assert job.running and time.monotonic() < until, job.err
        time.sleep(0.05)
    return job


@pytest.mark.limit(600)
def test_silent_exporters_stop_no_other_device(machine):
    """More connections wait for a greeting than a workqueue has workers; a device beside them reconnects at once."""
    m = machine
    healthy, other = m.ramdisk(8), m.ramdisk(8)
    m.run(f"echo 4096 >/proc/sys/net/core/somaxconn; dst export data {healthy} --allow any; "
          f"dst export other {other} --allow any --read-only")
    attach_to(m, "dst://127.0.0.1/data --connections 1 --retries forever")
    server = silent_exporter(m)
    m.run(f"for i in $(seq {DEVICES}); do dst attach dst://127.0.0.1/other --read-only --name o$i --connections {CONNECTIONS} "
          "--queue-depth 1 --max-io 4K --timeout 30s --retries forever >/dev/null || exit; done", timeout=300)
    m.run(f"for i in $(seq {DEVICES}); do dst set o$i uri=dst://127.0.0.1:{SILENT}/other; done", timeout=60)
    time.sleep(2)
    m.run("dst unexport data --force")
    wait_state(m, "reconnecting")
    m.run(f"dst export data {healthy} --allow any")
    began = time.monotonic()
    wait_state(m, "connected", timeout=40)
    took = time.monotonic() - began
    assert took < 5, f"it took {took:.1f} s"
    assert sum(d["state"] == "reconnecting" for d in show(m)["devices"]) == DEVICES
    began = time.monotonic()
    m.run("dst detach o1 --force")
    assert time.monotonic() - began < 6
    assert device(m)["stats"]["errors"] == 0
    server.kill()
