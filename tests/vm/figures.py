# SPDX-License-Identifier: GPL-2.0
"""A plugin for pytest (-p figures): what the scenarios did to the machines, and what the devices and exports counted.

Reads `dst show --json` of every machine before it is cleaned, killed or unloaded, and before a device or an export ends.
What an exporter counted before a power cut by a scenario is read just before it.
"""
import json
from collections import Counter

import pytest

from harness.channel import CommandFailed, MachineDied
from harness.machine import Machine
from harness.qemu import QemuMachine

FAULTS = {"kill": "kills", "shutdown": "reboots", "freeze": "freezes", "unload": "reloads"}
ENDS = ("dst detach", "dst unexport", "dst down", "rmmod")
COLUMNS = ["writes", "reconnects", "resends", "replayed", "fenced", "errors", "checksum_errors", "auth_failures"]


class Account:
    """Of one scenario."""

    def __init__(self):
        self.faults = Counter()
        self.last = {}      # counters of one device or export, as last seen
        self.total = Counter()
        self.pause_ns = 0
        self.reading = False

    def take(self, key, stats):
        before = self.last.get(key, {})
        if any(stats[c] < before.get(c, 0) for c in COLUMNS):
            self.total.update(before)      # another one of this name
        self.last[key] = {c: stats[c] for c in COLUMNS}

    def read(self, machine):
        if self.reading or not machine.loaded or not machine.alive or machine.channel is None:
            return
        self.reading = True
        try:
            said = machine.run("timeout 5 dst show --json", timeout=10, check=False).out
            state = json.loads(said or "{}")
        except (MachineDied, CommandFailed, TimeoutError, ValueError, OSError):
            return
        finally:
            self.reading = False
        for kind in ("devices", "exports"):
            for one in state.get(kind, []):
                stats = dict(one["stats"])
                # both ends count what goes over them; once is enough
                if kind == "exports":
                    stats.update(writes=0, errors=0)
                self.take((machine.name, machine.boots, kind, one["name"]), stats)
        for d in state.get("devices", []):
            for way in ("read", "write"):
                buckets = d["latency"][way]["below_1024ns_doubling"]
                if buckets:
                    self.pause_ns = max(self.pause_ns, 1024 << (len(buckets) - 1))

    def sums(self):
        total = Counter(self.total)
        for stats in self.last.values():
            total.update(stats)
        return total


class Figures:
    def __init__(self):
        self.accounts = {}
        self.now = None

    def watch(self, owner, name, before):
        wrapped = getattr(owner, name)

        def around(machine, *args, **kwargs):
            if self.now:
                before(machine, name, *args)
            return wrapped(machine, *args, **kwargs)
        setattr(owner, name, around)

    def fault(self, machine, name, *args):
        if name == "link":
            self.now.faults["cuts"] += not args[0]
        elif machine.alive:
            self.now.faults[FAULTS[name]] += 1
            self.now.read(machine)

    def command(self, machine, name, cmd, *_):
        if any(word in cmd for word in ENDS):
            self.now.read(machine)

    def install(self):
        self.watch(Machine, "run", self.command)
        self.watch(Machine, "shutdown", self.fault)
        self.watch(Machine, "unload", self.fault)
        for name in ("kill", "freeze", "link"):
            self.watch(QemuMachine, name, self.fault)


figures = Figures()


def pytest_configure():
    figures.install()


@pytest.hookimpl(hookwrapper=True, trylast=True)
def pytest_runtest_call(item):
    """Innermost: before the machines are cleaned."""
    figures.now = account = figures.accounts[item.nodeid] = Account()
    yield
    pool = item.funcargs["pool"]
    for m in pool.members + [m for _, members, _ in pool.extra for m in members]:
        account.read(m)
    figures.now = None


def pytest_terminal_summary(terminalreporter):
    def line(name, faults, sums, pause_ns):
        tr.write_line(f"{name:72.72} {faults:>7} " + " ".join(f"{sums[c]:>10}" for c in COLUMNS) + f" {pause_ns / 1e9:>9.3g}")

    tr = terminalreporter
    tr.section("figures")
    tr.write_line(f"{'scenario':72} {'faults':>7} " + " ".join(f"{c[:10]:>10}" for c in COLUMNS) + f" {'pause <':>9}")
    total, faults, pause = Counter(), Counter(), 0
    for name, account in figures.accounts.items():
        line(name.split("::")[-1], sum(account.faults.values()), account.sums(), account.pause_ns)
        total.update(account.sums())
        faults.update(account.faults)
        pause = max(pause, account.pause_ns)
    line("all", sum(faults.values()), total, pause)
    tr.write_line("faults: " + ", ".join(f"{n} {name}" for name, n in sorted(faults.items())) +
                  "; pause: no read or write took longer than so many seconds; errors of scenarios that ask for them included")
