# SPDX-License-Identifier: GPL-2.0
"""Which scenario runs on which kernel in the gate (make test); `make test-all` runs each on all of them.

The gate is bounded by the time of emulation. So what needs one machine runs under User Mode Linux with every checker
(uml-debug), and stock kernels run what only they can show, and a sample of the rest:

  CORE      on the stock kernels by turns, some of each file on each: what differs between kernels (compat/), end to end
  STOCK     what User Mode Linux cannot show, on one stock kernel each, by turns
  SAMPLED   one of so many, by turns over the kernels: what is decided by code that is the same on all
  LONG      only in test-all: a longer form of what the gate shows in a short one

Of a scenario with three variants or more the gate runs every other one, and of each file every other scenario, unless
it is about who may write, about races or about what other people send (WHOLE). They are the same ones in every run: see
left_to_test_all().

Scenarios that repeat something are shorter there: brief().

tests/check/test_gate.py proves that each promise keeps a scenario in the gate.
"""
import re
import zlib

chosen = False  # --gate is given: conftest.py

CORE = re.compile(r"test_(whole_path|flush_and_fua|copies_and_allocations|discard_and_zeroes_arrive)")
STOCK = re.compile(r"test_(resize_is_live|torture_\w+)")
WHOLE = re.compile(r"test_(race_\w+|rejoin|no_ghost_writes|lone_io|read_only|one_writer|lease_cannot_be_kept|memory_ceiling"
                   r"|hostile_\w+|netlink_input|protocol_is_enforced)")
# {file: (one of so many on uml-debug, one of so many on stock kernels)}; what cannot run on the former is not thinned.
SAMPLED = {
    "test_sealed_stream": (6, 30),
    "test_transports": (2, 4),
    "test_keys": (1, 12),
    "test_hints_travel": (1, 2),
    "test_lifecycle": (1, 6),
    "test_short_outages": (1, 4),
    "test_harness": (1, 3),
    "test_two_machines": (1, 2),
    "test_torture_honest_flush": (1, 2),
    "test_torture_ghost_writes": (1, 2),
    "test_recipe_lvm": (1, 4),
}
# What the scenario beside it shows in the gate already.
LONG = {
    "test_recipe_ocfs2": "test_torture_two_clients",
    "test_torture_swap": "test_memory_ceiling, test_memory_runs_out",
    "test_torture_outages": "test_short_outages, test_two_machines",
    "test_torture_long_outages": "test_long_outages, test_forced_detach",
    "test_torture_bad_network": "test_resends, test_flipped_bits",
    # A thousand connections, which take minutes with every checker.
    "test_many_devices": "test_slow_commands, test_short_outages",
    # Saving and restoring the memory of a machine takes minutes under emulation.
    "test_restored_client": "test_rejoin",
    # It builds another module.
    "test_old_peer": "test_features",
}


def brief(short, full):
    """The value for this run: in the gate the former. In a test, not while it is collected."""
    return short if chosen else full


def turn(item, count, what_for=""):
    """A number below @count that is the same in every run. Of another @what_for it is another one, independent of it."""
    what = item.nodeid.replace(item.callspec.params["kernel_name"], "") + what_for
    return zlib.crc32(what.encode()) // 8 % count


def second_half(items, key, more_than):
    """Of each group by @key that has @more_than items: the half that is left out, never all of it."""
    groups = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return {item for group in groups.values() if len(group) > more_than
            for item in sorted(group, key=lambda i: turn(i, 1 << 28, "half"))[(len(group) + 1) // 2:]}


def left_to_test_all(items):
    """The scenarios among @items, which are in the gate, that it leaves to `make test-all`."""
    def kernel(item):
        return item.callspec.params["kernel_name"]

    out = second_half(items, lambda i: (i.path, i.originalname, kernel(i)), 2)
    rest = [i for i in items if i not in out and not CORE.fullmatch(i.path.stem) and not WHOLE.fullmatch(i.path.stem)]
    return out | second_half(rest, lambda i: (i.path, kernel(i).startswith("uml-")), 1)


def in_gate(item, kind, stock):
    """@kind: what it uses: a machine, a pair, a cluster; @stock: the names of the stock kernels that take part."""
    kernel, stem = item.callspec.params["kernel_name"], item.path.stem
    single = kind == "machine"
    of_uml, of_stock = SAMPLED.get(stem, (1, 0))
    if stem in LONG:
        return False
    if kernel.startswith("uml-"):
        # With two machines there, the checkers make it slower than emulation.
        return single and turn(item, of_uml) == 0
    if kernel not in stock:
        return False
    mine = turn(item, len(stock), "kernel") == stock.index(kernel)
    if CORE.fullmatch(stem):
        return mine
    if of_stock:
        only_here = item.get_closest_marker("stock")
        return mine and bool(only_here or turn(item, of_stock) == 0)
    return mine and bool(STOCK.fullmatch(stem) or item.get_closest_marker("stock") or not single)
