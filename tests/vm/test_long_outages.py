# SPDX-License-Identifier: GPL-2.0
"""An outage beyond timeout x (retries + 1) is an error, never a hang; the device stays and works again afterwards."""
import time

from common import PROXY, Proxy, device, export_and_attach, fails, start_load, wait_state, write_block

READ = "dd if={} of=/dev/null bs=4k count=1 iflag=direct"


def test_budget_ends(machine):
    """1 s and 2 retries: I/O fails after about 3 s, and `dst show` says how it is going meanwhile."""
    m = machine
    with Proxy(m) as proxy:
        path = export_and_attach(m, m.ramdisk(8), port=PROXY, attach="--timeout 1s --retries 2 --ping 300ms")
        d = device(m)
        assert (d["timeout_ms"], d["retries"], d["retry"]) == (1000, 2, 0)
        proxy.do("refuse", "cut")
        began = time.monotonic()
        job = m.start(READ.format(path))
        until = time.monotonic() + 20
        while (d := device(m))["oldest_io_ms"] < 1200 and time.monotonic() < until:
            time.sleep(0.1)
        assert d["state"] == "reconnecting" and d["retry"] in (1, 2), d
        assert 1200 <= d["oldest_io_ms"] <= 3500, d
        got = job.wait(15)
        took = time.monotonic() - began
        assert got.status != 0 and 2.5 < took < 12, f"{got!r} after {took:.1f} s"
        d = device(m)
        assert d["state"] == "reconnecting" and d["stats"]["errors"] >= 1 and d["oldest_io_ms"] == 0, d
        m.run(f"test -b {path}")
        # what begins in this outage is tried once, not for another budget: five in turn take less than five budgets
        began = time.monotonic()
        m.run("".join(f"{READ.format(path)}; " for _ in range(5)), check=False, timeout=20)
        took = time.monotonic() - began
        assert 4 < took < 11, f"{took:.1f} s"
        # back again, by itself, and with the whole budget
        proxy.do("accept")
        wait_state(m, "connected", timeout=10)
        m.run(READ.format(path))
        write_block(m, path, "again")


def test_forever_is_forever(machine):
    """... until somebody says otherwise: a live `dst set` ends the wait of what is under way."""
    m = machine
    with Proxy(m) as proxy:
        path = export_and_attach(m, m.ramdisk(8), port=PROXY, attach="--timeout 500ms --retries forever")
        assert device(m)["retries"] in ("forever", 0xffffffff, None, -1)
        proxy.do("refuse", "cut")
        job = m.start(READ.format(path))
        until = time.monotonic() + 30
        while device(m)["oldest_io_ms"] <= 3000 and time.monotonic() < until:
            time.sleep(0.2)
        assert job.running and device(m)["oldest_io_ms"] > 3000
        m.run("dst set d timeout=200ms retries=1")
        got = job.wait(10)
        assert got.status != 0
        d = device(m)
        assert (d["timeout_ms"], d["retries"]) == (200, 1)
        proxy.do("accept")
        wait_state(m, "connected", timeout=10)
        m.run(READ.format(path))


def test_settings_are_live(machine):
    """Patience can be given as well as taken, on a device under load."""
    m = machine
    with Proxy(m) as proxy:
        path = export_and_attach(m, m.ramdisk(16), port=PROXY, attach="--timeout 500ms --retries 1 --ping 200ms")
        job = start_load(m, path, runtime=6, size="4M")
        m.run("dst set d timeout=1s retries=20")
        proxy.do("refuse", "cut")
        time.sleep(2.5)
        proxy.do("accept")
        job.wait(60, check=True)
        assert device(m)["stats"]["errors"] == 0


def test_attach_fails_in_time(machine):
    """An address where nobody answers, or answers nothing: attach ends with an error and leaves no device."""
    m = machine
    with Proxy(m) as proxy:
        m.run(f"dst export data {m.ramdisk(8)} --allow any")
        proxy.do("stall both")
        began = time.monotonic()
        fails(m, f"dst attach dst://127.0.0.1:{PROXY}/data --name d --timeout 1s", f"{PROXY}", timeout=60)
        assert time.monotonic() - began < 40
        m.run("test ! -e /dev/dst-d")
