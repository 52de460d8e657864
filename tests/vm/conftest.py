"""pytest's side of the test machines: --kernel, the fixtures, the time limit, the log check after each test.

See tests/vm/README.md for how to write a scenario.
"""
import re
import signal

import pytest
from _pytest.runner import runtestprotocol

import gate
from harness import Kernel
from harness.boot import HarnessError, kernels_for, suite_of
from harness.channel import CommandFailed, MachineDied
from harness.logcheck import LogFinding
from harness.points import built_in
from harness.pool import Pool

# The gate's, of dist/kernels.
DEFAULT_KERNELS = kernels_for("gate")
DEFAULT_LIMIT = 300
KINDS = ["machine", "pair", "cluster"]

pool_key = pytest.StashKey()
last_key = pytest.StashKey()


class TimeLimit(Exception):
    """The test took longer than its limit."""


def pytest_addoption(parser):
    parser.addoption("--kernel", action="append",
                     help="a name of dist/kernels (default: those of the gate); may be repeated")
    parser.addoption("--gate", action="store_true",
                     help="only what gate.py chooses for each kernel (make test)")


def pytest_configure(config):
    for line in ("single: uses one machine only (set by itself)",
                 "fresh: boots its machines anew before the test",
                 "nomodule: does not load dstor",
                 "weight(number): how much of the host its machines take (set by itself)",
                 "stock: needs what User Mode Linux cannot have",
                 "debian13: is about a Debian 13, and only runs on its stock kernels",
                 "points: needs a dstor.ko with points of delay and failure (DST_DEBUG=y)",
                 "debug: needs a kernel that can be made to fail (uml-debug)",
                 f"limit(seconds): the test's time limit instead of {DEFAULT_LIMIT} s"):
        config.addinivalue_line("markers", line)

    gate.chosen = config.getoption("--gate")

    def stop(*_):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, stop)


def pytest_generate_tests(metafunc):
    if "kernel_name" in metafunc.fixturenames:
        kernels = metafunc.config.getoption("--kernel") or DEFAULT_KERNELS
        metafunc.parametrize("kernel_name", kernels, scope="session")


def kind_of(item):
    used = [k for k in KINDS if k in item.fixturenames]
    return used[-1] if used else None


def group_of(item):
    """Tests of one group share booted machines; cluster tests share none."""
    if item is None or not hasattr(item, "callspec"):
        return None
    return item.callspec.params.get("kernel_name"), kind_of(item)


def has_points(name):
    """uml-debug's dstor.ko is built with them; if it is not, its tests fail and say so."""
    try:
        return name == "uml-debug" or built_in(Kernel(name).ko)
    except HarnessError:
        return False


def belongs_elsewhere(item, kernel, points):
    """It needs what that kernel, or the dstor.ko built for it, cannot have."""
    if kernel is None:
        return False
    marked = item.get_closest_marker
    return bool(kernel.startswith("uml-") and marked("stock")
                or not suite_of(kernel).startswith("trixie") and marked("debian13")
                or kernel not in points and marked("points")
                or kernel != "uml-debug" and marked("debug"))


def pytest_itemcollected(item):
    # Here, so that "-m single" finds its mark.
    kind = kind_of(item) if hasattr(item, "fixturenames") else None
    if kind:
        item.add_marker(pytest.mark.weight(KINDS.index(kind) + 1))
    if kind == "machine":
        item.add_marker("single")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    kernels = config.getoption("--kernel") or DEFAULT_KERNELS
    stock = [k for k in kernels if not k.startswith("uml-")]
    points = [k for k in kernels if has_points(k)]
    keep, drop = [], []
    for item in items:
        kernel, kind = group_of(item) or (None, None)
        left_out = kind and config.getoption("--gate") and not gate.in_gate(item, kind, stock)
        (drop if belongs_elsewhere(item, kernel, points) or left_out else keep).append(item)
    if config.getoption("--gate"):
        fewer = gate.left_to_test_all([i for i in keep if kind_of(i)])
        drop += fewer
        keep = [i for i in keep if i not in fewer]

    def order(item):
        kernel, kind = group_of(item) or (None, None)
        return (kernels.index(kernel), KINDS.index(kind)) if kind else (-1, -1)
    items[:] = sorted(keep, key=order)
    if drop:
        config.hook.pytest_deselected(items=drop)


# Fixtures -----------------------------------------------------------------------------------------

@pytest.fixture(scope="session")
def pool(request):
    pool = Pool()
    request.config.stash[pool_key] = pool
    yield pool
    pool.close()


def take(request, pool, kernel_name, kind):
    marked = request.node.get_closest_marker
    return pool.take(kernel_name, kind, fresh=bool(marked("fresh")), load=not marked("nomodule"))


@pytest.fixture
def kernel(pool, kernel_name) -> Kernel:
    return pool.kernel(kernel_name)


@pytest.fixture
def machine(request, pool, kernel_name):
    """One machine, no network but its own loopback; dstor is loaded."""
    return take(request, pool, kernel_name, "single")[0]


@pytest.fixture
def pair(request, pool, kernel_name):
    """(exporter, client) = 10.77.0.1 and 10.77.0.2, each with the disks "data" and "volatile"."""
    take(request, pool, kernel_name, "pair")
    return pool.pair()


@pytest.fixture
def cluster(request, pool, kernel_name):
    """cluster(count, disks={"exporter": [Disk("a", 64)]}): machines of this test's own; root: a folder instead of the host's /."""
    load = not request.node.get_closest_marker("nomodule")

    def make(count, disks=None, load=load, root=None):
        return pool.cluster(kernel_name, count, disks, load, root)
    yield make
    pool.close_extra()


# Around each test ---------------------------------------------------------------------------------

# QEMU's emulation (TCG, several threads) now and then runs into a breakpoint that the guest's kernel has already taken
# out again while it patched its own code (jump labels). Real processors do not; it was seen while a machine booted,
# before any module was loaded. Nothing else makes this message.
#
# And where this machine is itself a virtual one that is moved or stopped, the counter of its processor jumps, and with it
# the clock of a guest: minutes pass in it in no time, every time-out of it ends. A clock that runs ahead of ours can come
# from nothing that we test.
EMULATOR_BROKE = re.compile(r"int3: 0000 \[#1\]|its clock ran ahead of ours by")


def emulator_broke(report):
    return report.failed and any(EMULATOR_BROKE.search(text) for text in
                                 (report.longreprtext, *(content for _, content in report.sections)))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    item.stash[last_key] = group_of(item) != group_of(nextitem)
    if kind_of(item) is None:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    if any(emulator_broke(r) for r in reports):
        print(f"\n{item.nodeid}: the emulator broke the machine (see conftest.py); once more")
        item._initrequest()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for r in reports:
        item.ihook.pytest_runtest_logreport(report=r)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def after_test(pool, last):
    """Cleans the machines of the test; everything that is wrong with them, as text."""
    wrong = []
    # clients first: what is to be unmounted there may need its exporter
    shared = list(reversed(pool.members))
    for m in shared + [m for _, members, _ in pool.extra for m in members]:
        m.state_folder = None
        try:
            if m in shared and m.alive:
                if not m.clean():
                    wrong.append(f"{m.name} could not be cleaned: {m.unclean}")
                elif last:
                    if m.loaded:
                        m.unload()
                    m.check_leaks()
        except (LogFinding, CommandFailed, MachineDied, TimeoutError) as e:
            wrong.append(str(e))
        try:
            m.check_log()
        except LogFinding as e:
            wrong.append(str(e))
            m.unclean = "its kernel complained"
    return wrong


def fail(outcome, error):
    """Makes the test that ended well one that failed."""
    if hasattr(outcome, "force_exception"):
        outcome.force_exception(error)
    else:  # pluggy before 1.1, as in Debian 12
        outcome._excinfo = (type(error), error, error.__traceback__)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    marker = item.get_closest_marker("limit")
    limit = int(marker.args[0]) if marker else DEFAULT_LIMIT

    def ring(*_):
        raise TimeLimit(f"the test's limit of {limit} s is over")
    signal.signal(signal.SIGALRM, ring)
    signal.alarm(limit)
    outcome = yield
    signal.alarm(0)

    pool = item.config.stash.get(pool_key, None)
    if pool is None or kind_of(item) is None:
        return
    failed = outcome.excinfo is not None
    for m in pool.members + [m for _, members, _ in pool.extra for m in members] if failed else []:
        if m.clock_ahead() > 5:
            item.add_report_section("call", f"{m.name}", f"its clock ran ahead of ours by {m.clock_ahead():.1f} s")
    wrong = after_test(pool, item.stash[last_key])
    if failed or wrong:
        for m in pool.members + [m for _, members, _ in pool.extra for m in members]:
            item.add_report_section("call", f"kernel log of {m.name}", m.log_since(m.test_log)[-20000:])
    if wrong and failed:
        item.add_report_section("call", "also wrong after the test", "\n".join(wrong))
    elif wrong:
        fail(outcome, LogFinding("\n".join(wrong)))
